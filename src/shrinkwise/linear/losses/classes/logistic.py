"""Two classes."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from ..base import Loss, entropy
from .codes import class_codes


class Logistic(Loss):
    """log(1 + e^η) − yη, y in {0, 1}: negative log-likelihood of two classes."""

    name = "logistic"
    several_classes = "multinomial"
    is_likelihood = coded = True
    curvature = 0.25

    def value(self, y, eta):
        """log(1 + e^η) − yη."""
        return np.maximum(eta, 0.0) + np.log1p(np.exp(-np.abs(eta))) - y * eta  # twice as fast as logaddexp

    def gradient(self, y, eta):
        """P(y=1) − y."""
        return expit(eta) - y

    def value_and_gradient(self, y, eta):
        """Both from one exponential."""
        e = np.exp(-np.abs(eta))
        value = np.maximum(eta, 0.0)
        value -= y * eta
        value += np.log1p(e)
        above = 1.0 / (1.0 + e)
        p = np.where(eta >= 0, above, e * above)
        p -= y
        return value, p

    def hessian(self, y, eta):
        """p(1 − p)."""
        e = np.exp(-np.abs(eta))
        return e / (1.0 + e) ** 2

    def conjugate(self, y, v):
        """q log q + (1−q) log(1−q) with q = y + v in [0, 1]."""
        q = np.clip(y + v, 0.0, 1.0)
        return entropy(q) + entropy(1.0 - q)

    def dual_feasible(self, y, v):
        """y + v clipped to [0, 1]."""
        return np.clip(y + v, 0.0, 1.0) - y

    def checked(self, y):
        """0 and 1, as floats."""
        return class_codes(y, self.name, "0 and 1", most=2).astype(float)

    def inverse_link(self, eta):
        """P(y=1)."""
        return expit(eta)

    def recession(self, y):
        """To the side of the own class."""
        return np.where(y > 0, 1, -1)

    def null_intercept(self, y, s):
        """log-odds of the weighted mean of y."""
        p = np.average(y, weights=s)
        return np.array(np.log(p) - np.log1p(-p))
