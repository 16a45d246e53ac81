"""Least squares with a penalty on the residual: for sparse X, and where the Gram matrix would be larger than X.

X is never densified, centred or copied whole. L1 + L2: coordinate descent on a working set chosen by the sequential strong
rule; between its sweeps conjugate gradients on the non-zero weights with their signs held, which bad conditioning slows far
less than the sweeps. Ridge: conjugate gradients alone. Penalties with an inner solver: working sets with a Gram matrix of
stored entries. Others: accelerated proximal gradient. With few columns the whole Gram matrix is used if that is faster.
Every solution is checked on all columns.

References: Tibshirani et al., Strong rules for discarding predictors in lasso-type problems, JRSS B 2012. Moré and Toraldo,
On the solution of large quadratic programming problems with bound constraints, SIAM J. Optim. 1991.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from scipy.linalg import eigh

from shrinkwise.kernels import WeightedColumns
from shrinkwise.kernels.linear.sparse_cd import sparse_cd
from shrinkwise.linear.certificates import FitCertificate, Solutions, certify_least_squares
from shrinkwise.linear.solvers.quadratic.inner import inner_solver
from shrinkwise.linear.solvers.quadratic.l1_l2 import solve_l1_l2

from .working_set import WorkingSet

_EPS, _TINY = np.finfo(float).eps, np.finfo(float).tiny
# X̃'X̃ of up to _GRAM_COLUMNS columns costs as much as some hundred sweeps. It is formed at once where a Cholesky
# factorisation, of order p³, is cheaper than the sweeps of one solution; where proximal gradient would pass over it in
# less time than over X; and when one solution has taken more than _PATIENCE sweeps (badly conditioned columns).
_GRAM_COLUMNS = 2000
_PATIENCE = 200
_SWEEPS = 5  # of coordinate descent between two runs of conjugate gradients,
_STEPS = 15  # which take at most so many steps; twice as many each time that the support stays


class ResidualSolver:
    """Fits one penalty after the other on a `Problem` with squared loss, each from where the last one ended.

    Dense X is read by columns: in C order it is copied once to Fortran order, in its own dtype.
    """

    def __init__(self, problem, start=None):
        self.problem, self.design = problem, problem.design
        self.n, self.p = problem.n, problem.p
        s = problem.s if self.design.weighted else None
        dense = not self.design.sparse
        columns = WeightedColumns(np.asfortranarray(self.design.X), s, problem.fit_intercept) if dense else None
        self.all = _Block(columns or self.design.columns)
        y = np.asarray(problem.y if problem.offset is None else problem.y - problem.offset, dtype=float)
        self.y_mean = problem.s @ y / self.n if problem.fit_intercept else 0.0
        self.y = y - self.y_mean
        self.yy = self._inner(self.y, self.y)
        self.c = self.all.correlate(self.y)
        self.scale = float(np.abs(self.c).max(initial=0.0))
        self.rounding = 8 * _EPS * max(self.scale, _TINY)
        self.a_last = None
        self.working = np.zeros(self.p, dtype=bool)
        self.ridges = 0
        self.G = None  # X̃'X̃/n, once it is worth its price
        self._move_to(self.all.matrix.every, np.zeros(self.p) if start is None else start[0])

    def intercept(self, w):
        """ȳ − x̄'w, or 0."""
        return np.array(self.y_mean - self.all.means @ w if self.problem.fit_intercept else 0.0)

    def solve_all(self, penalty, lambdas, tol: float, max_iter: int) -> Iterator[Solutions]:
        """The Solutions over a decreasing grid, each from the one before."""
        return (self.solve(penalty.with_lam(lam), tol, max_iter) for lam in lambdas)

    def solve(self, penalty, tol: float, max_iter: int) -> Solutions:
        """The solution for `penalty`, k = 1: relative duality gap ≤ tol where solved."""
        parts = penalty.l1_l2((self.p,))
        if parts is None:
            advance = self._other
        elif parts[0].any():
            advance = self._working_set
        else:
            advance = self._ridge
            if not (parts[1] > 0).all():  # of many solutions the one of least norm is reached from zero
                self._move_to(self.all.matrix.every, np.zeros(self.p))
        self._settle_on_gram(parts)
        limit = self._first_limit(tol)
        left, best = max_iter, np.inf
        while True:
            most = left if self.G is not None or self.p > _GRAM_COLUMNS else min(left, _PATIENCE)
            used, settled = advance(penalty, parts, limit, most)
            left -= used
            certificate = self._certify(penalty)
            enough = certificate.proves(tol, self.scale) if penalty.has_conjugate else settled
            if (enough and settled) or left <= 0:
                break
            if used >= most:
                self.G = self.design.gram()
            elif settled:
                if limit <= self.rounding and not certificate.gap < 0.5 * best:
                    break
                best = min(best, certificate.gap)
                limit = max(limit * np.clip(0.3 * tol / certificate.gap, 0.01, 0.5), self.rounding)
        return Solutions.one(self.w, self.intercept(self.w), certificate, bool(enough), max(max_iter - left, 1))

    def _first_limit(self, tol: float) -> float:
        """Gradient violation at which the gap is about tol: it is the largest violation times Σ|w|, at most."""
        top = max(float(np.abs(self.c).max(initial=0.0)), _TINY)
        size = max(float(np.abs(self.w).sum()), self.yy / top)
        return max(0.4 * tol * self.yy / max(size, _TINY), self.rounding)

    # --- state ---------------------------------------------------------------------------------------------
    def _inner(self, u, v) -> float:
        return float((u if self.all.s is None else self.all.s * u) @ v) / self.n

    def _move_to(self, columns, part):
        self.w = np.zeros(self.p)
        self.w[columns] = part
        support = columns[part != 0]
        self.r = self.y - self.all.times(self.w[support], support)
        self.g = -self.all.correlate(self.r)

    def _certify(self, penalty) -> FitCertificate:
        yr, rr = self._inner(self.y, self.r), self._inner(self.r, self.r)
        return certify_least_squares(self.problem, penalty, self.w, self.g, yr, rr, self.yy)

    # --- the matrix X̃'X̃/n ------------------------------------------------------------------------------------
    def _settle_on_gram(self, parts):
        stored = self.all.matrix.stored()
        cheap = self.p**3 <= 100 * stored or (parts is None and self.p**2 <= 4 * stored)
        if self.G is None and self.p <= _GRAM_COLUMNS and cheap:
            self.G = self.design.gram()

    def _curved(self, w):
        """X̃'X̃w/n."""
        return self.G @ w if self.G is not None else self.all.correlate(self.all.times(w))

    @cached_property
    def top_curvature(self) -> float:
        """Largest eigenvalue of X̃'X̃/n, from below (50 steps of the power method)."""
        v, top = np.random.default_rng(0).normal(size=self.p), 0.0
        for _ in range(50):
            v /= max(np.linalg.norm(v), _TINY)
            v = self._curved(v)
            top = float(np.linalg.norm(v))
        return top

    def _ridge_step(self, b, v):
        """(X̃'X̃/n + diag b)⁻¹v. On a path one eigendecomposition, the price of some ten single solutions, serves all λ."""
        self.ridges += 1
        if self.ridges <= 3 or np.ptp(b) > 0 or b[0] == 0:
            return solve_l1_l2(self.G, v, np.zeros(self.p), b, v, 0.0)[0]
        d, V = self._spectrum
        return V @ ((V.T @ v) / (np.maximum(d, 0.0) + b[0]))

    @cached_property
    def _spectrum(self):
        return eigh(self.G, check_finite=False)

    # --- three ways to a smaller gradient violation: each returns (steps used, whether nothing was missed) -----------
    def _working_set(self, penalty, parts, limit, left):
        """L1 + L2 solved on the working set, and the columns added to it that violate stationarity."""
        a, b = parts
        previous = a if self.a_last is None else self.a_last
        self.a_last = a
        self.working |= (self.w != 0) | (np.abs(self.g) >= 2.0 * a - previous) | (a == 0)
        columns = np.flatnonzero(self.working)
        problem = a[columns], b[columns], self.w[columns], limit, left
        if self.G is not None:
            a_, b_, w_, *control = problem
            part, _, used = solve_l1_l2(self.G[np.ix_(columns, columns)], self.c[columns], a_, b_, w_, *control)
        else:
            part, used = _descend(self.all.on(columns), self.r, *problem)
        self._move_to(columns, part)
        missed = (np.abs(self.g) > a + limit) & ~self.working
        self.working |= missed
        return used, not missed.any()

    def _ridge(self, penalty, parts, limit, left):
        """The smooth problem: a refinement by the Gram matrix, or conjugate gradients."""
        b = parts[1]
        gradient = self.g + b * self.w
        if self.G is not None:
            d, used = self._ridge_step(b, -gradient), 1
        else:
            # Rescaled, conjugate gradients would end at another of several solutions.
            scale = self.all.curvature + b if (b > 0).all() else np.ones(self.p)
            d, _, used = _conjugate_gradients(self.all, gradient, b, scale, limit, left)
        self._move_to(self.all.matrix.every, self.w + d)
        return used, True

    def _other(self, penalty, parts, limit, left):
        """Any penalty: its inner solver on a working set whose Gram matrix is not too large, else proximal gradient."""
        inner = inner_solver(penalty, (self.p,))
        if inner is not None:
            if np.count_nonzero(inner.screen(self.g, self.working_set.previous) | (self.w != 0)) <= _GRAM_COLUMNS:
                self.working_set.w, self.working_set.g = self.w, self.g
                settled, used = self.working_set.solve(inner, limit, left)
                self._move_to(self.all.matrix.every, self.working_set.w)
                return used, settled
        w, used, settled = proximal_gradient(self._curved, self.top_curvature, self.c, penalty, self.w, limit, left)
        self._move_to(self.all.matrix.every, w)
        return used, settled

    @cached_property
    def working_set(self):
        """What the penalties with an inner solver are solved on."""
        return WorkingSet(self.design, self.c, self.w, self.G)


# --- the solvers below these ways ----------------------------------------------------------------------------------------
class _Block:
    """Some columns x_j − x̄_j with weights s: a compact copy where that is small, else a list into the whole matrix."""

    def __init__(self, matrix: WeightedColumns, columns=None):
        self.matrix, self.s, self.n = matrix, matrix.s, matrix.n
        if columns is not None and 8 * matrix.stored(columns) <= matrix.stored():
            X = matrix.X[:, columns]
            self.matrix = WeightedColumns(X if matrix.sparse else np.asfortranarray(X), matrix.s, matrix.centre)
            columns = None
        self.columns = columns
        at = slice(None) if columns is None else columns
        self.means, self.curvature = self.matrix.means[at], self.matrix.curvature[at]

    def on(self, columns) -> _Block:
        """Some of these columns."""
        return _Block(self.matrix, columns if self.columns is None else self.columns[columns])

    def times(self, w, columns=None):
        """X̃w, before the weights."""
        if columns is not None:
            return self.matrix.times(w, columns) - self.means[columns] @ w
        return self.matrix.times(w, self.columns) - self.means @ w

    def correlate(self, r):
        """X̃'(s r)/n."""
        v = r if self.s is None else self.s * r
        return (self.matrix.transposed(v, self.columns) - self.means * v.sum()) / self.n

    def sweeps(self, a, b, w, r, tol: float, most: int):
        """Coordinate descent from w (changed in place) and the residual r: (residual, sweeps, converged)."""
        carried = self.matrix.residual(r)
        if self.columns is None:
            used = sparse_cd(self.matrix, None, a, b, w, carried, tol, most)
        else:
            whole = np.zeros((3, self.matrix.p))
            whole[:, self.columns] = a, b, w
            used = sparse_cd(self.matrix, self.columns, whole[0], whole[1], whole[2], carried, tol, most)
            w[:] = whole[2, self.columns]
        r = (carried[:-1] if self.s is None else carried[:-1] / self.s) + carried[-1]
        return r, used if used > 0 else most, used > 0


def _descend(block, r, a, b, w, tol, max_sweeps):
    """L1 + L2 on a block of columns, from w with residual r: (w, sweeps and steps used)."""
    w, used, steps, support = w.copy(), 0, _STEPS, None
    while True:
        r, sweeps, converged = block.sweeps(a, b, w, r, tol, min(_SWEEPS, max_sweeps - used))
        used += sweeps
        if converged or used >= max_sweeps:
            return w, used
        before, support = support, w != 0
        steps = 2 * steps if before is not None and (before == support).all() else _STEPS
        w, r, taken = _face_step(block, r, a, b, w, tol, min(steps, max_sweeps - used))
        used += taken


def _face_step(block, r, a, b, w, tol, max_steps):
    """Conjugate gradients on the non-zero weights, signs held; the step is taken as far as the objective falls.

    Weights that would change their sign end at zero. Within their signs the objective is quadratic, so its change is known
    without cancellation: ⟨gradient, d⟩ + ½(‖X̃d‖²/n + Σ b d²).
    """
    support = np.flatnonzero(w)
    if not len(support):
        return w, r, 0
    face, start, a, b = block.on(support), w[support], a[support], b[support]
    signs = np.sign(start) * (a > 0)
    gradient = a * signs + b * start - face.correlate(r)
    enough = max(tol, 0.1 * float(np.abs(gradient).max()))  # the signs may change: no need for more
    d, image, used = _conjugate_gradients(face, gradient, b, face.curvature + b, enough, max_steps)
    t = 1.0
    while t > 1e-3:
        end = start + t * d
        crossed = end * signs < 0
        moved = t * image
        if crossed.any():
            end[crossed] = 0.0
            moved = face.times(end - start)
        along = end - start
        squares = (moved if block.s is None else block.s * moved) @ moved / block.n
        if gradient @ along + 0.5 * (squares + b @ along**2) < 0:
            w = w.copy()
            w[support] = end
            return w, r - moved, used
        t *= 0.5
    return w, r, used


def _conjugate_gradients(block, gradient, b, scale, tol, max_steps):
    """d with (X̃'X̃/n + diag b)d = −gradient up to `tol`, preconditioned by diag(scale): (d, X̃d, steps)."""
    d, image, left = np.zeros_like(gradient), np.zeros(block.n), -gradient
    z = left / scale
    direction, product = z, left @ z
    for step in range(max_steps):
        if np.abs(left).max(initial=0.0) <= tol:
            return d, image, step
        along = block.times(direction)
        curved = block.correlate(along) + b * direction
        curvature = direction @ curved
        if not curvature > 0:  # flat to rounding: nothing is won along it
            return d, image, step + 1
        length = product / curvature
        d += length * direction
        image += length * along
        left = left - length * curved
        z = left / scale
        before, product = product, left @ z
        direction = z + product / before * direction
    return d, image, max_steps


def proximal_gradient(curved, top: float, c, penalty, w, tol: float, max_iter: int):
    """argmin ½⟨w, Hw⟩ − ⟨c, w⟩ + penalty(w) by accelerated proximal gradient with restart; curved(w) = Hw, w of any shape.

    `top` is H's largest eigenvalue; it may be too low and is raised where a step shows more curvature. Stops when the
    prox-gradient residual max|w⁺ − w| / step ≤ `tol`. Returns (w, steps, converged).
    References: Beck and Teboulle, SIAM J. Imaging Sci. 2009. O'Donoghue and Candès, Found. Comput. Math. 2015.
    """
    Hw = curved(w)
    if float(np.max(penalty.violation(w, Hw - c), initial=0.0)) <= tol:
        return w, 1, True
    top, momentum = max(top, _TINY), 1.0
    y, Hy = w, Hw
    for k in range(max_iter):
        new = penalty.prox(y - (Hy - c) / top, 1.0 / top)
        Hnew, change = curved(new), new - y
        squares = np.vdot(change, change)
        if np.vdot(change, Hnew - Hy) > top * squares * (1.0 + 1e-6):
            top *= 1.1
            continue
        if np.abs(change).max(initial=0.0) * top <= tol:
            return new, k + 1, True
        if np.vdot(change, new - w) < 0:
            momentum, y, Hy = 1.0, new, Hnew
        else:
            faster = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum * momentum))
            pull = (momentum - 1.0) / faster
            y, Hy, momentum = new + pull * (new - w), Hnew + pull * (Hnew - Hw), faster
        w, Hw = new, Hnew
    return w, max_iter, False
