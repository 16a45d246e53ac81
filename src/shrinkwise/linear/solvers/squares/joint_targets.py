"""Several targets of least squares with a penalty that ties them together: groups over the targets, the nuclear norm.

All targets share X̃'X̃. Whole columns as groups go to working sets with a descent over the rows of W'; other penalties to
accelerated proximal gradient. Penalties on single weights need none of this: their targets are solved one by one.

Reference: Obozinski, Taskar, Jordan, Joint covariate selection and joint subspace selection for multiple classification
problems, Stat. Comput. 2010.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from shrinkwise.linear.certificates import FitCertificate, Solutions, certify_least_squares
from shrinkwise.linear.problem.gram_storage import LARGEST_WHOLE
from shrinkwise.linear.solvers.quadratic.inner import inner_solver

from .residual import proximal_gradient
from .working_set import WorkingSet

_EPS, _TINY = np.finfo(float).eps, np.finfo(float).tiny


class JointTargetsSolver:
    """Fits min (1/2n) Σ_k ‖ỹ_k − X̃w_k‖² + λf(W), W (K, p), one penalty after the other, each from where the last one ended."""

    def __init__(self, problem, start=None):
        self.problem, self.design, self.n = problem, problem.design, problem.n
        y = problem.y if problem.offset is None else problem.y - problem.offset
        self.y_mean = problem.s @ y / self.n if problem.fit_intercept else np.zeros(y.shape[1])
        y = self.design.rooted(y - self.y_mean)
        self.c = np.ascontiguousarray(self.design.centred_transposed(y).T) / self.n
        self.yy = float(np.vdot(y, y)) / self.n
        self.w = np.zeros(problem.weights_shape) if start is None else np.array(start[0], dtype=float)

    def solve_all(self, penalty, lambdas, tol: float, max_iter: int) -> Iterator[Solutions]:
        """The Solutions over a decreasing grid, each from the one before."""
        return (self.solve(penalty.with_lam(lam), tol, max_iter) for lam in lambdas)

    def solve(self, penalty, tol: float, max_iter: int) -> Solutions:
        """The solution for `penalty`, k = 1: relative duality gap ≤ tol where solved."""
        inner = inner_solver(penalty, self.w.shape)
        limit, left = 0.1 * tol * max(float(np.abs(self.c).max(initial=0.0)), _TINY), max_iter
        for _ in range(6):
            converged, steps = self._advance(penalty, inner, limit, left)
            left -= steps
            certificate = self._certify(penalty)
            if not (certificate.gap > tol) or not converged or left <= 0:
                break
            limit *= 0.01
        solved = certificate.gap <= tol if penalty.has_conjugate else converged
        b = self.y_mean - self.w @ self.design.means if self.problem.fit_intercept else np.zeros(len(self.w))
        return Solutions.one(self.w, b, certificate, bool(solved), max(max_iter - left, 1))

    def _advance(self, penalty, inner, limit, left):
        """To violations ≤ `limit`, w and g left at what is found: (converged, steps)."""
        if inner is not None:
            converged, steps = self.working_set.solve(inner, limit, left)
            self.w, self.g = self.working_set.w, self.working_set.g
            return converged, steps
        top = self.problem.top_curvature
        self.w, steps, converged = proximal_gradient(self._curved, top, self.c, penalty, self.w, limit, left)
        self.g = self._curved(self.w) - self.c
        return converged, steps

    def _certify(self, penalty) -> FitCertificate:
        fitted, left = np.vdot(self.c, self.w), np.vdot(self.g, self.w)
        yr, rr = self.yy - fitted, max(self.yy - fitted + left, 0.0)
        return certify_least_squares(self.problem, penalty, self.w, self.g, yr, rr, self.yy)

    @cached_property
    def working_set(self):
        """What whole columns as groups are solved on."""
        return WorkingSet(self.design, self.c, self.w)

    @cached_property
    def _gram(self):
        return self.design.gram() if self.design.p <= min(self.n, LARGEST_WHOLE) else None

    def _curved(self, w):
        """W X̃'X̃/n."""
        if self._gram is not None:
            return w @ self._gram
        return self.design.centred_transposed(self.design.centred_times(w)).T / self.n
