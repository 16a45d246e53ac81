"""MCP, the minimax concave penalty: exact zeros as in the lasso, and no shrinkage of large weights."""

from __future__ import annotations

import math

import numpy as np

from shrinkwise.penalties.array import (
    cast,
    namespace,
    number_or_scalar,
    positive_part,
    soft_threshold,
    step_like,
    weights_array,
    working,
)
from shrinkwise.penalties.contract import check_above
from shrinkwise.penalties.family import Folded

from .base import FoldedConcave


class MCP(FoldedConcave):
    """Σ_j p(|w_j|),  p(x) = λx − x²/(2γ) for x ≤ γλ, and γλ²/2 beyond: the slope falls from λ to 0 at x = γλ.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the slope at zero; the penalty is flat beyond γλ.
    gamma : float > 1
        γ. γ → ∞ gives the lasso, γ → 1 the hard threshold. 3 is ncvreg's default; with standardised inputs the loss +
        penalty of a single weight is convex for any γ > 1.
    weights : array like w, optional
        Factors c_j ≥ 0 of λ, one per entry (so flat beyond γλc_j); 0 = not penalised.

    The prox is the global minimiser for every step: for step < γ the firm threshold; for step ≥ γ the problem is not
    convex and the minimiser is 0 or w, a hard threshold at λ√(step · γ). float16 and bfloat16 weights are computed in
    float32 and rounded once.

    References: Zhang, Nearly unbiased variable selection under minimax concave penalty, Ann. Statist. 2010,
    doi:10.1214/09-AOS729. Breheny and Huang, Ann. Appl. Stat. 2011, doi:10.1214/10-AOAS388.

    >>> import numpy as np
    >>> MCP(1.0, gamma=2.0).prox(np.array([0.5, 1.5, 3.0]), step=1.0)
    array([0., 1., 3.])
    >>> MCP(1.0, gamma=2.0).prox(np.array([0.5, 1.5, 3.0]), step=2.0)
    array([0., 0., 3.])
    """

    def __init__(self, lam: float, gamma: float = 3.0, *, weights=None):
        super().__init__(lam, weights=weights)
        self.gamma = check_above(gamma, "gamma", 1, "γ: MCP is flat beyond γλ")

    @property
    def flat_from(self) -> float:  # type: ignore[override]
        """γλ: larger weights are not shrunk."""
        return float(self.gamma) * float(self.lam)

    def pieces(self, w) -> None:
        """None: `family` tells its form."""

    def family(self, w) -> Folded:
        """Folded: the slope decreases from zero on."""
        slope = np.array(np.broadcast_to(np.asarray(self.strengths(w), dtype=float), w.shape))
        return Folded(slope, np.zeros(slope.shape), float(self.gamma) * slope)

    def value(self, w):
        """Σ p(|w_j|)."""
        w = working(w)
        x, a, gamma = abs(w), self.strengths(w), float(self.gamma)
        inside = a * x - x * x / (2.0 * gamma)
        return number_or_scalar(namespace(w).where(x > gamma * a, 0.5 * gamma * a * a, inside).sum())

    def prox(self, w, step):
        """Firm threshold for step < γ: soft(w, step λ) / (1 − step/γ) up to |w| = γλ, then w. Else hard threshold."""
        w = weights_array(w)
        x = working(w)
        step, a, gamma, xp = step_like(step, x), self.strengths(x), float(self.gamma), namespace(x)
        if isinstance(step, (int, float)):
            shrunk = self._firm(x, step, a) if step < gamma else self._hard(x, step, a)
        else:
            steep = step >= gamma
            shrunk = xp.where(steep, self._hard(x, step, a), self._firm(x, xp.where(steep, 0.0 * step, step), a))
        return cast(shrunk, w)

    def _firm(self, x, step, a):
        shrunk = soft_threshold(x, step * a) / (1.0 - step / float(self.gamma))
        return namespace(x).where(abs(x) <= float(self.gamma) * a, shrunk, x)

    def _hard(self, x, step, a):
        xp = namespace(x)
        root = math.sqrt(step * self.gamma) if isinstance(step, (int, float)) else xp.sqrt(step * float(self.gamma))
        return xp.where(abs(x) <= a * root, xp.zeros_like(x), x)

    def slope(self, size, strength):
        """λ − |w|/γ, not below 0."""
        return positive_part(strength - size / float(self.gamma))

    def latex(self) -> str:
        r"""\sum_j \mathrm{MCP}(w_j; \lambda, \gamma)."""
        return rf"\sum_j \mathrm{{MCP}}_{{\gamma={self.gamma:.4g}}}\left(|w_j|;\ {self.lam:.4g} {self.latex_factor()}\right)"
