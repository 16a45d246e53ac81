"""What the sets of working columns have in common: their order, and the products that a solver asks for."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np


class ColumnSet:
    """The working columns and their order; the first `front` of them are in the quadratic model."""

    keeps_rows = False  # whether the columns lie as `rows` in memory

    def __init__(self, design):
        self.design = design
        self.n = design.n
        self.ids = np.zeros(0, dtype=int)
        self.place = np.full(design.p, -1)
        self.front = 0

    def add(self, ids):
        """Append those of the columns `ids` that are not working columns yet."""
        new = ids[self.place[ids] < 0]
        if len(new):
            self.place[new] = np.arange(len(self.ids), len(self.ids) + len(new))
            self.ids = np.concatenate([self.ids, new])
            self.design.gather(new)
            self._append(new)

    def promote(self, ids):
        """Move `ids` to the end of the front and add them to it."""
        for j in ids[self.place[ids] >= self.front]:
            i, k = int(self.place[j]), self.front
            if i > k:
                self._swap(i, k)
                self.ids[i], self.ids[k] = self.ids[k], self.ids[i]
                self.place[self.ids[i]], self.place[j] = i, k
            self.front += 1

    def _append(self, new):
        """Append the data of the columns `new`, the last of `ids`."""
        raise NotImplementedError

    def _swap(self, i: int, k: int):
        """Exchange the columns at the places i and k."""
        raise NotImplementedError

    def prefers_rows(self, m: int) -> bool:
        """Whether products with m of the columns cost less than with their Gram matrix."""
        return False

    def times(self, d, rounded: bool = False):
        """(X − x̄) d for d (K, m), the weights of the first m columns here: (n, K); single precision may stay so.

        rounded : whether columns in front may be rounded to single precision.
        """
        raise NotImplementedError

    def transposed(self, v, m: int, first: int = 0, rounded: bool = False):
        """(X − x̄)'v for the columns from the place `first` to m, v (n, K): (K, m − first); as `times`.

        rounded : whether columns in front may be rounded to single precision; sums are in double precision.
        """
        raise NotImplementedError

    def slices(self, K: int, itemsize: int) -> list[slice]:
        """Slices of the rows in which to multiply by K vectors: whole, where pieces would not stay in the cache."""
        return [slice(0, self.n)]

    def times_slice(self, d, rows):
        """`times` on one of the `slices`, transposed: (K, rows)."""
        return np.ascontiguousarray(self.times(d).T, dtype=d.dtype)

    def transposed_slice(self, v, rows, m: int):
        """(X − x̄)'v on one of the `slices` for the first m columns, v (K, rows): (K, m)."""
        return self.transposed(v.T, m)

    def gram(self, left, rights, weights, dtype):
        """(X − x̄)' diag(s) (X − x̄) between the places `left` and each of `rights`, s from `weights`: blocks of `dtype`."""
        raise NotImplementedError

    def sums(self, places, weights):
        """(X − x̄)' weights (n, K) at `places`: (len(places), K)."""
        raise NotImplementedError

    def squares(self, weights, m: int):
        """(X − x̄)²' weights (n, K) for the first m columns, squared entry by entry: (m, K)."""
        raise NotImplementedError

    def paired_gram(self, cls, places, old: int, factors, size: int, dtype):
        """Σ_i z_i z_i' for z_i = factors[cls, i] ∘ (x_i − x̄)[places], factors (K, n): the rows from `old` on, (m − old, m).

        A pass makes about `size` entries of z at a time.
        """
        out = np.zeros((len(cls) - old, len(cls)), dtype)
        for rows, X in self._pieces(max(256, size // max(1, len(cls))), dtype):
            Z = np.empty((len(cls), X.shape[1]), dtype)
            for part in _runs_of_one(cls):
                factor = factors[cls[part.start], rows]
                np.multiply(X[run(places[part])], factor, out=Z[part], dtype=dtype, casting="same_kind")
            out += Z[old:] @ Z.T  # for old = 0 symmetric: half the work
        return out

    def pair_grams(self, left, right, factors, size: int, dtype):
        """Σ_i f_ki f_ji x_i[left] x_i[right]' for all pairs of classes k < j, k first: (pairs, left, right).

        x_i is a row of X − x̄, `right` is `left` or other places, factors f (K, n) ≥ 0, `size` as in `paired_gram`. This is
        half the work of `paired_gram`: f_k f_j is f_j f_k, and where right is left, each is symmetric. Few columns take one
        product of the f_k f_j with the x_a x_b.
        """
        K, alike = len(factors), right is left
        entries = len(left) * (len(left) + 1) // 2 if alike else len(left) * len(right)
        together = 2 * entries + K * K < K * K * len(left)  # the f_k f_j and x_a x_b are fewer than the f_k f_j x_a
        pairs = list(combinations(range(K), 2))
        step = max(256, size // (entries + len(pairs) if together else len(left)))
        out = np.zeros((len(pairs), entries) if together else (len(pairs), len(left), len(right)), dtype)
        for rows, X in self._pieces(step, dtype):
            f, here = factors[:, rows].astype(dtype, copy=False), X[run(left)]
            if together:
                of_classes = np.concatenate([f[k] * f[k + 1 :] for k in range(K - 1)])
                of_columns = [x * (here[a:] if alike else X[run(right)]) for a, x in enumerate(here)]
                out += of_classes @ np.concatenate(of_columns).T
                continue
            f = np.sqrt(f) if alike else f
            for block, (k, j) in zip(out, pairs, strict=True):
                scaled = here * (f[k] * f[j])
                block += scaled @ (scaled if alike else X[run(right)]).T
        if not together or not alike:
            return out.reshape(len(pairs), len(left), len(right))
        first, second = np.triu_indices(len(left))
        whole = np.empty((len(pairs), len(left), len(left)), dtype)
        whole[:, first, second] = whole[:, second, first] = out
        return whole

    def paired_sums(self, cls, places, factors, right, size: int):
        """Σ_i z_i right_i' for z_i = factors[cls, i] ∘ (x_i − x̄)[places], right (K, n): (len(places), K)."""
        out = np.zeros((len(cls), len(right)))
        for rows, X in self._pieces(max(256, size // max(1, len(cls))), np.float64):
            for part in _runs_of_one(cls):
                out[part] += X[run(places[part])] @ (factors[cls[part.start], rows] * right[:, rows]).T
        return out

    def _pieces(self, step: int, dtype):
        """(rows, the working columns on these rows as (front, rows)), `step` rows at a time."""
        raise NotImplementedError


def _runs_of_one(cls):
    """Slices in which all of `cls` are equal."""
    edges = np.flatnonzero(np.diff(cls, prepend=-1, append=-1))
    return [slice(*ends) for ends in pairwise(edges)]


def run(places):
    """A slice if `places` are consecutive, for which NumPy makes no copy; else `places`."""
    one_run = len(places) and places[-1] - places[0] == len(places) - 1 and (np.diff(places) == 1).all()
    return slice(places[0], places[-1] + 1) if one_run else places
