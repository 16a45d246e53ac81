"""L1 + L2 in Gram space: one λ after the other."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

import numpy as np

from shrinkwise.kernels.interrupt import interruptible
from shrinkwise.kernels.library import F64, I64, declare, loaded_library, register, run

declare(
    "sw_gram_path",
    ctypes.c_int64,
    *(
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_void_p,
        F64,
        ctypes.c_double,
        ctypes.c_int64,
        ctypes.c_int64,
        F64,
        F64,
        F64,
        F64,
        F64,
        I64,
    ),
    *(ctypes.c_double, ctypes.c_double, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
)
declare("sw_gram_certificates", None, ctypes.c_int64, ctypes.c_int64, *[F64] * 6, ctypes.c_double, F64)


@cache
def lapack() -> tuple[int, int]:
    """Addresses of LAPACK's dpotrf and dpotrs, from the library that scipy brings."""
    from scipy.linalg import cython_lapack

    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    capsules = [cython_lapack.__pyx_capi__[routine] for routine in ("dpotrf", "dpotrs")]
    return tuple(pointer(capsule, name(capsule)) for capsule in capsules)  # type: ignore[return-value]


@dataclass
class PathRows:
    """What the path kernel reads and fills, a row for each λ, all C-contiguous.

    lambdas : (L,) decreasing, only to extrapolate along.  A, B : (L, p) strengths ≥ 0 of the L1 and the L2 part.
    W, R : (L, p) solutions and r = c − Gw.  count : (L,) int64, sweeps; negative where not solved.
    known : rows of W and R that are given or found already, the last of them the start; 0: start at w = 0.
    """

    lambdas: np.ndarray
    A: np.ndarray
    B: np.ndarray
    W: np.ndarray
    R: np.ndarray
    count: np.ndarray
    known: int = 0

    @classmethod
    def of(cls, lambdas, A, B) -> PathRows:
        """Rows with nothing known."""
        return cls(lambdas, A, B, np.zeros_like(A), np.zeros_like(A), np.zeros(len(A), dtype=np.int64))


def _compiled(G, c, yy, rows, tol_gap, tol_kkt, max_sweeps):
    shape = len(c), G.strides[0] // G.itemsize, G.ctypes.data
    arrays = rows.lambdas, rows.A, rows.B, rows.W, rows.R, rows.count
    with interruptible() as asked:
        return loaded_library().sw_gram_path(
            *shape, c, yy, len(rows.A), rows.known, *arrays, tol_gap, tol_kkt, max_sweeps, *lapack(), asked
        )


def reference(G, c, yy, rows, tol_gap, tol_kkt, max_sweeps) -> int:
    """Cyclic coordinate descent at each λ from the solution before; the compiled kernel finds the same solutions faster."""
    diagonal, done, W, R, count = np.diagonal(G), rows.known, rows.W, rows.R, rows.count
    reach = np.where(diagonal > 0, np.sqrt(yy / np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    for k in range(rows.known, len(rows.A)):
        w, r = (W[k - 1].copy(), R[k - 1].copy()) if k else (np.zeros_like(c), c.copy())
        a, b = rows.A[k], rows.B[k]
        count[k] = -max_sweeps
        for sweep in range(1, max_sweeps + 1):
            moved = _sweep(G, a, b, w, r)
            if moved == 0 or _gap(w, r, c, a, b, reach, yy) <= tol_gap or _violation(w, r, a, b) <= tol_kkt:
                count[k] = sweep
                break
        W[k], R[k], done = w, r, k + 1
        if count[k] < 0:
            break
    return done


def _sweep(G, a, b, w, r) -> float:
    moved = 0.0
    for j in range(len(w)):
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


def _gap(w, r, c, a, b, reach, yy) -> float:
    """Duality gap of ½w'Gw − c'w + Σ a|w| + ½Σ b w² + ½yy, the least squares of residuals with X'y/n = c, y'y/n = yy."""
    size, bounded = np.abs(r), (b == 0) & (a > 0)
    alpha = (a[bounded] / np.maximum(size[bounded], a[bounded])).min(initial=1.0)
    conjugate = (0.5 * np.maximum(alpha * size - a, 0.0)[b > 0] ** 2 / b[b > 0]).sum()
    rr = max(yy - (c + r) @ w, 0.0)
    value = 0.5 * rr + a @ np.abs(w) + 0.5 * b @ (w * w)
    slack = (size * (np.abs(w) + reach))[(a == 0) & (b == 0)].sum()
    return float(value - (alpha * (yy - c @ w) - 0.5 * alpha * alpha * rr - conjugate) + slack)


def _violation(w, r, a, b) -> float:
    """Largest distance of r to the subdifferential of Σ a|w| + ½Σ b w² at w."""
    inside = np.abs(r) - a
    return float(np.where(w != 0, np.abs(r - b * w - np.copysign(a, w)), inside).max(initial=0.0))


def reference_certificates(W, R, c, A, B, reach, yy):
    """The formulas of `gram_certificates`."""
    out = np.empty((len(W), 3))
    for k, (w, r, a, b) in enumerate(zip(W, R, A, B, strict=True)):
        objective = 0.5 * (yy - (c + r) @ w) + a @ np.abs(w) + 0.5 * b @ (w * w)
        out[k] = _gap(w, r, c, a, b, reach, yy), _violation(w, r, a, b), objective
    return out


def _compiled_certificates(W, R, c, A, B, reach, yy):
    out = np.empty((len(W), 3))
    loaded_library().sw_gram_certificates(*W.shape, W, R, c, A, B, reach, yy, out)
    return out


register("gram_path", reference, _compiled)
register("gram_certificates", reference_certificates, _compiled_certificates)


def gram_certificates(W, R, c, A, B, reach, yy: float):
    """(n, 3): duality gap, largest violation of stationarity, objective of ½w'Gw − c'w + ½yy + Σ a|w| + ½Σ b w² for n rows.

    W, R, A, B : (n, p) weights, r = c − Gw, strengths.
    reach : (p,) √(yy/G_jj) of free coordinates (a = b = 0), which ask r_j = 0: what is left of it enters the gap as if the
    weight could still move by its own size and by this.
    """
    return run("gram_certificates", W, R, c, A, B, reach, yy)


def gram_path(G, c, yy: float, rows: PathRows, *, tol_gap, tol_kkt=0.0, max_sweeps=10_000) -> None:
    """Minimise ½w'Gw − c'w + Σ a|w| + ½Σ b w² for each row a, b of A, B, from `rows.known` on.

    Parameters
    ----------
    G : (p, p) symmetric positive semidefinite, float64, its rows contiguous (a corner of a larger array will do).
    c : (p,);  yy : y'y/n ≥ c'G⁻c, for the gap.
    rows : PathRows, filled in place.
    tol_gap, tol_kkt : solved when the duality gap or the largest violation of stationarity is no larger.
    max_sweeps : most sweeps at one λ.
    """
    if G.dtype != np.float64 or (G.strides[1] != G.itemsize and len(G) > 1):
        raise ValueError("Expected G in float64 with contiguous rows")
    while rows.known < len(rows.A):  # it returns after each λ that is not solved
        rows.known = run("gram_path", G, c, yy, rows, tol_gap, tol_kkt, max_sweeps)
