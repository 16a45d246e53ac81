"""Weighted deviations of columns from their running means."""

from __future__ import annotations

import ctypes

import numpy as np

from shrinkwise.kernels.library import F64, I64, declare, loaded_library, register, run

declare(
    "sw_prefix_deviations",
    None,
    *(ctypes.c_int64, ctypes.c_int64, I64, I64, F64, F64, F64),
    *(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p),
)


def reference(rows, order, starts, root, within, joins, dtype):
    """Row after row, all columns at once."""
    out, mean = np.empty(rows.shape), np.zeros(len(rows))
    for k in range(len(joins)):
        block = rows[:, order[starts[k]]].copy()
        for i in range(starts[k] + 1, starts[k + 1]):
            away = rows[:, order[i]] - block
            out[:, i] = root[i] * away
            block += within[i] * away
        away = block - mean
        out[:, starts[k]] = root[starts[k]] * away
        mean += joins[k] * away
    return out.astype(dtype, copy=False)


def _compiled(rows, order, starts, root, within, joins, dtype):
    out = np.empty(rows.shape, dtype)
    if rows.dtype != np.float64 or (rows.size and rows.strides[1] != 8):
        raise ValueError("Expected columns in double precision, each contiguous")
    m, n = rows.shape
    X = m, rows.strides[0] // 8, rows.ctypes.data
    loaded_library().sw_prefix_deviations(
        n, len(joins), order, starts, root, within, joins, *X, int(out.dtype == np.float32), out.ctypes.data
    )
    return out


register("prefix_deviations", reference, _compiled)


def prefix_deviations(rows, order, starts, root, within, joins, dtype=np.float64):
    """Z (m, n) of m columns of n entries: their rows in blocks, weighted deviations from running means.

    Block k is the rows order[starts[k]:starts[k + 1]]. A row i beside the first of a block gives root_i (x_i − x̄), x̄ the mean
    of the block before it, which then moves by within_i of that distance; the first row gives root (x̄ − x̿), x̿ the mean of
    all blocks before, which moves by joins_k of it.

    Parameters
    ----------
    rows : (m, n) float64, each row, a column of X, contiguous.
    order : (n,) int64, a permutation.  starts : (blocks + 1,) int64, from 0 to n.
    root, within : (n,), by position in `order`.  joins : (blocks,).
    dtype : float64 or float32, of the result.
    """
    return run("prefix_deviations", rows, order, starts, root, within, joins, np.dtype(dtype))
