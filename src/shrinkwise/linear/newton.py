"""Logistic and multinomial losses with a penalty: proximal Newton.

Each step replaces the loss by its quadratic model at the present point, eliminates the intercept from it exactly, solves
that with the penalty (quadratic.py) and searches along the line. L1 + L2 works on a set of columns chosen by the
sequential strong rule and checked on all.

References: Lee, Sun, Saunders, Proximal Newton-type methods, SIAM J. Optim. 2014. Friedman, Hastie, Tibshirani, JSS 2010.
"""

from __future__ import annotations

import numpy as np

from .duality import Solution, certify
from .quadratic import solve_l1_l2, solve_prox

_EPS = np.finfo(float).eps


class NewtonSolver:
    """Fits one penalty after the other on a `Problem` with a smooth loss, each from where the last one ended."""

    def __init__(self, problem, start=None):
        self.problem = problem
        self.w, self.b = problem.zero() if start is None else start
        self.a_last = None
        self.working = np.zeros(problem.p, dtype=bool)
        self.g = self._gradient(self._eta(self.w, self.b))[0]
        self.scale = float(np.abs(self.g).max(initial=0.0))

    def solve(self, penalty, tol: float, max_iter: int):
        """The Solution for `penalty`: relative duality gap ≤ tol where solved."""
        parts = penalty.l1_l2(self.problem.weights_shape)
        gradient_tol = 0.1 * tol * max(self.scale, tol)
        left = max_iter
        for _ in range(6):
            left = self._solve_working(penalty, parts, gradient_tol, left)
            certificate = certify(self.problem, penalty, self.w, self._eta(self.w, self.b))
            if not (certificate.gap > tol) or left <= 0:
                break
            gradient_tol *= 0.01
        solved = certificate.gap <= tol if penalty.convex else left > 0
        return Solution(self.w, self.b, certificate, bool(solved), max(max_iter - left, 1))

    def _eta(self, w, b):
        support = np.flatnonzero((w != 0).reshape(-1, self.problem.p).any(0))
        return self.problem.eta(w[..., support], b, support)

    def _gradient(self, eta):
        """(gradient in w, gradient in b, s·∇f) at this linear predictor."""
        problem = self.problem
        v = (problem.s * problem.loss.gradient(problem.y, eta).T).T
        return problem.correlate(v), v.sum(0) / problem.n, v

    def _solve_working(self, penalty, parts, tol, left: int) -> int:
        if parts is None:
            columns = np.arange(self.problem.p)
            left = self._newton(penalty, None, columns, tol, left)
            self.g = self._gradient(self._eta(self.w, self.b))[0]
            return left
        a, b = (part.reshape(-1, self.problem.p) for part in parts)
        previous = a if self.a_last is None else self.a_last
        self.a_last = a
        start = (self.w != 0).reshape(a.shape) | (np.abs(self.g.reshape(a.shape)) >= 2.0 * a - previous) | (a == 0)
        self.working |= start.any(0)
        while True:
            columns = np.flatnonzero(self.working)
            left = self._newton(penalty, (a[:, columns], b[:, columns]), columns, tol, left)
            self.g = self._gradient(self._eta(self.w, self.b))[0]
            violates = (np.abs(self.g.reshape(a.shape)) > a + tol).any(0) & ~self.working
            if not violates.any() or left <= 0:
                return left
            self.working |= violates

    def _newton(self, penalty, parts, columns, tol, left: int) -> int:
        """Newton steps on `columns` until the largest KKT violation there is ≤ tol; returns the steps left."""
        model = _Model(self.problem, penalty, parts, columns)
        w, b = self.w[..., columns].copy(), self.b
        eta = model.X @ w.T + b
        best, stuck = np.inf, 0
        while left > 0:
            left -= 1
            quadratic = model.at(w, eta)
            # Past the rounding of the objective only the violation tells progress from noise.
            stuck = 0 if quadratic.violation < 0.5 * best else stuck + 1
            best = min(best, quadratic.violation)
            if quadratic.violation <= tol or (stuck >= 3 and model.at_rounding):
                break
            moved = model.step(w, b, eta, quadratic, tol)
            if moved is None:  # no decrease left in the arithmetic
                break
            w, b, eta = moved
            w = model.recentred(w)
        self.w = np.zeros(self.problem.weights_shape)
        self.w[..., columns] = w
        self.b = b
        return left


class _Model:
    """The loss on some columns, its quadratic models and the steps they give."""

    def __init__(self, problem, penalty, parts, columns):
        self.problem, self.penalty, self.parts = problem, penalty, parts
        self.X = problem.X[:, columns] if len(columns) < problem.p else problem.X
        self.at_rounding = False  # whether the last step promised less than the objective can show

    def value(self, w) -> float:
        """The penalty at w."""
        if self.parts is None:
            return float(self.penalty.value(w))
        a, b = (part.reshape(w.shape) for part in self.parts)
        return float((a * np.abs(w) + 0.5 * b * w * w).sum())

    def recentred(self, w):
        """w with the vector that softmax does not see, the same for all classes, chosen so that the penalty is least.

        Without this the L1 part alone would have to pull the classes together, by steps of λ.
        """
        if w.ndim == 1 or self.parts is None:
            return w
        a, b = (part.reshape(w.shape) for part in self.parts)
        # Σ_k a|w_k − c| + ½b(w_k − c)² is least at a kink c = w_k or at the stationary point between two kinks.
        signs = np.sign(w[None] - np.sort(w, axis=0)[:, None] + 0.0)
        signs = np.concatenate([signs, np.where(signs == 0, 1.0, signs)])
        curvature = b.sum(0)
        between = ((b * w).sum(0) + (a * signs).sum(1)) / np.where(curvature > 0, curvature, np.inf)
        shifts = np.concatenate([np.zeros((1, w.shape[1])), w, between])
        moved = w[None] - shifts[:, None]
        costs = (a * np.abs(moved) + 0.5 * b * moved * moved).sum(1)
        best = np.where(costs.min(0) < costs[0], costs.argmin(0), 0)
        return w - shifts[best, np.arange(w.shape[1])]

    def at(self, w, eta) -> _Quadratic:
        """Quadratic model at w (its intercept eliminated) and the KKT violation there."""
        problem = self.problem
        v = (problem.s * problem.loss.gradient(problem.y, eta).T).T
        g, gb = (self.X.T @ v / problem.n).T, v.sum(0) / problem.n
        curvature = problem.loss.hessian(problem.y, eta)
        curvature = curvature * problem.s.reshape((-1,) + (1,) * (curvature.ndim - 1)) / problem.n
        H, M, T = _blocks(self.X, curvature)
        violation = self._violation(w, g)
        if problem.fit_intercept:
            # Softmax does not see a constant added to all classes: T is singular along it, up to rounding.
            T = np.atleast_2d(T)
            T_inverse = np.linalg.pinv(T, rcond=1e-10, hermitian=True) if len(T) > 1 else 1.0 / np.maximum(T, 1e-300)
            gb = np.atleast_1d(gb)
            violation = max(violation, float(np.abs(gb).max()))
            # Rounding may leave H slightly indefinite; a little damping changes the step, not where it ends.
            damping = 1e-12 * np.abs(H.diagonal()).max(initial=0.0)
            H = H - M @ T_inverse @ M.T
            H.flat[:: len(H) + 1] += damping
            c_shift = M @ (T_inverse @ gb)
        else:
            T_inverse, gb, c_shift = None, np.atleast_1d(gb), 0.0
        return _Quadratic(H, g.reshape(-1), M, T_inverse, gb, c_shift, violation)

    def _violation(self, w, g) -> float:
        if self.parts is None:
            return float(np.max(self.penalty.violation(w, g), initial=0.0))
        a, b = (part.reshape(w.shape) for part in self.parts)
        g = g + b * w
        return float(np.where(w != 0, np.abs(g + a * np.sign(w)), np.abs(g) - a).max(initial=0.0))

    def step(self, w, b, eta, q, tol):
        """The next (w, b, η), or None when no step decreases the objective."""
        flat = w.reshape(-1)
        c = q.H @ flat - (q.g - q.c_shift)
        inner_tol = max(0.1 * tol, min(0.1, q.violation) * q.violation * 0.1)
        if self.parts is None:
            new, *_ = solve_prox(q.H, c, self.penalty, flat, w.shape, inner_tol)
        else:
            a, ridge = (part.reshape(-1) for part in self.parts)
            new, *_ = solve_l1_l2(q.H, c, a, ridge, flat, inner_tol)
        d = new - flat
        db = -q.T_inverse @ (q.gb + q.M.T @ d) if q.T_inverse is not None else np.zeros_like(q.gb)
        d, db = d.reshape(w.shape), db.reshape(np.shape(b))
        return self._search(w, b, eta, d, db, q)

    def _search(self, w, b, eta, d, db, q):
        """Backtracking until F(new) ≤ F + 1e-4 t Δ, Δ = ⟨g, d⟩ + pen(w + d) − pen(w)."""
        problem = self.problem
        along = self.X @ d.T + db
        before, at_w = problem.loss_at(eta), self.value(w)
        decrease = float(q.g @ d.reshape(-1) + q.gb @ np.atleast_1d(db)) + self.value(w + d) - at_w
        self.at_rounding = -decrease <= 16 * _EPS * abs(before + at_w)
        t = 1.0
        for _ in range(40):
            new_eta, new_w = eta + t * along, w + t * d
            change = problem.loss_at(new_eta) - before + self.value(new_w) - at_w
            if change <= 1e-4 * t * decrease + 4 * _EPS * abs(before + at_w):
                return (new_w, b + t * db, new_eta) if t * np.abs(d).max(initial=0.0) + np.abs(db).max() > 0 else None
            t *= 0.5
        return None


class _Quadratic:
    """½ d'Hd + g'd with the intercept eliminated (M, T: its coupling and curvature)."""

    def __init__(self, H, g, M, T_inverse, gb, c_shift, violation):
        self.H, self.g, self.M, self.T_inverse = H, g, M, T_inverse
        self.gb, self.c_shift, self.violation = gb, c_shift, violation


def _blocks(X, curvature):
    """(X'SX, X'S1, 1'S1) for curvature (n,), or by class blocks for (n, K, K); flattened to two dimensions."""
    if curvature.ndim == 1:
        root = np.sqrt(curvature)[:, None] * X
        return root.T @ root, (X.T @ curvature)[:, None], curvature.sum()
    p, K = X.shape[1], curvature.shape[1]
    H, M = np.empty((K, p, K, p)), np.empty((K, p, K))
    for k in range(K):
        for j in range(k + 1):
            weighted = curvature[:, k, j, None] * X
            H[k, :, j, :] = weighted.T @ X
            H[j, :, k, :] = H[k, :, j, :].T
            M[k, :, j] = M[j, :, k] = weighted.sum(0)
    return H.reshape(K * p, K * p), M.reshape(K * p, K), curvature.sum(0)
