"""Products with some columns of a dense matrix, in single or double precision, with sums in double precision."""

from __future__ import annotations

import ctypes

import numpy as np

from shrinkwise.kernels.library import declare, loaded_library, register, run

_SHAPE = (ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
# Addresses, not arrays: these calls are short, and what ctypes does to check an array would be a part of their time.
declare("sw_columns_transposed", None, *_SHAPE, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
declare("sw_columns_times", None, *_SHAPE, ctypes.c_void_p, ctypes.c_void_p)


def reference_transposed(columns, ids, V):
    """V X for the columns X."""
    return V @ _chosen(columns, ids).T


def reference_times(columns, ids, d):
    """X d for the columns X."""
    return d @ _chosen(columns, ids)


def _chosen(columns, ids):
    every = len(ids) == len(columns) and np.array_equal(ids, np.arange(len(ids)))
    return (columns if every else columns[ids]).astype(np.float64, copy=False)


def _described(columns, ids):
    """The arguments of the kernel that describe the columns."""
    apart = columns.shape[1] > 1 and columns.strides[1] != columns.itemsize
    if apart or columns.dtype not in (np.float32, np.float64):
        raise ValueError("Expected columns side by side in memory, float32 or float64; use X.T of a Fortran-ordered X")
    stride, single = columns.strides[0] // columns.itemsize, columns.dtype == np.float32
    return columns.shape[1], stride, columns.ctypes.data, int(single), len(ids), ids.ctypes.data


def _transposed(columns, ids, V):
    out, V = np.empty((len(V), len(ids))), np.ascontiguousarray(V, np.float64)
    described = _described(columns, ids)
    loaded_library().sw_columns_transposed(*described, len(V), V.ctypes.data, out.ctypes.data)
    return out


def _times(columns, ids, d):
    out, d = np.empty(columns.shape[1]), np.ascontiguousarray(d, np.float64)
    loaded_library().sw_columns_times(*_described(columns, ids), d.ctypes.data, out.ctypes.data)
    return out


register("columns_transposed", reference_transposed, _transposed)
register("columns_times", reference_times, _times)


def columns_transposed(columns, ids, V):
    """V X (K, len(ids)) for the columns X = columns[ids] of a matrix that is given transposed.

    Parameters
    ----------
    columns : (p, n) float32 or float64, each row contiguous: X.T of a Fortran-ordered X.
    ids : (m,) int64, the columns that take part.
    V : (K, n) float64, C-contiguous.
    """
    return run("columns_transposed", columns, ids, V) if columns.size and len(ids) else np.zeros((len(V), len(ids)))


def columns_times(columns, ids, d):
    """X d (n,) for the columns X = columns[ids], d (m,) float64; those with weight 0 are not read."""
    return run("columns_times", columns, ids, d) if columns.size and len(ids) else np.zeros(columns.shape[1])
