"""The group lasso: whole groups of weights (an input, a unit, the levels of a category) are kept or become exactly zero."""

from __future__ import annotations

import math

import numpy as np

from shrinkwise.penalties.array import (
    cast,
    double,
    like,
    namespace,
    number_or_scalar,
    positive_part,
    soft_threshold,
    step_like,
    vector_norm,
    weights_array,
    working,
)
from shrinkwise.penalties.contract import Penalty, check_lam, check_weights
from shrinkwise.penalties.family import Grouped
from shrinkwise.penalties.groups import Groups


class GroupLasso(Penalty):
    """λ Σ_g c_g ‖w_g‖₂.

    Parameters
    ----------
    lam : float ≥ 0
        λ, the regularization strength.
    groups : Groups or array of int labels
        The partition; label −1 = not penalised. For a Linear layer's weight ``Groups.columns()`` are whole inputs.
    weights : array of shape (n_groups,), optional
        Factors c_g ≥ 0, by default √(size of the group), so that groups of pure noise enter at about the same λ
        whatever their size.

    References: Yuan and Lin, Model selection and estimation in regression with grouped variables, JRSS B 2006. Prox in a
    diagonal metric: Deleu and Bengio, arXiv 2102.03869.

    >>> import numpy as np
    >>> GroupLasso(1.0, [0, 0, 1], weights=[1.0, 1.0]).prox(np.array([3.0, 4.0, 0.5]), step=2.5)
    array([1.5, 2. , 0. ])
    """

    radial = True
    group_sum = lam_per_part = True

    def __init__(self, lam: float, groups=None, *, weights=None):
        self.lam = check_lam(lam)
        self.groups = as_groups(groups, type(self).__name__)
        self.weights = check_weights(weights)

    def strengths(self, w):
        """λ c_g, shape (n_groups,), as an array of w's kind."""
        return group_strengths(float(self.lam), self.groups, self.weights, w)

    def value(self, w):
        """λ Σ c_g ‖w_g‖."""
        w = working(w)
        return number_or_scalar((self.strengths(w) * self.groups.norms(w)).sum())

    def prox(self, w, step):
        """Block soft threshold w_g · max(1 − step λ c_g / ‖w_g‖, 0); with an array step a one-dimensional Newton solve
        per group."""
        w = weights_array(w)
        x = working(w)
        return cast(group_shrink(self.groups, x, step_like(step, x), self.strengths(x)), w)

    def pieces(self, w) -> None:
        """None: `family` tells its form."""

    def family(self, w) -> Grouped:
        """Grouped, without an L1 part."""
        return grouped(self.groups, self.strengths(w), 0.0, w)

    def axis_norms(self, w):
        """The axis of the groups and λ c, where the groups are all slices along one."""
        axis = self.groups.whole_axis
        return None if axis is None else (axis % w.ndim, self.strengths(np.broadcast_to(0.0, tuple(w.shape))))

    def conjugate(self, u):
        """0 where every ‖u_g‖ ≤ λ c_g (and u = 0 outside the groups), else +∞."""
        u = weights_array(u)
        xp, norms = namespace(u), self.groups.norms(u)
        outside = self.groups.spread(xp.zeros_like(norms), u, outside=1.0)
        inside = (norms <= self.strengths(u)).all() & (outside * u == 0).all()
        return number_or_scalar(xp.where(inside, xp.zeros_like(u.sum()), math.inf))

    def unpenalised(self, shape):
        """Entries in no group, or in one with factor 0."""
        zero = np.zeros(shape)
        return np.broadcast_to(self.groups.spread(self.strengths(zero), zero) == 0, shape)

    def lambda_max(self, g0) -> float:
        """max_g ‖g_g‖ / c_g over the penalised groups."""
        g0 = weights_array(g0)
        c = self.with_lam(1.0).strengths(g0)
        norms = self.groups.norms(g0)
        ratios = norms[c > 0] / c[c > 0]
        return float(ratios.max()) if math.prod(ratios.shape) else 0.0

    def violation(self, w, g):
        """Per group: ‖g_g + λc_g w_g/‖w_g‖‖ where w_g ≠ 0, max(‖g_g‖ − λc_g, 0) where w_g = 0."""
        w, g = working(w), working(g)
        return group_violation(self.groups, w, g, self.strengths(w))

    def latex(self) -> str:
        r"""\lambda \sum_g c_g \|w_g\|_2."""
        c = r"\sqrt{|g|}" if self.weights is None else "c_g"
        return rf"{self.lam:.4g} \sum_g {c} \|w_g\|_2"


def as_groups(groups, penalty: str) -> Groups:
    """The argument `groups` of a penalty (Groups or labels) as `Groups`; TypeError if it is missing."""
    if groups is None:
        raise TypeError(
            f"{penalty} needs groups; pass one integer label per weight, e.g. {penalty}(0.1, [0, 0, 1]), or "
            f"sw.Groups, e.g. {penalty}(0.1, sw.Groups.columns())"
        )
    return groups if isinstance(groups, Groups) else Groups(groups)


def grouped(groups: Groups, strengths, l1: float, w) -> Grouped:
    """Σ strengths ‖w_g‖ + l1 Σ |w| over the entries in a group, as a family."""
    labels = np.broadcast_to(groups.spread(np.arange(groups.count(w.shape)), w, outside=-1), w.shape)
    return Grouped(labels, strengths, np.where(labels >= 0, l1, 0.0))


def group_strengths(lam: float, groups: Groups, weights, w):
    """λ c_g, shape (n_groups,), as an array of w's kind; c_g = √(size of the group) if no weights are given."""
    if weights is None:
        return lam * cast(groups.sizes(w), w) ** 0.5
    count = groups.count(w.shape)
    if np.shape(weights) != (count,):
        raise ValueError(f"Expected one weight per group ({count}), got shape {np.shape(weights)}")
    return lam * like(np.asarray(weights, dtype=float) if namespace(weights) is np else weights, w)


def group_shrink(groups: Groups, w, step, strengths):
    """argmin_u Σ (u−w)²/(2 step) + Σ strengths ‖u_g‖, for one step or one step per entry."""
    if getattr(step, "ndim", 0):
        return _group_shrink_in_metric(groups, w, namespace(w).broadcast_to(step, w.shape), strengths)
    return w * groups.spread(block_shrink(groups.norms(w), step * strengths), w, outside=1.0)


def _group_shrink_in_metric(groups: Groups, w, step, strengths):
    # u_i = w_i ρ/(ρ + s_i t) with ρ = ‖u‖ the root of φ(ρ) = Σ (w_i/(ρ + s_i t))² = 1, or u = 0 where φ(0) ≤ 1.
    # 1/√φ is increasing and concave, so Newton on it climbs from the left to the root without overshoot.
    xp = namespace(w)
    # The gather pads w with 0 and the step with 1: padding adds nothing to any sum.
    v = double(groups.gather(w))
    s, t = double(groups.gather(step - 1.0) + 1.0), double(strengths)[:, None]
    zero, one = xp.zeros_like(v), xp.ones_like(v)
    rho = vector_norm(xp.where(s * t > 0, zero, v), 1)[:, None]  # entries that do not move bound ‖u‖ from below
    for _ in range(30):
        d = rho + s * t
        d = xp.where(d > 0, d, one)
        r = v / d
        phi, slope = (r * r).sum(1)[:, None], (r * r / d).sum(1)[:, None]
        newton = phi * (xp.sqrt(phi) - 1.0) / xp.where(slope > 0, slope, xp.ones_like(slope))
        rho = rho + positive_part(newton)
    pull, rho = step * groups.spread(strengths, w), groups.spread(cast(rho[:, 0], w), w)
    free = pull == 0
    return w * xp.where(free, xp.ones_like(w), rho / xp.where(free, xp.ones_like(w), rho + pull))


def block_shrink(norms, thresholds):
    """max(1 − threshold/norm, 0), and 1 if the threshold is 0: the factor of the group prox, without 0/0."""
    xp = namespace(norms)
    floor = xp.where(thresholds > 0, thresholds, xp.ones_like(norms))
    return 1.0 - thresholds / xp.maximum(norms, floor)


def group_violation(groups: Groups, w, g, strengths, a=0.0):
    """Per group: distance of −g to strengths · ∂‖w_g‖ + a · ∂‖w_g‖₁ (a = 0: the plain group lasso)."""
    xp = namespace(w)
    norms = groups.norms(w)
    unit = w / groups.spread(xp.where(norms > 0, norms, xp.ones_like(norms)), w, outside=1.0)
    pulled = g + groups.spread(strengths, w) * unit
    inside = xp.where(w != 0, pulled + a * xp.sign(w), soft_threshold(pulled, a))
    at_zero = positive_part(groups.norms(soft_threshold(g, a)) - strengths)
    return xp.where(norms > 0, groups.norms(inside), at_zero)
