"""L0, the number of nonzero weights: every nonzero weight has the same penalty, whatever its size."""

from __future__ import annotations

import math

from shrinkwise.penalties.array import cast, namespace, number_or_scalar, sign, step_like, weights_array, working

from .base import Separable, largest_ratio


class L0(Separable):
    """λ Σ_j c_j [w_j ≠ 0].

    Parameters
    ----------
    lam : float ≥ 0
        λ, the penalty of a nonzero weight.
    weights : array like w, optional
        Factors c_j ≥ 0 (1 by default); 0 = not penalised.

    The prox is the hard threshold at √(2 step λ c_j). Every point is a local minimum of λf, so stationarity is defined
    by prox steps: `violation` is the residual |w − prox(w − step g, step)|/step at the stated ``step`` (default 1: the
    curvature of a loss with standardised inputs), and `lambda_max` is the smallest λ for which zero is a fixed point of
    a step of length 1. float16 and bfloat16 weights are computed in float32 and rounded once.

    References: Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994. Blumensath and Davies,
    Iterative thresholding for sparse approximations, J. Fourier Anal. Appl. 2008, doi:10.1007/s00041-008-9035-z.

    >>> import numpy as np
    >>> L0(0.5).prox(np.array([0.9, 1.1]), step=1.0)
    array([0. , 1.1])
    """

    convex = False

    def value(self, w):
        """λ Σ c_j [w_j ≠ 0]; its gradient is 0."""
        w = working(w)
        return number_or_scalar((self.strengths(w) * abs(sign(w))).sum())

    def prox(self, w, step):
        """Hard threshold: w where |w| > √(2 step λ c), else 0."""
        w = weights_array(w)
        x = working(w)
        xp, squared = namespace(x), 2.0 * step_like(step, x) * self.strengths(x)
        threshold = math.sqrt(squared) if isinstance(squared, float) else xp.sqrt(squared)
        return cast(xp.where(abs(x) <= threshold, xp.zeros_like(x), x), w)

    def lambda_max(self, g0) -> float:
        """max_j g_j² / (2 c_j): zero is then the best point of a prox step of length 1."""
        g0 = weights_array(g0)
        return 0.5 * largest_ratio(g0 * abs(g0), self.weights)

    def latex(self) -> str:
        r"""\lambda \|w\|_0."""
        if self.weights is None:
            return rf"{self.lam:.4g} \|w\|_0"
        return rf"{self.lam:.4g} \sum_j c_j [w_j \neq 0]"
