"""Standard deviations of the columns of X, and X divided by them."""

from __future__ import annotations

import numpy as np

from .design import as_columns, is_sparse
from .rounding import constant_columns

_BLOCK = 2_000_000  # entries of X that are centred at a time


def column_scale(X, weight=None) -> np.ndarray:
    """√(Σ s_i (x_ij − x̄_j)² / Σ s_i) of each column, (p,), with weights s (n,); 1 for a constant column."""
    share = np.full(X.shape[0], 1.0 / X.shape[0]) if weight is None else weight / weight.sum()
    X = as_columns(X)
    present = share > 0
    constant = constant_columns(X if present.all() else X[present])
    variance = _sparse_variance(X, share) if is_sparse(X) else _dense_variance(X, share)
    variance[constant] = 0.0
    return np.where(variance > 0, np.sqrt(variance), 1.0)


def _dense_variance(X, share):
    found, step = np.empty(X.shape[1]), max(1, _BLOCK // len(X))
    for first in range(0, X.shape[1], step):
        block = np.asarray(X[:, first : first + step], dtype=float)
        found[first : first + step] = share @ np.square(block - share @ block)
    return found


def _sparse_variance(X, share):
    column, stored = np.repeat(np.arange(X.shape[1]), np.diff(X.indptr)), share[X.indices]
    mean = np.bincount(column, stored * X.data, X.shape[1])
    zeros = np.maximum(1.0 - np.bincount(column, stored, X.shape[1]), 0.0)
    return np.bincount(column, stored * np.square(X.data - mean[column]), X.shape[1]) + zeros * np.square(mean)


def divided(X, scale):
    """A copy of X with each column divided by its scale (p,), of the same precision."""
    factors = (1.0 / scale).astype(X.dtype)
    if not is_sparse(X):
        return X * factors
    X = as_columns(X).copy()
    X.data *= np.repeat(factors, np.diff(X.indptr))
    return X
