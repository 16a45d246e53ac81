"""L1 + L2 within bounds in Gram space: one λ after the other."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from shrinkwise.kernels.library import F64, I64, declare, loaded_library, register, run

from .gram import PathRows, lapack

declare(
    "sw_gram_bounded",
    ctypes.c_int64,
    *(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, F64, F64, F64, ctypes.c_int64, ctypes.c_int64),
    *(F64, F64, F64, F64, F64, I64),
    *(ctypes.c_double, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p),
)


@dataclass(frozen=True)
class Bounded:
    """a|w| + ½ b w² on low ≤ w ≤ high of every entry, a = `l1`, b = `ridge`; all (p,), the bounds may be infinite."""

    l1: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ridge: np.ndarray

    def at(self, columns) -> Bounded:
        """The same for some of the entries."""
        return Bounded(self.l1[columns], self.low[columns], self.high[columns], self.ridge[columns])

    def violation(self, w, r):
        """Distance of r − b w from the subdifferential of a|w| and of the bounds; ∞ outside them."""
        pull = r - self.ridge * w
        left = np.where(w != 0, pull - self.l1 * np.sign(w), pull - np.clip(pull, -self.l1, self.l1))
        # At w = 0 the kink and a bound may meet: the pull into the interval still has to pass the kink.
        left = np.where((w <= self.low) & (left < 0) | (w >= self.high) & (left > 0), 0.0, left)
        return np.where((w < self.low) | (w > self.high), np.inf, np.abs(left))

    def minimiser(self, z, d):
        """argmin_u ½ d u² − z u + a|u| within the bounds; where d = 0 the point nearest to zero."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            u = (z - np.clip(z, -self.l1, self.l1)) / d
        return np.clip(np.where(d > 0, u, 0.0), self.low, self.high)


def _compiled(G, c, low, high, rows, tol, max_sweeps):
    shape = len(c), G.strides[0] // G.itemsize, G.ctypes.data
    arrays = rows.lambdas, rows.A, rows.B, rows.W, rows.R, rows.count
    given = len(rows.A), rows.known, *arrays
    return loaded_library().sw_gram_bounded(*shape, c, low, high, *given, tol, max_sweeps, *lapack())


def reference(G, c, low, high, rows, tol: float, max_sweeps: int) -> int:
    """Cyclic coordinate descent at each λ from the solution before; the compiled kernel only gets there sooner."""
    for k in range(rows.known, len(rows.A)):
        rule = Bounded(rows.A[k], low, high, rows.B[k])
        w = np.clip(rows.W[k - 1] if k else np.zeros_like(c), low, high)
        r, rows.count[k] = c - G @ w, -max_sweeps
        for sweep in range(1, max_sweeps + 1):
            moved = _sweep(G, rule, w, r, tol)
            r = r if moved else c - G @ w
            if not moved and (rule.violation(w, r) <= tol).all():
                rows.count[k] = sweep
                break
        rows.W[k], rows.R[k] = w, c - G @ w
    return len(rows.A)


def _sweep(G, rule, w, r, tol) -> bool:
    moved = False
    for j in range(len(w)):
        here = rule.at(j)
        if not here.violation(w[j], r[j]) > tol:
            continue
        step = float(here.minimiser(r[j] + G[j, j] * w[j], G[j, j] + here.ridge)) - w[j]
        if step != 0 and np.isfinite(step):
            moved, w[j] = True, w[j] + step
            r -= step * G[j]
    return moved


register("gram_bounded", reference, _compiled)


def gram_bounded(G, c, low, high, rows: PathRows, tol: float, max_sweeps: int = 10_000) -> None:
    """Minimise ½w'Gw − c'w + Σ a|w| + ½Σ b w² for low ≤ w ≤ high, for each row a, b of A, B, from `rows.known` on.

    Parameters
    ----------
    G : (p, p) symmetric positive semidefinite, float64, its rows contiguous (a corner of a larger array will do).
    c, low, high : (p,), low ≤ high, which may be infinite.
    rows : PathRows, filled in place: count > 0 where no coordinate violates stationarity by more than `tol`.
    tol : in units of the gradient.
    max_sweeps : most sweeps at one λ.
    """
    if G.dtype != np.float64 or (G.strides[1] != G.itemsize and len(G) > 1):
        raise ValueError("Expected G in float64 with contiguous rows")
    rows.known = run("gram_bounded", G, c, low, high, rows, tol, max_sweeps)
    if rows.known < len(rows.A):
        raise MemoryError("Not enough memory for the work arrays of the bounded path")
