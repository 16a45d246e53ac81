"""Positive amounts with the log link."""

from __future__ import annotations

import numpy as np

from ..base import entropy
from .log_link import LogLink, exp


class Gamma(LogLink):
    """y e^−η + η, y > 0: half the unit deviance of the gamma family with the log link, up to a function of y.

    The variance is φμ². φ does not enter the fit; AIC and BIC take its maximum likelihood estimate at every λ.

    Reference: McCullagh and Nelder, Generalized Linear Models, 1989.

    >>> import numpy as np, shrinkwise as sw
    >>> X, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([1.0, 3.0, 4.0, 8.0])
    >>> model = sw.PenalizedRegressor(sw.L2(0.0), loss="gamma").fit(X, y)     # the two means, 2 and 6
    >>> model.predict([[0.0], [1.0]]).round(4).tolist()
    [2.0, 6.0]
    """

    name = "gamma"
    is_likelihood = True

    def value(self, y, eta):
        """y e^−η + η."""
        return y * exp(-eta) + eta

    def gradient(self, y, eta):
        """1 − y e^−η."""
        return 1.0 - y * exp(-eta)

    def value_and_gradient(self, y, eta):
        """Both from one exponential."""
        ratio = y * exp(-eta)
        return ratio + eta, 1.0 - ratio

    def hessian(self, y, eta):
        """y e^−η."""
        return y * exp(-eta)

    def conjugate(self, y, v):
        """q log(q/y) − q with q = 1 − v ≥ 0."""
        q = np.maximum(1.0 - v, 0.0)
        return entropy(q) - q * np.log(y) - q

    def dual_feasible(self, y, v):
        """v ≤ 1."""
        return np.minimum(v, 1.0)

    def lowest(self, y):
        """1 + log y, at η = log y."""
        return 1.0 + np.log(y)

    def check(self, y):
        """Amounts are above 0."""
        if not (np.asarray(y) > 0).all():
            raise ValueError(f"Expected y > 0 for the gamma loss, got {np.min(y):g}; the Tweedie loss takes zeros")

    def recession(self, y):
        """None: both directions raise every f in the end."""

    def minus_log_likelihood(self, y, s, losses):
        """At the maximum over the shape ν = 1/φ, where log ν − ψ(ν) is half the mean deviance."""
        from scipy.special import gammaln, psi, zeta  # slow to load, and a path does without

        half = np.maximum(losses - np.average(self.lowest(y), weights=s), 1e-15)
        log_nu = np.log((3.0 - half + np.sqrt((half - 3.0) ** 2 + 24.0 * half)) / (12.0 * half))
        for _ in range(8):  # Newton's method in log ν, from Minka's start
            nu = np.exp(log_nu)
            log_nu -= (log_nu - psi(nu) - half) / (1.0 - nu * zeta(2.0, nu))
        nu, log_y = np.exp(log_nu), np.average(np.log(y), weights=s)
        return len(y) * (nu * losses + gammaln(nu) - nu * log_nu - (nu - 1.0) * log_y), 1
