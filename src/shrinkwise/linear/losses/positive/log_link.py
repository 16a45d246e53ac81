"""What losses with the log link share: η is the logarithm of the mean."""

from __future__ import annotations

import numpy as np

from ..base import Loss


class LogLink(Loss):
    """A loss of y ≥ 0 whose derivative in η vanishes at η = log y, and whose null model is the mean.

    The curvature has no bound, so steps need a line search.
    """

    is_positive = True
    curvature = np.inf

    def check(self, y):
        """All y must be ≥ 0 and at least one above 0; otherwise the intercept is −∞."""
        y = np.asarray(y)
        if not (y >= 0).all():
            raise ValueError(f"Expected y ≥ 0 for the {self.name} loss, got {y.min():g}")
        if not y.any():
            raise ValueError(
                f"Expected at least one y above 0 for the {self.name} loss, got only zeros, for which the intercept is −∞"
            )

    def inverse_link(self, eta):
        """e^η."""
        return np.exp(eta)

    def recession(self, y):
        """Downwards where y = 0; where y > 0 neither side."""
        return np.where(np.asarray(y) > 0, 0, -1)

    def null_intercept(self, y, s):
        """Logarithm of the weighted mean of y."""
        return np.array(np.log(np.average(y, weights=s)))

    def score(self, y, eta):
        """Unit deviance: twice the difference to the loss of the saturated model."""
        return 2.0 * (self.value(y, eta) - self.lowest(y))


def exp(eta):
    """e^η, finite where it would overflow, so that a trial step this far out is rejected by its value without a warning."""
    return np.exp(np.minimum(eta, 690.0))
