"""Losses with curvature (logistic, multinomial, poisson, huber) and a penalty: proximal Newton on working columns.

Each step minimises a quadratic model of the loss plus the penalty and searches along the line. The model's Hessian is
rebuilt only if it stops making good progress, so it is used for several steps and several λ. Solutions of several λ are
found on working columns, chosen by how close their gradient is to the penalty's kink; one product with X then gives the
gradients of all of them, which every certificate uses, and missed columns are added.

References: Lee, Sun, Saunders, Proximal Newton-type methods, SIAM J. Optim. 2014. Friedman, Hastie, Tibshirani, JSS 2010.
Tibshirani et al., Strong rules for discarding predictors in lasso-type problems, JRSS B 2012.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from shrinkwise.linear.certificates import Solutions, certify
from shrinkwise.linear.problem.working_columns import is_tall, working_columns
from shrinkwise.linear.solvers.quadratic.proximal_gradient import inner_penalty

from .kernel_steps import KernelSolver
from .line_search import WorkingSolver

# Of several classes some soon needs any column: up to so many all are working columns, products with which cost little.
_FEW_COLUMNS = 256
_LIKELY = 0.95  # a column joins the model when its gradient is predicted to reach this share of its kink
_CHUNK, _ROWS = 4, 8_000_000  # most λ between two looks at all of X, and most rows of these together


@dataclass
class _Point:
    w: np.ndarray  # (K, p)
    b: np.ndarray  # (K,), of the centred columns
    eta: np.ndarray
    known: tuple  # (f(η), ∇f(η))
    v: np.ndarray  # s ∇f(η)
    dual: np.ndarray  # of the shape of η: −θ, near ∇f(η), a better dual point
    left: int
    level: float  # size of the penalty: λ but for a constant


class NewtonSolver:
    """Fits one penalty after the other on a `Problem` with a smooth loss, each started from the last solution."""

    def __init__(self, problem, start=None):
        self.problem = problem
        w, b = problem.zero() if start is None else start
        w = np.array(w, dtype=float).reshape(-1, problem.p)
        eta = problem.eta(w.reshape(problem.weights_shape), b)
        several = problem.loss.per_class or problem.loss.is_partial
        self.working = WorkingSolver(problem, working_columns(problem.design, several))
        if several and problem.p <= _FEW_COLUMNS:  # some class soon needs any of them
            self.working.columns.add(np.arange(problem.p))
        self.working.start(eta)
        self.point = self._at(w, np.atleast_1d(b) + w @ problem.design.means, 0, np.inf)
        self.g = self._gradients([self.point])[0][0]
        self.scale = float(np.abs(self.g).max(initial=0.0))
        self.before = self.before_g = None
        self.ratios = []  # |g|/a at the last two solutions

    def solve(self, penalty, tol: float, max_iter: int) -> Solutions:
        """The solution for `penalty`, k = 1: relative duality gap ≤ tol where solved."""
        return self._solve_chunk([penalty], tol, max_iter)[0][0]

    def solve_all(self, penalty, lambdas, tol: float, max_iter: int) -> Iterator[Solutions]:
        """The Solutions over a decreasing grid: as `solve` one by one, with fewer passes over X."""
        penalties, size = [penalty.with_lam(lam) for lam in lambdas], 1
        # Each keeps vectors of the length of a column.
        most = 2 if is_tall(self.problem.X) else min(_CHUNK, max(2, _ROWS // self.problem.n))
        while penalties:
            found, missed = self._solve_chunk(penalties[:size], tol, max_iter)
            yield from found
            penalties = penalties[size:]
            size = max(1, size // 2) if missed else min(2 * size, most)

    def _solve_chunk(self, penalties, tol: float, max_iter: int):
        """(Solutions, number of those that had to be solved again with more columns)."""
        problem = self.problem
        inners = [inner_penalty(penalty, problem.weights_shape) for penalty in penalties]
        self.working = self._working_for(inners[0])
        self._screen(inners[-1], len(inners))
        points = []
        for inner in inners:
            before = self.point
            self.point = self._extrapolated(inner)
            points.append(self._solve_working(inner, tol, 1.0, max_iter))
            self.before = before
        gradients = self._gradients(points)
        solutions, missed = [], 0
        for i, (penalty, inner) in enumerate(zip(penalties, inners, strict=True)):
            certificate = self._certify(penalty, points[i], gradients[i])
            strictness = 1.0
            for _ in range(6):
                if not (certificate.gap > tol) or points[i].left <= 0:
                    break
                if not self._admit(inner, points[i], *gradients[i]):
                    strictness *= 0.01
                missed += strictness == 1.0
                self.point, self.before = points[i], None
                points[i] = self._solve_working(inner, tol, strictness, points[i].left)
                gradients[i] = self._gradients([points[i]])[0]
                certificate = self._certify(penalty, points[i], gradients[i])
            solutions.append(self._solution(penalty, points[i], certificate, tol, max_iter))
            self._remember(inner, gradients[i][0])
        self.point, self.g = points[-1], gradients[-1][0]
        return solutions, missed

    def _working_for(self, inner) -> WorkingSolver:
        """The solver on the working columns: by kernel where there is one for this problem and penalty."""
        kind = KernelSolver if KernelSolver.takes(self.problem, self.working.columns, inner) else WorkingSolver
        return self.working if type(self.working) is kind else kind(self.problem, self.working.columns)

    def _extrapolated(self, inner) -> _Point:
        """The last solution extrapolated in log λ through the last two; a weight that would change sign becomes zero."""
        point, before = self.point, self.before
        if inner.kink is None or before is None or not 0 < inner.level < point.level < before.level < np.inf:
            return point
        part = min(np.log(inner.level / point.level) / np.log(point.level / before.level), 2.0)
        last = before.w
        if (
            self.problem.loss.per_class
        ):  # softmax does not see a shift of all classes: that of the smallest weight is left out
            least = np.abs(point.w).argmin(0), np.arange(last.shape[1])
            last = np.where((point.w == 0).sum(0) <= 1, last + (point.w - last)[least], last)
        w = point.w + part * (point.w - last)
        w = inner.kept(point.w, w)
        columns, b = self.working.columns, point.b + part * (point.b - before.b)
        moved = columns.times((w - point.w)[:, columns.ids[: columns.front]], self.working.in_single) + (b - point.b)
        eta = point.eta + moved.reshape(point.eta.shape)
        return replace(point, w=w, b=b, eta=eta, left=0)

    def _solve_working(self, inner, tol, strictness, left) -> _Point:
        working, columns = self.working, self.working.columns
        likely = self._likely(inner) if inner.screens else None
        w, b, left = working.solve(inner, self.point, self.g, likely, self._targets(inner, tol, strictness), left)
        full = np.zeros_like(self.point.w)
        full[:, columns.ids[: columns.front]] = w
        self.point = self._at(full, b, left, inner.level)
        return self.point

    def _at(self, w, b, left: int, level: float) -> _Point:
        """Weights w (K, p) and intercepts b with what the working solver knows there."""
        eta, rows, g_eta, v, dual = self.working.at()
        return _Point(w, b, eta, (rows, g_eta), v, dual, left, level)

    def _likely(self, inner):
        """Working columns with a non-zero weight, or whose gradient, extrapolated through the last two, comes near the kink."""
        ids, level, part = self.working.columns.ids, self.point.level, 0.0
        g, w = self.g[:, ids], self.point.w[:, ids]
        if self.before_g is not None and level < self.before_g[0] < np.inf:
            part = (level - inner.level) / (self.before_g[0] - level)
            g = g + part * (g - self.before_g[1][:, ids])
        self.before_g = level, self.g.copy()
        return ids[((w != 0) | inner.always[:, ids] | (inner.pull(g, ids) >= _LIKELY)).any(0)]

    def _targets(self, inner, tol, strictness):
        """(relative gap, violation) at which a solution on the working columns is good enough."""
        return 0.7 * tol * strictness, 0.1 * tol * max(self.scale, tol * self.problem.intercept_unit) * strictness

    def _certify(self, penalty, point, gradients):
        shape = self.problem.weights_shape
        g, dual = (u.reshape(shape) for u in gradients)
        return certify(self.problem, penalty, point.w.reshape(shape), point.eta, g, (point.dual, dual), point.known)

    def _solution(self, penalty, point, certificate, tol, max_iter) -> Solutions:
        problem = self.problem
        b = point.b - point.w @ problem.design.means if problem.fit_intercept else point.b
        if problem.loss.is_partial:
            b = np.zeros_like(b)
        elif problem.loss.per_class and problem.fit_intercept:
            b = b - b.mean()  # softmax does not change with what all classes share
        small = tol * max(self.scale, tol * problem.intercept_unit)
        stationary = point.left > 0 and certificate.kkt <= small
        solved = certificate.proves(tol, self.scale) if penalty.has_conjugate else stationary
        shape = problem.weights_shape
        return Solutions.one(
            point.w.reshape(shape), b.reshape(shape[:-1]), certificate, bool(solved), max(max_iter - point.left, 1)
        )

    # --- which columns ------------------------------------------------------------------------------------------
    def _gradients(self, points):
        """(X'v/n, X's·dual/n) of each point, (K, p) each, by one product with X."""
        problem = self.problem
        both = [v.reshape(problem.n, -1) for point in points for v in (point.v, (problem.s * point.dual.T).T)]
        U = problem.design.transposed(np.concatenate(both, axis=1)).T / problem.n
        return list(U.reshape(len(points), 2, -1, problem.p))

    def _screen(self, inner, steps: int):
        """Add the columns that may be non-zero in one of the next `steps` solutions, the last of them `inner`'s."""
        if not inner.screens:
            self.working.columns.add(np.arange(self.problem.p))
            return
        likely = (self.point.w != 0) | inner.always
        if self.ratios:
            likely |= np.maximum(self.ratios[-1], self.ratios[-1] + steps * (self.ratios[-1] - self.ratios[0])) >= 0.8
        self.working.columns.add(np.flatnonzero(likely.any(0)))
        if not self.ratios:
            self._admit(inner, self.point, self.g, self.g)

    def _admit(self, inner, point, g, dual) -> bool:
        """Add the columns that violate the kink most, about twice the support; returns whether there were any."""
        if not inner.screens:
            return False
        columns, every = self.working.columns, np.arange(self.problem.p)
        excess = np.maximum(inner.pull(g, every), inner.pull(dual, every)).max(0)
        excess[columns.ids] = 0.0
        new = np.flatnonzero(excess > 1.0)
        room = max(200, 2 * int((point.w != 0).any(0).sum()))
        if len(new) > room:  # of a group all columns or none, and they are equal here
            new = new[excess[new] >= np.partition(excess[new], -room)[-room]]
        columns.add(new)
        return len(new) > 0

    def _remember(self, inner, g):
        if inner.screens:
            self.ratios = [*self.ratios[-1:], inner.pull(g, np.arange(self.problem.p))]
