"""Groups of weights with an L1 and an L2 part: one of the families of `inner`, whose members it has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from shrinkwise.kernels import GroupQuadratic

from .blocks import solve_groups


def soft(x, threshold):
    """x moved towards zero by the threshold, zero where that is beyond it."""
    return x - np.clip(x, -threshold, threshold)


@dataclass(frozen=True)
class GroupInner:
    """Σ_g t_g‖w_g‖ + Σ l_j|w_j| + ½Σ b_j w_j²; `blocks`, l1, ridge (p,), thresholds (n_units,).

    Made by :meth:`of`, which splits what is no group into single columns, whose l is part of their t.
    """

    blocks: np.ndarray
    thresholds: np.ndarray
    l1: np.ndarray
    ridge: np.ndarray
    kind: ClassVar[Literal["groups"]] = "groups"

    @classmethod
    def of(cls, labels, strengths, l1, ridge) -> GroupInner:
        """labels (p,) with −1 for columns in no group; strengths (n_groups,)."""
        t = np.append(strengths, 0.0)[labels]
        sizes = np.bincount(labels + 1, minlength=len(strengths) + 1)[labels + 1]
        single = (sizes == 1) | (t == 0)
        # Ordered by first column, so that groups that lie side by side keep their order.
        unit = np.where(single, len(strengths) + np.arange(len(labels)), labels)
        _, first, inverse = np.unique(unit, return_index=True, return_inverse=True)
        place = np.argsort(np.argsort(first))
        thresholds = np.empty(len(first))
        thresholds[place] = (t + np.where(single, l1, 0.0))[first]
        return cls(place[inverse], thresholds, np.where(single, 0.0, l1), ridge)

    def _norms(self, x):
        return np.sqrt(np.bincount(self.blocks, x * x, len(self.thresholds)))

    def screen(self, g, previous: GroupInner | None):
        """‖soft(g_g, 2l − l_previous)‖ ≥ 2t_g − t_g,previous."""
        before = previous or self
        if not np.array_equal(before.blocks, self.blocks):  # units change only where a strength becomes 0
            return np.ones(len(g), dtype=bool)
        left = self._norms(soft(g, np.maximum(2.0 * self.l1 - before.l1, 0.0)))
        return (left >= 2.0 * self.thresholds - before.thresholds)[self.blocks]

    def at(self, entries) -> GroupInner:
        """The same for some of the entries, in any order; units without one of them are empty."""
        return GroupInner(self.blocks[entries], self.thresholds, self.l1[entries], self.ridge[entries])

    def reaches(self, g, share: float):
        """‖soft(g_g, share l)‖ ≥ share t_g."""
        return (self._norms(soft(g, share * self.l1)) >= share * self.thresholds)[self.blocks]

    def pull(self, g):
        """(p,) of the unit of each column: the s with ‖soft(g_g, s l)‖ = s t, over 1 where g would move it; 0 if t = l = 0.

        The difference of both sides is convex and decreases in s, so Newton's method climbs to its root.
        """
        t, s = self.thresholds, np.zeros(len(self.thresholds))
        for _ in range(30 if self.l1.any() else 1):
            left = soft(g, s[self.blocks] * self.l1)
            norms = self._norms(left)
            inner = np.bincount(self.blocks, np.abs(left) * self.l1, len(t)) / np.where(norms > 0, norms, 1.0)
            gain = np.divide(norms - s * t, t + inner, out=np.zeros(len(t)), where=t + inner > 0)
            s += gain
            if not (gain > 1e-14 * s).any():
                break
        return s[self.blocks]

    @property
    def strength(self) -> float:
        """A number that is affine in λ."""
        return float(self.thresholds.sum() + self.l1.sum() + self.ridge.sum())

    def kept(self, w, line):
        """`line` with zeros where it is on the other side of zero than w: entries with an L1 part, units with a threshold."""
        along = np.bincount(self.blocks, w * line, len(self.thresholds))
        lost = ((along <= 0) & (self.thresholds > 0))[self.blocks] | ((w * line <= 0) & (self.l1 > 0))
        return np.where(lost, 0.0, line)

    def value(self, w) -> float:
        """The penalty at w."""
        return float(self.thresholds @ self._norms(w) + self.l1 @ np.abs(w) + 0.5 * self.ridge @ (w * w))

    @cached_property
    def unit_ridge(self):
        """(n_units,) b of each unit, or None where it differs within one."""
        each = np.zeros(len(self.thresholds))
        each[self.blocks] = self.ridge
        return None if (each[self.blocks] != self.ridge).any() else each

    def dual_term(self, v):
        """(α, pen*(αv)), α ≤ 1 the largest for which the conjugate is finite, entries without penalty left out.

        pen*(v) = Σ (‖soft(v_g, l)‖ − t_g)₊² / 2b_g, infinite where b_g = 0 and ‖soft(v_g, l)‖ > t_g. Needs `unit_ridge`.
        """
        t, b = self.thresholds, self.unit_ridge
        curved = b > 0
        alpha = 1.0 / max(1.0, float(self.pull(v)[~curved[self.blocks]].max(initial=0.0)))
        excess = np.maximum(self._norms(soft(alpha * v, self.l1)) - t, 0.0)[curved]
        return alpha, float((0.5 * excess * excess / b[curved]).sum())

    def violation(self, w, g):
        """Of each unit: ‖g_g + b w_g + t u_g + l sign(w_g)‖ where w_g ≠ 0, max(‖soft(g_g, l)‖ − t, 0) where w_g = 0."""
        norms = self._norms(w)
        scale = self.thresholds / np.where(norms > 0, norms, 1.0)
        pull = g + self.ridge * w + scale[self.blocks] * w
        distance = self._norms(np.where(w != 0, pull + self.l1 * np.sign(w), soft(pull, self.l1)))
        return np.where(norms > 0, distance, np.maximum(distance - self.thresholds, 0.0))[self.blocks]

    def solve(self, G, c, columns, w, tol: float, max_sweeps: int):
        """See `blocks.solve_groups`; the columns may come in any order."""
        return self.ordered(G, columns).solve(self, c, w, tol, max_sweeps) if len(columns) else (w, True, 0)

    def ordered(self, G, columns) -> OrderedGroups:
        """G with the columns of every unit side by side, to be solved with for several thresholds."""
        labels = self.blocks[columns]
        first = np.flatnonzero(np.diff(labels, prepend=-1))
        order = None if len(np.unique(labels[first])) == len(first) else np.argsort(labels, kind="stable")
        if order is not None:  # the columns of some unit are scattered
            G, columns, labels = G[np.ix_(order, order)], columns[order], labels[order]
            first = np.flatnonzero(np.diff(labels, prepend=-1))
        G = G if G.strides[1] == G.itemsize else np.ascontiguousarray(G)
        quadratic = GroupQuadratic(G, np.append(first, len(columns)), *self._on(labels[first], columns))
        return OrderedGroups(quadratic, columns, order, self.blocks)

    def _on(self, units, columns):
        return self.thresholds[units], self.l1[columns], self.ridge[columns]


@dataclass(frozen=True)
class OrderedGroups:
    """A quadratic with the columns of each unit side by side, and their original places (None: unchanged)."""

    quadratic: GroupQuadratic
    columns: np.ndarray
    order: np.ndarray | None
    blocks: np.ndarray

    def serves(self, inner: GroupInner) -> bool:
        """Whether `inner` has the same units; they change when a strength becomes 0."""
        return np.array_equal(self.blocks, inner.blocks)

    def solve(self, inner: GroupInner, c, w, tol: float, max_sweeps: int, r=None):
        """See `blocks.solve_groups`; `inner` is the one it was made by, or one with other strengths."""
        units = inner.blocks[self.columns[self.quadratic.starts[:-1]]]
        quadratic = self.quadratic.with_strengths(*inner._on(units, self.columns))
        if self.order is None:
            return solve_groups(quadratic, c, w, tol, max_sweeps, r)
        c, w, r = (None if each is None else each[self.order] for each in (c, w, r))
        found, converged, sweeps = solve_groups(quadratic, c, w, tol, max_sweeps, r)
        back = np.empty_like(found)
        back[self.order] = found
        return back, converged, sweeps
