"""The penalty as the Newton steps see it: on the working columns, beside a quadratic model."""

from __future__ import annotations

import numpy as np

from shrinkwise import kernels
from shrinkwise.linear.certificates import dual_term, l1_l2_term

from .inner import GroupInner, flat_solver
from .l1_l2 import solve_l1_l2, solve_prox


def inner_penalty(penalty, shape):
    """`SeparableL1L2` where the penalty is Σ a|w| + ½ b w², else `Proximal`."""
    parts = penalty.l1_l2(shape)
    return (
        Proximal(penalty, shape) if parts is None else SeparableL1L2(*(part.reshape(-1, shape[-1]) for part in parts))
    )


class SeparableL1L2:
    """Σ a|w| + ½ b w² with a, b of shape (K, p); `ids` are the columns to which an argument refers."""

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.level = float(a.sum() + b.sum())
        self.free = (a == 0) & (b == 0)
        self.kink = float(a.max(initial=0.0))

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
    """Any penalty with a prox; on the weights that may change if it has an inner solver, else on all weights.

    Attributes
    ----------
    kink : the largest pull at zero of a convex penalty on groups, whose solutions are taken to a duality gap; None for
        others, which are taken to a violation.
    """

    a = kink = None

    def __init__(self, penalty, shape):
        self.penalty, self.shape, self.level = penalty, shape, np.inf
        self.family = flat_solver(penalty, shape)
        if len(shape) == 2 and not _free_of_shifts(self.family):
            self.family = None
        self.groups = self.family if isinstance(self.family, GroupInner) and penalty.has_conjugate else None
        if self.groups is not None:
            self.kink = float((self.groups.thresholds[self.groups.blocks] + self.groups.l1).max(initial=0.0))
            self.level, self.free = self.groups.strength, penalty.unpenalised(shape).reshape(-1, shape[-1])

    def value(self, w, ids) -> float:
        """The penalty at w, (K, m), on the columns `ids`."""
        if self.groups is not None:
            return self.groups.value(w.ravel())
        return float(self.penalty.value(w.reshape(self.shape)))

    def violation(self, w, g, ids):
        """Per entry (K, m), that of its unit; where there is no inner solver as the penalty gives it."""
        if self.family is None:
            return self.penalty.violation(w.reshape(self.shape), g.reshape(self.shape))
        return self.family.violation(w.ravel(), g.ravel()).reshape(w.shape)

    def dual_term(self, w, g, ids):
        """(α, conjugate, slack); see `certificates.dual_term`."""
        free = float((np.abs(w) * np.abs(g))[self.free].sum())
        if self.groups is not None and self.groups.unit_ridge is not None:
            return *self.groups.dual_term(g.ravel()), free
        v = np.where(self.free, 0.0, -g).reshape(self.shape)
        alpha, term, slack = dual_term(self.penalty, w.reshape(self.shape), v)
        return alpha, term, slack + free

    def kept(self, w, line):
        """`line` with zeros in the units that are on the other side of zero than w."""
        family = self.family
        if family is None or family.kind != "groups":
            return line
        return family.kept(w.ravel(), line.ravel()).reshape(w.shape)

    def moving(self, w, violation):
        """The weights that are not zero or violate stationarity, with all of their unit, (K, m)."""
        if self.family is None:
            return np.ones(w.shape, dtype=bool)
        blocks = self.family.blocks
        there = np.zeros(blocks.max(initial=0) + 1, dtype=bool)
        there[blocks[((w != 0) | (violation > 0)).ravel()]] = True
        return there[blocks].reshape(w.shape)

    def solve(self, model, r, w, tol: float):
        """argmin ½(u − w)'H(u − w) − r'(u − w) + penalty(u) by the penalty's own solver, or proximal gradient."""
        if self.family is not None:
            entries = model.cls * self.shape[-1] + model.columns.ids[model.pos]
            if self.family.kind == "groups":
                return self._solve_groups(self.family, model, entries, r, w, tol)
            H = model.hessian()
            return self.family.solve(H, r + H @ w, entries, w, tol, 10_000)[0]
        H = model.hessian()
        return solve_prox(H, r + H @ w, self.penalty, w, self.shape, tol)[0]

    def _solve_groups(self, family: GroupInner, model, entries, r, w, tol: float):
        """The columns are sorted once per model, which is used for several steps and several λ."""
        if model.ordered is None or not model.ordered.serves(family):
            model.ordered = family.ordered(model.matrix, entries)
        c = r + model.times(w)
        return model.ordered.solve(family, c, w, tol, 10_000)[0]

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
