"""Least squares with a penalty: the path solver.

L1 + L2 goes to `l1_path` (working sets, blocks of λ), within bounds and with few columns to `bounded_path`. Ridge is one
decomposition for all λ. Other penalties with an inner solver (groups, MCP and SCAD) go to `working_set`, groups with more
columns than rows first to `group_path`; the others to accelerated proximal gradient in Gram space.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial

import numpy as np
from scipy.linalg import lstsq, svd

from shrinkwise.linear.certificates import (
    FitCertificate,
    Solutions,
    at_rounding,
    certify_least_squares,
)
from shrinkwise.linear.problem.gram_storage import LARGEST_WHOLE
from shrinkwise.linear.solvers.quadratic.inner import inner_solver
from shrinkwise.linear.solvers.quadratic.l1_l2 import solve_prox

from .bounded_path import BoundedPath
from .group_path import GroupPath
from .l1_path import L1Path
from .strengths import Strengths
from .working_set import WorkingSet

_EPS, _TINY = np.finfo(float).eps, np.finfo(float).tiny
# Sweeps on the residual at one λ; where they do not do, Newton in Gram space takes over there and at all smaller λ.
_PATIENCE = 300


class SquaredSolver:
    """Fits penalties on a `Problem` with squared loss.

    Parameters
    ----------
    problem : Problem.
    start : (w, b) to start from, or None.
    gram : (p, p) X̃'X̃/n where it is known already (cross-validation has it from all rows less the held-out ones).
    """

    def __init__(self, problem, start=None, gram=None):
        self.problem, self.design = problem, problem.design
        self.n, self.p = problem.n, problem.p
        self.y = self._centred_target()
        self.c = self.design.centred_transposed(self.y) / self.n
        self.yy = float(self.y @ self.y) / self.n
        self.w = np.zeros(self.p) if start is None else start[0]
        self.gram = gram
        self.descends = self.p > self.n and not self.design.sparse

    def intercept(self, w):
        """ȳ − x̄'w, or 0; of one solution or of several."""
        return np.asarray(self.y_mean - w @ self.design.means if self.problem.fit_intercept else np.zeros(w.shape[:-1]))

    def solve_all(self, penalty, lambdas, tol: float, max_iter: int) -> Iterator[Solutions]:
        """The Solutions over a decreasing grid: relative duality gap ≤ tol where solved."""
        lambdas = np.asarray(lambdas, dtype=float)
        strengths = Strengths.of(penalty, (self.p,))
        n_l1 = 0 if strengths is None else strengths.count_l1(lambdas)
        if n_l1:
            yield from self._l1_solutions(lambdas[:n_l1], strengths, tol, max_iter)
            if n_l1 == len(lambdas):
                return
        bounded = self._within_bounds(penalty)
        if bounded is not None:
            yield self._bounded_solutions(lambdas, bounded, tol, max_iter)
            return
        for lam in lambdas[n_l1:]:
            yield self.solve(penalty.with_lam(lam), tol, max_iter)

    def _l1_solutions(self, lambdas, strengths, tol, max_iter):
        path = L1Path(self.design, self.y, self.c, self.gram)
        for found in path.solve(lambdas, strengths, tol * 0.5 * self.yy, max_iter):
            yield self._solutions(found, tol)

    def _within_bounds(self, penalty):
        """(Strengths, bounds) if the whole Gram matrix is known or cheap enough to compute."""
        if self.gram is None and self.p > min(self.n, LARGEST_WHOLE):
            return None
        return Strengths.within_bounds(penalty, (self.p,))

    def _bounded_solutions(self, lambdas, bounded, tol, max_iter):
        strengths, bounds = bounded
        path = BoundedPath(self.G, self.c, self.yy)
        found = path.solve(lambdas, strengths, bounds, self.w, tol * 0.5 * self.yy, max_iter)
        return self._solutions(found, tol)

    def _solutions(self, found, tol) -> Solutions:
        """The Solutions from weights (k, p), certificates (3, k) and sweeps (k,), as `L1Path.solve` returns them."""
        W, (gap, kkt, objective), sweeps = found
        null_loss = 0.5 * self.yy
        self.w = W[-1]
        gap = np.maximum(gap, 0.0) / null_loss if null_loss > 0 else np.zeros(len(gap))
        solved = (gap <= tol) | at_rounding(kkt, float(np.abs(self.c).max(initial=0.0)))
        return Solutions(W, self.intercept(W), objective, gap, kkt, solved, np.maximum(np.abs(sweeps), 1))

    def solve(self, penalty, tol: float, max_iter: int) -> Solutions:
        """The solution for `penalty`, k = 1, at its own λ, started from the last solution."""
        parts = penalty.l1_l2((self.p,))
        if parts[0].any() if parts is not None else self._within_bounds(penalty) is not None:
            return next(self.solve_all(penalty, [penalty.lam], tol, max_iter))
        inner = inner_solver(penalty, (self.p,)) if parts is None else None
        scale = float(np.abs(self.c).max(initial=0.0))
        gradient_tol = 0.1 * tol * max(scale, _TINY)
        total = 0
        for _ in range(5):
            if parts is not None:
                self.w, converged, steps = self._solve_ridge(parts[1]), True, 1
                self.g = self._gradient(self.w)
            elif inner is not None:
                converged, steps = self._solve_units(penalty, inner, (tol, gradient_tol), max_iter)
            else:
                self.w, converged, steps = solve_prox(
                    self.G, self.c, penalty, self.w, (self.p,), gradient_tol, max_iter
                )
                self.g = self._gradient(self.w)
            total += steps
            certificate = self._certify(penalty)
            if not penalty.has_conjugate or certificate.proves(tol, scale) or not converged:
                break
            gradient_tol *= 0.01
        solved = certificate.proves(tol, scale) if penalty.has_conjugate else converged
        return Solutions.one(self.w, self.intercept(self.w), certificate, bool(solved), max(total, 1))

    def _solve_units(self, penalty, inner, tols, max_iter):
        """Solve with the inner solver of the penalty and set w and g: (converged, sweeps)."""
        steps = 0
        if self.descends and inner.kind == "groups":
            path = self.group_path
            converged, steps = path.solve(inner, partial(self._gap, penalty), tols, min(max_iter, _PATIENCE))
            self.w, self.g = path.w, path.g
            if converged or steps >= max_iter:
                return converged, steps
            self.descends = False
        working_set = self.working_set
        converged, more = working_set.solve(inner, tols[1], max_iter - steps)
        self.w, self.g = working_set.w, working_set.g
        return converged, steps + more

    @cached_property
    def group_path(self):
        """The solver for groups with more columns than rows, used until it becomes slow."""
        return GroupPath(self.design, self.y, self.w)

    def _gap(self, penalty, w, g, residual):
        yr, rr = self.y @ residual / self.n, residual @ residual / self.n
        return certify_least_squares(self.problem, penalty, w, g, yr, rr, self.yy).gap

    @cached_property
    def working_set(self):
        """The working set for penalties with an inner solver."""
        return WorkingSet(self.design, self.c, self.w, self.gram)

    def _centred_target(self):
        """√s (y − o − its mean), the mean being 0 without an intercept."""
        problem = self.problem
        y = problem.y if problem.offset is None else problem.y - problem.offset
        self.y_mean = problem.s @ y / self.n if problem.fit_intercept else 0.0
        return self.design.rooted(y - self.y_mean)

    def _solve_ridge(self, b):
        free = b == 0
        if free.all():
            return lstsq(self._matrix(), self.y, cond=self._rank_tol, check_finite=False)[0]
        if not free.any() and np.ptp(b) == 0:
            d, V, Vc = self._spectrum
            return V @ (Vc / (d + b[0]))
        # Unequal factors: least squares with √(n b_j) rows below X, which needs no squared condition number.
        return lstsq(
            np.vstack([self._matrix(), np.diag(np.sqrt(self.n * b))]),
            np.concatenate([self.y, np.zeros(self.p)]),
            cond=self._rank_tol,
            check_finite=False,
        )[0]

    # --- what they share ------------------------------------------------------------------------------------
    @cached_property
    def G(self):
        """X̃'X̃/n."""
        return self.design.gram() if self.gram is None else self.gram

    @property
    def _rank_tol(self) -> float:
        return _EPS * max(self.problem.stands_for, self.p)

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

    def _certify(self, penalty) -> FitCertificate:
        # From inner products alone: with r = y − Xw, ⟨y, r⟩/n = yy − c'w, ‖r‖²/n = yy − (c − g)'w.
        w, g = self.w, self.g
        yr, rr = self.yy - self.c @ w, max(self.yy - self.c @ w + g @ w, 0.0)
        return certify_least_squares(self.problem, penalty, w, g, yr, rr, self.yy)
