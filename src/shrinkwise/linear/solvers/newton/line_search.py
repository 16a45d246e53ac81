"""Proximal Newton steps on working columns: a quadratic model, rebuilt when progress is slow, and a line search."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkwise.linear.certificates import relative_gap
from shrinkwise.linear.problem.rounding import fits_single

from .class_model import ClassModel
from .curvature import RowCurvature, SoftmaxCurvature
from .many_classes import ManyClasses
from .quadratic_model import QuadraticModel, inverse
from .residual_model import ResidualModel

_EPS = np.finfo(float).eps
_STALLED = 10  # steps in a row that leave the violation as it is, after which no step will change it
# For gaps from this one on, steps are decided on gradients of columns in single precision, if the model is; a look at all
# columns in double precision follows.
_ROUNDED = 1e-7
_SLOW = 0.4  # a step from an old model that leaves more than this of the violation asks for a new one


class WorkingSolver:
    """Minimises loss + penalty on the working columns, and adds columns behind the front when they are needed.

    `w` below is (K, front): the weights of the columns in front; all other weights are zero. b belongs to the centred
    columns, η = (X − x̄) w + b + offset.
    """

    def __init__(self, problem, columns):
        self.problem, self.columns = problem, columns
        self.model: Any = None  # a QuadraticModel or ClassModel from the first step on
        # Where η is in the units of y, so are the weights.
        self.single = problem.fits_single and not (problem.loss.location and not fits_single(problem.y[:, None]))
        self.classes = ManyClasses(problem, columns, self.single)
        self.alike = bool((problem.s == 1.0).all())
        self.rounded = False  # whether the tolerance allows steps on rounded columns
        self.at_rounding = False  # whether the last step promised less than the objective can show

    def start(self, eta, known=None):
        """Set the linear predictor, with f(η) by row and ∇f(η) (`known`, where they are), v = s∇f(η) and its mean."""
        problem = self.problem
        self.eta = np.asfortranarray(eta)  # class by class, as a product with the columns comes
        self.rows, self.g_eta = known or problem.loss.value_and_gradient(problem.y, self.eta)
        self.v = self._weighted(self.g_eta)
        self.gb = np.atleast_1d(self.v.sum(0) / problem.n)
        self.dual, self.offered = self.g_eta, None  # the best dual point, and the one that the last model offers

    def at(self):
        """(η, f(η), ∇f(η), v, the dual point) where the last solution is."""
        return self.eta, self.rows, self.g_eta, self.v, self.dual

    @property
    def in_single(self) -> bool:
        """Whether columns in front may be rounded to single precision, as those in the model are."""
        return self.rounded and self.model is not None and not self.model.exact

    def _weighted(self, v):
        return v if self.alike else (self.problem.s * v.T).T

    def solve(self, inner, point, g, likely, targets, left: int):
        """(w, b, steps left) from `point`, until the gap or, where the penalty has none here, the violation is at its target.

        g is the last known gradient of all columns, (K, p); it chooses the columns to start with, and is refreshed here.
        """
        self.start(point.eta)
        self.needed = 0.0  # the violation at which a dual point is good enough
        self.rounded = inner.kink is not None and targets[0] >= _ROUNDED
        b, w = point.b.copy(), self._front(point.w, likely)
        best, stuck, stalled, before, begins = np.inf, 0, 0, np.inf, True
        while True:
            gradients, violation, worst = self._look(inner, w, b, targets)
            # Past the rounding of the objective only the violation tells progress from noise.
            stuck = 0 if worst < 0.5 * best else stuck + 1
            best = min(best, worst)
            # Where the curvature of a weight vanishes, as of one that runs away, steps get shorter than any that counts.
            stalled = stalled + 1 if abs(worst - before) <= 1e-6 * worst else 0
            if self.problem.loss.farthest < np.inf and np.ptp(self.eta) > self.problem.loss.farthest:
                left = 0
            if (
                left <= 0
                or self._reached(inner, w, gradients, violation, targets)
                or (stuck >= 3 and self.at_rounding)
                or stalled >= _STALLED
            ):
                grown = None if left <= 0 else self._next_columns(inner, w, gradients[0], g)
                if grown is None:
                    break
                w, best, stuck, stalled, before = grown, np.inf, 0, 0, np.inf
                continue
            if begins:
                begins = False
                self.classes.choose(inner, w, violation)
                if self.classes.is_far(inner, worst):
                    w, b, left = self._nearer(inner, w, b, left)
                    continue
            left -= 1
            self._prepare(inner, w, violation, worst, before)
            moved = self._step(inner, w, b, gradients[0], (worst, before), targets[1])
            if moved is None and not self.model.fresh:
                self._prepare(inner, w, violation, worst, 0.0)
                moved = self._step(inner, w, b, gradients[0], (worst, before), targets[1])
            if moved is None:  # no decrease left in the arithmetic, if it is not the model
                if self.classes.give_up(w, violation):
                    continue
                break
            (w, b), before = moved, worst
        return w, self._fit_intercept(w, b), left

    def _look(self, inner, w, b, targets):
        """((gradients of the weights, those of the candidate dual point or None), violations, the largest of them)."""
        gradients = self._gradients(self.columns.front)
        violation = inner.violation(w, gradients[0], self.columns.ids[: self.columns.front])
        return gradients, violation, max(float(violation.max(initial=0.0)), self._intercept_violation())

    def _intercept_violation(self) -> float:
        """The largest gradient of an intercept, in the unit of the weights' gradients."""
        return float(np.abs(self.gb).max()) * self.problem.intercept_unit if self.problem.fit_intercept else 0.0

    def _renew(self, w, b):
        """Recompute η from w and b, so that rounding errors do not accumulate along a path."""
        eta, offset = (self.columns.times(w) + b).reshape(self.eta.shape), self.problem.offset
        self.start(eta if offset is None else eta + offset)

    # --- columns ------------------------------------------------------------------------------------------------
    def _front(self, w, likely):
        """w on the front, which the columns `likely` join (None: all)."""
        columns = self.columns
        columns.promote(columns.ids if likely is None else np.sort(likely))
        return w[:, columns.ids[: columns.front]].copy()

    def _next_columns(self, inner, w, gradient, g):
        """w with the columns behind the front that violate stationarity; None if there are none. Updates g."""
        columns = self.columns
        if not inner.screens:
            return None
        m = len(columns.ids)
        front = columns.ids[: columns.front]
        behind = columns.ids[columns.front :]
        if not len(behind):
            g[:, front] = gradient
            return None
        g[:, front], (g[:, behind], dual) = gradient, self._gradients(m, columns.front)
        pull = inner.pull(g[:, behind], behind)
        if dual is not None and self.dual is self.offered:
            pull = np.maximum(pull, inner.pull(dual, behind))
        new = np.sort(behind[(pull > 1.0 + 1e-9).any(0)])
        if not len(new):
            return None
        columns.promote(new)
        return np.concatenate([w, np.zeros((len(w), len(new)))], axis=1)

    def _gradients(self, m: int, first: int = 0):
        """X̃'v/n on the columns from the place `first` to m: for v = s∇f(η), and for the candidate dual point (or None)."""
        n, vectors = self.problem.n, [self.v.reshape(self.problem.n, -1).T]
        K = len(vectors[0])
        if self.offered is not None:
            vectors.append(self._weighted(self.offered).reshape(n, -1).T)
        g = self.columns.transposed(np.concatenate(vectors).T, m, first, first == 0 and self.in_single) / n
        return g[:K], (g[K:] if len(vectors) > 1 else None)

    # --- one step -----------------------------------------------------------------------------------------------
    def _nearer(self, inner, w, b, left: int):
        """(w, b, steps left) after a descent, η with it; as before it where the objective has not decreased."""
        before, eta = self._objective(inner, w), self.eta
        new, new_b, count = self.classes.descend(inner, eta, w, b, left)
        self.start(eta + (self.columns.times(new - w) + (new_b - b)))
        if not self._objective(inner, new) < before:
            self.start(eta)
            return w, b, left - count
        return inner.recentred(new, self.columns.ids[: self.columns.front]), new_b, left - count

    def _objective(self, inner, w) -> float:
        ids = self.columns.ids[: self.columns.front]
        return float(self.problem.s @ self.rows) / self.problem.n + inner.value(w, ids)

    def _reached(self, inner, w, gradients, violation, targets) -> bool:
        if inner.kink is None:
            return max(violation.max(initial=0.0), self._intercept_violation()) <= targets[1]
        ids = self.columns.ids[: self.columns.front]
        if (violation[inner.free[:, ids]] > targets[1]).any():
            return False
        value, least, allowed = inner.value(w, ids), np.inf, targets[0] * self.problem.null_loss
        for v, u in zip((self.offered, self.g_eta), gradients[::-1], strict=True):
            if v is None:
                continue
            alpha, term, slack = inner.dual_term(w, u, ids)
            # f(η) + f*(αv) ≥ α⟨v, η⟩: what this leaves of the gap is there, whatever the conjugate, which costs a pass.
            if value + term + alpha * float((w * u).sum()) > allowed:
                continue
            gap = relative_gap(self.problem, self.eta, self.rows, v, (alpha, value + term, slack))
            if gap < least:
                least, self.dual = gap, v
            if least <= targets[0]:  # the conjugate of the other point would cost one more pass
                break
        self.needed = allowed / max(float(np.abs(w).sum()), 1e-300)
        return least <= targets[0]

    def _prepare(self, inner, w, violation, worst, before):
        """Rebuild the model if it is missing or slow, in double precision if a new one was slow; add the weights that
        move."""
        columns = self.columns
        slow = worst > _SLOW * before
        self.classes.step_was(worst, before, w, violation)
        exact = not (self.single and inner.kink) or (slow and self.model.fresh_before and worst > 0.5 * before)
        needed = self._moving(inner, w, violation)
        if inner.a is not None and self.eta.ndim == 1 and columns.prefers_rows(int(needed.sum())):
            curvature = self.problem.n * self._curvature()
            self.model = ResidualModel(columns, curvature, self.v, self.problem.fit_intercept)
        elif self._needs_model() or exact > self.model.exact or (slow and not self.model.fresh):
            exact = exact or (self.model is not None and self.model.exact)
            self.model = self._new_model(inner, exact)
        if self.model.fresh:
            self.model.eta = self.eta
        self.model.grow(needed)

    def _moving(self, inner, w, violation):
        return inner.moving(w, violation, self.columns.ids[: self.columns.front])

    def _needs_model(self) -> bool:
        return self.model is None or not self.model.keeps or self.classes.chosen

    def _new_model(self, inner, exact: bool):
        """The model at η; by classes where there are many of them and of weights."""
        problem, columns = self.problem, self.columns
        if problem.loss.is_softmax:
            curvature = SoftmaxCurvature(problem.loss.inverse_link(self.eta), problem.s / problem.n)
            if self.classes.chosen:
                return self.classes.model(curvature, exact)
            return QuadraticModel(columns, curvature, problem.fit_intercept, exact)
        rooted = problem.loss.rooted_curvature(self.eta) if columns.keeps_rows else None
        curvature = self._curvature()
        exact = exact or not fits_single(curvature.reshape(problem.n, -1).max(0)[None])
        return QuadraticModel(columns, RowCurvature(curvature), problem.fit_intercept, exact, rooted)

    def _intercept_curvature(self):
        """Σ_i s_i∇²f(η_i)/n, (K, K) or a number."""
        problem = self.problem
        return problem.loss.summed_curvature(problem.y, self.eta, problem.s / problem.n)

    def _curvature(self):
        problem = self.problem
        curvature = problem.loss.model_curvature(problem.y, self.eta)
        return (problem.s * curvature.T).T / problem.n

    def _step(self, inner, w, b, g, violations, tol):
        """(w, b) after a step, η with it, or None when no step decreases the objective; violations here and a step before."""
        worst, before = violations
        if inner.kink is None:
            inner_tol = max(0.1 * tol, min(0.1, worst / self.problem.intercept_unit) * worst)
        elif isinstance(self.model, ClassModel):
            inner_tol = self.classes.tolerance(inner, worst, before, self.needed)
        else:  # near the end as precisely as the dual point that the model offers has to be
            inner_tol = min(0.02 * worst, max(0.3 * self.needed, 0.03 * worst * worst / max(inner.kink, worst)))
        return self._move(inner, w, b, g, inner_tol)

    def _move(self, inner, w, b, g, tol: float):
        d, db = self.model.step(w, g, self.gb, inner, tol)
        return self._search(inner, w, b, g, d, db)

    def _search(self, inner, w, b, g, d, db):
        """Backtracking until F(new) ≤ F + 1e-4 t Δ, Δ = ⟨g, d⟩ + pen(w + d) − pen(w)."""
        problem, ids = self.problem, self.columns.ids[: self.columns.front]
        # η is computed anew from the weights at the end of the λ, so that this rounding does not stay.
        along = (self.columns.times(d, self.in_single) + db).reshape(self.eta.shape)
        before, at_w, at_end = float(problem.s @ self.rows) / problem.n, inner.value(w, ids), inner.value(w + d, ids)
        decrease = float((g * d).sum() + self.gb @ db) + at_end - at_w
        self.at_rounding = -decrease <= 16 * _EPS * abs(before + at_w)
        t = 1.0
        for _ in range(40):
            eta, new = self.eta + (along if t == 1.0 else t * along), w + t * d
            known = problem.loss.value_and_gradient(problem.y, eta)
            change = float(problem.s @ known[0]) / problem.n - before - at_w
            change += at_end if t == 1.0 else inner.value(new, ids)
            if change <= 1e-4 * t * decrease + 4 * _EPS * abs(before + at_w):
                if not t * max(np.abs(d).max(initial=0.0), np.abs(db).max()) > 0:
                    return None
                v, step = self.g_eta + self.model.change_of_gradient(along, problem), (self.eta, along, self.model.eta)
                self.start(eta, known)
                if t == 1.0 and inner.kink is not None:
                    self.offered = problem.loss.offered(problem.y, v, step)
                self.model.fresh_before, self.model.fresh = self.model.fresh, False
                return self._recentred(inner, new), b + t * db
            t *= 0.5
        return None

    def _recentred(self, inner, w):
        if not self.problem.loss.per_class:
            return w
        if inner.a is None:
            return inner.recentred(w, self.columns.ids[: self.columns.front])
        whole = np.flatnonzero(self.model.has.all(0))
        if len(whole):
            w[:, whole] = inner.recentred(w[:, whole], self.columns.ids[whole])
        return w

    def _fit_intercept(self, w, b):
        """b after Newton steps in b alone, until its gradient no longer decreases; η is recomputed, the dual point kept."""
        dual, T_inverse = (self.dual if self.dual is self.offered else None), None
        self._renew(w, b)
        for _ in range(6 if self.problem.fit_intercept else 0):
            size = np.abs(self.gb).max()
            if not size > 32 * _EPS:
                break
            # Once is enough: near the end the curvature does not change.
            T_inverse = inverse(np.atleast_2d(self._intercept_curvature())) if T_inverse is None else T_inverse
            db, eta = -T_inverse @ self.gb, self.eta
            self.start(eta + db.reshape(eta.shape[1:]))
            if not np.abs(self.gb).max() < size:
                self.start(eta)
                break
            b = b + db
        self.dual = self.g_eta if dual is None else dual
        return b
