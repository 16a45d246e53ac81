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
        """y ≥ 0, and some y > 0: else the intercept runs to −∞."""
        y = np.asarray(y)
        if not (y >= 0).all():
            raise ValueError(f"expected y ≥ 0 for the {self.name} loss, got y down to {y.min():g}")
        if not y.any():
            raise ValueError(
                f"expected some y above 0 for the {self.name} loss, got zeros alone: their intercept is −∞"
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
        """The unit deviance: twice the loss above that of the saturated model."""
        return 2.0 * (self.value(y, eta) - self.lowest(y))


def exp(eta):
    """e^η, finite where it would overflow: a trial step that far out is refused by its value, without a warning."""
    return np.exp(np.minimum(eta, 690.0))
