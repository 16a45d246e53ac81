"""Penalties on the distance to an anchor m_j instead of on |w_j| or w_j².

Reference: Li, Grandvalet, Davoine, Explicit inductive bias for transfer learning with convolutional networks, ICML 2018,
arXiv 1802.01483 (L2-SP: stay near the pretrained weights).
"""

from __future__ import annotations

import copy
import math

import numpy as np

from shrinkwise.penalties.array import entrywise, namespace
from shrinkwise.penalties.contract import Penalty

from .base import Separable


class Anchored(Separable):
    """A separable penalty of w − m, m = `anchor`: an array like w, a number, or "initial" for the initial weights."""

    anchor = None

    @property
    def radial(self) -> bool:  # type: ignore[override]
        """True without an anchor: only then is it a function of |w_j|."""
        return self.anchor is None

    def point(self, w):
        """The anchor as an array of w's kind, or None."""
        if isinstance(self.anchor, str):
            raise ValueError(f"{self!r} needs the initial weights; attach sets them, elsewhere call penalty.resolve(w)")
        return None if self.anchor is None else entrywise(self.anchor, w, "an anchor")

    def away(self, w):
        """w − m."""
        return w if self.anchor is None else w - self.point(w)

    def resolve(self, w) -> Penalty:
        """The penalty with ``anchor="initial"`` replaced by a copy of w."""
        if not isinstance(self.anchor, str):
            return self
        other = copy.copy(self)
        other.anchor = np.array(w, copy=True) if namespace(w) is np else w.detach().clone()
        return other

    def never_zero(self, shape) -> bool:
        """Whether any penalised entry has an anchor other than 0, so that no λ makes w = 0 optimal."""
        if self.anchor is None:
            return False
        drawn = self.point(np.zeros(shape)) != 0
        return bool((drawn & ~self.with_lam(1.0).unpenalised(shape)).any())

    def latex_weight(self) -> str:
        """w_j, or w_j − m_j."""
        return "w_j" if self.anchor is None else r"w_j - m_j"


def check_anchor(anchor):
    """`anchor`, checked: None, "initial" or finite numbers."""
    if isinstance(anchor, str) and anchor != "initial":
        raise ValueError(f'Expected anchor to be an array like w, or "initial" for the initial weights, got {anchor!r}')
    if anchor is not None and not isinstance(anchor, str):
        values = np.asarray(anchor, dtype=float) if namespace(anchor) is np else anchor
        if not bool((abs(values) < math.inf).all()):
            raise ValueError("Expected a finite anchor, got an infinite or NaN entry")
    return anchor
