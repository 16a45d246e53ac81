"""The formulas the compiled kernels must agree with, in plain NumPy; they run where no kernel is built."""

from __future__ import annotations

import numpy as np


def gram_cd(G, a, b, w, r, tol: float, max_sweeps: int) -> int:
    """Cyclic coordinate descent: minimise ½w'Gw − c'w + Σ a_j|w_j| + ½Σ b_j w_j², in place.

    Parameters
    ----------
    G : (p, p) symmetric positive semidefinite.
    a, b : (p,) strengths ≥ 0 of the L1 and of the L2 part.
    w : (p,) start in, solution out.
    r : (p,) c − Gw, kept up to date.
    tol : stop when no coordinate of a full sweep moved its own gradient by more, max |step_j| (G_jj + b_j) ≤ tol.
    max_sweeps : most sweeps, full or over the non-zero coordinates.

    Returns the number of full sweeps, negative if not converged.

    Reference: Friedman, Hastie, Tibshirani, Regularization paths for generalized linear models via coordinate descent,
    JSS 2010 ("covariance updates").
    """
    left, full = max_sweeps, 0
    while left > 0:
        left, full = left - 1, full + 1
        if not _sweep(range(len(w)), G, a, b, w, r) > tol:
            return full
        active = np.flatnonzero(w)
        while left > 0:
            left -= 1
            if not _sweep(active, G, a, b, w, r) > tol:
                break
    return -full


def _sweep(coordinates, G, a, b, w, r) -> float:
    moved = 0.0
    for j in coordinates:
        curvature = G[j, j] + b[j]
        if not curvature > 0:
            continue
        z = r[j] + G[j, j] * w[j]
        excess = abs(z) - a[j]
        step = (np.copysign(excess, z) / curvature if excess > 0 else 0.0) - w[j]
        if step != 0:
            w[j] += step
            r -= step * G[j]
            moved = max(moved, abs(step) * curvature)
    return moved


def prox(kind: str, inputs, outputs, thresholds, shrinks) -> None:
    """Proximal maps of several arrays, outputs[k] written from inputs[k] (which may be the same array).

    "separable": out = soft(in, threshold) · shrink, one threshold and one shrink an array: L1, L2, elastic net.
    "rows", "columns": out = in · max(1 − threshold_g/‖in_g‖, 0) on a matrix, one threshold a row or a column.
    """
    for x, out, threshold, shrink in zip(inputs, outputs, thresholds, shrinks, strict=True):
        if kind == "separable":
            t = float(threshold[0])
            out[...] = (x - np.clip(x, -t, t)) * shrink
            continue
        norms = np.linalg.vector_norm(x.astype(np.float64), axis=1 if kind == "rows" else 0, keepdims=True)
        t = threshold[:, None] if kind == "rows" else threshold[None, :]
        out[...] = x * (1.0 - t / np.maximum(norms, np.where(t > 0, t, 1.0)))
