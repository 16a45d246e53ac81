"""Bounds on Euclidean norms: the L2 ball, and the max-norm of each unit's incoming weights, often combined with
dropout."""

from __future__ import annotations

import numbers

from shrinkwise.penalties.array import cast, double, namespace, number_or_scalar, vector_norm, weights_array
from shrinkwise.penalties.groups import Groups

from .constraint import Constraint, check_size


class L2Ball(Constraint):
    """‖w‖₂ ≤ radius, over all entries of w.

    Parameters
    ----------
    radius : float ≥ 0

    >>> import numpy as np
    >>> L2Ball(1.0).prox(np.array([3.0, 4.0]), step=1.0)
    array([0.6, 0.8])
    """

    radial, makes_zeros = True, False

    def __init__(self, radius: float):
        self.radius = check_size(radius, "radius")

    def project(self, w):
        """w · min(1, radius/‖w‖)."""
        w = weights_array(w)
        return w * cast(_factor(vector_norm(double(w).reshape(-1), 0), float(self.radius)), w)

    def conjugate(self, u):
        """radius · ‖u‖."""
        u = weights_array(u)
        return number_or_scalar(float(self.radius) * vector_norm(u.reshape(-1), 0))

    def latex(self) -> str:
        r"""\iota\{\|w\|_2 \le r\}."""
        return rf"\iota\{{\|w\|_2 \le {self.radius:.4g}\}}"


class MaxNorm(Constraint):
    """‖w_r‖₂ ≤ c for every slice w_r of an axis: for each output unit (axis 0) the norm of its incoming weights.

    Parameters
    ----------
    c : float ≥ 0
        The bound; the reference uses 3 to 4.
    axis : int
        The axis whose every index is a slice, as in ``Groups.axis``: 0, the rows, are the units of a Linear layer and the
        filters of a convolution. (Keras's ``max_norm(axis=)`` names the axes summed over instead.)

    References: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, Dropout, JMLR 15 (2014), section 5.1.

    >>> import numpy as np
    >>> MaxNorm(1.0).prox(np.array([[3.0, 4.0], [0.5, 0.0]]), step=1.0)
    array([[0.6, 0.8],
           [0.5, 0. ]])
    """

    radial, makes_zeros = True, False

    def __init__(self, c: float, axis: int = 0):
        self.c = check_size(c, "c (the bound of each norm)")
        if isinstance(axis, bool) or not isinstance(axis, numbers.Integral):
            raise TypeError(f"Expected axis to be an integer, got {axis!r}")
        self.axis: int = axis

    def project(self, w):
        """Every slice times min(1, c/its norm)."""
        w, slices = weights_array(w), Groups.axis(self.axis)
        return w * cast(slices.spread(_factor(slices.norms(double(w)), float(self.c)), w), w)

    def conjugate(self, u):
        """c · the sum of the norms of the slices."""
        return number_or_scalar(float(self.c) * Groups.axis(self.axis).norms(weights_array(u)).sum())

    def latex(self) -> str:
        r"""\iota\{\|w_r\|_2 \le c \text{ for all } r\}."""
        return rf"\iota\{{\|w_r\|_2 \le {self.c:.4g} \text{{ for all }} r\}}"


def _factor(norm, bound: float):
    """min(1, bound/norm), without 0/0; NaN kept."""
    xp = namespace(norm)
    outside = ~(norm <= bound)
    return xp.where(outside, bound / xp.where(outside, norm, xp.ones_like(norm)), xp.ones_like(norm))
