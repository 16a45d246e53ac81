"""Coordinate descent on a quadratic model with its Hessian in single precision."""

from __future__ import annotations

import ctypes

import numpy as np

from shrinkwise.kernels.library import F64, I64, declare, loaded_library, register, run

_F32_ROWS = np.ctypeslib.ndpointer(np.float32, ndim=2, flags="C_CONTIGUOUS")
_F32 = np.ctypeslib.ndpointer(np.float32, ndim=1, flags="C_CONTIGUOUS")

declare(
    "sw_model_cd",
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    _F32_ROWS,
    *(F64,) * 5,
    _F32,
    I64,
    ctypes.c_double,
    ctypes.c_int64,
)


def reference_model_cd(H, a, b, w, r, tol: float, max_sweeps: int) -> int:
    """The formula: cyclic soft-thresholding where the violation is above tol/2, all coordinates and then the non-zero ones."""
    m, full = len(w), 0
    H = H[:m, :m].astype(np.float64)

    def sweep(coordinates) -> float:
        moved = 0.0
        for j in coordinates:
            d = H[j, j] + b[j]
            if not d > 0:
                continue
            off = abs(r[j] - b[j] * w[j] - np.copysign(a[j], w[j])) if w[j] != 0 else abs(r[j]) - a[j]
            if not off > 0.5 * tol:
                continue
            z = r[j] + H[j, j] * w[j]
            step = np.sign(z) * max(abs(z) - a[j], 0.0) / d - w[j]
            if step != 0:
                w[j] += step
                r[:] -= step * H[j]
                moved = max(moved, abs(step) * d)
        return moved

    while max_sweeps > 0:
        max_sweeps, full = max_sweeps - 1, full + 1
        moved = sweep(range(m))
        if not moved > tol:
            return full
        active = np.flatnonzero(w)
        while max_sweeps > 0:
            max_sweeps -= 1
            if not sweep(active) > max(tol, 1e-4 * moved):
                break
    return -full


def _compiled(H, a, b, w, r, tol, max_sweeps):
    m = len(w)
    scratch = np.empty(7 * m), np.empty(2 * m, np.float32), np.empty(m, np.int64)
    return loaded_library().sw_model_cd(m, H.shape[1], H, a, b, w, r, *scratch, tol, max_sweeps)


register("model_cd", reference_model_cd, _compiled)


def model_cd(H, a, b, w, r, tol: float, max_sweeps: int) -> int:
    """Coordinate descent on ½u'Hu − r'u + Σ a|w + u| + ½Σ b (w + u)², in place: w ← w + u; r is used up.

    H is float32, symmetric; its first len(w) rows and columns count. Returns the number of sweeps over all coordinates,
    negative where `max_sweeps` visits did not bring every |step_j| (H_jj + b_j) to `tol`.
    """
    return run("model_cd", H, a, b, w, r, tol, max_sweeps)
