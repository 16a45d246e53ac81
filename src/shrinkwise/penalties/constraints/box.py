"""Bounds on each weight: a box, and the nonnegative orthant."""

from __future__ import annotations

import math

import numpy as np

from shrinkwise.penalties.array import as_numpy, by_position, clip, entrywise, weights_array, working
from shrinkwise.penalties.contract import Penalty
from shrinkwise.penalties.pieces import Pieces

from .constraint import Constraint


class Box(Constraint):
    """low ≤ w_j ≤ high.

    Parameters
    ----------
    low, high : float or array like w
        Bounds; −∞ and ∞ mean no bound on that side.

    >>> import numpy as np
    >>> Box(-1.0, 1.0).prox(np.array([-3.0, 0.5]), step=1.0)
    array([-1. ,  0.5])
    """

    separable = True

    def __init__(self, low, high):
        lower, upper = as_numpy(low), as_numpy(high)
        if not (lower <= upper).all() or (lower == math.inf).any() or (upper == -math.inf).any():
            raise ValueError(f"Expected bounds low ≤ high with numbers between them, got low={low!r} and high={high!r}")
        self.low = by_position(low, "bounds")
        self.high = by_position(high, "bounds")

    def _bounds(self, w):
        low, high = (entrywise(bound, w, "bounds") for bound in (self.low, self.high))
        return (float(x) if isinstance(x, int) else x for x in (low, high))

    def with_bounds_scaled(self, scale) -> Penalty:
        """The bounds times the scale; those of 0 and ∞ stay."""
        low, high = as_numpy(self.low), as_numpy(self.high)
        if all(((bound == 0) | np.isinf(bound)).all() for bound in (low, high)):
            return self
        return Box(low * scale, high * scale)

    def project(self, w):
        """w clipped to the bounds."""
        w = weights_array(w)
        return clip(w, *self._bounds(w))

    def pieces(self, w):
        """The bounds of every entry."""
        low, high = self._bounds(w)
        return Pieces(low=low, high=high)

    def conjugate(self, u):
        """Σ max(low·u, high·u)."""
        u = working(u)
        return self.pieces(u).conjugate(u)

    def violation(self, w, g):
        """Distance of −g_j to the normals of [low, high] at w_j: |g| inside, 0 at a bound that g pushes against."""
        w = working(w)
        return abs(self.pieces(w).remainder(w, working(g)))

    def unpenalised(self, shape):
        """Entries without bounds."""
        return self.pieces(np.zeros(shape)).free(shape)

    def unbounded(self, shape):
        """Entries without a lower, and without an upper bound."""
        low, high = self._bounds(np.zeros(shape))
        return np.broadcast_to(low == -math.inf, shape), np.broadcast_to(high == math.inf, shape)

    def latex(self) -> str:
        r"""\iota\{l \le w \le h\}."""
        low, high = (f"{x:.4g}" if np.ndim(x) == 0 else name for x, name in ((self.low, "l_j"), (self.high, "h_j")))
        return rf"\iota\{{{low} \le w_j \le {high}\}}".replace("inf", r"\infty")


class NonNegative(Box):
    """w_j ≥ 0.

    >>> import numpy as np
    >>> NonNegative().prox(np.array([-3.0, 0.5]), step=1.0)
    array([0. , 0.5])
    """

    def __init__(self):
        super().__init__(0.0, math.inf)

    def latex(self) -> str:
        r"""\iota\{w \ge 0\}."""
        return r"\iota\{w_j \ge 0\}"
