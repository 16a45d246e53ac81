"""A set of columns that only grows, and its Gram matrix."""

from __future__ import annotations

import numpy as np

LARGEST_WHOLE = 5000  # columns up to which the whole Gram matrix is formed when p ≤ n


class GrowingColumns:
    """X̃_W as columns join W.

    Attributes
    ----------
    order : (m,) the columns of W, in the order in which they were added.
    X : (n, m) X̃_W in that order, Fortran order.
    """

    def __init__(self, design):
        self.design = design
        self.order = np.zeros(0, dtype=np.int64)
        self.member = np.zeros(design.p, dtype=bool)
        self.place = np.full(design.p, -1)
        self._X = np.zeros((design.n, 0), order="F")

    def __len__(self):
        return len(self.order)

    @property
    def X(self):
        """X̃_W, (n, m)."""
        return self._X[:, : len(self)]

    def admit(self, columns) -> None:
        """Add columns that are not in the set yet."""
        k, m = len(self), len(self) + len(columns)
        if m == k:
            return
        self._reserve(m)
        self._X[:, k:m] = self.design.centred_columns(columns)
        self.order = np.concatenate([self.order, columns])
        self.member[columns] = True
        self.place[columns] = np.arange(k, m)

    def _room(self, m: int) -> int:
        """Number of columns to allocate for m columns."""
        return min(max(m + 32, m + m // 4), self.design.p)

    def _reserve(self, m: int) -> None:
        if m > self._X.shape[1]:
            X = np.empty((self.design.n, self._room(m)), order="F")
            X[:, : len(self)] = self.X
            self._X = X


class GrowingGram(GrowingColumns):
    """X̃_W'X̃_W/n, built by matrix products as columns join W.

    Attributes
    ----------
    G : (m, m) the Gram matrix of the columns of W, in their order.
    """

    def __init__(self, design):
        super().__init__(design)
        self._G = np.zeros((0, 0))

    @property
    def G(self):
        """X̃_W'X̃_W/n, (m, m)."""
        return self._G[: len(self), : len(self)]

    def admit(self, columns) -> None:
        """Add columns that are not in the set yet."""
        k, m = len(self), len(self) + len(columns)
        if m == k:
            return
        super().admit(columns)
        block = self._X[:, k:m].T @ self._X[:, :m]
        block /= self.design.n
        self._G[k:m, :m] = block
        self._G[:k, k:m] = block[:, :k].T

    def on(self, columns):
        """The Gram matrix of some members, its rows contiguous; of all columns, in their order, without a copy."""
        if columns is self.order:
            return self.G
        place = self.place[columns]
        return self._G[np.ix_(place, place)]

    def _reserve(self, m: int) -> None:
        super()._reserve(m)
        if m > len(self._G):
            G = np.empty((self._room(m),) * 2)
            G[: len(self), : len(self)] = self.G
            self._G = G


class WholeGram:
    """X̃'X̃/n of all columns, computed at once without a copy of X; same interface as GrowingGram."""

    def __init__(self, design, G=None):
        self.design = design
        self.G = design.gram() if G is None else G
        self.order = np.arange(design.p)
        self.member = np.ones(design.p, dtype=bool)

    def __len__(self):
        return len(self.order)

    def admit(self, columns) -> None:
        """Does nothing, because all columns are in the set."""

    def on(self, columns):
        """The Gram matrix of some columns, C-contiguous."""
        return self.G if len(columns) == len(self) else self.G[np.ix_(columns, columns)]


class SparseGram(GrowingGram):
    """GrowingGram of a sparse X: no column is densified, so there is no `X`."""

    def admit(self, columns) -> None:
        """Add columns that are not in the set yet."""
        k, m = len(self), len(self) + len(columns)
        if m == k:
            return
        if m > len(self._G):
            G = np.empty((min(m + m // 4, self.design.p),) * 2)
            G[:k, :k] = self.G
            self._G = G
        self.order = np.concatenate([self.order, columns])
        self.member[columns] = True
        self.place[columns] = np.arange(k, m)
        block = self.design.sparse_gram_between(self.order, columns)
        self._G[:m, k:m] = block
        self._G[k:m, :k] = block[:k].T
