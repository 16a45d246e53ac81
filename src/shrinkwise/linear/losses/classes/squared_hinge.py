"""Two classes by their margins."""

from __future__ import annotations

import numpy as np

from ..base import Loss
from .codes import class_codes


class SquaredHinge(Loss):
    """max(0, 1 − zη)², z = ±1 for y = 1 and 0: the loss of linear support vector machines, as in scikit-learn's LinearSVC.

    η are margins and not log-odds, so there are no probabilities. The minimum is attained even where the classes are separable.
    LinearSVC's C is 1/(2nλ) of an L2 penalty λ Σw².
    Reference: Fan et al., LIBLINEAR: A library for large linear classification, JMLR 2008.

    >>> import shrinkwise as sw
    >>> model = sw.PenalizedClassifier(sw.L2(0.5), loss="squared_hinge").fit([[-1.0], [1.0]], ["no", "yes"])
    >>> round(float(model.coef_[0, 0]), 4)     # the minimum of (1 − w)² + ½w²
    0.6667
    """

    name = "squared_hinge"
    coded = True
    curvature = 2.0

    def _short(self, y, eta):
        """(z, max(0, 1 − zη))."""
        z = 2.0 * y - 1.0
        return z, np.maximum(1.0 - z * eta, 0.0)

    def value(self, y, eta):
        """max(0, 1 − zη)²."""
        return self._short(y, eta)[1] ** 2

    def gradient(self, y, eta):
        """−2z max(0, 1 − zη)."""
        z, short = self._short(y, eta)
        return -2.0 * z * short

    def hessian(self, y, eta):
        """2 where zη < 1, else 0."""
        return 2.0 * (self._short(y, eta)[1] > 0)

    def model_curvature(self, y, eta):
        """2 where zη < 1, else a tenth of it."""
        return np.where(self._short(y, eta)[1] > 0, 2.0, 0.2)

    def conjugate(self, y, v):
        """w²/4 − w with w = −zv ≥ 0."""
        w = np.maximum((1.0 - 2.0 * y) * v, 0.0)
        return 0.25 * w * w - w

    def dual_feasible(self, y, v):
        """zv ≤ 0."""
        z = 2.0 * y - 1.0
        return z * np.minimum(z * v, 0.0)

    def checked(self, y):
        """0 and 1, as floats."""
        return class_codes(y, self.name, "0 and 1", most=2).astype(float)

    def null_intercept(self, y, s):
        """The weighted mean of z: there all rows are short of their margin."""
        return np.array(np.average(2.0 * y - 1.0, weights=s))
