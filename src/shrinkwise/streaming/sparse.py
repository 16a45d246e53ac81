"""Sparse rows in blocks: scipy matrices with their targets, from a list or from a function that returns them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .blocks import RowsError


@dataclass(frozen=True)
class SparseBlock:
    """Successive rows: the number of the first of them, X (n, p) in canonical CSR, y (n,), weights s (n,) or None."""

    first: int
    X: Any
    y: np.ndarray
    s: np.ndarray | None


class SparseRows:
    """Rows in sparse blocks, read as often as needed; made by `shrinkwise.rows`.

    Parameters
    ----------
    make : returns an iterable of (X, y) or (X, y, weights), X scipy sparse (n_k, p), always the same rows in the same order.
    """

    sparse: ClassVar[bool] = True
    named: ClassVar[bool] = False
    scheduler: ClassVar[None] = None

    def __init__(self, make: Callable[[], Iterable]):
        self.make = make
        self.n: int | None = None
        self.p = next(self.blocks()).X.shape[1]

    def __repr__(self) -> str:
        """The number of rows, where it is known, and of columns."""
        return f"SparseRows(n={self.n}, p={self.p})"

    @property
    def inputs(self) -> list[str]:
        """x0, x1, …: the columns have no names."""
        return [f"x{j}" for j in range(self.p)]

    def blocks(self) -> Iterator[SparseBlock]:
        """The rows in order; RowsError names the block and the row of what cannot be used."""
        first, p = 0, None
        for k, given in enumerate(self.make()):
            block = _checked(given, first, p, f"block {k + 1}")
            p, first = block.X.shape[1], first + len(block.y)
            self._check_count(first, first if self.n is None else min(first, self.n))
            if len(block.y):
                yield block
        if p is None:
            raise RowsError("Expected at least one block of rows, got none")
        self._check_count(first, first if self.n is None else self.n)
        self.n = first

    def _check_count(self, count: int, expected: int) -> None:
        if count != expected:
            raise RowsError(
                f"Expected the same rows in every pass, got {count} rows after {self.n}; the function has to return the same "
                "blocks whenever it is called"
            )


def sparse_rows(source) -> SparseRows | None:
    """SparseRows, if the source is a list of sparse blocks or a function that returns an iterator of them; else None."""
    if not callable(source) and not isinstance(source, (list, tuple)):
        return None
    found = next(iter(source() if callable(source) else source), None)
    if not (isinstance(found, tuple) and found and hasattr(found[0], "nnz")):
        return None
    return SparseRows(source if callable(source) else lambda: source)


def _checked(given, first: int, p: int | None, place: str) -> SparseBlock:
    if not (isinstance(given, tuple) and len(given) in (2, 3) and hasattr(given[0], "tocsr")):
        raise RowsError(
            f"Expected (X, y) or (X, y, weights) with X scipy sparse, got {type(given).__name__} in {place}"
        )
    X, y, s = given if len(given) == 3 else (*given, None)
    X = X.tocsr()
    if X.shape[1] == 0 or (p is not None and X.shape[1] != p):
        raise RowsError(f"Expected {p or 'some'} columns in every block, got {X.shape[1]} in {place}")
    if X.dtype not in (np.float64, np.float32):
        X = X.astype(float)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    finite = np.isfinite(X.data)
    if not finite.all():
        at = int(np.argmin(finite))
        row = int(np.searchsorted(X.indptr, at, side="right"))
        raise RowsError(
            f"Expected finite numbers, got {X.data[at]:g} in column {X.indices[at]} of row {row} of {place}; impute such "
            "values or drop these rows"
        )
    return SparseBlock(first, X, _vector(y, X.shape[0], "targets", place), _weights(s, X.shape[0], place))


def _weights(s, n: int, place: str):
    if s is None:
        return None
    s = _vector(s, n, "weights", place).astype(float)
    if (s < 0).any():
        raise RowsError(f"Expected weights ≥ 0, got {s.min():g} in row {int(np.argmin(s)) + 1} of {place}")
    return s


def _vector(values, n: int, what: str, place: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (n,):
        raise RowsError(f"Expected {what} of shape ({n},), one for each row of X, got {values.shape} in {place}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise RowsError(f"Expected finite {what}, got {values[row]:g} in row {row + 1} of {place}; drop such rows")
    return values
