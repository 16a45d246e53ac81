"""Counts that vary more than Poisson's, with the log link."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, xlog1py, xlogy

from ..base import positive_number
from .log_link import LogLink


class NegativeBinomial(LogLink):
    """(y + θ) log(θ + e^η) − yη, y ≥ 0: negative log-likelihood of counts of variance μ + μ²/θ, without its constant.

    Parameters
    ----------
    theta : θ > 0, known; the larger, the nearer to Poisson. It is R's ``theta`` in ``MASS::negative.binomial``, and 1/α of
        statsmodels.

    Reference: Hilbe, Negative Binomial Regression, Cambridge 2011.

    >>> import numpy as np, shrinkwise as sw
    >>> from shrinkwise.linear.losses import NegativeBinomial
    >>> X, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([1.0, 3.0, 0.0, 12.0])
    >>> model = sw.PenalizedRegressor(sw.L2(0.0), loss=NegativeBinomial(theta=2.0)).fit(X, y)     # the two means, 2 and 6
    >>> model.predict([[0.0], [1.0]]).round(4).tolist()
    [2.0, 6.0]
    """

    name = "negative_binomial"
    is_likelihood = True
    theta: float

    def __init__(self, theta: float = 1.0):
        self.theta = positive_number(theta, "theta (the variance is μ + μ²/θ)")

    def value(self, y, eta):
        """(y + θ) log(θ + e^η) − yη."""
        return (y + self.theta) * np.logaddexp(np.log(self.theta), eta) - y * eta

    def gradient(self, y, eta):
        """(y + θ) μ/(θ + μ) − y."""
        return (y + self.theta) * expit(eta - np.log(self.theta)) - y

    def hessian(self, y, eta):
        """(y + θ) θμ/(θ + μ)²."""
        t = np.asarray(eta) - np.log(self.theta)
        return (y + self.theta) * expit(t) * expit(-t)

    def conjugate(self, y, v):
        """q log(q/m) + (m−q) log((m−q)/m) + v log θ − θ log θ with m = y + θ and q = y + v in [0, m]."""
        m = y + self.theta
        q = np.clip(y + v, 0.0, m)
        return xlogy(q, q / m) + xlog1py(m - q, -q / m) + (v - self.theta) * np.log(self.theta)

    def dual_feasible(self, y, v):
        """y + v in [0, y + θ]."""
        return np.clip(v, -y, self.theta)

    def lowest(self, y):
        """(y + θ) log(θ + y) − y log y, at η = log y."""
        return (y + self.theta) * np.log(self.theta + y) - xlogy(y, y)

    def log_constant(self, y):
        """log Γ(θ) + log y! − log Γ(y + θ) − θ log θ."""
        from scipy.special import gammaln  # slow to load, and a path does without

        y = np.asarray(y)
        return gammaln(self.theta) + gammaln(y + 1.0) - gammaln(y + self.theta) - xlogy(self.theta, self.theta)
