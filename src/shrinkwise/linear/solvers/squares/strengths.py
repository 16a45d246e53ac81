"""Penalties that are L1 + L2 on single weights, also within bounds, as functions of λ."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.solvers.quadratic.inner import BoundedInner, inner_solver


class Strengths:
    """a(λ) = a₀ + λa₁ and b(λ) = b₀ + λb₁ of a penalty Σ a|w| + ½Σ b w², or None where it is another."""

    def __init__(self, fixed, scaled):
        self.fixed, self.scaled = fixed, scaled

    @classmethod
    def of(cls, penalty, shape) -> Strengths | None:
        """Read from a penalty; λ scales all its terms but the fixed ones."""
        at_zero, at_one = penalty.with_lam(0.0).l1_l2(shape), penalty.with_lam(1.0).l1_l2(shape)
        if at_zero is None or at_one is None:
            return None
        return cls(at_zero, tuple(one - zero for one, zero in zip(at_one, at_zero, strict=True)))

    @classmethod
    def within_bounds(cls, penalty, shape) -> tuple[Strengths, tuple] | None:
        """(the strengths, (low, high)) of a penalty with bounds; None where it is another, or has none."""
        at_zero, at_one = (inner_solver(penalty.with_lam(lam), shape) for lam in (0.0, 1.0))
        if not (isinstance(at_zero, BoundedInner) and isinstance(at_one, BoundedInner)):
            return None
        zero, one = at_zero.rule, at_one.rule
        scaled = one.l1 - zero.l1, one.ridge - zero.ridge
        return cls((zero.l1, zero.ridge), scaled), (zero.low, zero.high)

    def at(self, lam: float, columns=slice(None)):
        """(a, b) at λ, for some columns."""
        return tuple(zero[columns] + lam * one[columns] for zero, one in zip(self.fixed, self.scaled, strict=True))

    def count_l1(self, lambdas) -> int:
        """How many of the decreasing λ have an L1 part."""
        fixed, scaled = self.fixed[0].any(), self.scaled[0].any()
        return len(lambdas) if fixed else int((np.asarray(lambdas) > 0).sum()) if scaled else 0

    def ridge(self) -> np.ndarray | None:
        """c where the penalty is ½ λ Σ c_j w_j² and nothing else, some c_j > 0; else None."""
        if any(part.any() for part in (*self.fixed, self.scaled[0])) or not self.scaled[1].any():
            return None
        return self.scaled[1]

    def rows(self, lambdas, columns=slice(None)):
        """(A, B) for several λ, C-contiguous."""
        lambdas = np.asarray(lambdas)[:, None]
        return tuple(zero[columns] + lambdas * one[columns] for zero, one in zip(self.fixed, self.scaled, strict=True))
