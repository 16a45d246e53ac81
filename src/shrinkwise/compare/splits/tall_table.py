"""A table of many rows of numbers for nested cross-validation: encoded once, read once.

With an outer fold a(i) and an inner fold b(i) of every row i, the training rows of the outer fold k without those of its
inner fold j are the cells {a ≠ k, b ≠ j}. Least squares needs of each cell only its triangular factor
(linear.problem.triangular_factor), so that all fits of a nested cross-validation cost one pass over the rows. Each fold is
standardised by the means and deviations of its own training rows, which are in the factors too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shrinkwise.compare.candidates.base import RowFactors
from shrinkwise.linear.problem.triangular_factor import FoldTriangles, Triangle, one_thread
from shrinkwise.selection import Rows, folds
from shrinkwise.selection.splits import Fold
from shrinkwise.tables import Encoder, TablePlan
from shrinkwise.tables.columns.features import plain_values

from .row_factors import StandardisedFactors
from .rows import StandardisedRows

_PIECES = 2  # of each cell, so that half of them are a random half of the rows
_FEWEST = 20  # rows per column of a piece


def is_tall(frame, plan: TablePlan, rows: Rows, n_parts: int) -> bool:
    """Whether a table is a regression on plain numbers, whose rows are alike, with many more rows than columns."""
    if plan.task != "regression" or any(part is not None for part in (rows.groups, rows.time, rows.weights)):
        return False
    if frame.height < _FEWEST * _PIECES * n_parts * (len(plan.kept) + 2):
        return False
    return all(plain_values(column, frame[column.name], None) is not None for column in plan.kept)


@dataclass(frozen=True)
class TallTable:
    """All rows encoded, X (n, q), by `encoder`, the target y (n,), and the outer and inner fold of each row, (n,)."""

    encoder: Encoder
    X: np.ndarray
    y: np.ndarray
    outer: np.ndarray
    inner: np.ndarray
    seed: int

    @classmethod
    def of(cls, frame, plan: TablePlan, y: np.ndarray, outer: list[Fold], n_inner: int, seed: int) -> TallTable | None:
        """The table; None if a feature is constant in some part of the rows."""
        encoder = Encoder(plan).fit(frame)
        if not encoder.varies.all():
            return None
        inner = folds(y, n_inner, task=plan.task, random_state=seed + 1)
        target = np.log(y) if plan.log_target else y
        table = cls(encoder, encoder.transform(frame), target, _numbered(outer), _numbered(inner), seed)
        return table if all((part.deviations > 0).all() for part in table._pieces) else None

    @cached_property
    def _cells(self) -> list[list[list[Triangle]]]:
        """The pieces of each cell, by outer and inner fold."""
        rng = np.random.default_rng(self.seed)
        n_inner = int(self.inner.max()) + 1
        code = self.outer * n_inner + self.inner
        order = rng.permutation(len(code))
        order = order[np.argsort(code[order], kind="stable")]
        cells = np.split(order, np.cumsum(np.bincount(code))[:-1])
        with one_thread():
            parts = [
                [Triangle.of(self.X, self.y, rows=np.sort(rows)) for rows in np.array_split(cell, _PIECES)]
                for cell in cells
            ]
        return [parts[start : start + n_inner] for start in range(0, len(parts), n_inner)]

    @property
    def _pieces(self) -> list[Triangle]:
        return [piece for by_inner in self._cells for cell in by_inner for piece in cell]

    def whole(self) -> RowFactors:
        """The factors of all rows."""
        return RowFactors(FoldTriangles.of_held(self._inner_folds(range(len(self._cells)))), self._pieces)

    def without(self, fold: int) -> StandardisedFactors:
        """The factors of the training rows of an outer fold, standardised; medians are those of all rows."""
        return StandardisedFactors.of(
            self._inner_folds([k for k in range(len(self._cells)) if k != fold]), self.encoder
        )

    def _inner_folds(self, outer) -> list[Triangle]:
        cells = ([piece for k in outer for piece in self._cells[k][j]] for j in range(len(self._cells[0])))
        return [*map(Triangle.joined, cells)]

    def rows(self, rows: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> StandardisedRows:
        """Some of the rows, standardised."""
        return StandardisedRows(self.X, rows, mean, scale)


def _numbered(splits: list[Fold]) -> np.ndarray:
    """The number of the fold that holds out each row, (n,), of folds that each hold out other rows."""
    number = np.empty(sum(len(test) for _, test in splits), dtype=int)
    for k, (_, test) in enumerate(splits):
        number[test] = k
    return number
