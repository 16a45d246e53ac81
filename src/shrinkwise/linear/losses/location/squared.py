"""Least squares."""

from __future__ import annotations

import numpy as np

from ..base import Loss


class Squared(Loss):
    """½ (y − η)²: least squares, 1/(2n) ‖y − Xw − b‖²."""

    name = "squared"
    location = of_the_mean = is_quadratic = True
    curvature = 1.0  # bound of f'' in η

    def value(self, y, eta):
        """½ (y − η)²."""
        return 0.5 * (y - eta) ** 2

    def gradient(self, y, eta):
        """η − y."""
        return eta - y

    def hessian(self, y, eta):
        """1."""
        return np.ones_like(eta)

    def conjugate(self, y, v):
        """sup_η vη − ½(y−η)² = ½v² + yv."""
        return 0.5 * v * v + y * v

    def null_intercept(self, y, s):
        """Weighted mean of y."""
        return np.array(np.average(y, weights=s, axis=0))

    def score(self, y, eta):
        """The score reported by cross-validation: (y − η)²."""
        return (y - eta) ** 2
