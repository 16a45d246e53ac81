"""Selection stability: inputs that are selected on most halves of the rows, and inputs that replace one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shrinkwise.compare.candidates.base import TrainingRows
from shrinkwise.compare.candidates.linear import ScaledRows, tune_group_lasso, tune_lasso, whole_inputs
from shrinkwise.compare.options import Options
from shrinkwise.penalties import L1
from shrinkwise.selection import taking_turns

from .workers import in_processes, on_one_thread

_LARGE = 2_000_000  # values of X above which fewer half-samples must do
_FEW_PAIRS = 10


@dataclass(frozen=True)
class StableInputs:
    """The inputs with a non-zero weight on half-samples: in the lasso, or in the group lasso of whole inputs
    (`by_group`).

    selected (half-samples, inputs): whether any feature of the input has one. threshold: the minimum share of a stable
    input. lam: λ, the 1-SE choice on all rows.
    """

    selected: np.ndarray
    lam: float
    threshold: float = 0.9
    by_group: bool = False

    @property
    def frequencies(self) -> np.ndarray:
        """Share of the half-samples in which each input is used (number of inputs,)."""
        return self.selected.mean(axis=0)

    @property
    def pairs(self) -> int:
        """Number of pairs of complementary half-samples."""
        return len(self.selected) // 2

    @property
    def turns(self) -> list[tuple[int, int, float]]:
        """Pairs of inputs that replace each other, and the share of half-samples that use exactly one of the two."""
        return taking_turns(self.selected)

    @property
    def stable(self) -> np.ndarray:
        """Indices of the stable inputs, the most frequent first."""
        order = np.argsort(-self.frequencies, kind="stable")
        return order[self.frequencies[order] >= self.threshold]


def stable_inputs(problem: TrainingRows, lam: float | None, options: Options, jobs: int = 1) -> StableInputs:
    """Fit the lasso at λ (by default that of the classical 1-SE rule on all rows) on complementary halves of the rows.

    If an input has several columns, the group lasso is used with its own λ: the lasso would use one or another of many
    columns by chance, so that an input with many levels would appear stable because of their number.
    """
    problem = problem.fitted
    by_group = of_whole_inputs(problem)
    if lam is None or by_group:
        curve = (tune_group_lasso if by_group else tune_lasso)(problem, options).curve
        lam = 0.0 if curve is None else curve.lambda_1se
    if problem.factors is not None:
        return _from_factors(problem, lam, options)
    return stable_inputs_at(problem, lam, options, by_group, jobs)


def stable_inputs_at(
    problem: TrainingRows, lam: float, options: Options, by_group: bool, jobs: int = 1
) -> StableInputs:
    """The same at a given λ, of the group lasso if `by_group`; for rows that are not given by factors."""
    from shrinkwise.linear import stability_selection

    pairs = n_pairs(options, *problem.X.shape)
    scaled = ScaledRows.of(problem)
    loss = scaled.loss if not problem.has_classes else "logistic" if problem.n_classes == 2 else "multinomial"
    with on_one_thread(), in_processes(jobs):
        found = stability_selection(
            problem.X,
            scaled.problem.y,
            whole_inputs(problem, lam) if by_group else L1(lam, weights=problem.columns.factors),
            loss=loss,
            sample_weight=problem.rows.weights,
            pairs=pairs,
            random_state=problem.seed % 2**32,
        )
    return StableInputs(_by_input(problem, found.selected), lam, found.threshold, by_group)


def of_whole_inputs(problem: TrainingRows) -> bool:
    """Whether the inputs are those of the group lasso, which is then tuned for this."""
    return problem.columns.has_groups and problem.columns.low is None


def n_pairs(options: Options, n_rows: int, n_features: int) -> int:
    """The number of pairs of half-samples on so many rows that are not given by factors."""
    return options.stability_pairs if n_rows * n_features <= _LARGE else min(_FEW_PAIRS, options.stability_pairs)


def _from_factors(problem: TrainingRows, lam: float, options: Options) -> StableInputs:
    """The same for many rows of numbers, on halves of parts of the rows that were drawn at random."""
    from shrinkwise.linear.estimators.validation.triangles import selected_on_halves

    scaled = ScaledRows.of(problem)
    parts = [part.with_target_over(scaled.scale) for part in problem.factors.parts]  # type: ignore[union-attr]
    penalty = L1(lam, weights=problem.columns.factors)
    found = selected_on_halves(parts, penalty, options.stability_pairs, problem.seed % 2**32)
    return StableInputs(_by_input(problem, found), lam)


def _by_input(problem: TrainingRows, features: np.ndarray) -> np.ndarray:
    """Whether any feature of an input is selected (half-samples, inputs), from whether each feature is."""
    inputs = problem.columns.inputs
    selected = np.zeros((len(features), int(inputs.max(initial=-1)) + 1), dtype=bool)
    for feature, index in enumerate(inputs):
        selected[:, index] |= features[:, feature]
    return selected
