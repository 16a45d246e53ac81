"""The elastic net: exact zeros as in the lasso, and similar weights for correlated inputs as in ridge."""

from __future__ import annotations

import math
import numbers

from shrinkwise.penalties.array import (
    as_float,
    cast,
    namespace,
    number_or_scalar,
    positive_part,
    sign,
    soft_threshold,
    step_like,
    weights_array,
    working,
)
from shrinkwise.penalties.pieces import Pieces

from .base import Separable, largest_ratio
from .l2 import quadratic_conjugate


class ElasticNet(Separable):
    """λ (ρ Σ_j c_j |w_j| + (1−ρ)/2 Σ_j c_j w_j²), ρ = `l1_ratio`: scikit-learn's and glmnet's formula.

    Equal to ``L1(λρ) + L2(λ(1−ρ)/2)``; ρ = 1 is the lasso, ρ = 0 a ridge of ``L2(λ/2)``.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength.
    l1_ratio : float in [0, 1]
        ρ, the share of L1 (glmnet's alpha).
    weights : array like w, optional
        Factors c_j ≥ 0 (1 by default); 0 = not penalised.

    float16 and bfloat16 weights are computed in float32 and rounded once.

    Reference: Zou and Hastie, Regularization and variable selection via the elastic net, JRSS B 2005.

    >>> import numpy as np
    >>> ElasticNet(1.0, 0.5).prox(np.array([3.5, -0.5]), step=1.0)
    array([2., 0.])
    """

    convex = True
    makes_zeros = property(lambda self: self.l1_ratio > 0)  # type: ignore[assignment]
    lam_per_part = True
    l1_ratio: float

    def __init__(self, lam: float, l1_ratio: float = 0.5, *, weights=None):
        super().__init__(lam, weights=weights)
        if isinstance(l1_ratio, bool) or not isinstance(l1_ratio, numbers.Real) or not 0 <= as_float(l1_ratio) <= 1:
            raise ValueError(f"Expected l1_ratio (ρ, the share of L1) to be in [0, 1], got {l1_ratio}")
        self.l1_ratio = l1_ratio

    def _slopes(self, w):
        """(λρc, λ(1−ρ)c): the slope of the L1 part and the curvature of the L2 part."""
        scale = self.strengths(w)
        return scale * float(self.l1_ratio), scale * (1.0 - float(self.l1_ratio))

    def value(self, w):
        """λ (ρ Σ c|w| + (1−ρ)/2 Σ c w²)."""
        w = working(w)
        a, b = self._slopes(w)
        return number_or_scalar((a * abs(w) + 0.5 * b * w * w).sum())

    def prox(self, w, step):
        """Soft threshold at step·λρc, then division by 1 + step·λ(1−ρ)c."""
        w = weights_array(w)
        x = working(w)
        a, b = self._slopes(x)
        step = step_like(step, x)
        return cast(soft_threshold(x, step * a) / (1.0 + step * b), w)

    def conjugate(self, u):
        """Σ max(|u| − λρc, 0)² / (2λ(1−ρ)c); at ρ = 1 the lasso's indicator."""
        u = working(u)
        a, b = self._slopes(u)
        return quadratic_conjugate(positive_part(abs(u) - a), b)

    def lambda_max(self, g0) -> float:
        """max_j |g_j| / (ρ c_j); ∞ at ρ = 0."""
        lasso = largest_ratio(g0, self.weights)
        if self.l1_ratio == 0:
            return math.inf if lasso > 0 else 0.0
        return lasso / self.l1_ratio

    def violation(self, w, g):
        """|g + a sign(w) + b w| where w ≠ 0, max(|g| − a, 0) where w = 0 (a = λρc, b = λ(1−ρ)c)."""
        w, g = working(w), working(g)
        xp = namespace(w)
        a, b = self._slopes(w)
        return xp.where(w != 0, abs(g + a * sign(w) + b * w), positive_part(abs(g) - a))

    def pieces(self, w) -> Pieces:
        """λρc |w| + ½ λ(1−ρ)c w²."""
        a, b = self._slopes(w)
        return Pieces(((a, None),), b=b)

    def latex(self) -> str:
        r"""\lambda (\rho \sum |w| + (1-\rho)/2 \sum w^2)."""
        c, rho = self.latex_factor(), self.l1_ratio
        return rf"{self.lam:.4g} \left({rho:.4g} \sum_j {c}|w_j| + \tfrac{{{1 - rho:.4g}}}{{2}} \sum_j {c}w_j^2\right)"
