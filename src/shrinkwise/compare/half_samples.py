"""Which inputs the lasso selects on halves of the rows, and which of them stand in for one another."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from shrinkwise.compare.candidates import Problem
from shrinkwise.compare.linear_candidates import tune_lasso
from shrinkwise.compare.options import Options
from shrinkwise.penalties import L1
from shrinkwise.selection import taking_turns

_LARGE = 2_000_000  # values of X above which fewer half-samples must do
_PAIRS, _FEW_PAIRS = 50, 10


@dataclass(frozen=True)
class HalfSamples:
    """selected (half-samples, inputs): whether the lasso at λ = lam uses the input there; threshold: stable from there on."""

    selected: np.ndarray
    lam: float
    threshold: float = 0.9

    @property
    def frequencies(self) -> np.ndarray:
        """Share of the half-samples in which each input is used."""
        return self.selected.mean(axis=0)

    @property
    def turns(self) -> list[tuple[int, int, float]]:
        """Pairs of inputs that take turns, and the share of half-samples that use exactly one of the two."""
        return taking_turns(self.selected)


def half_samples(problem: Problem, inputs: list[int], lam: float | None, options: Options) -> HalfSamples:
    """Fit the lasso at λ (by default its one-standard-error choice on all rows) on complementary halves of the rows.

    `inputs` gives the input of each feature; an input is used where any of its features is.
    """
    from sklearn.exceptions import ConvergenceWarning

    from shrinkwise.linear import stability_selection

    if lam is None:
        curve = tune_lasso(problem, options).curve
        lam = 0.0 if curve is None else float(curve.lambdas[curve.index_1se])
    loss = "squared" if not problem.has_classes else "logistic" if problem.n_classes == 2 else "multinomial"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fit that stops early says little less of the support
        found = stability_selection(
            problem.X,
            problem.y,
            L1(lam),
            loss=loss,
            pairs=_PAIRS if np.prod(problem.X.shape) <= _LARGE else _FEW_PAIRS,
            tol=1e-4,
            random_state=problem.seed % 2**32,
        )
    selected = np.zeros((len(found.selected), max(inputs, default=-1) + 1), dtype=bool)
    for feature, index in enumerate(inputs):
        selected[:, index] |= found.selected[:, feature]
    return HalfSamples(selected, lam, found.threshold)
