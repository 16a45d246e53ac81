"""Sums of penalties: a closed-form prox if there is one, otherwise an error.

A sum is separated into `Pieces`, the sum of all its terms that are piecewise quadratic entry by entry (L1, L2, anchors,
bounds: Σ_k a_k|w − m_k| + ½ b w² − h w on [low, high]), and the other terms R. Then

* pieces alone always have a closed-form prox;
* the quadratic part of the pieces only moves the point and shortens the step of any R:
  (u−w)²/2s + ½bu² − hu = (u − w')²/2s' + const,  w' = (w + sh)/(1 + sb),  s' = s/(1 + sb);
* if R is radial (a non-decreasing function of |w_j| or ‖w_g‖) and the rest of the pieces is positively homogeneous (kinks
  and bounds at zero), prox_{R + pieces} = prox_R ∘ prox_pieces: for any length of the result, the best direction is
  that of prox_pieces(w);
* if R is separable and convex and the pieces only add bounds, prox_{R + pieces} = clip ∘ prox_R: in one dimension a
  constrained minimiser is the nearest point to the free one;
* terms R on disjoint parts of w (``P.on(...)``) are independent.

References: Yu, On decomposing the proximal map, NeurIPS 2013. Simon, Friedman, Hastie, Tibshirani, A sparse-group lasso,
JCGS 2013.
"""

from __future__ import annotations

import math

import numpy as np

from .array import cast, double, mask_like, namespace, number_or_scalar, step_like, weights_array, working
from .contract import Penalty, check_lam
from .pieces import Pieces


class Sum(Penalty):
    """lam · Σ_k P_k(w), written ``P + Q``; its `lam` is 1 and ``with_lam(s)`` scales every term that is not ``.fixed()``.

    So ``2 * (P + Q.fixed())`` is ``2 * P + Q``.

    Parameters
    ----------
    terms : tuple of Penalty
        The terms P_k with their own λ_k.
    lam : float ≥ 0
        Common multiplier.
    """

    def __init__(self, terms, lam: float = 1.0):
        if not terms or not all(isinstance(term, Penalty) for term in terms):
            raise TypeError("Expected a sum of penalties, e.g. sw.L1(0.1) + sw.L2(0.01)")
        self.terms = terms
        self.lam = check_lam(lam)

    convex = property(lambda self: all(term.convex for term in self.terms))  # type: ignore[assignment]
    makes_zeros = property(lambda self: any(term.makes_zeros for term in self.terms))  # type: ignore[assignment]
    separable = property(lambda self: all(term.separable for term in self.terms))  # type: ignore[assignment]

    has_conjugate = property(lambda self: all(term.has_conjugate for term in self.terms))  # type: ignore[assignment]
    constraint = property(lambda self: all(term.constraint for term in self.terms))  # type: ignore[assignment]
    by_residual = property(lambda self: any(term.by_residual for term in self.terms))  # type: ignore[assignment]

    @property
    def groups(self):  # type: ignore[override]
        """The groups of its group term, if any."""
        return next((term.groups for term in self.terms if term.groups is not None), None)

    def scaled_terms(self) -> tuple[Penalty, ...]:
        """The terms multiplied by the common multiplier."""
        return tuple(self.terms) if self.lam == 1 else tuple(term.scaled_in_sum(self.lam) for term in self.terms)

    summands = scaled_terms

    def resolve(self, w) -> Penalty:
        """The sum of the resolved terms."""
        return Sum(tuple(term.resolve(w) for term in self.terms), self.lam)

    def value(self, w):
        """Sum of the terms' values."""
        return sum(term.value(w) for term in self.scaled_terms())

    def latex(self) -> str:
        """The terms' LaTeX, joined by plus signs."""
        return " + ".join(term.latex() for term in self.scaled_terms())

    def unpenalised(self, shape):
        """Entries that no term penalises."""
        return np.logical_and.reduce([term.unpenalised(shape) for term in self.scaled_terms()])

    def unbounded(self, shape):
        """Entries that no term keeps from falling, and from rising."""
        return tuple(np.logical_and.reduce([term.unbounded(shape) for term in self.scaled_terms()]))

    # --- what the sum is made of -----------------------------------------------------------------------
    def parts(self, w) -> tuple[Pieces, list[Penalty]]:
        """(the pieces of all terms that have pieces, the other terms)."""
        pieces, others = Pieces(), []
        for term in self.scaled_terms():
            part = term.pieces(w)
            if part is None:
                others.append(term)
            else:
                pieces = pieces + part
        return pieces, others

    def pieces(self, w) -> Pieces | None:
        """The pieces, if there are no other terms."""
        pieces, others = self.parts(w)
        return None if others else pieces

    def _acting(self, others, w, what: str) -> list:
        """Masks of the entries on which each of the other terms acts; TypeError if they overlap."""
        masks = [~term.unpenalised(tuple(w.shape)) for term in others]
        if len(masks) > 1 and (np.sum(masks, 0) > 1).any():
            raise TypeError(
                f"There is no closed-form {what} for {self!r}, because "
                f"{' and '.join(type(term).__name__ for term in others)} act on the same weights; write your own "
                "Penalty with value and prox for this sum"
            )
        return [mask_like(mask, w) for mask in masks]

    # --- members -----------------------------------------------------------------------------------------
    def prox(self, w, step):
        """By the rules above."""
        w = weights_array(w)
        x = working(w)
        step = step_like(step, x)
        pieces, others = self.parts(x)
        if not others:
            return cast(pieces.prox(x, step), w)
        if len(others) == 1:
            return cast(others[0].prox_beside(pieces, x, step), w)
        masks = self._acting(others, x, "prox")
        result = pieces.prox(x, step)
        for term, mask in zip(others, masks, strict=True):
            result = namespace(x).where(mask, term.prox_beside(pieces, x, step), result)
        return cast(result, w)

    def residual_at(self, w) -> bool:
        """Whether a term has no formula for its subdifferential, or the terms none for their sum's."""
        pieces, others = self.parts(w)
        return self.by_residual or not all(not pieces.kinked or (term.radial and pieces.homogeneous) for term in others)

    def violation(self, w, g):
        """Distance of −g to ∂(sum): per entry; with a term on groups per group, followed by the entries in no group.

        If the rules above give no subdifferential, or a term has no formula for it, this is the prox residual of the
        sum.
        """
        w, g = working(w), working(g)
        if self.residual_at(w):
            return self.prox_residual(w, g)
        pieces, others = self.parts(w)
        left = pieces.remainder(w, g)
        if len(others) == 1 and others[0].separable:
            return others[0].violation(w, left)
        at_entry, beside, covered = abs(left), [], None
        for term, mask in zip(others, self._acting(others, w, "subdifferential"), strict=True):
            distance = term.violation(w, left)
            if term.separable:
                at_entry = namespace(w).where(mask, distance, at_entry)
            else:
                mask = mask if term.groups is None else _in_groups(term.groups, w)
                covered = mask if covered is None else covered | mask
                beside.append(distance.reshape(-1))
        if covered is None:
            return at_entry
        return namespace(w).concatenate([*beside, at_entry[~covered]])

    def conjugate(self, u):
        """By the rules above with w ↦ sup: that of the pieces, or R*(prox_pieces(u)), or at the maximiser if b > 0."""
        u = working(u)
        if not self.convex:
            return super().conjugate(u)
        pieces, others = self.parts(u)
        if not others:
            return pieces.conjugate(u)
        xp, zero = namespace(u), namespace(u).zeros_like(u)
        total, outside = 0.0, zero == 0
        for term, mask in zip(others, self._acting(others, u, "conjugate"), strict=True):
            total = total + self._conjugate_beside(term, pieces, xp.where(mask, u, zero), mask)
            outside = outside & ~mask
        return number_or_scalar(total + xp.where(outside, pieces.conjugates(u), zero).sum())

    def _conjugate_beside(self, term: Penalty, pieces: Pieces, u, mask):
        """sup_w ⟨u, w⟩ − (pieces + term)(w) over the entries of the mask, on which the term acts."""
        xp, zero = namespace(u), namespace(u).zeros_like(u)
        curved = mask & (zero + pieces.b > 0)
        flat = mask & ~curved
        kinks, total = pieces.without_quadratic(), 0.0
        if bool(flat.any()):
            if bool(curved.any()) and not self._apart(term, curved, flat):
                raise TypeError(
                    f"There is no closed-form conjugate for {self!r}; its L2 part must be on all weights or on none"
                )
            if pieces.kinked and not (term.radial and pieces.homogeneous):
                raise TypeError(f"There is no closed-form conjugate for {self!r} without an L2 part on these weights")
            # A direction of u costs its length in prox_pieces(u), as for the prox.
            total = total + term.conjugate(kinks.prox(xp.where(flat, u, zero), 1.0))
        if bool(curved.any()):
            # With b > 0 the supremum is attained, at the prox with step 1/b of (u + h)/b for the sum without its quadratic.
            b = pieces.b if isinstance(pieces.b, float) else xp.where(curved, zero + pieces.b, zero + 1.0)
            w = term.prox_beside(kinks, xp.where(curved, (u + pieces.h) / b, zero), 1.0 / b)
            w = xp.where(curved, w, zero)
            total = total + xp.where(curved, u * w - pieces.values(w), zero).sum() - term.value(w)
        return total

    def _apart(self, term: Penalty, one, other) -> bool:
        """Whether no group of the term has entries of both masks."""
        if term.groups is None:
            return False
        return bool((term.groups.norms(1.0 * one) * term.groups.norms(1.0 * other) == 0).all())

    def lambda_max(self, g0) -> float:
        """By formula where every term is a piecewise quadratic with its kinks at zero, so that ∂(0) widens with λ."""
        zero = namespace(g0).zeros_like(double(g0))
        fixed, one = (self.with_lam(lam).pieces(zero) for lam in (0.0, 1.0))
        if fixed is None or one is None or not one.centred:
            return super().lambda_max(g0)
        if bool((one.clipped(zero) != zero).any()):
            return math.inf
        pull = -double(g0)
        return max(
            _least_multiple(pull, *(pieces.subdifferential(zero)[1] for pieces in (fixed, one))),
            _least_multiple(-pull, *(-pieces.subdifferential(zero)[0] for pieces in (fixed, one))),
        )

    def __repr__(self) -> str:
        text = " + ".join(map(repr, self.terms))
        return text if self.lam == 1 else f"{float(self.lam)!r} * ({text})"

    def repr_inside(self) -> str:
        """In brackets."""
        return f"({self!r})"


def _least_multiple(pull, fixed, one) -> float:
    """The least λ ≥ 0 with pull ≤ fixed + λ (one − fixed) for every entry; ∞ where there is none."""
    above = pull > fixed
    if not bool(above.any()):
        return 0.0
    room, grows = pull[above] - fixed[above], one[above] - fixed[above]
    return float((room / grows).max()) if bool((grows > 0).all()) else math.inf


def _in_groups(groups, w):
    """Mask of the entries that are in a group."""
    return groups.spread(namespace(w).ones_like(groups.norms(w)), w) + namespace(w).zeros_like(w) > 0
