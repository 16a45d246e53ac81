"""L2, the ridge penalty: it is quadratic, so that all weights shrink and none becomes exactly zero."""

from __future__ import annotations

import math

from shrinkwise.penalties.array import cast, namespace, number_or_scalar, step_like, weights_array, working
from shrinkwise.penalties.contract import check_lam
from shrinkwise.penalties.pieces import Pieces

from .anchor import Anchored, check_anchor
from .base import largest_ratio


class L2(Anchored):
    """λ Σ_j c_j (w_j − m_j)², without a ½: torch's coupled ``weight_decay`` equals 2λ.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength.
    weights : array like w, optional
        Factors c_j ≥ 0 (1 by default); 0 = not penalised.
    anchor : array like w, "initial", optional
        m, the point towards which weights are shrunk, 0 by default. ``"initial"`` is L2-SP, which keeps weights near
        their pretrained values.

    float16 and bfloat16 weights are computed in float32 and rounded once.

    References: Hoerl and Kennard, Ridge regression, Technometrics 1970. L2-SP: Li, Grandvalet, Davoine, ICML 2018, arXiv
    1802.01483.

    >>> import numpy as np
    >>> L2(0.5).prox(np.array([3.0, -1.0]), step=2.0)
    array([ 1.        , -0.33333333])
    >>> L2(0.5, anchor=np.array([0.0, -1.0])).prox(np.array([3.0, -1.0]), step=2.0)
    array([ 1., -1.])
    """

    convex = True
    makes_zeros = False
    lam_per_part = True

    def __init__(self, lam: float, *, weights=None, anchor=None):
        super().__init__(lam, weights=weights)
        self.anchor = check_anchor(anchor)

    @classmethod
    def from_weight_decay(cls, weight_decay: float) -> L2:
        """The penalty equivalent to an optimizer's coupled ``weight_decay``: its gradient is weight_decay · w = 2λw."""
        return cls(0.5 * check_lam(weight_decay))

    def value(self, w):
        """λ Σ c_j (w_j − m_j)²."""
        w = working(w)
        away = self.away(w)
        return number_or_scalar((self.strengths(w) * away * away).sum())

    def prox(self, w, step):
        """w_j / (1 + r), r = 2 step λ c_j; with an anchor w_j − (w_j − m_j) r / (1 + r)."""
        w = weights_array(w)
        x = working(w)
        r = 2.0 * step_like(step, x) * self.strengths(x)
        return cast(x / (1.0 + r) if self.anchor is None else x - self.away(x) * (r / (1.0 + r)), w)

    def conjugate(self, u):
        """Σ u_j² / (4 λ c_j) + u_j m_j; +∞ where λ c_j = 0 and u_j ≠ 0."""
        u = working(u)
        total = quadratic_conjugate(u, 2.0 * self.strengths(u))
        return total if self.anchor is None else total + number_or_scalar((u * self.point(u)).sum())

    def lambda_max(self, g0) -> float:
        """∞, because a ridge solution is never exactly zero (0 if the gradient is already zero)."""
        g0 = weights_array(g0)
        pulled = largest_ratio(g0, self.weights) > 0
        return math.inf if pulled or self.never_zero(tuple(g0.shape)) else 0.0

    def violation(self, w, g):
        """|g + 2 λ c (w − m)|."""
        w, g = working(w), working(g)
        return abs(g + 2.0 * self.strengths(w) * self.away(w))

    def pieces(self, w) -> Pieces:
        """½ (2λc) w² − (2λcm) w + λcm²."""
        s, m = self.strengths(w), self.point(w)
        return Pieces(b=2.0 * s) if m is None else Pieces(b=2.0 * s, h=2.0 * s * m, constant=s * m * m)

    def latex(self) -> str:
        r"""\lambda \sum_j w_j^2."""
        weight = self.latex_weight() if self.anchor is None else f"({self.latex_weight()})"
        return rf"{self.lam:.4g} \sum_j {self.latex_factor()}{weight}^2"


def quadratic_conjugate(excess, curvature):
    """Σ excess² / (2 curvature), with 0/0 = 0 and x/0 = +∞: the conjugate of ½ curvature w² beyond a threshold."""
    xp = namespace(excess)
    zero = xp.zeros_like(excess)
    curvature = zero + curvature
    flat = curvature <= 0
    safe = xp.where(flat, zero + 1.0, curvature)
    terms = xp.where(flat, xp.where(excess == 0, zero, zero + math.inf), excess * excess / (2.0 * safe))
    return number_or_scalar(terms.sum())
