"""The sparse group lasso: few groups, and few weights within the selected groups."""

from __future__ import annotations

import math
import numbers

import numpy as np

from shrinkwise.penalties.array import (
    cast,
    mask_like,
    namespace,
    number_or_scalar,
    soft_threshold,
    step_like,
    weights_array,
    working,
)
from shrinkwise.penalties.contract import Penalty, bisect_lambda_max, check_lam, check_weights
from shrinkwise.penalties.family import Grouped

from .group_lasso import as_groups, group_shrink, group_strengths, group_violation, grouped


class SparseGroupLasso(Penalty):
    """λ (ρ Σ_j |w_j| + (1−ρ) Σ_g c_g ‖w_g‖₂), ρ = `l1_ratio`, both sums over the weights that are in a group.

    Equal to ``L1(λρ) + GroupLasso(λ(1−ρ), groups)`` if every weight is in a group; ρ = 1 is the lasso, ρ = 0 the group
    lasso.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength.
    groups : Groups or array of int labels
        The partition; label −1 = not penalised by either part.
    l1_ratio : float in [0, 1]
        ρ, the share of L1 (alpha in the literature; .5 by default, as in ElasticNet).
    weights : array of shape (n_groups,), optional
        Factors c_g ≥ 0 of the group part, by default √(size of the group).

    References: Simon, Friedman, Hastie, Tibshirani, A sparse-group lasso, JCGS 2013, doi:10.1080/10618600.2012.681250.

    >>> import numpy as np
    >>> SparseGroupLasso(1.0, [0, 0, 1], weights=[1.0, 1.0]).prox(np.array([4.0, 5.0, 1.5]), step=2.0)
    array([2.4, 3.2, 0. ])
    """

    radial = True
    group_sum = True

    def __init__(self, lam: float, groups=None, l1_ratio: float = 0.5, *, weights=None):
        self.lam = check_lam(lam)
        self.groups = as_groups(groups, type(self).__name__)
        self.weights = check_weights(weights)
        if not isinstance(l1_ratio, numbers.Real) or not 0 <= l1_ratio <= 1:
            raise ValueError(f"Expected l1_ratio (ρ, the share of L1) to be in [0, 1], got {l1_ratio}")
        self.l1_ratio: float = l1_ratio

    def _parts(self, w):
        """(λρ, the mask of the entries in a group, λ(1−ρ)c_g)."""
        a = float(self.lam) * float(self.l1_ratio)
        strengths = group_strengths(float(self.lam) * (1.0 - float(self.l1_ratio)), self.groups, self.weights, w)
        return a, self.groups.spread(namespace(w).ones_like(strengths), w), strengths

    def value(self, w):
        """λ (ρ Σ |w| + (1−ρ) Σ c_g ‖w_g‖)."""
        w = working(w)
        a, inside, strengths = self._parts(w)
        return number_or_scalar(a * (inside * abs(w)).sum() + (strengths * self.groups.norms(w)).sum())

    def prox(self, w, step):
        """Soft threshold at step·λρ, then the group lasso's prox; exact also with a step for each entry."""
        w = weights_array(w)
        x = working(w)
        step = step_like(step, x)
        a, inside, strengths = self._parts(x)
        return cast(group_shrink(self.groups, soft_threshold(x, step * a * inside), step, strengths), w)

    def pieces(self, w) -> None:
        """None: `family` tells its form."""

    def family(self, w) -> Grouped:
        """Grouped, with its L1 part."""
        a, _, strengths = self._parts(w)
        return grouped(self.groups, strengths, a, w)

    def conjugate(self, u):
        """0 where every ‖soft(u_g, λρ)‖ ≤ λ(1−ρ)c_g (and u = 0 outside the groups), else +∞."""
        u = weights_array(u)
        xp = namespace(u)
        a, inside, strengths = self._parts(u)
        feasible = (self.groups.norms(soft_threshold(u, a)) <= strengths).all() & ((1.0 - inside) * u == 0).all()
        return number_or_scalar(xp.where(feasible, xp.zeros_like(u.sum()), math.inf))

    def unpenalised(self, shape):
        """Entries in no group, or in one with factor 0 when ρ = 0."""
        zero = np.zeros(shape)
        a, inside, strengths = self._parts(zero)
        return np.broadcast_to((a * inside == 0) & (self.groups.spread(strengths, zero) == 0), shape)

    def lambda_max(self, g0) -> float:
        """max over the groups of the λ at which ‖soft(g_g, λρ)‖ = λ(1−ρ)c_g, by bisection."""
        g0 = weights_array(g0)
        free = mask_like(self.with_lam(1.0).unpenalised(tuple(g0.shape)), g0)
        xp = namespace(g0)
        return bisect_lambda_max(self, xp.where(free, xp.zeros_like(g0), g0))

    def violation(self, w, g):
        """Per group: distance of −g_g to λρ ∂‖w_g‖₁ + λ(1−ρ)c_g ∂‖w_g‖."""
        w, g = working(w), working(g)
        a, _, strengths = self._parts(w)
        return group_violation(self.groups, w, g, strengths, a)

    def latex(self) -> str:
        r"""\lambda (\rho \sum |w| + (1-\rho) \sum_g c_g \|w_g\|_2)."""
        c, rho = r"\sqrt{|g|}" if self.weights is None else "c_g", self.l1_ratio
        return rf"{self.lam:.4g} \left({rho:.4g} \sum_j |w_j| + {1 - rho:.4g} \sum_g {c} \|w_g\|_2\right)"
