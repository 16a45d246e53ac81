"""Least squares with a penalty that has an inner solver: a working set for one λ after the other.

The sequential strong rule chooses whole units (columns or groups); the inner solver works on their Gram matrix; stationarity
is checked on all columns, and units that violate join the set.

Reference: Tibshirani et al., Strong rules for discarding predictors in lasso-type problems, JRSS B 2012.
"""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.gram_storage import LARGEST_WHOLE, GrowingGram, SparseGram, WholeGram


class WorkingSet:
    """min ½‖ỹ − X̃w‖²/n + pen(w) for one `inner` (see inner.py) after the other, each started from the last.

    Attributes
    ----------
    w : (p,) weights, or (K, p) for K targets.  g : gradient of the loss there, in the same shape.
    """

    def __init__(self, design, c, w, gram=None):
        self.design, self.c, self.w = design, c, w
        whole = gram is not None or (design.p <= min(design.n, LARGEST_WHOLE) and not design.sparse)
        growing = SparseGram if design.sparse else GrowingGram
        self.gram = WholeGram(design, gram) if whole else growing(design)
        self.previous = None
        self.g = self._gradient()

    def solve(self, inner, tol: float, max_sweeps: int) -> tuple[bool, int]:
        """Solve to violations ≤ tol on all columns; returns (converged, sweeps)."""
        self._admit(inner.screen(self.g, self.previous), inner.blocks)
        self.previous, total = inner, 0
        active = _moved(self.w) | (inner.violation(self.w, self.g) > tol)
        while True:
            active = whole_units(active, inner.blocks)
            self._admit(active, inner.blocks)
            converged, sweeps = self._solve_on(self._columns(active), inner, tol, max_sweeps - total)
            total += sweeps
            # First what is missed among the members, whose gradient costs little, then anywhere.
            for gradient in (self._gradient_on_members, self._gradient):
                self.g = gradient()
                missed = (inner.violation(self.w, self.g) > tol) & ~active
                if missed.any():
                    break
            if not missed.any() or not converged or total >= max_sweeps:
                if missed.any():
                    self.g = self._gradient()
                return converged and not missed.any(), max(total, 1)
            active |= missed

    def _admit(self, mask, blocks):
        new = np.flatnonzero(whole_units(mask, blocks) & ~self.gram.member)
        self.gram.admit(new[np.argsort(blocks[new], kind="stable")])  # the columns of a unit side by side

    def _columns(self, active):
        """The active columns; all members if that saves copying most of their Gram matrix."""
        count = np.count_nonzero(active)
        return self.gram.order if 2 * count > len(self.gram) > 200 else np.flatnonzero(active)

    def _solve_on(self, columns, inner, tol, max_sweeps):
        part, converged, sweeps = inner.solve(
            self.gram.on(columns), self.c[..., columns], columns, self.w[..., columns], tol, max_sweeps
        )
        self.w = np.zeros_like(self.w)
        self.w[..., columns] = part
        return converged, sweeps

    def _gradient_on_members(self):
        order, g = self.gram.order, np.zeros_like(self.w)
        support = np.flatnonzero(_moved(self.w)[order])
        g[..., order] = self.w[..., order[support]] @ self.gram.G[support] - self.c[..., order]
        return g

    def _gradient(self):
        support = np.flatnonzero(_moved(self.w))
        if isinstance(self.gram, WholeGram):
            return self.w[..., support] @ self.gram.G[support] - self.c
        fitted = self.design.centred_times(self.w[..., support], support)
        return self.design.centred_transposed(fitted).T / self.design.n - self.c


def _moved(w):
    """(p,) mask of the columns with a non-zero weight."""
    return w != 0 if w.ndim == 1 else (w != 0).any(0)


def whole_units(mask, blocks):
    """The mask widened to all columns of the units it touches."""
    touched = np.zeros(blocks.max(initial=-1) + 1, dtype=bool)
    touched[blocks[mask]] = True
    return touched[blocks]
