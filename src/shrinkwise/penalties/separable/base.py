"""Base classes of penalties on single weights: λ, and a factor of it for each weight."""

from __future__ import annotations

import math

import numpy as np

from shrinkwise.penalties.array import entrywise, like, namespace, sign, weights_array, working
from shrinkwise.penalties.contract import Penalty, check_lam, check_weights


class Separable(Penalty):
    """A sum over the entries of w, each with a factor c_j of λ: ``weights``, 1 by default, 0 = not penalised."""

    separable = True
    radial = True

    def __init__(self, lam: float, *, weights=None):
        self.lam = check_lam(lam)
        self.weights = check_weights(weights)

    def strengths(self, w):
        """λ c_j: a number, or an array that broadcasts with w."""
        lam = float(self.lam)
        return lam if self.weights is None else lam * entrywise(self.weights, w, "penalty weights")

    def unpenalised(self, shape) -> np.ndarray:
        """Entries with λ c_j = 0."""
        return np.array(np.broadcast_to(self.strengths(np.zeros(shape)) == 0, shape))

    def latex_factor(self) -> str:
        """c_j if there are weights."""
        return "" if self.weights is None else "c_j "


class FoldedConcave(Separable):
    """Σ_j p(|w_j|; λ c_j) with p increasing and concave, p'(0) = λ c_j, flat for large weights, which are not shrunk.

    Not convex: a solver finds a stationary point, not always the global minimum. Its shape depends on λ, so that ``2 *
    MCP(0.1)`` is twice the penalty and not ``MCP(0.2)``; a path over λ (`with_lam`) uses the latter.
    """

    convex = False
    multiplicative = False

    def slope(self, size, strength):
        """p'(|w|) for |w| > 0."""
        raise NotImplementedError

    def violation(self, w, g):
        """|g + p'(|w|) sign(w)| where w ≠ 0, max(|g| − λc, 0) where w = 0."""
        w, g = working(w), working(g)
        xp, a = namespace(w), self.strengths(w)
        pulled = abs(g + self.slope(abs(w), a) * sign(w))
        return xp.where(w != 0, pulled, (abs(g) - a).clip(0.0))

    def lambda_max(self, g0) -> float:
        """max_j |g_j| / c_j over the penalised entries: the smallest λ for which zero is stationary."""
        return largest_ratio(g0, self.weights)


def largest_ratio(g0, weights) -> float:
    """max |g_j| / c_j over the entries with c_j > 0; 0 if there are none."""
    g0 = weights_array(g0)
    if weights is not None:
        c = namespace(g0).broadcast_to(like(entrywise(weights, g0, "penalty weights"), g0), g0.shape)
        g0 = g0[c > 0] / c[c > 0]
    return float(abs(g0).max()) if math.prod(g0.shape) else 0.0
