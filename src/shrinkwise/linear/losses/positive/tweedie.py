"""Amounts ≥ 0 with a share of exact zeros, with the log link."""

from __future__ import annotations

import numbers

import numpy as np

from .log_link import LogLink, exp

_STEPS = 100


class Tweedie(LogLink):
    """y e^{−(p−1)η}/(p−1) + e^{(2−p)η}/(2−p), y ≥ 0: half the unit deviance of Tweedie's family, up to a function of y.

    Parameters
    ----------
    power : p strictly between 1 and 2, of the variance function μ^p: sums of a Poisson number of gamma amounts. Its ends are
        the losses "poisson" and "gamma"; beyond 2 the loss is not convex with the log link.

    Its density is an infinite series, so it has no AIC or BIC. Reference: Jørgensen, Exponential dispersion models, JRSS B
    1987.

    >>> import numpy as np, shrinkwise as sw
    >>> from shrinkwise.linear.losses import Tweedie
    >>> X, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0.0, 4.0, 4.0, 8.0])
    >>> model = sw.PenalizedRegressor(sw.L2(0.0), loss=Tweedie(power=1.3)).fit(X, y)     # the two means, 2 and 6
    >>> model.predict([[0.0], [1.0]]).round(4).tolist()
    [2.0, 6.0]
    """

    name = "tweedie"
    power: float

    def __init__(self, power: float = 1.5):
        if not (isinstance(power, numbers.Real) and 1 < float(power) < 2):
            raise ValueError(f'Expected power strictly between 1 ("poisson") and 2 ("gamma"), got {power!r}')
        self.power = float(power)

    @property
    def _powers(self):
        return self.power - 1.0, 2.0 - self.power

    def value(self, y, eta):
        """y e^{−aη}/a + e^{bη}/b, a = p − 1, b = 2 − p."""
        a, b = self._powers
        return y * exp(-a * eta) / a + exp(b * eta) / b

    def gradient(self, y, eta):
        """e^{bη} − y e^{−aη}."""
        a, b = self._powers
        return exp(b * eta) - y * exp(-a * eta)

    def hessian(self, y, eta):
        """a y e^{−aη} + b e^{bη}."""
        a, b = self._powers
        return a * y * exp(-a * eta) + b * exp(b * eta)

    def conjugate(self, y, v):
        """vη − f(y, η) where f' = v, which Newton's method finds; (v log v − v)/b where y = 0."""
        zero, b = np.asarray(y) == 0, self._powers[1]
        eta = np.log(np.maximum(np.where(zero, v, y), 1e-300)) / np.where(zero, b, 1.0)
        for _ in range(_STEPS):  # f' is increasing: steps of at most 2 end beside the root, where they converge
            step = np.clip((v - self.gradient(y, eta)) / np.maximum(self.hessian(y, eta), 1e-300), -2.0, 2.0)
            step[zero] = 0.0
            eta += step
            if np.abs(step).max(initial=0.0) < 1e-9:
                break
        return v * eta - self.value(y, eta)

    def dual_feasible(self, y, v):
        """v ≥ 0 where y = 0."""
        return np.where(y > 0, v, np.maximum(v, 0.0))

    def lowest(self, y):
        """y^b / (ab), at η = log y."""
        a, b = self._powers
        return y**b / (a * b)
