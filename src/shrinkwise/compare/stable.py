"""Inputs that are selected again and again on halves of the rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from shrinkwise.compare.candidates import Problem
from shrinkwise.compare.linear_candidates import tune_lasso
from shrinkwise.compare.options import Options
from shrinkwise.penalties import L1

_LARGE = 2_000_000  # values of X above which fewer half-samples must do
_FEW_PAIRS = 10


@dataclass(frozen=True)
class StableInputs:
    """How often each input has a non-zero weight in the lasso on half-samples.

    frequencies (number of inputs,); an input of several columns counts by the one selected most often. threshold: the
    share from which on it is called stable. lam: λ, the careful choice on all rows. pairs: of complementary half-samples.
    """

    frequencies: np.ndarray
    lam: float
    pairs: int
    threshold: float = 0.9

    @property
    def stable(self) -> np.ndarray:
        """Numbers of the stable inputs, the most frequent first."""
        order = np.argsort(-self.frequencies, kind="stable")
        return order[self.frequencies[order] >= self.threshold]


def stable_inputs(problem: Problem, lam: float | None, options: Options) -> StableInputs:
    """Fit the lasso at λ (by default its careful choice on all rows) on complementary halves of the rows."""
    from sklearn.exceptions import ConvergenceWarning

    from shrinkwise.linear import stability_selection

    if lam is None:
        curve = tune_lasso(problem, options).curve
        lam = float(curve.lambdas[curve.index_1se]) if curve is not None else 0.0
    pairs = options.stability_pairs if np.prod(problem.X.shape) <= _LARGE else min(_FEW_PAIRS, options.stability_pairs)
    loss = "squared" if not problem.has_classes else "logistic" if problem.n_classes == 2 else "multinomial"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = stability_selection(
            problem.X,
            problem.y,
            L1(lam, weights=problem.columns.factors),
            loss=loss,
            sample_weight=problem.rows.weights,
            pairs=pairs,
            random_state=problem.seed % 2**32,
        )
    inputs = problem.columns.inputs
    frequencies = np.zeros(int(inputs.max()) + 1 if len(inputs) else 0)
    np.maximum.at(frequencies, inputs, found.frequencies)
    return StableInputs(frequencies, lam, pairs, found.threshold)
