"""Rounding in data of any scale: constant columns, gradients that are rounding errors, and numbers whose squares overflow or
underflow.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import idamax, isamax

_EPS = np.finfo(float).eps
_CONSTANT = 16 * _EPS  # of the largest entry: a spread below it is rounding
_LARGEST, _SMALLEST = 1e140, 1e-140  # sizes whose squares, summed over rows, double precision holds
_LOOK = 16  # rows that are looked at first: a column that varies in them is not constant


def is_constant(values) -> bool:
    """Whether numbers (n,), or each column of (n, K), are equal up to rounding."""
    values = np.asarray(values)
    low, high = values.min(axis=0), values.max(axis=0)
    return bool(np.all(high - low <= _CONSTANT * np.maximum(high, -low)))


def constant_columns(X) -> np.ndarray:
    """Numbers of the columns of X that are equal to one number ≠ 0 up to rounding; ValueError for columns too small."""
    if hasattr(X, "indptr"):
        return _constant_sparse(X)
    part = X[:: max(1, len(X) // _LOOK)]
    low, high = part.min(axis=0), part.max(axis=0)
    top = np.maximum(high, -low)
    maybe = np.flatnonzero((high - low <= _CONSTANT * top) | (top < _SMALLEST))
    if not len(maybe):
        return maybe
    low, high = X[:, maybe].min(axis=0), X[:, maybe].max(axis=0)
    size = np.maximum(np.abs(low), np.abs(high))
    small = np.flatnonzero((size > 0) & (size < _SMALLEST))
    if len(small):
        check_size(float(size[small[0]]), int(maybe[small[0]]), "X")
    return maybe[(size > 0) & (high - low <= _CONSTANT * size)]


def _constant_sparse(X) -> np.ndarray:
    if not len(X.data):
        return np.zeros(0, dtype=int)
    starts, counts = X.indptr[:-1], np.diff(X.indptr)
    stored = np.flatnonzero(counts)
    top = np.maximum(np.maximum.reduceat(X.data, starts[stored]), -np.minimum.reduceat(X.data, starts[stored]))
    small = np.flatnonzero((top > 0) & (top < _SMALLEST))
    if len(small):
        check_size(float(top[small[0]]), int(stored[small[0]]), "X")
    full = stored[counts[stored] == X.shape[0]]
    return np.array([j for j in full if is_constant(X.data[starts[j] : starts[j] + counts[j]])], dtype=int)


def with_zeros(X, columns):
    """X, or a copy with zeros in constant columns, which explain nothing beside an intercept and after centring are only
    rounding.
    """
    if not len(columns):
        return X
    X = X.copy() if hasattr(X, "indptr") else X.copy(order="K")
    if not hasattr(X, "indptr"):
        X[:, columns] = 0.0
        return X
    for j in columns:
        X.data[X.indptr[j] : X.indptr[j + 1]] = 0.0
    X.eliminate_zeros()
    return X


def fits_single(X) -> bool:
    """Whether products of columns stay in the range of single precision, seen in some rows."""
    sparse = hasattr(X, "indptr")
    size = np.abs(X.data[:: max(1, len(X.data) // 4096)] if sparse else X[:: max(1, len(X) // _LOOK)])
    top = size if sparse else size.max(axis=0)
    top = top[top > 0]
    return not len(top) or bool(top.max() < 1e12 and top.min() > 1e-12)


def check_target(y) -> None:
    """ValueError where the squares of y are out of range."""
    check_size(max(float(y.max()), -float(y.min())), None, "y")


def check_offset(offset) -> None:
    """ValueError where the squares of an offset, which is added to Xw, are too large."""
    check_size(max(float(offset.max()), -float(offset.min()), _SMALLEST), None, "offset")


def may_overflow(weights) -> bool:
    """Whether the sum of weights (n,) ≥ 0 may be too large for double precision."""
    return bool(weights.max() > np.finfo(float).max / len(weights))


def zero_rounding(g, squares_of, v, largest: float):
    """g = X'v/n (..., p) with zeros where it is the rounding of that sum; v (n,) or (n, K), `largest` the size of X.

    squares_of() : Σ x² of every column, (p,)."""
    top, size = float(np.abs(g).max(initial=0.0)), float(np.linalg.norm(v)) / np.sqrt(len(v))
    if top == 0 or top > 1e-10 * largest * size:  # far from rounding
        return g
    bound = 4 * _CONSTANT * np.sqrt(squares_of() / len(v)) * size
    return np.where(np.abs(g) <= bound, 0.0, g)


def largest_entry(X) -> float:
    """max |x| of X; ValueError where it is out of range."""
    entries = X.data if hasattr(X, "indptr") else X
    if not entries.size:
        return 0.0
    if entries.flags.forc:
        flat = entries.ravel(order="K")
        top = abs(float(flat[(isamax if flat.dtype == np.float32 else idamax)(flat)]))
    else:  # BLAS would need a copy
        top = max(float(entries.max()), -float(entries.min()))
    check_size(top, None, "X")
    return top


def check_size(size: float, column: int | None, what: str) -> None:
    """ValueError where the square of a number is out of range; `what` it is, in which column (None: unknown)."""
    if _SMALLEST <= size <= _LARGEST or size == 0:
        return
    where = what if column is None else f"column {column} of {what}"
    raise ValueError(
        f"Expected numbers in {where} between {_SMALLEST:g} and {_LARGEST:g} in size, so that their squares can "
        f"be summed, got {size:g}; rescale {where}"
    )
