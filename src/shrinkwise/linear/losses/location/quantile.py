"""Quantile regression, smoothed."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from scipy.special import expit, xlogy

from ..base import Loss, positive_number

_FLOOR = 0.01  # of the parabola above f: less than it, a model of rows far from η would be flat
_WIDTH = 0.005  # δ where none is given, as a share of the mean pinball loss of the constant model


class Quantile(Loss):
    """The pinball loss max(τr, (τ−1)r) of r = y − η, smoothed: τr + δ log(1 + e^{−r/δ}).

    It lies above the pinball loss, by at most B = δ log 2 (at r = 0). So loss + penalty of the fit, computed with the pinball
    loss itself, is within B of its minimum; usually it is much nearer. Scores, D² and cross-validation use the pinball loss.

    Parameters
    ----------
    tau : τ strictly between 0 and 1; ½ is the median.
    delta : δ > 0, in the units of y. Smaller is closer to the quantile and takes more steps. None is 0.5 % of the mean pinball
        loss of the constant model, so that B is 0.35 % of that loss.

    References: Koenker and Bassett, Regression quantiles, Econometrica 1978. Zheng, Gradient descent algorithms for quantile
    regression with smooth approximation, Int. J. Mach. Learn. Cybern. 2011 (this smoothing).

    >>> import numpy as np, shrinkwise as sw
    >>> from shrinkwise.linear.losses import Quantile
    >>> X, y = np.zeros((11, 1)), np.arange(11.0)     # no input helps: the fit is the quantile of y
    >>> model = sw.PenalizedRegressor(sw.L1(1.0), loss=Quantile(0.75, delta=0.01)).fit(X, y)
    >>> round(float(model.intercept_), 1)
    8.0
    """

    name = "quantile"
    location = True
    tau: float
    delta: Any

    def __init__(self, tau: float = 0.5, delta: float | None = None):
        if not (isinstance(tau, numbers.Real) and 0 < float(tau) < 1):
            raise ValueError(f"Expected tau (the quantile) strictly between 0 and 1, got {tau!r}")
        self.tau = float(tau)
        self.delta = None if delta is None else positive_number(delta, "delta (the smoothing, in the units of y)")

    def scaled_to(self, y, s):
        """With δ from the spread of y, where it was left open."""
        if self.delta is not None:
            return self
        order = np.argsort(y, kind="stable")
        share = np.cumsum(s[order]) / np.sum(s)
        middle = y[order[min(int(np.searchsorted(share, self.tau)), len(y) - 1)]]
        return Quantile(self.tau, _WIDTH * float(np.average(self.score(y, middle), weights=s)) or 1.0)

    @property
    def curvature(self):
        """1/(4δ)."""
        return 0.25 / self.delta

    def value(self, y, eta):
        """τr + δ log(1 + e^{−r/δ})."""
        r = y - eta
        return self.tau * r + self.delta * np.logaddexp(0.0, -r / self.delta)

    def gradient(self, y, eta):
        """q − τ, q = 1/(1 + e^{r/δ})."""
        return expit((eta - y) / self.delta) - self.tau

    def hessian(self, y, eta):
        """q(1 − q)/δ."""
        t = (eta - y) / self.delta
        return expit(t) * expit(-t) / self.delta

    def model_curvature(self, y, eta):
        """f'', or 1 % of the curvature tanh(t/2)/(2tδ), t = |r|/δ, of the parabola that touches f and lies above it."""
        t = np.maximum(np.abs(eta - y) / self.delta, 1e-6)
        return np.maximum(self.hessian(y, eta), _FLOOR * np.tanh(0.5 * t) / (2.0 * t * self.delta))

    def conjugate(self, y, v):
        """yv + δ(q log q + (1 − q) log(1 − q)) with q = v + τ in [0, 1]."""
        q = np.clip(v + self.tau, 0.0, 1.0)
        return y * v + self.delta * (xlogy(q, q) + xlogy(1.0 - q, 1.0 - q))

    def dual_feasible(self, y, v):
        """Clipped to [−τ, 1−τ]."""
        return np.clip(v, -self.tau, 1.0 - self.tau)

    def lowest(self, y):
        """δ times the entropy of τ."""
        entropy = -self.tau * np.log(self.tau) - (1.0 - self.tau) * np.log1p(-self.tau)
        return np.full(np.shape(y), self.delta * entropy)

    def null_intercept(self, y, s):
        """The root of Σ s f', which lies where f' of no row, or of some rows, has changed its sign."""
        from scipy.optimize import brentq  # slow to load

        reach = self.delta * (1.0 + abs(np.log(self.tau)) + abs(np.log1p(-self.tau)))
        slope = lambda b: float(s @ self.gradient(y, b))  # noqa: E731
        return np.array(brentq(slope, y.min() - reach, y.max() + reach, xtol=1e-300, rtol=4 * np.finfo(float).eps))

    def score(self, y, eta):
        """The pinball loss."""
        r = y - eta
        return np.maximum(self.tau * r, (self.tau - 1.0) * r)
