"""Coordinate descent on a quadratic model with its Hessian in single precision."""

from __future__ import annotations

import ctypes

import numpy as np

from shrinkwise.kernels.library import declare, loaded_library, register, run

# Addresses, not arrays: a call is short, and what ctypes does to check an array would be a part of its time.
declare(
    "sw_model_cd",
    *(ctypes.c_int64,) * 3,
    *(ctypes.c_void_p,) * 8,
    ctypes.c_double,
    ctypes.c_int64,
)


def reference_model_cd(H, a, b, w, r, tol: float, max_sweeps: int) -> int:
    """Reference: cyclic soft-thresholding where the violation is above tol/2, all coordinates and then the non-zero ones."""
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
    m, vectors = len(w), (a, b, w, r)
    if H.dtype != np.float32 or not H.flags.c_contiguous or min(H.shape) < m:
        raise ValueError(f"Expected H as a C-contiguous float32 array of at least ({m}, {m}), got {H.dtype} {H.shape}")
    if any(x.dtype != np.float64 or x.shape != (m,) or x.strides != (8,) for x in vectors if m):
        raise ValueError(f"Expected a, b, w and r as contiguous float64 arrays of shape ({m},)")
    scratch = np.empty(7 * m), np.empty(2 * m, np.float32), np.empty(m, np.int64)
    arrays = (x.ctypes.data for x in (H, *vectors, *scratch))
    return loaded_library().sw_model_cd(m, H.shape[1], *arrays, tol, max_sweeps)


register("model_cd", reference_model_cd, _compiled)


def model_cd(H, a, b, w, r, tol: float, max_sweeps: int) -> int:
    """Coordinate descent on ½u'Hu − r'u + Σ a|w + u| + ½Σ b (w + u)², in place: w ← w + u; r is used up.

    H is float32, symmetric; its first len(w) rows and columns count. Returns the number of sweeps over all coordinates,
    negative where `max_sweeps` visits did not bring every |step_j| (H_jj + b_j) to `tol`.
    """
    return run("model_cd", H, a, b, w, r, tol, max_sweeps)
