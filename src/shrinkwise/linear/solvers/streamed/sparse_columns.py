"""The columns of sparse rows in blocks, as a solver sees them: products with all of them by a pass over the rows, and in memory
those that it works on.

What stays in memory are vectors with a number per row, the working columns, and vectors with a number per column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array

from shrinkwise.kernels import WeightedColumns
from shrinkwise.linear.problem.design import Design
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.rounding import check_size, is_constant
from shrinkwise.linear.problem.row_triangles import gigabytes, memory_size
from shrinkwise.streaming import RowsError, SparseRows

_MEMORY = 0.5  # share of the memory that the working columns may take
_BYTES = 2 * 12  # of a stored entry, while new columns join the others
_SINGLE = 1e-12, 1e12  # sizes whose squares single precision holds


@dataclass
class SparseOverview:
    """What the first pass finds in the rows with a weight above 0: y and s (n,), the number of each first row of a block; of
    the columns (p,) the stored entries, means, Σ s x², Σ s (x − x̄)² / Σ s, and which are constant and not zero; and the
    largest and the smallest stored |x| > 0."""

    y: np.ndarray
    s: np.ndarray
    number: np.ndarray
    stored: np.ndarray
    means: np.ndarray
    squares: np.ndarray
    variances: np.ndarray
    constant: np.ndarray
    largest: float
    smallest: float


class SparseStore:
    """Sparse rows times `factor` (p,) by column; `X` holds the columns that were gathered, the others are empty there."""

    def __init__(self, rows: SparseRows, progress=None):
        self.rows, self.progress, self.passes, self.p = rows, progress, 0, rows.p
        self.factor = np.ones(self.p)
        self.found = _Summed(self.p).over(self._present())
        self.n = len(self.found.y)
        self.there = np.zeros(self.p, dtype=bool)
        self._keep(csc_array((self.n, self.p)))

    def transposed(self, v):
        """X'v for v (n,) or (n, K), by one pass: (p,) or (p, K)."""
        found, first = np.zeros((self.p, *v.shape[1:])), 0
        for X, _, _, _ in self._present():
            found += X.T @ v[first : first + X.shape[0]]
            first += X.shape[0]
        return (found.T * self.factor).T

    def gather(self, ids) -> None:
        """Read the columns `ids` into memory, by one pass if there are new ones; RowsError where they are too large."""
        wanted = np.zeros(self.p, dtype=bool)
        wanted[ids] = True
        wanted &= ~self.there & (self.factor != 0)
        size = int(self.found.stored[wanted].sum())
        if not size:
            return
        needed = _BYTES * (size + self.X.nnz)
        if needed > _MEMORY * memory_size():
            count = int((wanted | self.there).sum())
            raise RowsError(
                f"{count} columns are needed at once, which take {gigabytes(needed)} of memory, more than half of the "
                f"{gigabytes(memory_size())} of this machine; end the path at a larger λ, or use a larger L1 part"
            )
        data, columns, starts = np.empty(size), np.empty(size, dtype=np.int32), [np.zeros(1, dtype=int)]
        at = 0
        for X, _, _, _ in self._present():
            keep = wanted[X.indices]
            ends = np.append(0, np.cumsum(keep))[X.indptr[1:]]
            here = slice(at, at + int(ends[-1]))
            columns[here], data[here] = X.indices[keep], X.data[keep]
            starts.append(at + ends)
            at = here.stop
        data *= self.factor[columns]
        new = csr_array((data, columns, np.concatenate(starts)), shape=(self.n, self.p)).tocsc()
        self.there |= wanted
        self._keep(self.X + new if self.X.nnz else new)

    def _keep(self, X) -> None:
        self.X = X
        self.columns = WeightedColumns(X, None, False, np.zeros(0, dtype=int))

    def _present(self) -> Iterator[tuple[Any, np.ndarray, np.ndarray, np.ndarray]]:
        """(X, y, s, numbers of the rows) of every block, without rows of weight 0."""
        self.passes += 1
        for block in self.rows.blocks():
            X, y, number = block.X, block.y, block.first + np.arange(len(block.y))
            s: Any = np.ones(len(y)) if block.s is None else block.s
            if not (s > 0).all():
                X, y, s, number = X[s > 0], y[s > 0], s[s > 0], number[s > 0]
            if len(y):
                yield X, y, s, number
            if self.progress is not None:
                self.progress(len(block.y))


class _Summed:
    """Sums by column over blocks; means and squares are joined as in Chan, Golub, LeVeque, Am. Statist. 1983."""

    def __init__(self, p: int):
        self.p, self.weight = p, 0.0
        self.stored = np.zeros(p, dtype=np.int64)
        self.means, self.squares, self.spread = np.zeros(p), np.zeros(p), np.zeros(p)
        self.same: dict[int, np.ndarray] = {}  # lowest and highest entry of the columns without zeros so far
        self.largest, self.smallest = 0.0, np.inf

    def over(self, blocks) -> SparseOverview:
        """The overview of blocks (X, y, s, numbers of the rows)."""
        vectors: list[tuple] = []
        for X, y, s, number in blocks:
            self._add(X, s, not vectors)
            vectors.append((y, s, number))
        if not vectors:
            raise RowsError("Expected at least one row with a weight above 0, got none")
        y, s, number = (np.concatenate(each) for each in zip(*vectors, strict=True))
        constant = np.zeros(self.p, dtype=bool)
        constant[[j for j, ends in self.same.items() if is_constant(ends)]] = True
        sums = (self.stored, self.means, self.squares, self.spread / self.weight)
        return SparseOverview(y, s, number, *sums, constant, self.largest, self.smallest)

    def _add(self, X, s, first: bool) -> None:
        weights = np.repeat(s, np.diff(X.indptr))
        total, weighted = float(s.sum()), weights * X.data
        stored = np.bincount(X.indices, minlength=self.p)
        inside = np.bincount(X.indices, weights, self.p)
        means = np.bincount(X.indices, weighted, self.p) / total
        squares = np.bincount(X.indices, weighted * X.data, self.p)
        spread = np.bincount(X.indices, weights * np.square(X.data - means[X.indices]), self.p)
        spread += np.maximum(total - inside, 0.0) * np.square(means)
        away, both = means - self.means, self.weight + total
        self.spread += spread + np.square(away) * (self.weight * total / both)
        self.means += away * (total / both)
        self.stored, self.squares, self.weight = self.stored + stored, self.squares + squares, both
        size = np.abs(X.data[X.data != 0])
        self.largest = max(self.largest, float(size.max(initial=0.0)))
        self.smallest = min(self.smallest, float(size.min(initial=np.inf)))
        full = np.flatnonzero(stored == X.shape[0])
        known = {int(j): self.same[int(j)] for j in full if int(j) in self.same}
        for j in full if first else list(known):
            column = X[:, [j]].data
            self.same[int(j)] = np.array([*known.get(int(j), []), column.min(), column.max()])
        self.same = {j: np.array([ends.min(), ends.max()]) for j, ends in self.same.items() if stored[j] == X.shape[0]}


class SparseDesign(Design):
    """A `Design` on a store; columns are gathered before they are used."""

    streams = True

    def __init__(self, store: SparseStore, s, means, centre: bool):
        self.store, self.sparse, self.s, self.means, self.centre = store, True, s, means, centre
        self.n, self.p = store.n, store.p
        self.weighted = bool((s != 1).any())
        self.root = np.sqrt(s) if self.weighted else None

    @property
    def X(self):  # type: ignore[override]
        """The columns gathered so far, in a matrix of all."""
        return self.store.X

    @property
    def columns(self):  # type: ignore[override]
        """Products with the columns gathered so far."""
        return self.store.columns

    def gather(self, ids) -> None:
        """Read the columns `ids` into memory."""
        self.store.gather(ids)

    def times(self, w, columns=None):
        """X w', of the columns with a weight."""
        self.gather(np.flatnonzero(np.atleast_2d(w).any(0)) if columns is None else columns)
        return super().times(w, columns)

    def transposed(self, v):
        """X'v, by a pass."""
        return self.store.transposed(v)

    def centred_columns(self, columns):
        """The columns of X̃."""
        self.gather(columns)
        return super().centred_columns(columns)

    def gram(self):
        """Refused."""
        raise ValueError(
            "The grid of a penalty without L1 needs the Gram matrix of all columns, which sparse rows in blocks do not have; "
            "give lambdas"
        )

    row_gram = gram


class SparseProblem(Problem):
    """A `Problem` on a `SparseStore` in the place of X."""

    def _matrix(self, X: SparseStore, present):
        found = X.found
        for size in (found.largest, found.smallest):
            check_size(size if size < np.inf else 0.0, None, "X")
        means = np.zeros(X.p)
        if self.fit_intercept:  # those of the first pass, unless rows are left out
            means = found.means * X.factor if present.all() else X.transposed(self.s) / X.n
        return found.largest, SparseDesign(X, self.s, means, self.fit_intercept)

    @property
    def fits_single(self) -> bool:
        """Whether products of columns stay in the range of single precision."""
        found = self.design.store.found
        return found.largest < _SINGLE[1] and found.smallest > _SINGLE[0]

    def column_squares(self):
        """Σ x² of every column, (p,)."""
        return self.design.store.found.squares * np.square(self.design.store.factor)
