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
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from shrinkwise.kernels import Bounded, Concave
from shrinkwise.penalties import Folded, Grouped, Penalty, Pieces, terms

from .blocks import solve_rows, solve_scalar
from .group_inner import GroupInner, soft
from .l1_l2 import solve_bounded, solve_l1_l2


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
        return np.abs(np.where(w != 0, pull + self.a * np.sign(w), soft(pull, self.a)))

    def solve(self, G, c, columns, w, tol: float, max_sweeps: int):
        """See `quadratic.solve_l1_l2`."""
        return solve_l1_l2(G, c, self.a[columns], self.b[columns], w, tol, max_sweeps)


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


Inner: TypeAlias = L1L2Inner | GroupInner | ScalarInner | BoundedInner | RowsInner


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
