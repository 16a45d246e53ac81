"""One λ of one fold between two passes: the certificate at the last point, the quadratic model, the next point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shrinkwise.linear.certificates import beside_domain, dual_term, largest_violation
from shrinkwise.linear.solvers.quadratic.inner import flat_solver
from shrinkwise.linear.solvers.quadratic.l1_l2 import solve_prox
from shrinkwise.linear.solvers.quadratic.proximal_gradient import inner_penalty

from .sums import Sums, Trial

_EPS = np.finfo(float).eps
_SLOW = 0.05  # a pass that leaves more than this of the violation asks for a new Hessian
_NEAR = 0.85  # columns whose gradient reaches this share of the kink join the model
_ALL = 8  # up to so many columns the model has all of them
_MOST_HALVINGS = 30


@dataclass
class Scale:
    """What certificates are measured by: the loss of the null model above the saturated one, the latter, the null gradient,
    the deviations of the prepared columns (p,), whether an intercept is fitted."""

    null_loss: float
    lowest: float
    gradient: float
    deviations: np.ndarray
    fit_intercept: bool


@dataclass
class Model:
    """A Hessian over [columns, intercept] of every class, already divided by Σ s."""

    H: np.ndarray
    columns: np.ndarray


@dataclass
class StreamedFit:
    """The state of one λ of one fold.

    w, b : the point of the next pass.  base : the last accepted point with its sums.  gap, kkt, objective : there.
    """

    w: np.ndarray
    b: np.ndarray
    fold: int
    shape: tuple
    penalty: Any = None
    base: Any = None
    sums: Any = None  # of the base
    model: Any = None
    own_model: bool = False
    gap: float = np.nan
    kkt: float = np.inf
    before: float = np.inf
    objective: float = np.inf
    done: bool = False
    passes: int = 0
    halvings: int = 0
    alpha: float | None = None
    wanted: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))

    def trial(self, columns, tol: float | None = None) -> Trial:
        """The next point, with a Hessian on `columns` or without one (None), and what a certificate to `tol` needs."""
        self.alpha = None if tol is None or self.fold >= 0 or not tol > 0 else max(1.0 - np.sqrt(tol), 0.5)
        return Trial(self.w, self.b, self.fold, columns, self.alpha)

    @property
    def slow(self) -> bool:
        """Whether the last step was not as good as a Newton step near the solution."""
        return self.kkt > _SLOW * self.before

    # --- after a pass ---------------------------------------------------------------------------------------------
    def take(self, sums: Sums, penalty, scale: Scale, tol: float) -> None:
        """Accept the point of a pass, or go back half of the step; then `advance` sets the next one."""
        self.penalty, self.passes = penalty, self.passes + 1
        objective = sums.loss / sums.weight + float(penalty.value(self.w.reshape(self.shape)))
        if self.base is not None and self.sums is not None and self.halvings < _MOST_HALVINGS:
            w, b = self.base
            there = self.sums.loss / self.sums.weight + float(penalty.value(w.reshape(self.shape)))
            if not objective <= there + 1e-12 * max(abs(there), scale.null_loss):
                self.w, self.b, self.halvings = w + 0.5 * (self.w - w), b + 0.5 * (self.b - b), self.halvings + 1
                return
        H = sums.hessian
        if H is not None:
            self.model, self.own_model = Model(H / sums.weight, self.wanted), True
        self.base, self.sums, self.objective, self.halvings = (self.w.copy(), self.b.copy()), sums, objective, 0
        self.before = self.kkt
        self.gap, self.kkt = certificate(self, scale)
        small = 0.1 * tol * max(scale.gradient, tol)
        if penalty.has_conjugate:
            # The bound is of first order in the violation, the gap itself of second. Folds, which report none, use this.
            enough = tol if self.fold < 0 else max(tol, 0.01 * np.sqrt(tol))
            self.done = bool(self.gap <= enough or self.kkt <= 8 * _EPS * scale.gradient)
        else:
            self.done = bool(self.kkt <= small)

    def likely(self) -> np.ndarray:
        """The columns that may be non-zero in the solution, whole groups with them."""
        p = self.w.shape[1]
        inner = flat_solver(self.penalty, self.shape)
        if p <= _ALL or inner is None or self.sums is None:
            return np.arange(p)
        g = self._gradient().ravel()
        weaker = flat_solver(self.penalty.with_lam(self.penalty.lam / (2.0 - _NEAR)), self.shape)
        mask = (self.w.ravel() != 0) | inner.screen(g, None)
        mask |= weaker.screen(g, None) if weaker is not None else False
        there = np.zeros(inner.blocks.max(initial=0) + 1, dtype=bool)
        there[inner.blocks[mask]] = True
        return np.flatnonzero(there[inner.blocks].reshape(self.w.shape).any(0))

    def _gradient(self):
        return self.sums.g / self.sums.weight

    def advance(self, model: Model, scale: Scale, free_of_shift: bool) -> None:
        """The next point: the minimum of the quadratic model plus the penalty."""
        if self.halvings or self.base is None or self.sums is None:
            return
        (w, b), columns, K = self.base, model.columns, len(self.w)
        gb = self.sums.gb / self.sums.weight if scale.fit_intercept else np.zeros(K)
        weights, intercepts = _places(K, len(columns))
        H = model.H
        G, cross = H[np.ix_(weights, weights)], H[np.ix_(weights, intercepts)]
        g = self._gradient()[:, columns].ravel()
        inverse = np.zeros((K, K))
        if scale.fit_intercept:
            inverse = np.linalg.pinv(H[np.ix_(intercepts, intercepts)], hermitian=True)
            G = G - cross @ inverse @ cross.T
            g = g - cross @ (inverse @ gb)
        G = np.ascontiguousarray(0.5 * (G + G.T))
        here = w[:, columns].ravel()
        found = self._solved(G, G @ here - g, here, columns, 1e-10 * max(scale.gradient, _EPS))
        self.w, change = w.copy(), found - here
        self.w[:, columns] = found.reshape(K, -1)
        self.b = b - inverse @ (gb + cross.T @ change)
        if not free_of_shift:
            self.w = inner_penalty(self.penalty, self.shape).recentred(self.w, np.arange(self.w.shape[1]))

    def _solved(self, G, c, here, columns, tol: float):
        if not len(here):
            return here
        inner, p = flat_solver(self.penalty, self.shape), self.w.shape[1]
        if inner is None:
            return solve_prox(G, c, self.penalty, here, self.shape, tol)[0]
        entries = (np.arange(len(self.w))[:, None] * p + columns).ravel()
        return inner.solve(G, c, entries, here.copy(), tol, 10_000)[0]


def _places(K: int, m: int):
    """Where the weights and the intercepts are in a Hessian of K blocks [m columns, intercept]."""
    at = np.arange(K)[:, None] * (m + 1)
    return (at + np.arange(m)).ravel(), (at + m).ravel()


def certificate(fit: StreamedFit, scale: Scale) -> tuple[float, float]:
    """(relative duality gap, violation of stationarity) at the base of a fit.

    The α of the dual point αv, v = ∇f(η), is known after the pass only. f*(αv) is convex in α, so between values at which it
    is known it lies below the chord: α = 0 (−min f), 1 (Fenchel's equality, f*(v) = vη − f(η)), and one close to 1 at which
    the pass has summed it.
    """
    sums, penalty, shape = fit.sums, fit.penalty, fit.shape
    w = fit.base[0].reshape(shape)
    g, gb = (sums.g / sums.weight).reshape(shape), sums.gb / sums.weight
    remainder = float(np.abs(gb).max()) if scale.fit_intercept else 0.0
    kkt = max(remainder, largest_violation(penalty, w, g))
    if not penalty.has_conjugate:
        return np.nan, kkt
    if not scale.null_loss > 0:
        return 0.0, kkt
    beside = beside_domain(penalty, -g)
    alpha, term, slack = dual_term(penalty, w, -g - beside)
    if beside.any():
        moves = 1.0 / np.where(scale.deviations > 0, scale.deviations, np.inf)
        slack += float((np.abs(beside) * (np.abs(w) + moves)).sum())
    if scale.fit_intercept:
        slack += remainder * (1.0 + sums.largest)
    loss, along = sums.loss / sums.weight, float((w * g).sum() + np.sum(fit.base[1] * gb))
    at, conjugate = [0.0, 1.0], [-scale.lowest, along - loss]
    if fit.alpha is not None:
        at, conjugate = [0.0, fit.alpha, 1.0], [-scale.lowest, sums.dual / sums.weight, along - loss]
    above = loss + float(np.interp(alpha, at, conjugate)) + float(penalty.value(w)) + term
    return (max(above, 0.0) + slack) / scale.null_loss, kkt
