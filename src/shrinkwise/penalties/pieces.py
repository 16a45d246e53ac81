"""Piecewise quadratics of one weight: the sums of separable convex terms, and operations on them.

    p(w) = Σ_k a_k |w − m_k| + ½ b w² − h w + constant        for low ≤ w ≤ high, else ∞

entry by entry. Prox, subdifferential and conjugate follow from the slopes between the kinks m_k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .array import clip, namespace, number_or_scalar, sign, soft_threshold_to


@dataclass(frozen=True)
class Pieces:
    """The piecewise quadratic of every entry. Fields are numbers, or arrays that broadcast with w.

    kinks : pairs (a_k, m_k), a_k ≥ 0, of which at most one has m_k = None, which means a kink at zero.
    b, h, constant : curvature ≥ 0, slope and height of the quadratic.
    low, high : bounds.
    """

    kinks: tuple = ()
    b: Any = 0.0
    h: Any = 0.0
    constant: Any = 0.0
    low: Any = -math.inf
    high: Any = math.inf

    def __add__(self, other: Pieces) -> Pieces:
        together = (*self.kinks, *other.kinks)
        at_zero = [a for a, m in together if m is None]
        elsewhere = tuple((a, m) for a, m in together if m is not None)
        low, high = _larger(self.low, other.low), -_larger(-self.high, -other.high)
        if self.bounded and other.bounded and not _each(high - low, lambda room: room >= 0):
            raise ValueError(
                "Expected constraints with a common point, but two constraints of this sum exclude each other"
            )
        return Pieces(
            ((sum(at_zero), None), *elsewhere) if at_zero else elsewhere,
            self.b + other.b,
            self.h + other.h,
            self.constant + other.constant,
            low,
            high,
        )

    # --- what kind of sum it is ----------------------------------------------------------------------
    @property
    def bounded(self) -> bool:
        """Whether there are bounds."""
        return not (_is(self.low, -math.inf) and _is(self.high, math.inf))

    @property
    def kinked(self) -> bool:
        """Whether there is any kink or bound."""
        return self.bounded or any(not _is(a, 0.0) for a, _ in self.kinks)

    @property
    def homogeneous(self) -> bool:
        """Whether p without its quadratic part is positively homogeneous: kinks at zero, bounds 0 or infinite."""
        cone = all(_each(x, lambda x: (x == 0) | (abs(x) == math.inf)) for x in (self.low, self.high))
        return cone and all(m is None for _, m in self.kinks)

    @property
    def centred(self) -> bool:
        """Whether its kinks and the minimum of its quadratic are at zero."""
        return _is(self.h, 0.0) and all(m is None for _, m in self.kinks)

    @property
    def uniform(self) -> bool:
        """Whether it is the same for all entries."""
        fields = (self.b, self.h, self.low, self.high, *(x for kink in self.kinks for x in kink))
        return all(x is None or isinstance(x, (int, float)) for x in fields)

    def l1_l2(self, shape):
        """(a, b) when p = a|w| + ½ b w², else None."""
        if self.bounded or not self.homogeneous or not _is(self.h, 0.0):
            return None
        a = self.kinks[0][0] if self.kinks else 0.0
        return np.array(np.broadcast_to(a, shape), dtype=float), np.array(np.broadcast_to(self.b, shape), dtype=float)

    def free(self, shape) -> np.ndarray:
        """Mask of the entries where p is constant."""
        acts = (self.b != 0) | (self.low != -math.inf) | (self.high != math.inf)
        for a, _ in self.kinks:
            acts = acts | (a != 0)
        return np.array(np.broadcast_to(~np.asarray(acts), shape))

    # --- the same on a part of w, and back -------------------------------------------------------------
    def _map(self, change) -> Pieces:
        kinks = tuple((change(a, 0.0), m if m is None else change(m, 0.0)) for a, m in self.kinks)
        fields = {name: change(getattr(self, name), default) for name, default in _NOTHING.items()}
        return Pieces(kinks, **fields)

    def at(self, where, w) -> Pieces:
        """The pieces of w[where]."""
        xp = namespace(w)
        return self._map(lambda x, _: x if isinstance(x, float) else xp.broadcast_to(x, w.shape)[where])

    def laid_into(self, where, w) -> Pieces:
        """The pieces on w, if these are the pieces on w[where] and the rest of w has none."""

        def laid(x, default):
            if _is(x, default):
                return x
            whole = namespace(w).full_like(w, default)
            whole[where] = x
            return whole

        return self._map(laid)

    # --- what is computed with it ------------------------------------------------------------------------
    def values(self, w):
        """p of every entry."""
        total = 0.5 * self.b * w * w - self.h * w + self.constant
        for a, m in self.kinks:
            total = total + a * abs(w if m is None else w - m)
        if not self.bounded:
            return total
        return namespace(w).where((w < self.low) | (w > self.high), math.inf, total)

    def prox(self, w, step):
        """argmin_u (u−w)²/(2 step) + p(u)."""
        if self.homogeneous:  # dividing last keeps what the threshold zeroes exactly zero
            w = w + step * self.h
            return self._settle(w, lambda slope: w + step * slope, step) / (1.0 + step * self.b)
        w, step = self.moved(w, step)
        return self._settle(w, lambda slope: w + step * slope, step)

    def moved(self, w, step):
        """The point and the step of the same prox without the quadratic: (u−w)²/2s + ½bu² − hu is (u−w')²/2s' + const."""
        shrink = 1.0 + step * self.b
        return (w + step * self.h) / shrink, step / shrink

    def without_quadratic(self) -> Pieces:
        """The kinks and bounds without the quadratic part."""
        return Pieces(self.kinks, low=self.low, high=self.high)

    def clipped(self, w):
        """w within the bounds."""
        return clip(w, self.low, self.high) if self.bounded else w

    def conjugates(self, u):
        """sup_w u w − p(w) of every entry."""
        xp = namespace(u)
        v, zero = u + self.h, xp.zeros_like(u)
        flat = zero + self.b <= 0
        curvature = xp.where(flat, zero + 1.0, zero + self.b)

        def balanced(pull):
            # Where there is a pull with no curvature to stop it: off to infinity, or nowhere in particular.
            away = xp.where(pull == 0, zero, xp.where(pull > 0, zero + math.inf, zero - math.inf))
            return xp.where(flat, away, pull / curvature)

        if len(self.kinks) == 1 and self.kinks[0][1] is None:
            best = self.clipped(balanced(v - clip(v, -self.kinks[0][0], self.kinks[0][0])))
        else:
            best = self._settle(balanced(v), lambda slope: balanced(v + slope), None)
        bounded = abs(best) < math.inf
        w = xp.where(bounded, best, zero)
        return xp.where(bounded, u * w - self.values(w), zero + math.inf)

    def conjugate(self, u):
        """Σ sup_w u w − p(w)."""
        return number_or_scalar(self.conjugates(u).sum())

    def asymptotes(self):
        """(down, up), NumPy: the conjugate is finite for −down ≤ u ≤ up.

        Without curvature the slope on an unbounded side is finite: Σ a − h as w → ∞, Σ a + h as w → −∞.
        """
        total, flat = sum((a for a, _ in self.kinks), 0.0), np.less_equal(self.b, 0.0)
        up = np.where(flat & np.equal(self.high, math.inf), total - self.h, math.inf)
        return np.where(flat & np.equal(self.low, -math.inf), total + self.h, math.inf), up

    def dual_scales(self, u):
        """The largest α ≤ 1 with conjugate(αu) finite, for each u along the last axis of a NumPy array."""
        down, up = self.asymptotes()
        limit, size = np.where(u > 0, up, down), abs(u)
        over = size > limit
        share = np.divide(limit, size, out=np.ones_like(size), where=over).min(-1, initial=1.0)
        return np.where(over.any(-1), np.maximum(share, 0.0) * (1.0 - 4e-16), 1.0)

    def dual_scale(self, u) -> float:
        """The largest α ≤ 1 with conjugate(αu) finite; u a NumPy array."""
        return float(self.dual_scales(u).min(initial=1.0))

    def beside_domain(self, u):
        """u − u', u' nearest to u with u' ≤ 0 where up = 0 and u' ≥ 0 where down = 0, where no scaling of u brings it."""
        down, up = self.asymptotes()
        return u - np.clip(u, np.where(down == 0, 0.0, -math.inf), np.where(up == 0, 0.0, math.inf))

    def subdifferential(self, w):
        """(lowest, highest) element of ∂p(w) of every entry; empty (∞, −∞) outside the bounds."""
        xp = namespace(w)
        zero = xp.zeros_like(w)
        lowest = highest = zero + self.b * w - self.h
        for a, m in self.kinks:
            side = sign(w if m is None else w - m)
            kink = xp.where(side == 0, zero + a, zero)
            lowest, highest = lowest + a * side - kink, highest + a * side + kink
        if self.bounded:
            lowest = xp.where(w <= self.low, zero - math.inf, lowest)
            highest = xp.where(w >= self.high, zero + math.inf, highest)
        return lowest, highest

    def remainder(self, w, g):
        """The element of g + ∂p(w) nearest to zero, of every entry; ∞ outside the bounds."""
        left = g + clip(-g, *self.subdifferential(w))
        if not self.bounded:
            return left
        outside = (w < self.low) | (w > self.high)
        return namespace(w).where(outside, abs(left) + math.inf, left)

    def _settle(self, w, balance, step):
        """The minimiser of Σ a_k |u − m_k| + a quadratic on [low, high]; balance(c) is where that quadratic has slope c.

        With the m_k sorted and −c_j the slopes of the first part between them, it is the median of all m_k and balance(c_j)
        (Li and Osher, Coordinate descent optimization for ℓ1 minimization, Inverse Problems and Imaging 2009), clipped.
        """
        xp = namespace(w)
        if not self.kinks:
            u = w
        elif len(self.kinks) == 1 and step is not None:
            ((a, m),) = self.kinks
            u = soft_threshold_to(w, m, step * a)
        else:
            zero = xp.zeros_like(w)
            places = xp.stack([zero if m is None else zero + m for _, m in self.kinks])
            order = xp.argsort(places, 0)
            along = xp.take_along_axis if xp is np else xp.take_along_dim
            below = xp.cumsum(along(xp.stack([zero + a for a, _ in self.kinks]), order, 0), 0)
            slopes = [below[-1], *(below[-1] - 2.0 * below[k] for k in range(len(self.kinks)))]
            ordered = xp.sort(xp.concatenate([places, xp.stack([balance(slope) for slope in slopes])]), 0)
            u = (ordered if xp is np else ordered.values)[len(self.kinks)]
        return self.clipped(u)


_NOTHING = {"b": 0.0, "h": 0.0, "constant": 0.0, "low": -math.inf, "high": math.inf}


def _is(x, number: float) -> bool:
    return isinstance(x, float) and x == number


def _each(x, holds) -> bool:
    return bool(holds(x)) if isinstance(x, float) else bool(holds(x).all())


def _larger(x, y):
    if isinstance(x, float) and isinstance(y, float):
        return max(x, y)
    return y.clip(x, None) if isinstance(x, float) else x.clip(y, None)
