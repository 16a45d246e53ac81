"""L1, the lasso penalty: it is proportional to the size of a weight, so that small weights become exactly zero."""

from __future__ import annotations

import math

from shrinkwise.penalties.array import (
    cast,
    namespace,
    number_or_scalar,
    positive_part,
    sign,
    soft_threshold_to,
    step_like,
    weights_array,
    working,
)
from shrinkwise.penalties.pieces import Pieces

from .anchor import Anchored, check_anchor
from .base import largest_ratio


class L1(Anchored):
    """λ Σ_j c_j |w_j − m_j|.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength.
    weights : array like w, optional
        Factors c_j ≥ 0 (1 by default); 0 = not penalised. The adaptive lasso is ``L1(lam, weights=1/abs(w_ols))``.
    anchor : array like w, "initial", optional
        m, the point towards which weights are shrunk, 0 by default; small differences from it become exactly zero.

    With an anchor other than 0 no λ makes zero optimal, so `lambda_max` is ∞; the smallest λ for which w equals the
    anchor is ``L1(1.0).lambda_max(gradient at the anchor)``.

    float16 and bfloat16 weights are computed in float32 and rounded once: λ acts with float32 accuracy, and only the
    result is rounded to the precision of the weights.

    References: Tibshirani, Regression shrinkage and selection via the lasso, JRSS B 1996. Zou, The adaptive lasso, JASA 2006.

    >>> import numpy as np
    >>> L1(1.0).prox(np.array([3.0, -0.5]), step=2.0)
    array([1., 0.])
    >>> L1(1.0, anchor=np.array([2.0, 2.0])).prox(np.array([3.0, -0.5]), step=2.0)
    array([2. , 1.5])
    """

    convex = True
    lam_per_part = True

    def __init__(self, lam: float, *, weights=None, anchor=None):
        super().__init__(lam, weights=weights)
        self.anchor = check_anchor(anchor)

    def value(self, w):
        """λ Σ c_j |w_j − m_j|."""
        w = working(w)
        return number_or_scalar((self.strengths(w) * abs(self.away(w))).sum())

    def prox(self, w, step):
        """Soft threshold of w − m at step · λ c_j."""
        w = weights_array(w)
        x = working(w)
        return cast(soft_threshold_to(x, self.point(x), step_like(step, x) * self.strengths(x)), w)

    def conjugate(self, u):
        """Σ u_j m_j where all |u_j| ≤ λ c_j, else +∞."""
        u = working(u)
        xp, m = namespace(u), self.point(u)
        inside = (abs(u) <= self.strengths(u)).all()
        return number_or_scalar(xp.where(inside, (xp.zeros_like(u) if m is None else u * m).sum(), math.inf))

    def lambda_max(self, g0) -> float:
        """max_j |g_j| / c_j over the penalised entries; ∞ if an entry has an anchor other than 0."""
        return math.inf if self.never_zero(tuple(g0.shape)) else largest_ratio(g0, self.weights)

    def violation(self, w, g):
        """|g + λc sign(w − m)| where w ≠ m, max(|g| − λc, 0) where w = m."""
        w, g = working(w), working(g)
        xp, s, away = namespace(w), self.strengths(w), self.away(w)
        return xp.where(away != 0, abs(g + s * sign(away)), positive_part(abs(g) - s))

    def pieces(self, w) -> Pieces:
        """A kink at m."""
        return Pieces(((self.strengths(w), self.point(w)),))

    def latex(self) -> str:
        r"""\lambda \sum_j |w_j|."""
        return rf"{self.lam:.4g} \sum_j {self.latex_factor()}|{self.latex_weight()}|"
