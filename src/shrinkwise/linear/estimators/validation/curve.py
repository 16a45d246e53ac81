"""The cross-validation curve: held-out losses along a path, and the λ selected on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shrinkwise.linear.paths.path import Path
from shrinkwise.selection import independent_folds, mean_and_se, one_standard_error, selected


@dataclass(frozen=True)
class ValidationCurve:
    """Held-out losses (L, folds) at the λ of a path (fitted on all rows), and the selected λ.

    `gamma` is the share of the penalised fit in a blend with its relaxed refit. `independent` is the number of folds that
    share no held-out row: all folds, unless the splitter repeats itself (see `selection.independent_folds`).
    """

    path: Path
    losses: np.ndarray
    independent: float
    select: str = "1se"
    gamma: float = 1.0

    @property
    def mean(self) -> np.ndarray:
        """Mean held-out loss, (L,)."""
        return mean_and_se(self.losses.T)[0]

    @property
    def se(self) -> np.ndarray:
        """Its standard error over folds, (L,)."""
        return mean_and_se(self.losses.T, self.independent)[1]

    @property
    def index_best(self) -> int:
        """Index of the λ with the smallest mean loss."""
        return one_standard_error(self.mean, self.se)[0]

    @property
    def index_one_se(self) -> int:
        """Index of the largest λ within one standard error of the best."""
        return one_standard_error(self.mean, self.se)[1]

    @property
    def index(self) -> int:
        """Index of the selected λ."""
        return selected(self.mean, self.se, self.select)

    @property
    def kept(self) -> Path:
        """The solution on all rows at the selected λ."""
        return self.path[self.index]

    @property
    def edge(self) -> str:
        """A sentence if the best λ is an end of the grid, so that the minimum may lie outside; else ""."""
        ends = {0: "largest", len(self.path) - 1: "smallest"}
        if len(self.path) < 2 or self.index_best not in ends or self.losses[:, 0].size == 0:
            return ""
        if self.index_best == 0:
            return "; the best λ is the largest of the grid"
        return "; the best λ is the smallest of the grid, so a smaller lambda_min_ratio may predict better"


def turned(losses, patience: int | None) -> int | None:
    """The number of λ, of held-out losses (G, L, folds), after which none of the G means has fallen for `patience` λ.

    None where there is no such number, or no patience.
    """
    if patience is None or losses.shape[1] <= patience:
        return None
    lowest = np.fmin.accumulate(losses.mean(axis=-1), axis=1)
    after = np.arange(1, lowest.shape[1])
    last_fall = np.maximum.accumulate(np.where(np.diff(lowest, axis=1) < 0, after, 0), axis=1)
    waited = np.flatnonzero((after - last_fall).min(axis=0) >= patience)
    return int(waited[0]) + 2 if len(waited) else None


def chosen(losses, folds, select: str) -> int:
    """Index of the λ to select, from held-out losses (L, folds) on a decreasing grid."""
    mean, se = mean_and_se(losses.T, independent_folds([test for _, test in folds]))
    return selected(mean, se, select)


def checked_gammas(relaxed) -> tuple[float, ...]:
    """The γ of `relaxed`: (1.0,) for False, five for True, or those of a list."""
    if isinstance(relaxed, (bool, np.bool_)):
        return (1.0, 0.75, 0.5, 0.25, 0.0) if relaxed else (1.0,)
    gammas = np.atleast_1d(np.asarray(relaxed, dtype=float))
    if gammas.ndim != 1 or not len(gammas) or not ((gammas >= 0) & (gammas <= 1)).all():
        raise ValueError(f"Expected relaxed to be a bool or a list of γ in [0, 1], got {relaxed!r}")
    return tuple(gammas.tolist())
