"""Coordinate descent on the residual, for sparse columns and for dense ones, centred and weighted without a copy."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from shrinkwise.kernels.interrupt import in_parts
from shrinkwise.kernels.library import F64, I64, declare, layout, loaded_library, register, run


class _Matrix(ctypes.Structure):
    _fields_ = (
        ("n", ctypes.c_int64),
        ("values", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("starts", ctypes.c_void_p),
        ("s", ctypes.c_void_p),
        ("total", ctypes.c_double),
        ("wide", ctypes.c_int64),
        ("single", ctypes.c_int64),
    )


layout("sw_matrix_layout", _Matrix)
_POINTER = ctypes.POINTER(_Matrix)
_COUNTED = (_POINTER, ctypes.c_int64, I64)
declare("sw_sparse_cd", ctypes.c_int64, *_COUNTED, *[F64] * 6, I64, ctypes.c_double, ctypes.c_int64)
declare("sw_sparse_moments", ctypes.c_int64, *_COUNTED, ctypes.c_int64, F64, F64)
declare("sw_sparse_times", ctypes.c_int64, *_COUNTED, F64, F64)
declare("sw_sparse_transposed", ctypes.c_int64, *_COUNTED, F64, F64)


class WeightedColumns:
    """Columns x_j − m_j with observation weights s; m_j = Σ s x_j / Σ s where `centre`, else 0. X is not copied.

    Parameters
    ----------
    X : (n, p) scipy sparse CSC in canonical format, or dense in Fortran order; float64 or float32.
    s : (n,) weights ≥ 0, not all 0, or None for ones.
    centre : whether the weighted means are subtracted.
    columns : the columns whose means and curvatures are wanted, all by default.

    Attributes
    ----------
    means : (p,) m_j.
    curvature : (p,) Σ s (x_j − m_j)² / n; 0 where that is rounding.
    """

    def __init__(self, X, s=None, centre: bool = True, columns=None):
        if X.dtype not in (np.float64, np.float32):
            raise TypeError(f"Expected X of float32 or float64, got {X.dtype}")
        self.sparse = hasattr(X, "indptr")
        if self.sparse and (X.format != "csc" or not X.has_canonical_format):
            raise ValueError(
                "Expected X to be CSC with sorted and distinct row indices: X = X.tocsc(); X.sum_duplicates()"
            )
        if not self.sparse and not X.flags.f_contiguous:
            raise ValueError("Expected dense X in Fortran order: np.asfortranarray(X)")
        self.X, self.centre = X, centre
        self.n, self.p = X.shape
        self.s = None if s is None else np.ascontiguousarray(s, dtype=float)
        self.total = float(self.n) if self.s is None else float(self.s.sum())
        self.means, self.curvature = np.zeros(self.p), np.zeros(self.p)
        self.every = np.arange(self.p)
        self._struct = self._as_struct()
        run("sparse_moments", self, self._listed(columns))

    def entries(self, j: int):
        """(rows, values) of column j."""
        if not self.sparse:
            return slice(None), self.X[:, j].astype(float)
        stored = slice(self.X.indptr[j], self.X.indptr[j + 1])
        return self.X.indices[stored], self.X.data[stored].astype(float)

    def stored(self, columns=None) -> int:
        """Stored entries, of the listed columns or of all."""
        if columns is None:
            return self.X.data.size if self.sparse else self.X.size
        return int(np.diff(self.X.indptr)[columns].sum()) if self.sparse else self.n * len(columns)

    def residual(self, r):
        """How `sparse_cd` carries a residual r (n,): (n + 1,) with s(r − its weighted mean), and last the shift, 0."""
        s = np.ones(self.n) if self.s is None else self.s
        v = s * (r - (s @ r / self.total if self.centre else 0.0))
        return np.append(v, 0.0)

    def times(self, w, columns=None):
        """Σ_c w_c x_c over the listed columns (all by default), not centred: (n,)."""
        out = np.zeros(self.n)
        run("sparse_times", self, self._listed(columns), np.ascontiguousarray(w, dtype=float), out)
        return out

    def transposed(self, v, columns=None):
        """x_c'v for the listed columns (all by default), neither weighted nor centred."""
        columns = self._listed(columns)
        out = np.empty(len(columns))
        run("sparse_transposed", self, columns, np.ascontiguousarray(v, dtype=float), out)
        return out

    def _listed(self, columns):
        return self.every if columns is None else np.ascontiguousarray(columns, dtype=np.int64)

    def _as_struct(self):
        stored: Any = (self.X.data, self.X.indices, self.X.indptr) if self.sparse else (self.X, None, None)
        values, rows, starts = stored
        struct = _Matrix(n=self.n, values=values.ctypes.data, total=self.total, single=values.dtype == np.float32)
        if self.s is not None:
            struct.s = self.s.ctypes.data
        if rows is not None and starts is not None:
            struct.rows, struct.starts = rows.ctypes.data, starts.ctypes.data
            struct.wide = rows.dtype == np.int64
        struct.held = values, rows, starts  # what it points into lives as long as it does
        return struct


def sparse_cd(matrix: WeightedColumns, columns, a, b, w, residual, tol: float, max_sweeps: int) -> int:
    """Coordinate descent on (1/2n) Σ s r² + Σ a|w| + ½Σ b w², r = z − Σ_j w_j (x_j − m_j), in place in w and residual.

    Parameters
    ----------
    matrix : the columns, their weights and means.
    columns : indices of the columns to be visited, or None for all.
    a, b : (p,) strengths ≥ 0 of the L1 and of the L2 part.
    w : (p,) start in, solution out.
    residual : (n + 1,) `matrix.residual` of r at the start, kept up to date: s(r − shift), and last the shift. With
        `centre`, Σ s r = 0 stays true: the unpenalised intercept is eliminated.
    tol : stop when no coordinate of a full sweep moved its own gradient by more, max |step_j| (curvature_j + b_j) ≤ tol.
    max_sweeps : most sweeps, over all listed columns or over the non-zero ones between two such.

    Returns the number of sweeps over all listed columns, negative if not converged.

    Reference: Friedman, Hastie, Tibshirani, Regularization paths for generalized linear models via coordinate descent,
    JSS 2010 ("naive updates").
    """
    listed = matrix._listed(columns)

    def some(sweeps: int) -> int:
        return run("sparse_cd", matrix, listed, a, b, w, residual, tol, sweeps)

    return in_parts(some, max_sweeps, 2.0 * matrix.stored(listed))


def _compiled(matrix, columns, a, b, w, residual, tol, max_sweeps):
    active = np.empty(len(columns), dtype=np.int64)
    fixed = (matrix.means, matrix.curvature, a, b)
    args = (len(columns), columns, *fixed, w, residual, active, tol, max_sweeps)
    return loaded_library().sw_sparse_cd(ctypes.byref(matrix._struct), *args)


def _reference(matrix, columns, a, b, w, residual, tol, max_sweeps):
    left, full = max_sweeps, 0
    while left > 0:
        left, full = left - 1, full + 1
        if not _sweep(matrix, columns, a, b, w, residual) > tol:
            return full
        active = columns[w[columns] != 0]
        while left > 0:
            left -= 1
            if not _sweep(matrix, active, a, b, w, residual) > tol:
                break
    return -full


def _sweep(matrix, columns, a, b, w, residual) -> float:
    moved, v = 0.0, residual[:-1]
    for j in columns:
        curvature = matrix.curvature[j] + b[j]
        if not curvature > 0:
            continue
        rows, x = matrix.entries(j)
        correlation = (x @ v[rows] + residual[-1] * matrix.total * matrix.means[j]) / matrix.n
        z = correlation + matrix.curvature[j] * w[j] if matrix.curvature[j] > 0 else 0.0
        excess = abs(z) - a[j]
        step = (np.copysign(excess, z) / curvature if excess > 0 else 0.0) - w[j]
        if step != 0:
            w[j] += step
            v[rows] -= step * (x if matrix.s is None else matrix.s[rows] * x)
            residual[-1] += step * matrix.means[j]
            moved = max(moved, abs(step) * curvature)
    return moved


def _compiled_moments(matrix, columns):
    loaded_library().sw_sparse_moments(
        ctypes.byref(matrix._struct), len(columns), columns, matrix.centre, matrix.means, matrix.curvature
    )


def _reference_moments(matrix, columns):
    for j in columns:
        rows, x = matrix.entries(j)
        s = np.ones(len(x)) if matrix.s is None else matrix.s[rows]
        mean = s @ x / matrix.total if matrix.centre else 0.0
        absent = max(matrix.total - s.sum(), 0.0)
        spread = s @ (x - mean) ** 2 + absent * mean * mean
        matrix.means[j] = mean
        # No more than the rounding of the mean: the column is constant.
        matrix.curvature[j] = spread / matrix.n if spread > 1e-30 * len(x) * (s @ x**2) else 0.0


def _reference_times(matrix, columns, w, out):
    out += matrix.X[:, columns] @ w


def _reference_transposed(matrix, columns, v, out):
    out[:] = matrix.X[:, columns].T @ v


def _compiled_times(matrix, columns, w, out):
    loaded_library().sw_sparse_times(ctypes.byref(matrix._struct), len(columns), columns, w, out)


def _compiled_transposed(matrix, columns, v, out):
    loaded_library().sw_sparse_transposed(ctypes.byref(matrix._struct), len(columns), columns, v, out)


register("sparse_cd", _reference, _compiled)
register("sparse_moments", _reference_moments, _compiled_moments)
register("sparse_times", _reference_times, _compiled_times)
register("sparse_transposed", _reference_transposed, _compiled_transposed)
