"""The square root of the mean squared error."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import Loss


class SquareRoot(Loss):
    """σ = √((1/n) Σ s_i (y_i − η_i)²): with L1 the square-root lasso, with other penalties alike.

    A good λ does not depend on the noise level: `shrinkwise.linear.pivotal_lambda` computes one before y is seen. The loss
    joins all rows: its value by row is r²/σ, which sums to nσ. Its minimiser is that of least squares with the penalty times
    σ, so below some λ a fit with p ≥ n reproduces y (σ = 0). Cross-validation scores squared errors.

    References: Belloni, Chernozhukov, Wang, Square-root lasso: pivotal recovery of sparse signals via conic programming,
    Biometrika 2011, arXiv 1009.5689. Sun and Zhang, Scaled sparse linear regression, Biometrika 2012, arXiv 1104.4595.

    >>> import numpy as np, shrinkwise as sw
    >>> X, y = np.array([[1.0], [-1.0], [0.0], [0.0]]), np.array([2.0, -2.0, 1.0, -1.0])
    >>> fitted = sw.path(X, y, sw.L1(1.0), loss="square_root", lambdas=[0.5], tol=1e-10)
    >>> float(fitted.coefs[0, 0].round(6))     # r = (2 − w, w − 2, 1, −1), (2 − w)/2 = λσ = ½ √((2(2 − w)² + 2)/4)
    1.0
    """

    name = "square_root"
    location = of_the_mean = is_root = True
    _weights: Any = None

    def scaled_to(self, y, s):
        """With the weights of these rows."""
        bound = SquareRoot()
        bound._weights = np.asarray(s, dtype=float)
        return bound

    def _sigma(self, r) -> float:
        size = float(np.abs(r).max(initial=0.0))
        return size * float(np.sqrt(np.average((r / size) ** 2, weights=self._weights))) if size > 0 else 0.0

    def value(self, y, eta):
        """r²/σ, r = y − η; 0 where σ = 0."""
        r = y - eta
        sigma = self._sigma(r)
        return r * (r / sigma) if sigma > 0 else np.zeros_like(r)

    def gradient(self, y, eta):
        """−r/σ; 0, which is a subgradient, where σ = 0."""
        r = y - eta
        sigma = self._sigma(r)
        return -r / sigma if sigma > 0 else np.zeros_like(r)

    def hessian(self, y, eta):
        """1/σ: the curvature with σ held fixed."""
        return np.full(np.shape(eta), 1.0 / max(self._sigma(y - eta), 1e-300))

    def conjugate(self, y, v):
        """yv, for v of mean square at most 1."""
        return y * v

    def null_intercept(self, y, s):
        """Weighted mean of y."""
        return np.array(np.average(y, weights=s))

    def score(self, y, eta):
        """The score reported by cross-validation: (y − η)²."""
        return (y - eta) ** 2
