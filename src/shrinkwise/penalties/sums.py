"""Sums of penalties: closed forms wherever L1, L2 and one group term meet; a sentence where there is none.

Every convex sum of the terms here is, entry by entry and group by group,

    Σ a_j |w_j| + ½ Σ b_j w_j² + Σ_g c_g ‖w_g‖

and prox, conjugate and violation follow from that form (soft threshold, then block shrink, then division).
"""

from __future__ import annotations

import numpy as np

from ._array import like, namespace, number_or_scalar, positive_part, soft_threshold, step_like, weights_array
from .contract import Fixed, Penalty, check_lam
from .group_lasso import GroupLasso, block_shrink, group_violation
from .l2 import quadratic_conjugate


class Sum(Penalty):
    """lam · Σ_k P_k(w), written ``P + Q``; its `lam` is 1 and ``with_lam(s)`` scales every term that is not ``.fixed()``.

    Parameters
    ----------
    terms : tuple of Penalty
        The terms P_k with their own λ_k.
    lam : float ≥ 0
        Common multiplier.

    References: Yu, On decomposing the proximal map, NeurIPS 2013. Simon, Friedman, Hastie, Tibshirani, A sparse-group
    lasso, JCGS 2013.
    """

    def __init__(self, terms, lam: float = 1.0):
        if not terms or not all(isinstance(term, Penalty) for term in terms):
            raise TypeError("expected a sum of penalties, e.g. sw.L1(0.1) + sw.L2(0.01)")
        self.terms = terms
        self.lam = check_lam(lam)

    @property
    def convex(self) -> bool:  # type: ignore[override]
        """True when every term is convex."""
        return all(term.convex for term in self.terms)

    @property
    def separable(self) -> bool:  # type: ignore[override]
        """True when every term is separable."""
        return all(term.separable for term in self.terms)

    @property
    def groups(self):  # type: ignore[override]
        """The groups of its group term, if any."""
        return next((term.groups for term in self.terms if term.groups is not None), None)

    def scaled_terms(self) -> tuple[Penalty, ...]:
        """The terms with the common multiplier worked in."""
        return tuple(term.with_lam(self.lam * term.lam) for term in self.terms)

    def value(self, w):
        """Sum of the terms' values."""
        return sum(term.value(w) for term in self.scaled_terms())

    def l1_l2(self, shape):
        """Sum of the terms' (a, b), or None when one of them has no such form."""
        parts = [term.l1_l2(shape) for term in self.scaled_terms()]
        if any(part is None for part in parts):
            return None
        return sum(a for a, _ in parts), sum(b for _, b in parts)

    def unpenalised(self, shape):
        """Entries that every term leaves free."""
        return np.logical_and.reduce([term.unpenalised(shape) for term in self.scaled_terms()])

    def _canonical(self, w, what: str):
        """(a, b, group term or None), a and b of w's kind; a sentence when the sum has no such form."""
        shape = tuple(w.shape)
        a = b = np.zeros(shape)
        group = None
        for term in self.scaled_terms():
            inner = term.penalty if isinstance(term, Fixed) else term
            part = inner.l1_l2(shape)
            if part is not None:
                a, b = a + part[0], b + part[1]
            elif isinstance(inner, GroupLasso) and group is None:
                group = inner
            else:
                raise TypeError(
                    f"no closed-form {what} for {self!r}: a sum may hold L1, L2, ElasticNet and one GroupLasso; "
                    "write your own Penalty with value and prox for this one"
                )
        return like(a, w), like(b, w), group

    def prox(self, w, step):
        """Soft threshold at step·a, block shrink at step·c_g, division by 1 + step·b."""
        w = weights_array(w)
        step = step_like(step, w)
        a, b, group = self._canonical(w, "prox")
        u = soft_threshold(w, step * a)
        if group is None:
            return u / (1.0 + step * b)
        # ½(u−w)²/s + ½bu² = ½(u − w/(1+sb))²/(s/(1+sb)) + const: the L2 part only rescales the point and the step.
        scale = 1.0 / (1.0 + step * b)
        if getattr(step, "ndim", 0) == 0 and bool((b == b.reshape(-1)[:1]).all() if b.size else True):
            first = scale.reshape(-1)[0] if b.size else 1.0
            return (
                scale
                * u
                * group.groups.spread(
                    block_shrink(group.groups.norms(scale * u), step * first * group.strengths(w)), w, outside=1.0
                )
            )
        return group.prox(scale * u, step * scale)

    def conjugate(self, u):
        """Σ_g (‖soft(u_g, a)‖ − c_g)₊² / (2b) when b is constant within each group; Σ (|u| − a)₊²/(2b) without groups."""
        u = weights_array(u)
        a, b, group = self._canonical(u, "conjugate")
        excess = soft_threshold(u, a)
        if group is None:
            return quadratic_conjugate(excess, b)
        xp = namespace(u)
        in_group = group.groups.spread(xp.ones_like(group.groups.norms(u)), u) + 0 * u
        curvature = group.groups.gather(b).max(1) if xp is np else group.groups.gather(b).max(1).values
        if not bool((in_group * (b - group.groups.spread(curvature, u)) == 0).all()):
            raise TypeError(f"no closed-form conjugate for {self!r}: its L2 part must be the same within each group")
        outside = quadratic_conjugate(excess * (1.0 - in_group), b)
        grouped = positive_part(group.groups.norms(excess) - group.strengths(u))
        return number_or_scalar(outside + quadratic_conjugate(grouped, curvature))

    def violation(self, w, g):
        """Distance of −g to ∂(sum): per entry without a group term, per group with one (then entries in no group last)."""
        w, g = weights_array(w), weights_array(g)
        xp = namespace(w)
        a, b, group = self._canonical(w, "subdifferential")
        g = g + b * w
        at_entry = xp.where(w != 0, abs(g + a * xp.sign(w)), positive_part(abs(g) - a))
        if group is None:
            return at_entry
        groups = group.groups
        in_group = groups.spread(xp.ones_like(groups.norms(w)), w) + 0 * w
        at_group = group_violation(groups, w, g, group.strengths(w), a)
        rest = (at_entry * (1.0 - in_group)).reshape(-1)
        return xp.concatenate([at_group, rest]) if bool((in_group == 0).any()) else at_group

    def latex(self) -> str:
        """The terms' LaTeX, joined by plus signs."""
        return " + ".join(term.latex() for term in self.scaled_terms())

    def __repr__(self) -> str:
        text = " + ".join(map(repr, self.terms))
        return text if self.lam == 1 else f"{self.lam!r} * ({text})"
