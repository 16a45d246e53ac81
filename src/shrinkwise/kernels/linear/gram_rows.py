"""Block coordinate descent in Gram space for several targets: all weights of an input are zero or none is."""

from __future__ import annotations

import ctypes

import numpy as np

from shrinkwise.kernels.interrupt import in_parts
from shrinkwise.kernels.library import F64, I64, declare, loaded_library, register, run

declare(
    "sw_gram_rows",
    ctypes.c_int64,
    *(ctypes.c_int64, ctypes.c_int64, F64, F64, F64, F64, F64, I64, F64, ctypes.c_double, ctypes.c_int64),
)


def _compiled(G, thresholds, ridge, W, R, tol, max_sweeps):
    p, K = W.shape
    order, step = np.empty(p, np.int64), np.empty(K)
    return loaded_library().sw_gram_rows(p, K, G, thresholds, ridge, W, R, order, step, tol, max_sweeps)


def reference(G, thresholds, ridge, W, R, tol: float, max_sweeps: int) -> int:
    """Cyclic descent over rows: minimise ½tr(W'GW) − tr(C'W) + Σ_j t_j‖W_j‖ + ½Σ_j b_j‖W_j‖², in place.

    Parameters
    ----------
    G : (p, p) symmetric positive semidefinite, C-contiguous.
    thresholds, ridge : t and b, (p,), ≥ 0.
    W : (p, K) start in, solution out, C-contiguous.
    R : (p, K) C − GW, kept up to date.
    tol : rows with a KKT violation (Euclidean norm, units of the gradient) ≤ tol are left as they are; converged when a full
        sweep moves none.
    max_sweeps : most sweeps, full or over the non-zero rows.

    Returns the number of sweeps, full or not, negative if not converged.
    """
    left = max_sweeps
    while left > 0:
        left -= 1
        if not any([_visit(j, G, thresholds[j], ridge[j], W, R, tol) for j in range(len(W))]):
            return max_sweeps - left
        active = np.flatnonzero(W.any(1))
        while left > 0:
            left -= 1
            if not any([_visit(j, G, thresholds[j], ridge[j], W, R, tol) for j in active]):
                break
    return -max_sweeps


def _visit(j, G, t, b, W, R, tol) -> bool:
    """Whether the row violated more than tol; then it is at its minimiser now."""
    d, length = G[j, j] + b, np.linalg.norm(W[j])
    pull = R[j] - b * W[j] - (t * W[j] / length if length > 0 else 0.0)
    if not np.linalg.norm(pull) - (0.0 if length > 0 else t) > tol:
        return False
    v = R[j] + G[j, j] * W[j]
    size = np.linalg.norm(v)
    if size > t and not d > 0:
        return False
    step = (v * (1.0 - t / size) / d if size > t else 0.0) - W[j]
    W[j] += step
    R -= np.outer(G[j], step)
    return True


register("gram_rows", reference, _compiled)


def gram_rows(G, thresholds, ridge, W, R, tol: float, max_sweeps: int) -> int:
    """Block coordinate descent over the rows of W, in place in W and R = C − GW; see `gram_rows.reference`."""
    return in_parts(
        lambda sweeps: run("gram_rows", G, thresholds, ridge, W, R, tol, sweeps), max_sweeps, len(W) * W.size
    )
