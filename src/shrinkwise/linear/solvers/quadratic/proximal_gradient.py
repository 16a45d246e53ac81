"""The penalty as the Newton steps see it: on the working columns, beside a quadratic model."""

from __future__ import annotations

import numpy as np

from shrinkwise import kernels
from shrinkwise.linear.certificates import l1_l2_term

from .group_inner import GroupInner
from .group_penalty import GroupPenalty
from .inner import flat_solver
from .l1_l2 import solve_l1_l2, solve_prox


def inner_penalty(penalty, shape):
    """`SeparableL1L2` where the penalty is Σ a|w| + ½ b w², `GroupPenalty` where it is convex on groups, else `Proximal`."""
    parts = penalty.l1_l2(shape)
    if parts is not None:
        return SeparableL1L2(*(part.reshape(-1, shape[-1]) for part in parts))
    family = flat_solver(penalty, shape)
    if isinstance(family, GroupInner) and penalty.has_conjugate and (len(shape) == 1 or _free_of_shifts(family)):
        return GroupPenalty(penalty, family, shape)
    return Proximal(penalty, family, shape)


class SeparableL1L2:
    """Σ a|w| + ½ b w² with a, b of shape (K, p); `ids` are the columns to which an argument refers."""

    screens = True

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.level = float(a.sum() + b.sum())
        self.free = (a == 0) & (b == 0)
        self.kink = float(a.max(initial=0.0))
        self.always = a == 0

    def pull(self, g, ids):
        """How many times its L1 strength the gradient of each weight is, (K, m); 0 where there is none."""
        a = self.a[:, ids]
        with np.errstate(over="ignore"):  # of a strength of nearly 0
            return np.divide(np.abs(g), a, out=np.zeros(g.shape), where=a > 0)

    def moving(self, w, violation, ids):
        """The weights that are not zero, violate stationarity or are free, (K, m)."""
        return (w != 0) | (violation > 0) | self.free[:, ids]

    def kept(self, w, line):
        """`line` with zeros where its sign is not that of w."""
        return np.where(np.sign(line) == np.sign(w), line, 0.0)

    def value(self, w, ids) -> float:
        """The penalty at w, (K, m), on the columns `ids`."""
        a, b = self.a[:, ids], self.b[:, ids]
        return float((a * np.abs(w) + 0.5 * b * w * w).sum())

    def violation(self, w, g, ids):
        """Distance of −g to the subdifferential, (K, m)."""
        a, b = self.a[:, ids], self.b[:, ids]
        g = g + b * w
        return np.where(w != 0, np.abs(g + a * np.sign(w)), np.maximum(np.abs(g) - a, 0.0))

    def violation_of(self, k: int, w, g, ids) -> float:
        """The largest `violation` in class k alone; w and g of shape (m,)."""
        a, g = self.a[k, ids], g + self.b[k, ids] * w
        return float(np.where(w != 0, np.abs(g + a * np.sign(w)), np.abs(g) - a).max(initial=0.0))

    def dual_term(self, w, g, ids):
        """(α, conjugate, slack); see `duality.l1_l2_term`."""
        return l1_l2_term(self.a[:, ids], self.b[:, ids], w, g)

    def solve(self, model, r, w, tol: float):
        """argmin ½(u − w)'H(u − w) − r'(u − w) + penalty(u) from w, by coordinate descent, to `tol` or 100 sweeps."""
        ids = model.columns.ids[model.pos]
        a, b = self.a[model.cls, ids], self.b[model.cls, ids]
        if not model.exact:
            w = w.copy()
            kernels.model_cd(model.store, a, b, w, r.copy(), tol, 100)
            return w
        H = model.hessian()
        return solve_l1_l2(H, r + H @ w, a, b, w, tol)[0]

    def recentred(self, w, ids):
        """w shifted by the vector, equal for all classes and without effect on softmax, that minimises the penalty.

        Without this the L1 part alone would have to pull the classes together, by steps of λ.
        """
        a, b = self.a[:, ids], self.b[:, ids]
        # Σ_k a|w_k − c| + ½b(w_k − c)² is least at a kink c = w_k or at the stationary point between two kinks.
        signs = np.sign(w[None] - np.sort(w, axis=0)[:, None] + 0.0)
        signs = np.concatenate([signs, np.where(signs == 0, 1.0, signs)])
        curvature = b.sum(0)
        between = ((b * w).sum(0) + (a * signs).sum(1)) / np.where(curvature > 0, curvature, np.inf)
        shifts = np.concatenate([np.zeros((1, w.shape[1])), w, between])
        moved = w[None] - shifts[:, None]
        costs = (a * np.abs(moved) + 0.5 * b * moved * moved).sum(1)
        tied = costs <= costs.min(0) * (
            1.0 + 1e-12
        )  # a whole interval where the signs balance: one end, always the same
        best = np.where(tied, np.abs(shifts - w.mean(0)), np.inf)[1:].argmin(0) + 1
        return w - shifts[best, np.arange(w.shape[1])]


def _free_of_shifts(family) -> bool:
    """Whether a shift of all classes does not slow the steps down: `Proximal.recentred` finds the least, or Newton steps do."""
    if family is None or family.kind == "groups":
        return family is not None and not family.l1.any()
    return family.kind in ("scalar", "bounded")


class Proximal:
    """Any other penalty with a prox; on the weights that may change if it has an inner solver, else on all weights.

    It is on all columns, in their order; its solutions are taken to a violation.
    """

    a = kink = None
    screens = False

    def __init__(self, penalty, family, shape):
        self.penalty, self.shape, self.level = penalty, shape, np.inf
        self.family = family if len(shape) == 1 or _free_of_shifts(family) else None

    def value(self, w, ids) -> float:
        """The penalty at w, (K, p)."""
        return float(self.penalty.value(w.reshape(self.shape)))

    def violation(self, w, g, ids):
        """Per entry (K, p), that of its unit; where there is no inner solver as the penalty gives it."""
        if self.family is None:
            return self.penalty.violation(w.reshape(self.shape), g.reshape(self.shape))
        return self.family.violation(w.ravel(), g.ravel()).reshape(w.shape)

    def moving(self, w, violation, ids):
        """The weights that are not zero or violate stationarity, with all of their unit, (K, p)."""
        if self.family is None:
            return np.ones(w.shape, dtype=bool)
        blocks = self.family.blocks
        there = np.zeros(blocks.max(initial=0) + 1, dtype=bool)
        there[blocks[((w != 0) | (violation > 0)).ravel()]] = True
        return there[blocks].reshape(w.shape)

    def solve(self, model, r, w, tol: float):
        """argmin ½(u − w)'H(u − w) − r'(u − w) + penalty(u) by the penalty's own solver, or proximal gradient."""
        H = model.hessian()
        if self.family is not None:
            entries = model.cls * self.shape[-1] + model.columns.ids[model.pos]
            return self.family.solve(H, r + H @ w, entries, w, tol, 10_000)[0]
        return solve_prox(H, r + H @ w, self.penalty, w, self.shape, tol)[0]

    def recentred(self, w, ids):
        """w (K, p) shifted by a vector, equal for all classes and without effect on softmax, if that lowers the penalty.

        Of a group that takes whole columns the mean over the classes is taken off; of single weights that of one class, so
        that it becomes zero.
        """
        family = self.family
        if family is not None and family.kind == "groups":
            blocks = family.blocks.reshape(w.shape)
            return np.where((blocks == blocks[0]).all(0), w - w.mean(0), w)
        if family is None or family.kind != "scalar":
            return w
        moved = w[None] - np.concatenate([np.zeros((1, w.shape[1])), w])[:, None]
        costs = np.stack([family.rule.value(each.ravel()).reshape(w.shape).sum(0) for each in moved])
        return np.take_along_axis(moved, costs.argmin(0)[None, None], axis=0)[0]
