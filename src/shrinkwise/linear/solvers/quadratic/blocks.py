"""The inner problem for groups and for concave penalties: ½w'Gw − c'w + pen(w), G positive semidefinite.

A descent over blocks or coordinates in Gram space finds which of them are not zero (and on which piece of the penalty);
there the objective is smooth, and a few Newton steps with Cholesky finish it. What Newton returns counts only with its
certificate on all columns; otherwise the descent goes on to a tighter tolerance.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from shrinkwise import kernels
from shrinkwise.kernels import Concave, GroupQuadratic

from .group_newton import newton_on_groups

_EPS = np.finfo(float).eps
# Newton over rows works with all K targets at once: beyond this many unknowns the descent alone is cheaper.
_ROWS_NEWTON_LIMIT = 1200
# Single sweeps and their extrapolation pay where Newton costs many of them, and one is long beside the call of a kernel.
_MANY_SWEEPS, _LONG_SWEEP = 20.0, 2e5


def solve_groups(quadratic: GroupQuadratic, c, w, tol: float, max_sweeps: int = 10_000, r=None):
    """argmin ½w'Gw − c'w + Σ_g t_g‖w_g‖ + Σ l_j|w_j| + ½Σ b_j w_j², from the start w.

    `tol` bounds the KKT violation (Euclidean norm of each group, in units of the gradient). With r = c − Gw, c may be None.
    Returns (w, converged, sweeps).
    """
    if not w.size:  # a model in which only intercepts are free
        return w, True, 0
    start, r0 = w, _residual(quadratic.G, c, w) if r is None else r
    w, r = w.copy(), r0.copy()
    strengths = quadratic.thresholds + np.maximum.reduceat(quadratic.l1, quadratic.starts[:-1])
    schedule = _Schedule(strengths, w, tol, max_sweeps)

    def value(w, r):  # but for a constant: the smooth part is quadratic, with gradients −r0 at the start and −r here
        norms = np.sqrt(np.add.reduceat(w * w, quadratic.starts[:-1]))
        smooth = 0.5 * (w @ (quadratic.ridge * w) - (w - start) @ (r0 + r))
        return smooth + quadratic.thresholds @ norms + quadratic.l1 @ np.abs(w)

    while True:
        done = schedule.descend(partial(kernels.gram_blocks, quadratic), value, w, r)
        done, solved = done or quadratic.violation(w, r).max() <= tol, None
        if not done and schedule.newton_is_due:
            c = _residual(quadratic.G, r, w, -1.0) if c is None else c
            w, solved = newton_on_groups(quadratic, c, w, tol)
            r = _residual(quadratic.G, c, w)
            done = quadratic.violation(w, r).max() <= tol
        if done or schedule.left <= 0:
            return w, bool(done), schedule.sweeps
        schedule.next_round(solved)


def solve_scalar(G, c, rule: Concave, w, tol: float, max_sweeps: int = 10_000):
    """A stationary point of ½w'Gw − c'w + ½Σ b_j w_j² + Σ p_j(w_j) with the p and b of `rule`, from the start w.

    The descent takes every coordinate to the global minimiser of its own problem. `tol` bounds the KKT violation of each
    coordinate, in units of the gradient. Returns (w, converged, sweeps).
    """
    w = w.copy()
    loose, total, floor = max(tol, 1e-3 * _typical(rule.arrays[0])), 0, _EPS * np.abs(c).max(initial=0.0)
    while True:
        r = c - G @ w
        sweeps = kernels.gram_scalar(G, rule, w, r, loose, max_sweeps - total)
        total += abs(sweeps)
        exact = _finish_on_pieces(G, c, rule, w, tol)
        if exact is not None:
            return exact, True, total
        done = loose <= tol and bool((rule.violation(w, r) <= tol).all())
        if done or sweeps <= 0 or loose <= floor:
            return w, done, total
        loose = max(tol, 0.01 * loose) if loose > tol else 0.1 * loose


def solve_rows(G, C, thresholds, ridge, W, tol: float, max_sweeps: int = 10_000):
    """argmin ½tr(W'GW) − tr(C'W) + Σ_j t_j‖W_j‖ + ½Σ_j b_j‖W_j‖² over W (p, K), row j = W_j, from the start W.

    `tol` bounds the KKT violation (Euclidean norm of each row). Returns (W, converged, sweeps).
    """
    W = np.array(W, order="C", dtype=float)
    R, schedule = C - G @ W, _Schedule(thresholds, W, tol, max_sweeps)

    def value(W, R):
        smooth = 0.5 * np.sum(W * (ridge[:, None] * W - C - R))
        return smooth + thresholds @ np.linalg.norm(W, axis=1)

    while True:
        done = schedule.descend(partial(kernels.gram_rows, G, thresholds, ridge), value, W, R)
        done, solved = done or row_violation(W, R, thresholds, ridge).max(initial=0.0) <= tol, None
        rows = np.flatnonzero(W.any(1) | (thresholds == 0))
        if not done and schedule.newton_is_due and rows.size * W.shape[1] <= _ROWS_NEWTON_LIMIT:
            W[rows], solved = _newton_on_rows(
                G[np.ix_(rows, rows)], C[rows], thresholds[rows], ridge[rows], W[rows], tol
            )
            R = C - G @ W
            done = row_violation(W, R, thresholds, ridge).max(initial=0.0) <= tol
        if done or schedule.left <= 0:
            return W, bool(done), schedule.sweeps
        schedule.next_round(solved)


class _Schedule:
    """When Newton is tried: after the sweeps of the descent have cost about as much as Newton costs.

    Where that is many sweeps, they are single sweeps at `tol` with an extrapolation after every few. Where it is few, they
    go to a tolerance `loose` with sweeps over the non-zero units between; once there, to a tenth of it, or to `tol` where
    sweeps are short.
    """

    def __init__(self, strengths, w, tol: float, max_sweeps: int):
        self.tol, self.left, self.sweeps = tol, max_sweeps, 0
        self.loose = max(tol, 1e-2 * _typical(strengths))
        self.unpaid, self.patience, self.settled = 0, 1, False
        self._set_price(w)

    def _set_price(self, w):
        """Set the cost of Newton on k of the m entries of w: k³/2 operations, each faster than the 2mk of a sweep."""
        k, m = max(int(np.count_nonzero(w)), 1), w.size
        self.price = min(k * k / (24 * m) + 1e6 / (m * k), 100.0)
        self.long = m * k > _LONG_SWEEP

    def descend(self, sweep, value, w, r) -> bool:
        """One round of sweep(w, r, tol, max_sweeps), in place in w and r = c − Gw; whether `tol` is certified."""
        if extrapolates := self.long and self.price > _MANY_SWEEPS:
            sweeps = extrapolated_sweeps(sweep, value, w, r, self.tol)
        else:
            limit = min(max(int(self.patience * self.price) - self.unpaid, 1), self.left)
            sweeps = sweep(w, r, self.loose, limit)
        self.settled = sweeps > 0
        self.sweeps += abs(sweeps)
        self.unpaid += abs(sweeps)
        self.left -= abs(sweeps)
        self._set_price(w)
        return self.settled and (extrapolates or self.loose <= self.tol)

    @property
    def newton_is_due(self) -> bool:
        """Whether the sweeps since the last Newton step have cost as much as one."""
        return self.unpaid >= int(self.patience * self.price)

    def next_round(self, solved: bool | None):
        """Go on; after a Newton that failed (solved False; None: not tried) the descent is given twice as long."""
        if solved is not None:
            self.unpaid, self.patience = 0, 1 if solved else 2 * self.patience
        if self.settled:
            self.loose = max(self.tol, 0.1 * self.loose) if self.long else self.tol


def extrapolated_sweeps(sweep, value, w, r, tol: float) -> int:
    """Five sweeps, then the combination of their results with the smallest step (Anderson) if its objective is lower.

    r is affine in w, so that the residual of the combination is the combination of the residuals. Returns as the kernels.

    Reference: Bertrand and Massias, Anderson acceleration of coordinate descent, AISTATS 2021, arXiv 2011.10065.
    """
    past = [(w.copy(), r.copy())]
    for k in range(5):
        if sweep(w, r, tol, 1) > 0:
            return k + 1
        past.append((w.copy(), r.copy()))
    points, residuals = (np.array(x) for x in zip(*past, strict=True))
    steps = np.diff(points.reshape(6, -1), axis=0)
    gram = steps @ steps.T
    if not gram.any():
        return -5
    gram.flat[::6] += 1e-12 * np.trace(gram)
    share = np.linalg.solve(gram, np.ones(5))
    share /= share.sum()
    at, left = np.tensordot(share, points[1:], 1), np.tensordot(share, residuals[1:], 1)
    if value(at, left) < value(w, r):
        w[...], r[...] = at, left
    return -5


def _newton_on_rows(G, C, thresholds, ridge, W, tol: float):
    """`newton_on_groups` with the rows of W as groups: their quadratic is G ⊗ I."""
    K = W.shape[1]
    each = np.repeat(ridge, K)
    quadratic = GroupQuadratic(np.kron(G, np.eye(K)), np.arange(len(W) + 1) * K, thresholds, np.zeros(len(each)), each)
    w, solved = newton_on_groups(quadratic, C.ravel(), W.ravel(), tol)
    return w.reshape(W.shape), solved


def row_violation(W, R, thresholds, ridge):
    """(p,) distance of R − bW from t ∂‖W_j‖, R = C − GW."""
    norms = np.linalg.norm(W, axis=1)
    unit = W / np.where(norms > 0, norms, 1.0)[:, None]
    distance = np.linalg.norm(R - ridge[:, None] * W - thresholds[:, None] * unit, axis=1)
    return np.where(norms > 0, distance, np.maximum(distance - thresholds, 0.0))


def _residual(G, c, w, sign=1.0):
    """c − sign Gw."""
    support = np.flatnonzero(w)
    return c - kernels.columns_times(G, support, sign * w[support])


def _typical(strengths) -> float:
    positive = strengths[strengths > 0]
    return float(np.median(positive)) if len(positive) else 0.0


def _finish_on_pieces(G, c, rule: Concave, w, tol: float):
    """The point that is stationary on the linear pieces of w, or on those it leads to; None where there is none in reach."""
    codes = rule.codes(w)
    for _ in range(6):
        free, slope, curvature = rule.piece(codes)
        S, others = np.flatnonzero(free), np.flatnonzero(~free & (w != 0))
        block = G[np.ix_(S, S)]
        block.flat[:: len(S) + 1] += rule.ridge[S] + curvature[S]
        right = c[S] - slope[S] - G[np.ix_(S, others)] @ w[others]
        try:
            with np.errstate(all="ignore"):
                # scipy before 1.14 refuses a block without rows.
                solved = (
                    cho_solve(cho_factor(block, check_finite=False), right, check_finite=False) if len(S) else right
                )
        except LinAlgError:
            return None
        w = np.where(free, 0.0, w)
        w[S] = solved
        reached = rule.codes(w)
        if not np.isfinite(solved).all() or (np.sign(reached) != np.sign(codes)).any():
            return None
        if (reached == codes).all():
            support = np.flatnonzero(w)
            r = c - G[:, support] @ w[support]
            return w if (rule.violation(w, r) <= tol).all() else None
        codes = reached
    return None
