"""Which solver the inner quadratic problem ½w'Gw − c'w + pen(w) of a penalty gets, and what it knows about its units.

A unit is what stands or falls together: a column, or a group of columns. `inner_solver(penalty, shape)` reads a penalty into
one of four families, or None, where accelerated proximal gradient is what is left. Each offers the same members:

``blocks``               (p,) int labels 0..n_units−1: the unit of each column; working sets are unions of whole units.
``screen(g, previous)``  (p,) mask of the columns to keep, by the sequential strong rule: g the gradient of the loss at the
                         solution for `previous`, the family of the λ before (None: this one, so that the rule is the KKT test).
``violation(w, g)``      (p,) KKT violation of the unit of each column, g the gradient of the loss at w; 0 where stationary.
``solve(G, c, columns, w, tol, max_sweeps)``   (w, converged, sweeps) on some columns, whole units; every violation ≤ tol.

Columns on which the penalty does not act are always kept.

Reference: Tibshirani et al., Strong rules for discarding predictors in lasso-type problems, JRSS B 2012. For MCP and SCAD:
Lee and Breheny, Strong rules for nonconvex penalties, JCGS 2015, doi:10.1080/10618600.2014.914429.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from shrinkwise.kernels import Bounded, Concave, GroupQuadratic
from shrinkwise.penalties import Folded, Grouped, Penalty, Pieces, terms

from .blocks import solve_groups, solve_rows, solve_scalar
from .l1_l2 import solve_bounded, solve_l1_l2


def _soft(x, threshold):
    return x - np.clip(x, -threshold, threshold)


@dataclass(frozen=True)
class L1L2Inner:
    """Σ a|w| + ½Σ b w²; a and b of shape (p,)."""

    a: np.ndarray
    b: np.ndarray
    kind: ClassVar[Literal["l1_l2"]] = "l1_l2"

    @property
    def blocks(self):
        """Each column is its own unit."""
        return np.arange(len(self.a))

    def screen(self, g, previous: L1L2Inner | None):
        """|g| ≥ 2a − a_previous."""
        return np.abs(g) >= 2.0 * self.a - (previous or self).a

    def violation(self, w, g):
        """|g + b w + a sign(w)| where w ≠ 0, max(|g| − a, 0) where w = 0."""
        pull = g + self.b * w
        return np.abs(np.where(w != 0, pull + self.a * np.sign(w), _soft(pull, self.a)))

    def solve(self, G, c, columns, w, tol: float, max_sweeps: int):
        """See `quadratic.solve_l1_l2`."""
        return solve_l1_l2(G, c, self.a[columns], self.b[columns], w, tol, max_sweeps)


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
        left = self._norms(_soft(g, np.maximum(2.0 * self.l1 - before.l1, 0.0)))
        return (left >= 2.0 * self.thresholds - before.thresholds)[self.blocks]

    def reaches(self, g, share: float):
        """‖soft(g_g, share l)‖ ≥ share t_g."""
        return (self._norms(_soft(g, share * self.l1)) >= share * self.thresholds)[self.blocks]

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
        """(n_units,) b of each unit, or None where it differs within one or a unit has an L1 part."""
        each = np.zeros(len(self.thresholds))
        each[self.blocks] = self.ridge
        return None if self.l1.any() or (each[self.blocks] != self.ridge).any() else each

    def dual_term(self, v):
        """(α, pen*(αv)), α ≤ 1 the largest for which the conjugate is finite, entries without penalty left out.

        pen*(v) = Σ (‖v_g‖ − t_g)₊² / 2b_g, infinite where b_g = 0 and ‖v_g‖ > t_g. Needs `unit_ridge`.
        """
        size, t, b = self._norms(v), self.thresholds, self.unit_ridge
        kinked, curved = (b == 0) & (t > 0), b > 0
        with np.errstate(over="ignore"):  # of a gradient of nearly 0
            alpha = min(1.0, float((t[kinked] / np.maximum(size[kinked], 1e-300)).min(initial=1.0)))
        excess = np.maximum(alpha * size[curved] - t[curved], 0.0)
        return alpha, float((0.5 * excess * excess / b[curved]).sum())

    def violation(self, w, g):
        """Of each unit: ‖g_g + b w_g + t u_g + l sign(w_g)‖ where w_g ≠ 0, max(‖soft(g_g, l)‖ − t, 0) where w_g = 0."""
        norms = self._norms(w)
        scale = self.thresholds / np.where(norms > 0, norms, 1.0)
        pull = g + self.ridge * w + scale[self.blocks] * w
        distance = self._norms(np.where(w != 0, pull + self.l1 * np.sign(w), _soft(pull, self.l1)))
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

    def solve(self, inner: GroupInner, c, w, tol: float, max_sweeps: int):
        """See `blocks.solve_groups`; `inner` is the one it was made by, or one with other strengths."""
        units = inner.blocks[self.columns[self.quadratic.starts[:-1]]]
        quadratic = self.quadratic.with_strengths(*inner._on(units, self.columns))
        if self.order is None:
            return solve_groups(quadratic, c, w, tol, max_sweeps)
        found, converged, sweeps = solve_groups(quadratic, c[self.order], w[self.order], tol, max_sweeps)
        back = np.empty_like(found)
        back[self.order] = found
        return back, converged, sweeps


@dataclass(frozen=True)
class ScalarInner:
    """MCP or SCAD, also with an L2 part: the piecewise quadratic `rule` of each column."""

    rule: Concave
    kind: ClassVar[Literal["scalar"]] = "scalar"

    @property
    def blocks(self):
        """Each column is its own unit."""
        return np.arange(len(self.rule.slope))

    def screen(self, g, previous: ScalarInner | None):
        """|g| ≥ s − f (s_previous − s), s the slope at zero, f = γ/(γ−1) for MCP and a/(a−2) for SCAD."""
        rule = self.rule
        left = rule.flat - np.where(rule.knee > 0, 2.0, 1.0) * rule.slope
        faster = np.where(left > 0, rule.flat / np.where(left > 0, left, 1.0), 1.0)
        return np.abs(g) >= rule.slope - faster * ((previous or self).rule.slope - rule.slope)

    def violation(self, w, g):
        """|g + b w + p'(|w|) sign(w)| where w ≠ 0, max(|g| − s, 0) where w = 0."""
        return self.rule.violation(w, -g)

    def solve(self, G, c, columns, w, tol: float, max_sweeps: int):
        """See `blocks.solve_scalar`."""
        return solve_scalar(np.ascontiguousarray(G), c, self.rule.at(columns), w, tol, max_sweeps)


@dataclass(frozen=True)
class BoundedInner:
    """Σ a|w| + ½Σ b w² within bounds: the `rule` of each column."""

    rule: Bounded
    kind: ClassVar[Literal["bounded"]] = "bounded"

    @property
    def blocks(self):
        """Each column is its own unit."""
        return np.arange(len(self.rule.l1))

    def screen(self, g, previous: BoundedInner | None):
        """−g ≥ 2a − a_previous where w may rise from zero, g ≥ 2a − a_previous where it may fall; all that may not be zero."""
        rule = self.rule
        least = 2.0 * rule.l1 - (previous or self).rule.l1
        elsewhere = (rule.low > 0) | (rule.high < 0)
        return elsewhere | ((rule.high > 0) & (-g >= least)) | ((rule.low < 0) & (g >= least))

    def violation(self, w, g):
        """Distance of −g − b w from the subdifferential of a|w| and the normals of the bounds; ∞ outside them."""
        return self.rule.violation(w, -g)

    def solve(self, G, c, columns, w, tol: float, max_sweeps: int):
        """See `l1_l2.solve_bounded`."""
        return solve_bounded(
            np.ascontiguousarray(G), np.ascontiguousarray(c), self.rule.at(columns), w, tol, max_sweeps
        )


@dataclass(frozen=True)
class RowsInner:
    """Σ_j t_j‖w_:j‖ + ½Σ_j b_j‖w_:j‖² for w of shape (K, p) whose K targets share G: a unit is a column of w.

    Here w, c and g have shape (K, p), or (K, number of columns) in `solve`.
    """

    thresholds: np.ndarray
    ridge: np.ndarray
    kind: ClassVar[Literal["rows"]] = "rows"

    @property
    def blocks(self):
        """Each column is its own unit."""
        return np.arange(len(self.thresholds))

    def screen(self, g, previous: RowsInner | None):
        """‖g_:j‖ ≥ 2t_j − t_j,previous."""
        return np.linalg.norm(g, axis=0) >= 2.0 * self.thresholds - (previous or self).thresholds

    def violation(self, w, g):
        """Of each column: ‖g + b w + t w/‖w‖‖ where w ≠ 0, max(‖g‖ − t, 0) where w = 0."""
        norms = np.linalg.norm(w, axis=0)
        distance = np.linalg.norm(g + self.ridge * w + self.thresholds / np.where(norms > 0, norms, 1.0) * w, axis=0)
        return np.where(norms > 0, distance, np.maximum(distance - self.thresholds, 0.0))

    def solve(self, G, c, columns, w, tol: float, max_sweeps: int):
        """See `blocks.solve_rows`."""
        if not len(columns):
            return w, True, 0
        W, converged, sweeps = solve_rows(
            np.ascontiguousarray(G), c.T, self.thresholds[columns], self.ridge[columns], w.T, tol, max_sweeps
        )
        return W.T, converged, sweeps


Inner = L1L2Inner | GroupInner | ScalarInner | BoundedInner | RowsInner


# --- reading a penalty ---------------------------------------------------------------------------------------
def inner_solver(penalty: Penalty, shape) -> Inner | None:
    """The family of a penalty for weights of shape (p,), or (K, p) with whole columns as groups; None if there is none."""
    pieces, others = _read(penalty, shape)
    if len(shape) != 1:
        return _rows(pieces, others, shape)
    return _by_entries(pieces, others, shape)


def flat_solver(penalty: Penalty, shape) -> Inner | None:
    """The family of a penalty for weights of shape (p,) or (K, p) written as one row of K·p; None if there is none."""
    pieces, others = _read(penalty, shape)
    return _by_entries(pieces, others, shape)


def _read(penalty: Penalty, shape):
    """(the piecewise quadratic terms together, the other terms)."""
    zero, pieces, others = np.zeros(shape), Pieces(), []
    for term in terms(penalty):
        part = term.pieces(zero)
        if part is None:
            others.append(term)
        else:
            pieces = pieces + part
    return pieces, others


def _by_entries(pieces: Pieces, others, shape) -> Inner | None:
    plain = pieces.l1_l2(shape)
    if not others:
        return _bounded(pieces, shape) if plain is None else L1L2Inner(*(part.ravel() for part in plain))
    if plain is None or len(others) > 1:
        return None
    form = others[0].family(np.zeros(shape))
    if isinstance(form, Grouped):
        return GroupInner.of(form.labels.ravel(), form.strengths, (plain[0] + form.l1).ravel(), plain[1].ravel())
    if isinstance(form, Folded) and not plain[0].any():
        fields = (form.slope, form.knee, form.flat, plain[1])
        return ScalarInner(Concave(*(np.array(x, dtype=float).ravel() for x in fields)))
    return None


def _bounded(pieces: Pieces, shape) -> BoundedInner | None:
    a = [a for a, m in pieces.kinks if m is None]
    if len(a) < len(pieces.kinks) or np.any(pieces.h):
        return None
    fields = (a[0] if a else 0.0, pieces.low, pieces.high, pieces.b)
    return BoundedInner(Bounded(*(np.array(np.broadcast_to(x, shape), dtype=float).ravel() for x in fields)))


def _rows(pieces: Pieces, others, shape) -> RowsInner | None:
    plain = pieces.l1_l2(shape)
    if len(others) != 1 or len(shape) != 2 or plain is None or plain[0].any() or np.ptp(plain[1], axis=0).any():
        return None
    form = others[0].family(np.zeros(shape))
    whole_columns = isinstance(form, Grouped) and not form.l1.any() and (form.labels == np.arange(shape[1])).all()
    return RowsInner(form.strengths, plain[1][0]) if whole_columns else None
