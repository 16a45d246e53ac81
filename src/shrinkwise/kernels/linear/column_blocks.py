"""Block coordinate descent on the residual, without a Gram matrix: the group lasso, sparse or not, with an L2 part."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shrinkwise.kernels.library import declare, loaded_library, register, run

from .gram_blocks import GroupQuadratic, minimiser

declare(
    "sw_column_blocks",
    ctypes.c_int64,
    *(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, *[ctypes.c_void_p] * 12, ctypes.c_double),
)


@dataclass(frozen=True)
class GroupColumns:
    """‖y − Xw‖²/2n + Σ_g t_g‖w_g‖ + Σ l_j|w_j| + ½Σ b_j w_j², all but y; group g is the slice starts[g]:starts[g+1].

    X : (n, p) float64, Fortran order.
    starts : (n_groups + 1,) int64, from 0 to p, increasing.
    thresholds, l1, ridge : t (n_groups,), l and b (p,), all ≥ 0; t, l > 0 is a sparse group, t = l = 0 a free one.
    blocks : X_g'X_g/n, flat, group after group (`diagonal_blocks`).
    Qt, D : their eigenvectors and eigenvalues, with b on the diagonals (`eigen`).
    """

    X: np.ndarray
    starts: np.ndarray
    thresholds: np.ndarray
    l1: np.ndarray
    ridge: np.ndarray
    blocks: np.ndarray
    Qt: np.ndarray
    D: np.ndarray

    @cached_property
    def offsets(self):
        """Where each group begins in `blocks` and Qt."""
        return np.concatenate([[0], np.cumsum(np.diff(self.starts) ** 2)])

    @cached_property
    def addresses(self):
        """What the compiled kernel takes, and its scratch: short sweeps would spend most of their time on turning it over."""
        arrays = self.starts, self.offsets, self.blocks, self.thresholds, self.l1, self.ridge, self.Qt, self.D
        scratch = np.empty(4 * int(np.diff(self.starts).max(initial=1)))
        return (self.X.ctypes.data, len(self.thresholds), *(x.ctypes.data for x in arrays)), scratch

    def norms(self, x):
        """(n_groups,) ‖x_g‖."""
        return np.sqrt(np.add.reduceat(x * x, self.starts[:-1])) if len(x) else np.zeros(0)

    def penalty(self, w) -> float:
        """All but the squares of the residual."""
        return float(self.thresholds @ self.norms(w) + self.l1 @ np.abs(w) + 0.5 * self.ridge @ (w * w))

    @cached_property
    def _bends(self):
        """Of each group the least b, or t + the largest l where that is 0 (the other is infinite); b where it counts."""
        bend = np.minimum.reduceat(self.ridge, self.starts[:-1])
        scale = self.thresholds + np.maximum.reduceat(self.l1, self.starts[:-1])
        curved = np.repeat(bend > 0, np.diff(self.starts))
        return (
            np.where(bend > 0, bend, np.inf),
            np.where((bend == 0) & (scale > 0), scale, np.inf),
            np.where(curved, self.ridge, 0.0),
        )

    def gap_met(self, w, g) -> float:
        """An estimate of the duality gap from X'residual/n as a cycle met it, cheap enough to be made after each.

        pen(w) + pen*(g) − g'w, where pen* is finite only if g/α is taken for g: that costs about (1 − 1/α) g'w.
        """
        if not len(w):
            return 0.0
        bend, scale, ridge = self._bends
        pull = g - (self.ridge - ridge) * w
        over = np.maximum(self.norms(pull - np.clip(pull, -self.l1, self.l1)) - self.thresholds, 0.0)
        along = float(pull @ w)
        value = self.thresholds @ self.norms(w) + self.l1 @ np.abs(w) + 0.5 * ridge @ (w * w)
        return float(value - along + 0.5 * (over * over / bend).sum() + (over / scale).max() * abs(along))


def _compiled(columns, w, residual, g, tol):
    c = columns
    before, scratch = c.addresses
    after = w.ctypes.data, residual.ctypes.data, g.ctypes.data, scratch.ctypes.data
    return loaded_library().sw_column_blocks(len(residual), *before, *after, tol)


def reference(columns: GroupColumns, w, residual, g, tol: float) -> int:
    """The formulas of `column_blocks`."""
    moved, offsets = 0, columns.offsets
    for k in range(len(columns.thresholds)):
        at = slice(columns.starts[k], columns.starts[k + 1])
        X, m = columns.X[:, at], at.stop - at.start
        g[at] = X.T @ residual / len(residual)
        block = columns.blocks[offsets[k] : offsets[k + 1]].reshape(m, m)
        alone = GroupQuadratic(
            block, np.array([0, m]), columns.thresholds[k : k + 1], columns.l1[at], columns.ridge[at]
        )
        u = minimiser(alone, w[at], g[at], tol)
        if u is not None:
            residual -= X @ (u - w[at])
            w[at] = u
            moved += 1
    return moved


register("column_blocks", reference, _compiled)


def column_blocks(columns: GroupColumns, w, residual, g, tol: float) -> int:
    """One cycle over the groups, each minimised exactly when visited, in place in w and residual = y − Xw.

    Parameters
    ----------
    columns : GroupColumns
    w : (p,).  residual : (n,).
    g : (p,) out, X'residual/n as it was when each group was visited.
    tol : groups with a KKT violation (Euclidean norm, units of the gradient) ≤ tol are left as they are.

    Returns how many groups were moved.

    Reference: Qin, Scheinberg, Goldfarb, Efficient block-coordinate descent algorithms for the group lasso, Math. Prog.
    Comp. 2013, doi:10.1007/s12532-013-0051-x.
    """
    return run("column_blocks", columns, w, residual, g, tol)
