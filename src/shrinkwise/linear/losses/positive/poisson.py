"""Counts and rates with the log link."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from ..base import entropy
from .log_link import LogLink, exp


class Poisson(LogLink):
    """e^η − yη, y ≥ 0 counts or rates: negative log-likelihood with the log link, without its constant log y!.

    Reference: McCullagh and Nelder, Generalized Linear Models, 1989.

    >>> import numpy as np, shrinkwise as sw
    >>> X, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([1.0, 3.0, 4.0, 8.0])
    >>> model = sw.PenalizedRegressor(sw.L2(0.0), loss="poisson").fit(X, y)     # the two means, 2 and 6
    >>> model.predict([[0.0], [1.0]]).round(4).tolist()
    [2.0, 6.0]
    """

    name = "poisson"
    is_likelihood = True

    def value(self, y, eta):
        """e^η − yη."""
        return exp(eta) - y * eta

    def gradient(self, y, eta):
        """e^η − y."""
        return exp(eta) - y

    def value_and_gradient(self, y, eta):
        """Both from one exponential."""
        mean = exp(eta)
        return mean - y * eta, mean - y

    def hessian(self, y, eta):
        """e^η."""
        return exp(eta)

    def conjugate(self, y, v):
        """q log q − q with q = y + v ≥ 0."""
        q = np.maximum(y + v, 0.0)
        return entropy(q) - q

    def dual_feasible(self, y, v):
        """v ≥ −y."""
        return np.maximum(v, -y)

    def lowest(self, y):
        """y − y log y, at η = log y."""
        return y - xlogy(y, y)

    def log_constant(self, y):
        """log y!."""
        from scipy.special import gammaln  # slow to load, and a path does without

        return gammaln(np.asarray(y) + 1.0)
