"""L2, the ridge penalty: large weights pay more per unit, so all shrink and none becomes zero."""

from __future__ import annotations

import math

import numpy as np

from ._array import like, namespace, number_or_scalar, step_like, weights_array
from .contract import Penalty, check_lam, check_weights


class L2(Penalty):
    """λ Σ_j c_j w_j², without a ½: torch's coupled ``weight_decay`` equals 2λ.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength.
    weights : array like w, optional
        Factors c_j ≥ 0 (1 where not given); 0 = not penalised.

    Reference: Hoerl and Kennard, Ridge regression, Technometrics 1970.

    >>> import numpy as np
    >>> L2(0.5).prox(np.array([3.0, -1.0]), step=2.0)
    array([ 1.        , -0.33333333])
    """

    separable = True

    def __init__(self, lam: float, *, weights=None):
        self.lam = check_lam(lam)
        self.weights = check_weights(weights)

    @classmethod
    def from_weight_decay(cls, weight_decay: float) -> L2:
        """The penalty that an optimizer's coupled ``weight_decay`` stands for: its gradient is weight_decay · w = 2λw."""
        return cls(0.5 * check_lam(weight_decay))

    def strengths(self, w):
        """λ c_j: a number, or an array that broadcasts with w."""
        return float(self.lam) if self.weights is None else float(self.lam) * like(self.weights, w)

    def value(self, w):
        """λ Σ c_j w_j²."""
        w = weights_array(w)
        return number_or_scalar((self.strengths(w) * w * w).sum())

    def prox(self, w, step):
        """w_j / (1 + 2 step λ c_j)."""
        w = weights_array(w)
        return w / (1.0 + 2.0 * step_like(step, w) * self.strengths(w))

    def conjugate(self, u):
        """Σ u_j² / (4 λ c_j); +∞ where λ c_j = 0 and u_j ≠ 0."""
        u = weights_array(u)
        return quadratic_conjugate(u, 2.0 * self.strengths(u))

    def lambda_max(self, g0) -> float:
        """∞ (0 if the gradient is zero): a ridge solution is never exactly zero."""
        g0 = weights_array(g0)
        if self.weights is not None:
            g0 = g0 * (like(self.weights, g0) > 0)
        return math.inf if bool((g0 != 0).any()) else 0.0

    def violation(self, w, g):
        """|g + 2 λ c w|."""
        w, g = weights_array(w), weights_array(g)
        return abs(g + 2.0 * self.strengths(w) * w)

    def l1_l2(self, shape):
        """(0, 2 λ c)."""
        return np.zeros(shape), np.broadcast_to(2.0 * self.strengths(np.zeros(shape)), shape).astype(float)

    def latex(self) -> str:
        r"""\lambda \sum_j w_j^2."""
        return rf"{self.lam:.4g} \sum_j {'' if self.weights is None else 'c_j '}w_j^2"


def quadratic_conjugate(excess, curvature):
    """Σ excess² / (2 curvature), with 0/0 = 0 and x/0 = +∞: the conjugate of ½ curvature w² past a threshold."""
    xp = namespace(excess)
    zero = xp.zeros_like(excess)
    curvature = zero + curvature
    flat = curvature <= 0
    safe = xp.where(flat, zero + 1.0, curvature)
    terms = xp.where(flat, xp.where(excess == 0, zero, zero + math.inf), excess * excess / (2.0 * safe))
    return number_or_scalar(terms.sum())
