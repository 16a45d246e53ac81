"""Counts and rates with the log link."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from .base import Loss


class Poisson(Loss):
    """e^η − yη, y ≥ 0 counts or rates: negative log-likelihood with the log link, without its constant log y!.

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
        """All counts must be ≥ 0 and at least one above 0; otherwise the intercept is −∞."""
        y = np.asarray(y)
        if not (y >= 0).all():
            raise ValueError(f"Expected y ≥ 0 for the Poisson loss, got {y.min():g}")
        if not y.any():
            raise ValueError(
                "Expected at least one y above 0 for the Poisson loss, got only zeros, for which the intercept is −∞"
            )

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
        """Unit deviance 2 (y log(y/μ) − y + μ), μ = e^η: twice the difference to the loss of the saturated model."""
        return 2.0 * (self.value(y, eta) - self.lowest(y))


def _exp(eta):
    """e^η, finite where it would overflow, so that a trial step this far out is rejected by its value without a
    warning."""
    return np.exp(np.minimum(eta, 690.0))
