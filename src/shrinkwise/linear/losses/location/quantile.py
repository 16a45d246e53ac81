"""Quantile regression, smoothed."""

from __future__ import annotations

import numbers

import numpy as np

from ..base import Loss, positive_number
from .huber import root_of_clipped

_WIDTH = 0.01  # δ where none is given, as a share of the mean pinball loss of the constant model


class Quantile(Loss):
    """The pinball loss max(τr, (τ−1)r) of r = y − η, smoothed: r²/(2δ) for (τ−1)δ ≤ r ≤ τδ, linear beyond.

    It is the Moreau envelope of the pinball loss and lies below it by at most B = δ max(τ, 1−τ)²/2. So loss + penalty of the
    fit, with the pinball loss itself, is within B of its minimum. Scores, D² and cross-validation use the pinball loss.

    Parameters
    ----------
    tau : τ strictly between 0 and 1; ½ is the median.
    delta : δ > 0, in the units of y. Smaller is closer to the quantile and takes more steps. None is 1 % of the mean pinball
        loss of the constant model, so that B is at most 0.5 % of that loss.

    References: Koenker and Bassett, Regression quantiles, Econometrica 1978. Fernandes, Guerre, Horta, Smoothing quantile
    regressions, JBES 2021 (another smoothing).

    >>> import numpy as np, shrinkwise as sw
    >>> from shrinkwise.linear.losses import Quantile
    >>> X, y = np.zeros((11, 1)), np.arange(11.0)     # no input helps: the fit is the quantile of y
    >>> model = sw.PenalizedRegressor(sw.L1(1.0), loss=Quantile(0.75, delta=1e-3)).fit(X, y)
    >>> round(float(model.intercept_), 2)
    8.0
    """

    name = "quantile"
    location = True

    def __init__(self, tau: float = 0.5, delta: float | None = None):
        if not (isinstance(tau, numbers.Real) and 0 < float(tau) < 1):
            raise ValueError(f"expected tau (the quantile) strictly between 0 and 1, got {tau!r}")
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
        """1/δ."""
        return 1.0 / self.delta

    def _slope(self, r):
        return np.clip(r / self.delta, self.tau - 1.0, self.tau)

    def value(self, y, eta):
        """ur − δu²/2 with u = r/δ clipped to [τ−1, τ]."""
        u = self._slope(y - eta)
        return u * (y - eta) - 0.5 * self.delta * u * u

    def gradient(self, y, eta):
        """−r/δ clipped to [−τ, 1−τ]."""
        return -self._slope(y - eta)

    def hessian(self, y, eta):
        """1/δ in the middle, else 0."""
        r = y - eta
        return ((r >= (self.tau - 1.0) * self.delta) & (r <= self.tau * self.delta)) / self.delta

    def model_curvature(self, y, eta):
        """1/δ in the middle; beyond, the curvature u/r of the parabola that touches there, at most a tenth of that."""
        r, u = y - eta, self._slope(y - eta)
        inside = self.hessian(y, eta) > 0
        return np.where(inside, 1.0 / self.delta, np.minimum(0.1 / self.delta, u / np.where(inside, 1.0, r)))

    def conjugate(self, y, v):
        """δv²/2 + yv for −τ ≤ v ≤ 1−τ."""
        return 0.5 * self.delta * v * v + y * v

    def dual_feasible(self, y, v):
        """Clipped to [−τ, 1−τ]."""
        return np.clip(v, -self.tau, 1.0 - self.tau)

    def null_intercept(self, y, s):
        """The root of Σ s clip((b − y)/δ, −τ, 1−τ)."""
        return root_of_clipped(y, s, self.tau * self.delta, (1.0 - self.tau) * self.delta)

    def score(self, y, eta):
        """The pinball loss."""
        r = y - eta
        return np.maximum(self.tau * r, (self.tau - 1.0) * r)
