"""Huber's loss."""

from __future__ import annotations

import numpy as np

from ..base import Loss, positive_number


class Huber(Loss):
    """½ r² for |r| ≤ δ, δ|r| − ½δ² beyond, r = y − η: squared error for small residuals, absolute error for large ones.

    Parameters
    ----------
    delta : δ > 0, in the units of y; the default 1.35 is 95 % efficient for normal errors of standard deviation 1.

    Reference: Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 1964.

    >>> import numpy as np, shrinkwise as sw
    >>> X, y = np.arange(10.0)[:, None], 2 * np.arange(10.0) + 1
    >>> y[9] += 1000
    >>> model = sw.PenalizedRegressor(sw.L2(0.0), loss="huber", delta=0.001, tol=1e-10).fit(X, y)     # the slope of 9 rows
    >>> round(float(model.coef_[0]), 2)
    2.0
    """

    name = "huber"
    location = of_the_mean = True
    curvature = 1.0
    delta: float

    def __init__(self, delta: float = 1.35):
        self.delta = positive_number(delta, "delta (the residual beyond which the loss is linear, in the units of y)")

    def value(self, y, eta):
        """c|r| − ½c² with c = min(|r|, δ)."""
        r = np.abs(y - eta)
        c = np.minimum(r, self.delta)
        return c * (r - 0.5 * c)

    def gradient(self, y, eta):
        """η − y clipped to [−δ, δ]."""
        return np.clip(eta - y, -self.delta, self.delta)

    def hessian(self, y, eta):
        """1 where |r| ≤ δ, else 0."""
        return (np.abs(eta - y) <= self.delta).astype(float)

    def model_curvature(self, y, eta):
        """1 where |r| ≤ δ, else δ/|r|, the curvature of the parabola that touches f there and lies above it, at most 1/10."""
        r = np.abs(eta - y)
        return np.where(r <= self.delta, 1.0, np.minimum(0.1, self.delta / np.maximum(r, self.delta)))

    def conjugate(self, y, v):
        """½v² + yv for |v| ≤ δ."""
        return 0.5 * v * v + y * v

    def dual_feasible(self, y, v):
        """Clipped to [−δ, δ]."""
        return np.clip(v, -self.delta, self.delta)

    def null_intercept(self, y, s):
        """The root of Σ s clip(b − y, ±δ): piecewise linear in b, found between two of its 2n kinks."""
        kinks = np.concatenate([y - self.delta, y + self.delta])
        order = np.argsort(kinks, kind="stable")
        kinks = kinks[order]
        slopes = np.cumsum(np.concatenate([s, -s])[order])  # behind each kink
        sums = np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(kinks))]) - self.delta * s.sum()
        k = min(int(np.searchsorted(sums, 0.0)), len(kinks) - 1)
        if k == 0 or sums[k] == sums[k - 1]:
            return np.array(kinks[k])
        part = min(-sums[k - 1] / (sums[k] - sums[k - 1]), 1.0)
        return np.array(kinks[k - 1] + part * (kinks[k] - kinks[k - 1]))
