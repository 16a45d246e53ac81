"""SCAD, the smoothly clipped absolute deviation: the lasso near zero, and no shrinkage of large weights."""

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


class SCAD(FoldedConcave):
    """Σ_j p(|w_j|): p' is λ up to λ, falls linearly to 0 between λ and aλ, and is 0 beyond, where p = (a+1)λ²/2.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the slope at zero; the penalty is flat beyond aλ.
    a : float > 2
        3.7 is the value recommended by the authors.
    weights : array like w, optional
        Factors c_j ≥ 0 of λ, one per entry (so flat beyond aλc_j); 0 = not penalised.

    The prox is the global minimiser for every step; for step ≥ a − 1 the problem is not convex and the minimiser is the
    soft threshold or w. float16 and bfloat16 weights are computed in float32 and rounded once.

    Reference: Fan and Li, Variable selection via nonconcave penalized likelihood and its oracle properties, JASA 2001,
    doi:10.1198/016214501753382273.

    >>> import numpy as np
    >>> SCAD(1.0, a=3.0).prox(np.array([0.5, 1.5, 2.5, 4.0]), step=1.0)
    array([0. , 0.5, 2. , 4. ])
    """

    def __init__(self, lam: float, a: float = 3.7, *, weights=None):
        super().__init__(lam, weights=weights)
        self.a = check_above(a, "a", 2, "SCAD is flat beyond aλ")

    @property
    def flat_from(self) -> float:  # type: ignore[override]
        """aλ: larger weights are not shrunk."""
        return float(self.a) * float(self.lam)

    def pieces(self, w) -> None:
        """None: `family` tells its form."""

    def family(self, w) -> Folded:
        """Folded: the slope decreases from λ on."""
        slope = np.array(np.broadcast_to(np.asarray(self.strengths(w), dtype=float), w.shape))
        return Folded(slope, slope, float(self.a) * slope)

    def value(self, w):
        """Σ p(|w_j|)."""
        w = working(w)
        x, s, a = abs(w), self.strengths(w), float(self.a)
        x = namespace(w).where(x > a * s, a * s, x)
        past = positive_part(x - s)
        return number_or_scalar((s * x - past * past / (2.0 * (a - 1.0))).sum())

    def prox(self, w, step):
        """Soft threshold, then for step < a − 1 a steeper line up to |w| = aλ, then w; else a jump from soft threshold to w."""
        w = weights_array(w)
        x = working(w)
        step, s, xp = step_like(step, x), self.strengths(x), namespace(x)
        if isinstance(step, (int, float)):
            shrunk = self._continuous(x, step, s) if step < self.a - 1 else self._jumping(x, step, s)
        else:
            steep = step >= float(self.a) - 1.0
            shrunk = xp.where(
                steep, self._jumping(x, step, s), self._continuous(x, xp.where(steep, 0.0 * step, step), s)
            )
        return cast(shrunk, w)

    def _continuous(self, x, step, s):
        xp, a = namespace(x), float(self.a)
        line = soft_threshold(x, step * s * (a / (a - 1.0))) / (1.0 - step / (a - 1.0))
        shrunk = xp.where(abs(x) <= (1.0 + step) * s, soft_threshold(x, step * s), line)
        return xp.where(abs(x) <= a * s, shrunk, x)

    def _jumping(self, x, step, s):
        # λx − step λ²/2, or x²/(2 step) below step λ, against the flat (a+1)λ²/2.
        xp, a = namespace(x), float(self.a)
        if isinstance(step, (int, float)):
            jump = 0.5 * (a + 1.0 + step) if step <= a + 1.0 else math.sqrt(step * (a + 1.0))
        else:
            jump = xp.where(step <= a + 1.0, 0.5 * (a + 1.0 + step), xp.sqrt(step * (a + 1.0)))
        return xp.where(abs(x) <= jump * s, soft_threshold(x, step * s), x)

    def slope(self, size, strength):
        """λ up to λ, (aλ − |w|)/(a − 1) up to aλ, then 0."""
        a = float(self.a)
        falling = positive_part(a * strength - size) / (a - 1.0)
        return strength - positive_part(strength - falling)

    def latex(self) -> str:
        r"""\sum_j \mathrm{SCAD}(w_j; \lambda, a)."""
        return rf"\sum_j \mathrm{{SCAD}}_{{a={self.a:.4g}}}\left(|w_j|;\ {self.lam:.4g} {self.latex_factor()}\right)"
