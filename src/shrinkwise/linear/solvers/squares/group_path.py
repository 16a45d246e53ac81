"""Least squares with groups and more columns than rows: descent on the residual, one λ after the other, no Gram matrix.

Each λ starts from the line or parabola through the last solutions, which is free: the residual is affine in w. The working set
grows by the units whose gradient the same curve brings near their threshold. Sweeps with extrapolation over it go on until the
duality gap, estimated from the gradients that the last sweep met, is small; then it is computed on all columns.

References: Tibshirani et al., Strong rules for discarding predictors in lasso-type problems, JRSS B 2012. Bertrand and
Massias, Anderson acceleration of coordinate descent, AISTATS 2021.
"""

from __future__ import annotations

import numpy as np

from shrinkwise import kernels
from shrinkwise.linear.problem.gram_storage import GrowingColumns
from shrinkwise.linear.solvers.quadratic.blocks import extrapolated_sweeps
from shrinkwise.linear.solvers.quadratic.inner import GroupInner

_LIKELY = 0.97  # a unit joins when its gradient is predicted to reach this share of its threshold


class GroupPath:
    """min ‖ỹ − X̃w‖²/2n + pen(w) for one `GroupInner` after the other, each from where the last ones ended.

    Attributes
    ----------
    w : (p,) weights.  residual : (n,) ỹ − X̃w.  g : (p,) gradient of the loss, −X̃'residual/n.
    inner : the penalty at the last λ; there from the first `solve` on.
    """

    inner: GroupInner
    spectrum: tuple[np.ndarray, ...]

    def __init__(self, design, y, w):
        self.design, self.y, self.w = design, y, w.copy()
        self.residual = y - design.centred_times(w)
        self.g = self._gradient()
        self.past: list[tuple] = []

    def solve(self, inner, gap, tols, max_sweeps: int) -> tuple[bool, int]:
        """Until gap(w, g, residual) ≤ tols[0], or no violation > tols[1], on all columns; returns (converged, sweeps)."""
        self._admit(self._move_ahead(inner))
        total, goal = 0, tols[0] * 0.5 * (self.y @ self.y) / self.design.n
        while True:
            sweeps, moved = self._descend(goal, tols[1])
            total += abs(sweeps)
            if sweeps < 0 and total < max_sweeps:
                continue
            self.residual = self.y - self.columns.X @ self.w[self.columns.order]  # no rounding adds up along the path
            self.g = self._gradient()
            if gap(self.w, self.g, self.residual) <= tols[0]:
                return True, total
            violated = inner.violation(self.w, self.g) > tols[1]
            missed = violated & ~self.columns.member
            if not violated.any() or total >= max_sweeps or not (moved or missed.any()):
                return not violated.any(), total
            self._admit(missed)

    def _descend(self, goal: float, least: float):
        """A round of sweeps on the members: (how many, negative where the gap they met is above the goal; units last moved)."""
        part, order, moved = self.part, self.columns.order, 0
        w, met = self.w[order], np.empty(len(order))

        def sweep(w, residual, least, _):
            nonlocal moved
            moved = kernels.column_blocks(part, w, residual, met, least)
            return 1 if moved == 0 or part.gap_met(w, met) <= goal else -1

        def value(w, residual):
            return 0.5 * (residual @ residual) / len(residual) + part.penalty(w)

        sweeps = extrapolated_sweeps(sweep, value, w, self.residual, least)
        self.w = np.zeros_like(self.w)
        self.w[order] = w
        return sweeps, moved

    # --- where to start -------------------------------------------------------------------------------------------
    def _move_ahead(self, inner):
        """Go along the last solutions as far as is lower; (p,) mask of the columns likely to matter."""
        before, g = getattr(self, "inner", None), self.g
        if before is None or not np.array_equal(before.blocks, inner.blocks):
            self.columns, self.units, self.past = GrowingColumns(self.design), np.zeros(0, dtype=np.int64), []
            self.blocks = self.ridge = np.zeros(0)
            self.spectrum = np.zeros(0), np.zeros(0)
        else:
            self.past = [*self.past[-2:], (before.strength, self.w, self.residual.copy(), self.g)]
        self.inner = inner
        for used in range(2, len(self.past) + 1):
            strengths, *history = zip(*self.past[-used:], strict=True)
            s = np.array([*strengths, inner.strength])
            if not (np.diff(s) < 0).all():
                break
            curve, residual, g = (np.tensordot(_lagrange(s), x, 1) for x in history)
            w = inner.kept(self.past[-1][1], curve)
            lost = np.flatnonzero(w != curve)
            residual += self.columns.X[:, self.columns.place[lost]] @ curve[lost]
            if self._value(w, residual) < self._value(self.w, self.residual):
                self.w, self.residual = w, residual
        return (self.w != 0) | inner.reaches(g, _LIKELY)

    def _value(self, w, residual):
        return 0.5 * (residual @ residual) / len(residual) + self.inner.value(w)

    def _admit(self, mask):
        """Take in the units of these columns, and bring what the kernel works on up to date."""
        inner, known, every = self.inner, len(self.columns), np.bincount(self.inner.blocks)
        joins = np.zeros(len(every), dtype=bool)
        joins[inner.blocks[mask]] = True
        joins[self.units] = False
        new, units = np.flatnonzero(joins[inner.blocks]), np.flatnonzero(joins)
        self.columns.admit(new[np.argsort(inner.blocks[new], kind="stable")])
        order, X = self.columns.order, self.columns.X[:, known:]
        blocks = kernels.diagonal_blocks(every[units], lambda at: _products(X, at))
        if not np.array_equal(self.ridge, inner.ridge[order[:known]]):
            self.spectrum = kernels.eigen(self.blocks, every[self.units], inner.ridge[order[:known]])
        more = kernels.eigen(blocks, every[units], inner.ridge[order[known:]])
        self.spectrum = tuple(np.concatenate(parts) for parts in zip(self.spectrum, more, strict=True))
        self.units, self.blocks = np.concatenate([self.units, units]), np.concatenate([self.blocks, blocks])
        self.ridge = inner.ridge[order]
        starts = np.concatenate([[0], np.cumsum(every[self.units])])
        strengths = inner.thresholds[self.units], inner.l1[order], self.ridge
        self.part = kernels.GroupColumns(self.columns.X, starts, *strengths, self.blocks, *self.spectrum)

    def _gradient(self):
        return -self.design.centred_transposed(self.residual) / self.design.n


def _lagrange(s):
    """Weights of the values at s[:-1] in the polynomial through them, at s[-1]."""
    *known, goal = s
    return np.array(
        [np.prod([(goal - b) / (a - b) for j, b in enumerate(known) if j != i]) for i, a in enumerate(known)]
    )


def _products(X, at):
    """X_g'X_g/n for groups of columns at[g], of one size."""
    X = X.T[at]
    return X @ X.swapaxes(1, 2) / X.shape[2]
