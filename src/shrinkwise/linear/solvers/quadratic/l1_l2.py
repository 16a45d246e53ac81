"""The inner problem of every solver here: minimise ½w'Gw − c'w + λf(w), G positive semidefinite.

L1 + L2 is solved by the kernel `gram_path` (coordinate descent, extrapolation, Newton steps on the support), within bounds
by `gram_bounded`; without an L1 part and bounds one Cholesky solve is all there is. Any other penalty with a prox is solved
by accelerated proximal gradient.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq

from shrinkwise import kernels

_EPS = np.finfo(float).eps


def solve_l1_l2(G, c, a, b, w, tol: float, max_sweeps: int = 10_000):
    """argmin ½w'Gw − c'w + Σ a|w| + ½Σ b w², from the start w, gradient violation ≤ `tol` per coordinate.

    `tol` is in the units of the gradient. Returns (w, converged, sweeps).
    """
    if not a.any():
        return _solve_smooth(G, c, b), True, 1
    rows = kernels.PathRows.of(np.ones(2), np.repeat(a[None], 2, 0), np.repeat(b[None], 2, 0))
    rows.W[0], rows.R[0], rows.known = w, c - G @ w, 1
    kernels.gram_path(G, c, 0.0, rows, tol_gap=-np.inf, tol_kkt=tol, max_sweeps=max_sweeps)
    return rows.W[1], bool(rows.count[1] > 0), abs(int(rows.count[1]))


def solve_bounded(G, c, rule: kernels.Bounded, w, tol: float, max_sweeps: int = 10_000):
    """argmin ½w'Gw − c'w + Σ a|w| + ½Σ b w² within the bounds of `rule`, from the start w; as `solve_l1_l2`.

    A `tol` below the rounding of the gradient is not asked for.
    """
    rows = kernels.PathRows.of(np.ones(2), np.repeat(rule.l1[None], 2, 0), np.repeat(rule.ridge[None], 2, 0))
    rows.W[0], rows.known = w, 1
    tol = max(tol, 4.0 * _EPS * float(np.abs(c).max(initial=0.0)))
    kernels.gram_bounded(G, c, rule.low, rule.high, rows, tol, max_sweeps)
    return rows.W[1], bool(rows.count[1] > 0), abs(int(rows.count[1]))


def _solve_smooth(G, c, b):
    """(G + diag b) w = c; the minimum-norm solution where that is singular."""
    A = G + np.diag(b)
    try:
        factor = cho_factor(A, check_finite=False)
        diagonal = np.abs(np.diagonal(factor[0]))
        if diagonal.min(initial=np.inf) > 1e-7 * diagonal.max(initial=0.0):
            return cho_solve(factor, c, check_finite=False)
    except LinAlgError:
        pass
    return lstsq(A, c, cond=len(c) * _EPS, check_finite=False)[0]


def solve_prox(G, c, penalty, w, shape, tol: float, max_iter: int = 20_000):
    """argmin ½w'Gw − c'w + penalty(w) by accelerated proximal gradient with restart (for penalties with a prox).

    Stops when the prox-gradient residual max|w⁺ − w| / step ≤ `tol`. Returns (w, converged, steps).
    References: Beck and Teboulle, SIAM J. Imaging Sci. 2009. O'Donoghue and Candès, Found. Comput. Math. 2015.
    """
    top = float(np.linalg.eigvalsh(G)[-1]) if len(c) else 0.0
    if not top > 0:
        return np.zeros_like(w), True, 1
    if float(np.max(penalty.violation(w.reshape(shape), (G @ w - c).reshape(shape)), initial=0.0)) <= tol:
        return w, True, 1
    step, y, momentum = 1.0 / top, w.copy(), 1.0
    for k in range(max_iter):
        new = penalty.prox((y - step * (G @ y - c)).reshape(shape), step).reshape(-1)
        residual = float(np.abs(new - y).max()) / step
        if (y - new) @ (new - w) > 0:
            momentum, y = 1.0, new.copy()
        else:
            faster = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum * momentum))
            y, momentum = new + (momentum - 1.0) / faster * (new - w), faster
        w = new
        if residual <= tol:
            return w, True, k + 1
    return w, False, max_iter
