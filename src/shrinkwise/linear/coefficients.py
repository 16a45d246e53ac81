"""The coefficients of a path, kept as sparse as they are."""

from __future__ import annotations

from functools import cached_property

import numpy as np


class Coefficients:
    """L weight arrays of one shape, (p,) or (K, p), of which mostly zeros are not stored.

    A row is kept as (positions, values) where that is smaller than the row itself, so that 100 lasso solutions with 100 000
    inputs take kilobytes and not 80 MB; `dense` writes them out, once, when asked for.
    """

    def __init__(self, shape):
        self.shape = tuple(shape)
        self._rows: list[tuple[np.ndarray | None, np.ndarray]] = []

    def append(self, w) -> None:
        """Add one solution."""
        flat = np.asarray(w, dtype=float).reshape(-1)
        where = np.flatnonzero(flat)
        sparse = 12 * len(where) < 8 * len(flat)
        self._rows.append((where.astype(np.int32), flat[where]) if sparse else (None, flat.copy()))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> np.ndarray:
        where, values = self._rows[index]
        if where is None:
            return values.reshape(self.shape).copy()
        row = np.zeros(int(np.prod(self.shape)))
        row[where] = values
        return row.reshape(self.shape)

    @cached_property
    def dense(self) -> np.ndarray:
        """(L, *shape)."""
        return np.stack([self[i] for i in range(len(self))])

    def sparse(self):
        """scipy.sparse CSR array of shape (L, p); with K outputs (L·K, p), row l·K + k."""
        from scipy.sparse import csr_array

        size = int(np.prod(self.shape))
        entries = [self._entries(i) for i in range(len(self))]
        starts = np.concatenate([[0], np.cumsum([len(where) for where, _ in entries])])
        where = np.concatenate([where for where, _ in entries])
        values = np.concatenate([values for _, values in entries])
        flat = csr_array((values, where, starts), shape=(len(self), size))
        return flat if len(self.shape) == 1 else flat.reshape((-1, self.shape[-1])).tocsr()

    def _entries(self, i: int):
        where, values = self._rows[i]
        if where is None:
            where = np.flatnonzero(values)
            values = values[where]
        return where, values

    def used(self, i: int) -> np.ndarray:
        """Columns with a non-zero weight in any output of solution i."""
        where = self._entries(i)[0]
        return where if len(self.shape) == 1 else np.unique(where % self.shape[-1])

    def used_anywhere(self) -> np.ndarray:
        """Columns with a non-zero weight in any solution."""
        mask = np.zeros(self.shape[-1], dtype=bool)
        for i in range(len(self)):
            mask[self.used(i)] = True
        return np.flatnonzero(mask)

    def on(self, columns) -> np.ndarray:
        """(L, ..., len(columns)): the weights of some columns."""
        if "dense" in self.__dict__:
            return self.dense[..., columns]
        return np.stack([self[i][..., columns] for i in range(len(self))])
