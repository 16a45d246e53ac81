"""Least squares with a penalty: the path solver.

L1 + L2 with p ≤ n uses the whole Gram matrix; with p > n a working set chosen by the sequential strong rule, whose Gram
matrix grows by matrix products. Every solution is checked on all columns and columns that violate join the set. Ridge is
one eigendecomposition (of the rows' side when p > n) for all λ. Other penalties: accelerated proximal gradient.

Reference: Tibshirani et al., Strong rules for discarding predictors in lasso-type problems, JRSS B 2012.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import lstsq, svd

from .duality import Certificate, Solution, dual_term
from .quadratic import solve_l1_l2, solve_prox

_EPS = np.finfo(float).eps


class SquaredSolver:
    """Fits one penalty after the other on a `Problem` with squared loss, each from where the last one ended."""

    def __init__(self, problem, start=None):
        self.problem, self.design = problem, problem.design
        self.n, self.p = problem.n, problem.p
        self.y = self._centred_target()
        self.c = self.design.centred_transposed(self.y) / self.n
        self.yy = float(self.y @ self.y) / self.n
        self.w = np.zeros(self.p) if start is None else start[0]
        self.a_last = None
        self.working = np.zeros(self.p, dtype=bool)
        self.blocks = _GrowingGram(self.design) if self.p > self.n else None
        self.g = self._gradient(self.w)

    def intercept(self, w):
        """ȳ − x̄'w, or 0."""
        return np.array(self.y_mean - self.design.means @ w if self.problem.fit_intercept else 0.0)

    def solve(self, penalty, tol: float, max_iter: int):
        """The Solution for `penalty`: relative duality gap ≤ tol where solved."""
        parts = penalty.l1_l2((self.p,))
        gradient_tol = 0.01 * tol * max(float(np.abs(self.c).max(initial=0.0)), _EPS)
        total = 0
        for _ in range(4):
            if parts is None:
                w, converged, steps = self._solve_prox(penalty, gradient_tol, max_iter)
            elif not parts[0].any():
                w, converged, steps = self._solve_ridge(parts[1]), True, 1
            else:
                w, converged, steps = self._solve_working(parts[0], parts[1], gradient_tol, max_iter)
            total += steps
            self.w, self.g = w, self._gradient(w)
            certificate = self._certify(penalty)
            if not (certificate.gap > tol) or not converged:
                break
            gradient_tol *= 0.01
        solved = certificate.gap <= tol if penalty.convex else converged
        return Solution(w, self.intercept(w), certificate, bool(solved), max(total, 1))

    def _centred_target(self):
        """√s (y − o − its mean), the mean being 0 without an intercept."""
        problem = self.problem
        y = problem.y if problem.offset is None else problem.y - problem.offset
        self.y_mean = problem.s @ y / self.n if problem.fit_intercept else 0.0
        return self.design.rooted(y - self.y_mean)

    # --- the four ways -----------------------------------------------------------------------------------
    def _solve_working(self, a, b, tol, max_iter):
        previous = a if self.a_last is None else self.a_last
        self.a_last = a
        self.working |= (self.w != 0) | (np.abs(self.g) >= 2.0 * a - previous) | (a == 0)
        w, total = self.w, 0
        while True:
            columns = np.flatnonzero(self.working)
            G = self.G[np.ix_(columns, columns)] if self.blocks is None else self.blocks.on(columns)
            part, converged, sweeps = solve_l1_l2(G, self.c[columns], a[columns], b[columns], w[columns], tol, max_iter)
            total += sweeps
            w = np.zeros(self.p)
            w[columns] = part
            violates = (np.abs(self._gradient(w)) > a + tol) & ~self.working
            if not violates.any() or not converged:
                return w, converged, total
            self.working |= violates

    def _solve_ridge(self, b):
        free = b == 0
        if free.all():
            return lstsq(self._matrix(), self.y, cond=_EPS * max(self.n, self.p), check_finite=False)[0]
        if not free.any() and np.ptp(b) == 0:
            d, V, Vc = self._spectrum
            return V @ (Vc / (d + b[0]))
        # Unequal factors: least squares with √(n b_j) rows below X, which needs no squared condition number.
        return lstsq(
            np.vstack([self._matrix(), np.diag(np.sqrt(self.n * b))]),
            np.concatenate([self.y, np.zeros(self.p)]),
            cond=_EPS * max(self.n, self.p),
            check_finite=False,
        )[0]

    def _solve_prox(self, penalty, tol, max_iter):
        return solve_prox(self.G, self.c, penalty, self.w, (self.p,), tol, max_iter)

    # --- what they share ------------------------------------------------------------------------------------
    @cached_property
    def G(self):
        """X̃'X̃/n."""
        return self.design.gram()

    def _matrix(self):
        return self.design.centred_columns(np.arange(self.p))

    @cached_property
    def _spectrum(self):
        _, singular, Vt = svd(self._matrix(), full_matrices=False, check_finite=False)
        d = singular**2 / self.n
        return d, Vt.T, Vt @ self.c

    def _gradient(self, w):
        support = np.flatnonzero(w)
        if "G" in self.__dict__:
            return self.G[:, support] @ w[support] - self.c
        return self.design.centred_transposed(self.design.centred_times(w[support], support)) / self.n - self.c

    def _certify(self, penalty) -> Certificate:
        # As duality.certify, from inner products alone: with r = y − Xw, ⟨y, r⟩/n = yy − c'w, ‖r‖²/n = yy − (c − g)'w.
        w, g = self.w, self.g
        yr, rr = self.yy - self.c @ w, max(self.yy - self.c @ w + g @ w, 0.0)
        value = float(penalty.value(w))
        kkt = float(np.max(penalty.violation(w, g), initial=0.0))
        if not penalty.convex:
            return Certificate(0.5 * rr + value, np.nan, kkt)
        free = penalty.unpenalised(w.shape)
        alpha, term, slack = dual_term(penalty, w, np.where(free, 0.0, -g))
        slack += float(np.abs(w * g)[free].sum())
        dual = alpha * yr - 0.5 * alpha * alpha * rr - term
        gap = max(0.5 * rr + value - dual, 0.0) + slack
        null_loss = 0.5 * self.yy
        return Certificate(0.5 * rr + value, gap / null_loss if null_loss > 0 else 0.0, kkt)


class _GrowingGram:
    """X̃_W'X̃_W/n for a set W that only grows."""

    def __init__(self, design):
        self.design = design
        self.X = np.zeros((design.n, 0))  # X̃_W, in the order in which its columns came
        self.order = np.zeros(0, dtype=int)
        self.place = np.full(design.p, -1)
        self.G = np.zeros((0, 0))

    def on(self, columns):
        new = columns[self.place[columns] < 0]
        if len(new):
            k, m = len(self.order), len(self.order) + len(new)
            if m > len(self.G):
                grown = np.empty((max(m, 2 * len(self.G)),) * 2)
                grown[:k, :k] = self.G[:k, :k]
                self.G = grown
            self.order = np.concatenate([self.order, new])
            self.place[new] = np.arange(k, m)
            self.X = np.asfortranarray(np.concatenate([self.X, self.design.centred_columns(new)], axis=1))
            block = self.X.T @ self.X[:, k:] / self.design.n
            self.G[:m, k:m] = block
            self.G[k:m, :k] = block[:k].T
        place = self.place[columns]
        return np.ascontiguousarray(self.G[np.ix_(place, place)])
