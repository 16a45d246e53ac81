"""Counts and rates with the log link."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from .base import Loss


class Poisson(Loss):
    """e^η − yη, y ≥ 0 counts or rates: negative log-likelihood with the log link, its constant log y! left out.

    The curvature e^η has no bound, so steps need a line search.
    """

    name = "poisson"
    is_likelihood = is_positive = True
    curvature = np.inf

    def value(self, y, eta):
        """e^η − yη."""
        return _exp(eta) - y * eta

    def gradient(self, y, eta):
        """e^η − y."""
        return _exp(eta) - y

    def hessian(self, y, eta):
        """e^η."""
        return _exp(eta)

    def conjugate(self, y, v):
        """q log q − q with q = y + v ≥ 0."""
        q = np.maximum(y + v, 0.0)
        return xlogy(q, q) - q

    def dual_feasible(self, y, v):
        """v ≥ −y."""
        return np.maximum(v, -y)

    def lowest(self, y):
        """y − y log y, at η = log y."""
        return y - xlogy(y, y)

    def check(self, y):
        """Counts are ≥ 0, and one is above 0: else the intercept runs to −∞."""
        y = np.asarray(y)
        if not (y >= 0).all():
            raise ValueError(f"expected counts ≥ 0 for the Poisson loss (y ≥ 0), got y down to {y.min():g}")
        if not y.any():
            raise ValueError("expected some count above 0 for the Poisson loss: with zeros only the intercept is −∞")

    def inverse_link(self, eta):
        """e^η."""
        return np.exp(eta)

    def log_constant(self, y):
        """log y!."""
        from scipy.special import gammaln  # slow to load, and a path does without

        return gammaln(np.asarray(y) + 1.0)

    def recession(self, y):
        """Downwards where y = 0; where y > 0 neither side."""
        return np.where(np.asarray(y) > 0, 0, -1)

    def null_intercept(self, y, s):
        """Logarithm of the weighted mean of y."""
        return np.array(np.log(np.average(y, weights=s)))

    def score(self, y, eta):
        """Unit deviance 2 (y log(y/μ) − y + μ), μ = e^η: twice the loss above that of the saturated model."""
        return 2.0 * (self.value(y, eta) - self.lowest(y))


def _exp(eta):
    """e^η, finite where it would overflow: a trial step that far out is refused by its value, without a warning."""
    return np.exp(np.minimum(eta, 690.0))
