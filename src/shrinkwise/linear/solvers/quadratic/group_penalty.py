"""A convex penalty on groups as the Newton steps see it: on the working columns, whole groups of them, beside a model."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.certificates import dual_term

from .group_inner import GroupInner

# Of a model in single precision, whose rounding may keep a violation above the tolerance: a slow step has an exact one follow.
_SWEEPS = 300


class GroupPenalty:
    """Σ t‖w_g‖ + Σ l|w| + ½ b w², `groups` its family; the members are those of `SeparableL1L2` that any penalty has.

    `ids` are the columns to which an argument refers; all columns of a group or none.

    Attributes
    ----------
    kink : the largest pull at zero.
    screens : whether columns can be left out: every group has whole columns, all classes of them.
    always : (K, p) the weights that no threshold holds at zero.
    """

    a = None

    def __init__(self, penalty, groups: GroupInner, shape):
        self.penalty, self.groups, self.shape = penalty, groups, shape
        self.level = groups.strength
        self.free = penalty.unpenalised(shape).reshape(-1, shape[-1])
        self.blocks = groups.blocks.reshape(self.free.shape)
        strengths = groups.thresholds[groups.blocks] + groups.l1
        self.kink = float(strengths.max(initial=0.0))
        self.screens = bool((self.blocks == self.blocks[0]).all())
        self.always = (strengths == 0).reshape(self.free.shape)
        self.known = (None, groups)  # the last `ids` and the groups on them

    def _on(self, ids) -> GroupInner:
        """The groups on the columns `ids`, class by class; those without a column there are empty."""
        known, groups = self.known
        if known is None or not np.array_equal(known, ids):
            groups = self.groups.at((np.arange(len(self.blocks))[:, None] * self.shape[-1] + ids).ravel())
            self.known = ids.copy(), groups
        return groups

    def pull(self, g, ids):
        """How many times its threshold the gradient of the group of each weight is, (K, m); 0 where there is none."""
        return self._on(ids).pull(g.ravel()).reshape(g.shape)

    def value(self, w, ids) -> float:
        """The penalty at w, (K, m), on the columns `ids`."""
        return self._on(ids).value(w.ravel())

    def violation(self, w, g, ids):
        """Per entry (K, m), the distance of −g to the subdifferential of its group."""
        return self._on(ids).violation(w.ravel(), g.ravel()).reshape(w.shape)

    def dual_term(self, w, g, ids):
        """(α, conjugate, slack); see `certificates.dual_term`."""
        free = self.free[:, ids]
        slack = float((np.abs(w) * np.abs(g))[free].sum())
        groups = self._on(ids)
        if groups.unit_ridge is not None:
            return *groups.dual_term(g.ravel()), slack
        full, v = np.zeros((2, *self.free.shape))
        full[:, ids], v[:, ids] = w, np.where(free, 0.0, -g)
        alpha, term, near = dual_term(self.penalty, full.reshape(self.shape), v.reshape(self.shape))
        return alpha, term, near + slack

    def kept(self, w, line):
        """`line` (K, p) with zeros in the groups that are on the other side of zero than w."""
        return self.groups.kept(w.ravel(), line.ravel()).reshape(w.shape)

    def moving(self, w, violation, ids):
        """The weights that are not zero or violate stationarity, with all of their group, (K, m)."""
        blocks = self.blocks[:, ids]
        there = np.zeros(len(self.groups.thresholds), dtype=bool)
        there[blocks[(w != 0) | (violation > 0)]] = True
        return there[blocks]

    def solve(self, model, r, w, tol: float):
        """argmin ½(u − w)'H(u − w) − r'(u − w) + penalty(u) from w, by descent over blocks and Newton steps.

        The columns are sorted once per model, which is used for several steps and several λ.
        """
        entries = model.cls * self.shape[-1] + model.columns.ids[model.pos]
        if model.ordered is None or not model.ordered.serves(self.groups):
            model.ordered = self.groups.ordered(model.matrix, entries)
        return model.ordered.solve(self.groups, None, w, tol, 10_000 if model.exact else _SWEEPS, r)[0]

    def recentred(self, w, ids):
        """w (K, m) shifted by a vector, equal for all classes and without effect on softmax, if that lowers the penalty.

        Of a group that takes whole columns the mean over the classes is taken off.
        """
        blocks = self.blocks[:, ids]
        return np.where((blocks == blocks[0]).all(0), w - w.mean(0), w)
