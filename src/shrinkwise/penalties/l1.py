"""L1, the lasso penalty: every weight pays the same per unit, so small ones become exactly zero."""

from __future__ import annotations

import math

import numpy as np

from ._array import like, namespace, number_or_scalar, positive_part, soft_threshold, step_like, weights_array
from .contract import Penalty, check_lam, check_weights


class L1(Penalty):
    """λ Σ_j c_j |w_j|.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength.
    weights : array like w, optional
        Factors c_j ≥ 0 (1 where not given); 0 = not penalised. The adaptive lasso is ``L1(lam, weights=1/abs(w_ols))``.

    References: Tibshirani, Regression shrinkage and selection via the lasso, JRSS B 1996. Zou, The adaptive lasso, JASA 2006.

    >>> import numpy as np
    >>> L1(1.0).prox(np.array([3.0, -0.5]), step=2.0)
    array([1., 0.])
    """

    separable = True

    def __init__(self, lam: float, *, weights=None):
        self.lam = check_lam(lam)
        self.weights = check_weights(weights)

    def strengths(self, w):
        """λ c_j: a number, or an array that broadcasts with w."""
        return float(self.lam) if self.weights is None else float(self.lam) * like(self.weights, w)

    def value(self, w):
        """λ Σ c_j |w_j|."""
        w = weights_array(w)
        return number_or_scalar((self.strengths(w) * abs(w)).sum())

    def prox(self, w, step):
        """Soft threshold at step · λ c_j."""
        w = weights_array(w)
        return soft_threshold(w, step_like(step, w) * self.strengths(w))

    def conjugate(self, u):
        """0 where all |u_j| ≤ λ c_j, else +∞."""
        u = weights_array(u)
        xp = namespace(u)
        inside = (abs(u) <= self.strengths(u)).all()
        return number_or_scalar(xp.where(inside, xp.zeros_like(u.sum()), math.inf))

    def lambda_max(self, g0) -> float:
        """max_j |g_j| / c_j over the penalised entries."""
        g0 = weights_array(g0)
        if self.weights is not None:
            c = like(self.weights, g0)
            c, g0 = (namespace(g0).broadcast_to(c, g0.shape), g0)
            g0 = g0[c > 0] / c[c > 0]
        return float(abs(g0).max()) if math.prod(g0.shape) else 0.0

    def violation(self, w, g):
        """|g + λc sign(w)| where w ≠ 0, max(|g| − λc, 0) where w = 0."""
        w, g = weights_array(w), weights_array(g)
        xp = namespace(w)
        s = self.strengths(w)
        return xp.where(w != 0, abs(g + s * xp.sign(w)), positive_part(abs(g) - s))

    def l1_l2(self, shape):
        """(λ c, 0)."""
        return np.broadcast_to(self.strengths(np.zeros(shape)), shape).astype(float), np.zeros(shape)

    def latex(self) -> str:
        r"""\lambda \sum_j |w_j|."""
        return rf"{self.lam:.4g} \sum_j {'' if self.weights is None else 'c_j '}|w_j|"
