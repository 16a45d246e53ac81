"""The columns of X that a solver works on, centred by their (weighted) means and side by side in memory."""

from __future__ import annotations

from functools import cached_property
from itertools import combinations

import numpy as np

from shrinkwise.kernels import columns_times, columns_transposed

from .column_set import ColumnSet, run
from .design import VECTORS, is_sparse

# Working columns of a sparse X are kept dense up to so many entries (400 MB), if X has more than this share of entries.
_DENSE, _FULL = 50_000_000, 0.1
# Coordinate descent on a Gram matrix of sparse columns costs as much as on the columns if it has so many times their entries.
_SWEEP = 2
# A dense X of so many entries, and so many rows a column, is read where it lies, so many entries at a time.
_MANY, _TALL, _BLOCK = 10_000_000, 20, 500_000
_PIECE = 1_000_000  # bytes of a linear predictor of several classes on one piece of the rows
# Products are with X − x̄, by x̄ afterwards where no mean is so many times the deviation of its column.
_FAR = 1000.0


def working_columns(design, several: bool = False):
    """An empty set of working columns of `design`: a dense copy, or no copy if it could become too large.

    several : whether products are of several curvatures of a row, for which dense columns are faster.
    """
    size = design.n * design.p
    if design.sparse and (size > _DENSE or design.streams or (design.X.nnz <= _FULL * size and not several)):
        return SparseColumns(design)
    return TallColumns(design) if is_tall(design.X) else DenseColumns(design)


def is_tall(X) -> bool:
    """Whether X is dense with so many rows that a copy of it or of its columns would take too much memory."""
    return not is_sparse(X) and X.size >= _MANY and X.shape[0] >= _TALL * X.shape[1]


class DenseColumns(ColumnSet):
    """Row i of `rows` is column ids[i] of X less its mean."""

    keeps_rows = True

    def __init__(self, design):
        super().__init__(design)
        self.rows = np.empty((0, self.n))
        self.single, self.converted = np.empty((0, self.n), np.float32), 0

    def _append(self, new):
        m = len(self.ids)
        if m > len(self.rows):
            grown = np.empty((min(max(m, 2 * len(self.rows)), self.design.p), self.n))
            grown[: m - len(new)] = self.rows[: m - len(new)]
            self.rows = grown
        X, added = self.design.X, self.rows[m - len(new) : m]
        if not self.design.sparse and X.flags.f_contiguous and X.dtype == np.float64:
            np.take(X.T, new, axis=0, out=added, mode="clip")  # "clip": without a copy of `added`
        else:
            added[:] = (X[:, new].toarray() if self.design.sparse else X[:, new]).T
        if self.design.centre:
            added -= self.design.means[new, None]

    def _swap(self, i: int, k: int):
        kept = self.rows[i].copy()
        self.rows[i] = self.rows[k]
        self.rows[k] = kept

    def times(self, d, rounded=False):
        """(X − x̄) d."""
        rows = self.rows_in(np.float32 if rounded else d.dtype)[: d.shape[1]]
        if len(d) > 1 or d.dtype != np.float64:
            return (d.astype(rows.dtype, copy=False) @ rows).T
        used = np.flatnonzero(d[0])
        return columns_times(rows, used, d[0, used])[:, None]

    def transposed(self, v, m, first=0, rounded=False):
        """(X − x̄)'v."""
        if v.dtype == np.float64 and v.shape[1] <= VECTORS:
            rows = self.rows_in(np.float32 if rounded else np.float64)[first:m]
            return columns_transposed(rows, np.arange(len(rows)), np.ascontiguousarray(v.T))
        return (self.rows_in(v.dtype)[first:m] @ v).T

    def slices(self, K, itemsize):
        """See `ColumnSet.slices`."""
        step = max(256, _PIECE // (K * itemsize))
        return [slice(start, min(start + step, self.n)) for start in range(0, self.n, step)]

    def times_slice(self, d, rows):
        """See `ColumnSet.times_slice`."""
        return d @ self.rows_in(d.dtype)[: d.shape[1], rows]

    def transposed_slice(self, v, rows, m):
        """See `ColumnSet.transposed_slice`."""
        return v @ self.rows_in(v.dtype)[:m, rows].T

    def gram(self, left, rights, weights, dtype):
        """(X − x̄)' diag(s) (X − x̄)."""
        rows = self.rows_in(dtype)
        here = rows[run(left)]
        blocks = []
        for right, s in zip(rights, weights, strict=True):
            if right is left and (s >= 0).all():
                scaled = np.multiply(here, np.sqrt(s), dtype=dtype, casting="same_kind")
                blocks.append(scaled @ scaled.T)  # symmetric: half the work
            else:
                scaled, end = np.multiply(here, s, dtype=dtype, casting="same_kind"), int(right.max(initial=-1)) + 1
                few = 8 * len(left) < len(right) and 2 * len(right) > end  # a copy of the columns would cost more
                blocks.append((scaled @ rows[:end].T)[:, run(right)] if few else scaled @ rows[run(right)].T)
        return blocks

    def sums(self, places, weights):
        """(X − x̄)' weights."""
        return self.rows[run(places)] @ weights

    def squares(self, weights, m):
        """(X − x̄)²' weights."""
        return np.square(self.rows[:m]) @ weights

    def _pieces(self, step, dtype):
        single = self.rows_in(dtype)
        for start in range(0, self.n, step):
            rows = slice(start, min(start + step, self.n))
            yield rows, single[:, rows]

    def rows_in(self, dtype):
        """The rows in front, in double precision or a single precision copy."""
        if dtype != np.float32:
            return self.rows
        if self.front > len(self.single):
            grown = np.empty((min(max(self.front, 2 * len(self.single)), self.design.p), self.n), np.float32)
            grown[: self.converted] = self.single[: self.converted]
            self.single = grown
        self.single[self.converted : self.front] = self.rows[self.converted : self.front]
        self.converted = self.front
        return self.single


class SparseColumns(ColumnSet):
    """The same for a sparse X with too many working columns for a dense copy: centred by corrections of rank one."""

    def _append(self, new):
        """Nothing to copy: columns are taken from X where they are used."""

    def _swap(self, i, k):
        """Nothing to move."""

    def prefers_rows(self, m: int) -> bool:
        """Whether the Gram matrix of m of the columns in front would have more entries than some copies of these columns."""
        return m * self.front > _SWEEP * self.design.columns.stored(self.ids[: self.front])

    def squares(self, weights, m):
        """(X − x̄)²' weights."""
        X, means = self._part(slice(m))
        means = means[:, None]
        return X.power(2).T @ weights - 2.0 * means * (X.T @ weights) + means * means * weights.sum(0)

    def paired_gram(self, cls, places, old, factors, size, dtype):
        """By pairs of classes, so that X stays sparse."""
        out = np.empty((len(cls) - old, len(cls)), dtype)
        for k in np.unique(cls[old:]):
            new = np.flatnonzero(cls[old:] == k)
            for j in np.unique(cls):
                there = np.flatnonzero(cls == j)
                weights = factors[k] * factors[j]
                out[np.ix_(new, there)] = self.gram(places[old + new], [places[there]], [weights], dtype)[0]
        return out

    def pair_grams(self, left, right, factors, size, dtype):
        """One after the other, so that X stays sparse."""
        weights = [factors[k] * factors[j] for k, j in combinations(range(len(factors)), 2)]
        return np.stack(self.gram(left, [right] * len(weights), weights, dtype))

    def paired_sums(self, cls, places, factors, right, size):
        """Class by class, so that X stays sparse."""
        out = np.empty((len(cls), len(right)))
        for k in np.unique(cls):
            new = np.flatnonzero(cls == k)
            out[new] = self.sums(places[new], (factors[k] * right).T)
        return out

    def _part(self, places):
        ids = self.ids[places]
        return self.design.X[:, ids], self.design.means[ids]

    def times(self, d, rounded=False):
        """(X − x̄) d."""
        ids = self.ids[: d.shape[1]]
        return np.stack([self.design.columns.times(row, ids) for row in d], axis=1) - d @ self.design.means[ids]

    def transposed(self, v, m, first=0, rounded=False):
        """(X − x̄)'v."""
        ids = self.ids[first:m]
        found = np.stack([self.design.columns.transposed(column, ids) for column in v.T])
        return found - np.multiply.outer(v.sum(0), self.design.means[ids])

    def gram(self, left, rights, weights, dtype):
        """(X − x̄)' diag(s) (X − x̄)."""
        # A sparse weighted coordinate descent on the residual would take this one's place: no Gram matrix at all.
        A, a = self._part(left)
        blocks = []
        for right, s in zip(rights, weights, strict=True):
            B, b = self._part(right)
            product = (A.multiply(s[:, None]).tocsc().T @ B).toarray()
            product -= np.multiply.outer(a, B.T @ s) + np.multiply.outer(A.T @ s, b)
            blocks.append((product + s.sum() * np.multiply.outer(a, b)).astype(dtype))
        return blocks

    def sums(self, places, weights):
        """(X − x̄)' weights."""
        X, means = self._part(places)
        return X.T @ weights - np.multiply.outer(means, weights.sum(0))


class TallColumns(ColumnSet):
    """The same for a dense X of many rows: no copy of a column is kept, blocks of rows are centred as they are read."""

    def _append(self, new):
        """Nothing to copy."""

    def _swap(self, i, k):
        """Nothing to move."""

    def _blocks(self, places):
        """(rows, X − x̄ on the rows and the columns at `places`), one block of rows after the other."""
        ids = self.ids[places]
        step = max(256, _BLOCK // max(1, len(ids)))
        means = self.design.means[ids]
        for start in range(0, self.n, step):
            rows = slice(start, min(start + step, self.n))
            yield rows, self.design.X[rows, run(ids)] - means

    @cached_property
    def _plain(self):
        """X.T where products with X as it lies, less x̄ afterwards, lose no digits that count; else None."""
        X = self.design.X
        spread = np.einsum("ij,ij->j", X, X, dtype=float) / self.n - self.design.means**2
        return X.T if X.flags.f_contiguous and (self.design.means**2 <= _FAR**2 * spread).all() else None

    def times(self, d, rounded=False):
        """(X − x̄) d."""
        ids, out = self.ids[: d.shape[1]], np.empty((self.n, len(d)), order="F")
        if self._plain is None:
            for rows, block in self._blocks(slice(len(ids))):
                out[rows] = block @ d.T
            return out
        for k, each in enumerate(np.ascontiguousarray(d, dtype=np.float64)):
            out[:, k] = columns_times(self._plain, ids, each)
        return out - d @ self.design.means[ids]

    def transposed(self, v, m, first=0, rounded=False):
        """(X − x̄)'v."""
        ids = self.ids[first:m]
        if self._plain is not None and v.shape[1] <= VECTORS:
            V = np.ascontiguousarray(v.T, dtype=np.float64)
            return columns_transposed(self._plain, ids, V) - np.multiply.outer(V.sum(1), self.design.means[ids])
        out = np.zeros((v.shape[1], m - first))
        for rows, block in self._blocks(slice(first, m)):
            out += v[rows].T @ block
        return out

    def gram(self, left, rights, weights, dtype):
        """(X − x̄)' diag(s) (X − x̄)."""
        places = np.unique(np.concatenate([left, *rights]))
        here, there = np.searchsorted(places, left), [np.searchsorted(places, right) for right in rights]
        blocks = [np.zeros((len(left), len(right))) for right in rights]
        for rows, X in self._blocks(places):
            X = X.astype(dtype, copy=False)  # the products of a block in `dtype`, their sum in double precision
            part = X[:, run(here)]
            for block, right, s in zip(blocks, there, weights, strict=True):
                block += (part * s[rows, None].astype(dtype)).T @ X[:, run(right)]
        return [block.astype(dtype) for block in blocks]

    def squares(self, weights, m):
        """(X − x̄)²' weights."""
        out = np.zeros((m, weights.shape[1]))
        for rows, block in self._blocks(slice(m)):
            out += np.square(block, out=block).T @ weights[rows]
        return out

    def _pieces(self, step, dtype):
        for rows, block in self._blocks(slice(self.front)):
            for start in range(0, len(block), step):
                part = slice(rows.start + start, rows.start + min(start + step, len(block)))
                yield part, np.ascontiguousarray(block[start : start + step].T, dtype=dtype)

    def sums(self, places, weights):
        """(X − x̄)' weights."""
        out = np.zeros((len(places), weights.shape[1]))
        for rows, block in self._blocks(places):
            out += block.T @ weights[rows]
        return out
