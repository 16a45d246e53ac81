"""The coefficients of a path, stored as sparse arrays if they are sparse."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

import numpy as np

_SHORT = 1000  # rows up to this length are not worth compressing


class Coefficients:
    """L weight arrays of one shape, (p,) or (K, p), stored without most of their zeros.

    Solutions that are added together are stored as compressed rows if that is smaller than the dense rows, so that 100
    lasso solutions with 100 000 inputs take kilobytes instead of 80 MB; `dense` converts them once, on first use.
    """

    def __init__(self, shape):
        self.shape = tuple(shape)
        self.size = int(np.prod(self.shape))
        self._stacks: list[np.ndarray | _CompressedRows] = []
        self._ends: list[int] = []

    def extend(self, W) -> None:
        """Add several solutions, (k, *shape)."""
        W = np.asarray(W, dtype=float).reshape(len(W), self.size)
        smaller = self.size > _SHORT and 12 * np.count_nonzero(W) < W.nbytes
        self._stacks.append(_CompressedRows(W) if smaller else W.copy())
        self._ends.append(len(self) + len(W))

    def append(self, w) -> None:
        """Add one solution."""
        self.extend(np.asarray(w)[None])

    def take(self, rows) -> Coefficients:
        """Some of the solutions, in the same storage."""
        part = Coefficients(self.shape)
        for i in rows:
            stack, row = self._find(int(i))
            part._stacks.append(stack.row(row) if isinstance(stack, _CompressedRows) else stack[row : row + 1])
            part._ends.append(len(part) + 1)
        return part

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> np.ndarray:
        stack, row = self._find(index)
        if isinstance(stack, np.ndarray):
            return stack[row].reshape(self.shape).copy()
        w = np.zeros(self.size)
        where, values = stack.entries(row)
        w[where] = values
        return w.reshape(self.shape)

    def _find(self, index: int):
        index = range(len(self))[index]
        k = bisect_right(self._ends, index)
        return self._stacks[k], index - (self._ends[k - 1] if k else 0)

    @cached_property
    def dense(self) -> np.ndarray:
        """(L, *shape)."""
        if all(isinstance(stack, np.ndarray) for stack in self._stacks):
            return np.concatenate(self._stacks).reshape(-1, *self.shape)  # type: ignore[arg-type]
        return np.stack([self[i] for i in range(len(self))])

    def sparse(self):
        """scipy.sparse CSR array of shape (L, p); with K outputs (L·K, p), row l·K + k."""
        from scipy.sparse import csr_array

        rows = [_CompressedRows(stack) if isinstance(stack, np.ndarray) else stack for stack in self._stacks]
        starts = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(part.starts) for part in rows]))])
        where = np.concatenate([part.columns for part in rows])
        values = np.concatenate([part.values for part in rows])
        flat = csr_array((values, where, starts), shape=(len(self), self.size))
        return flat if len(self.shape) == 1 else flat.reshape((-1, self.shape[-1])).tocsr()

    def _entries(self, i: int):
        stack, row = self._find(i)
        if isinstance(stack, _CompressedRows):
            return stack.entries(row)
        where = np.flatnonzero(stack[row])
        return where, stack[row, where]

    def used(self, i: int) -> np.ndarray:
        """Columns with a non-zero weight in any output of solution i."""
        where = self._entries(i)[0]
        return where if len(self.shape) == 1 else np.unique(where % self.shape[-1])

    def used_anywhere(self) -> np.ndarray:
        """Columns with a non-zero weight in any solution."""
        mask = np.zeros(self.size, dtype=bool)
        for stack in self._stacks:
            mask[stack.columns if isinstance(stack, _CompressedRows) else stack.any(0)] = True
        return np.flatnonzero(mask.reshape(-1, self.shape[-1]).any(0))

    def on(self, columns) -> np.ndarray:
        """(L, ..., len(columns)): the weights of some columns."""
        if "dense" in self.__dict__:
            return self.dense[..., columns]
        if all(isinstance(stack, np.ndarray) for stack in self._stacks):
            return self.dense[..., columns]
        return np.stack([self[i][..., columns] for i in range(len(self))])


class _CompressedRows:
    """Compressed rows: the entries of row i are at starts[i]:starts[i + 1]."""

    def __init__(self, W):
        rows, columns = np.nonzero(W)
        self.starts = np.searchsorted(rows, np.arange(len(W) + 1))
        self.columns, self.values = columns.astype(np.int32), W[rows, columns]

    def row(self, row: int) -> _CompressedRows:
        """One row alone."""
        one = object.__new__(_CompressedRows)
        one.columns, one.values = self.entries(row)
        one.starts = np.array([0, len(one.columns)])
        return one

    def entries(self, row: int):
        """(positions, values) of one row."""
        at = slice(self.starts[row], self.starts[row + 1])
        return self.columns[at], self.values[at]
