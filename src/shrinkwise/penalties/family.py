"""Families: the form that a penalty declares to solvers, so that penalties of the same form share a fast kernel.

`Penalty.family(w)` gives one of

* `Pieces`    piecewise quadratic, entry by entry: L1, L2, anchors, bounds;
* `Grouped`   Σ_g t_g ‖w_g‖ + Σ l|w|: group lasso and sparse group lasso;
* `Folded`    concave, entry by entry: MCP and SCAD;

or None, in which case solvers use the prox. A user-defined penalty that declares its family gets the kernel of that
family.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Grouped:
    """Σ_g strengths_g ‖w_g‖ + Σ l1 |w|.

    labels : int array of w's shape, the group of every entry; −1 for entries in no group.
    strengths : (n_groups,) ≥ 0.
    l1 : array of w's shape, ≥ 0.
    """

    labels: np.ndarray
    strengths: np.ndarray
    l1: np.ndarray

    def scaled(self, factor: float) -> Grouped:
        """The family of `factor` times the penalty."""
        return replace(self, strengths=factor * self.strengths, l1=factor * self.l1)

    def laid_into(self, where, w) -> Grouped:
        """The family on w, if this is the family on w[where] and the rest of w is not penalised."""
        labels, l1 = np.full(w.shape, -1), np.zeros(w.shape)
        labels[where], l1[where] = self.labels, self.l1
        return Grouped(labels, self.strengths, l1)


@dataclass(frozen=True)
class Folded:
    """Σ p(|w|) with p' = slope up to `knee`, falling linearly to 0 at `flat`, and 0 beyond; arrays of w's shape."""

    slope: np.ndarray
    knee: np.ndarray
    flat: np.ndarray

    def scaled(self, factor: float) -> Folded:
        """The family of `factor` times the penalty."""
        return replace(self, slope=factor * self.slope)

    def laid_into(self, where, w) -> Folded:
        """The family on w, if this is the family on w[where] and the rest of w is not penalised."""
        whole = []
        for part in (self.slope, self.knee, self.flat):
            array = np.zeros(w.shape)
            array[where] = part
            whole.append(array)
        return Folded(*whole)
