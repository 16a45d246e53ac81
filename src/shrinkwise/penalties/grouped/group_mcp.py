"""Group MCP: whole groups become exactly zero, and groups with large norms are not shrunk."""

from __future__ import annotations

import math

import numpy as np

from shrinkwise.penalties.array import cast, namespace, number_or_scalar, positive_part, weights_array, working
from shrinkwise.penalties.contract import Penalty, check_above, check_lam, check_weights
from shrinkwise.penalties.together import one_step

from .group_lasso import GroupLasso, as_groups, block_shrink, group_strengths, group_violation


class GroupMCP(Penalty):
    """Σ_g m(‖w_g‖₂; λ c_g) with the minimax concave m(r; a) = a r − r²/(2γ) for r ≤ γa, and γa²/2 beyond.

    Near zero it is the group lasso λ Σ c_g ‖w_g‖; groups of norm ≥ γλc_g are not shrunk. Not convex.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the slope at zero.
    groups : Groups or array of int labels
        The partition; label −1 = not penalised.
    gamma : float > 1
        γ: the norm from which the penalty is flat, as a multiple of λc_g. γ → ∞ is the group lasso; the reference uses
        3.
    weights : array of shape (n_groups,), optional
        Factors c_g ≥ 0 of λ, by default √(size of the group).

    Notes: for steps < γ the prox is a firm threshold of the norm. For steps ≥ γ the objective of the prox is concave
    between its two local minima and the global one is a hard threshold at λc_g √(step·γ).

    References: Breheny and Huang, Group descent algorithms for nonconvex penalized linear and logistic regression models
    with grouped predictors, Stat. Comput. 2015, doi:10.1007/s11222-013-9424-2. Zhang, Nearly unbiased variable selection
    under minimax concave penalty, Ann. Statist. 2010, doi:10.1214/09-AOS729.

    >>> import numpy as np
    >>> GroupMCP(1.0, [0, 0, 1], gamma=2.0, weights=[1.0, 1.0]).prox(np.array([0.9, 1.2, 3.0]), step=1.0)
    array([0.6, 0.8, 3. ])
    """

    convex = False
    radial = True
    group_sum = True
    multiplicative = False

    def __init__(self, lam: float, groups=None, gamma: float = 3.0, *, weights=None):
        self.lam = check_lam(lam)
        self.groups = as_groups(groups, type(self).__name__)
        self.gamma = check_above(gamma, "gamma", 1, "γ: the penalty of a group is flat beyond γλc_g")
        self.weights = check_weights(weights)

    def strengths(self, w):
        """λ c_g, shape (n_groups,), as an array of w's kind."""
        return group_strengths(float(self.lam), self.groups, self.weights, w)

    @property
    def flat_from(self) -> float:  # type: ignore[override]
        """γλ: groups of factor 1 with larger norms are not shrunk."""
        return float(self.gamma) * float(self.lam)

    def value(self, w):
        """Σ_g m(‖w_g‖; λ c_g)."""
        w = working(w)
        norms, a, gamma = self.groups.norms(w), self.strengths(w), float(self.gamma)
        curved = a * norms - norms * norms / (2.0 * gamma)
        return number_or_scalar(namespace(w).where(norms > gamma * a, 0.5 * gamma * a * a, curved).sum())

    def prox(self, w, step):
        """Firm threshold of each group's norm, for one step (for a step ≥ γ: hard threshold)."""
        w = weights_array(w)
        x = working(w)
        step, gamma, xp = one_step(step, x, self), float(self.gamma), namespace(x)
        norms, a = self.groups.norms(x), self.strengths(x)
        if step < gamma:
            firm = positive_part(block_shrink(norms, step * a)) / (1.0 - step / gamma)
            factor = xp.where(norms > gamma * a, xp.ones_like(norms), firm)
        else:
            factor = xp.where(norms <= math.sqrt(step * gamma) * a, xp.zeros_like(norms), xp.ones_like(norms))
        # A group with factor 0 is free, also where it is zero and both thresholds are.
        factor = xp.where(a > 0, factor, xp.ones_like(norms))
        return cast(x * self.groups.spread(factor, x, outside=1.0), w)

    def unpenalised(self, shape):
        """Entries in no group, or in one with factor 0."""
        zero = np.zeros(shape)
        return np.broadcast_to(self.groups.spread(self.strengths(zero), zero) == 0, shape)

    def lambda_max(self, g0) -> float:
        """max_g ‖g_g‖ / c_g: from there on zero is stationary, as for the group lasso."""
        return GroupLasso(1.0, self.groups, weights=self.weights).lambda_max(g0)

    def violation(self, w, g):
        """Per group: ‖g_g + m'(‖w_g‖) w_g/‖w_g‖‖ where w_g ≠ 0, max(‖g_g‖ − λc_g, 0) where w_g = 0."""
        w, g = working(w), working(g)
        slope = positive_part(self.strengths(w) - self.groups.norms(w) / float(self.gamma))
        return group_violation(self.groups, w, g, slope)

    def latex(self) -> str:
        r"""\sum_g \mathrm{MCP}(\|w_g\|_2; \lambda c_g, \gamma)."""
        c = r"\sqrt{|g|}" if self.weights is None else "c_g"
        return rf"\sum_g \mathrm{{MCP}}_{{\gamma={self.gamma:.4g}}}\left(\|w_g\|_2;\ {self.lam:.4g} {c}\right)"
