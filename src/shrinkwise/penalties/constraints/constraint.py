"""Base class of constraints: penalties with the values 0 and ∞, whose prox is the projection."""

from __future__ import annotations

import math
import numbers

import numpy as np

from shrinkwise.penalties.array import as_float, namespace, number_or_scalar, step_like, weights_array
from shrinkwise.penalties.contract import Penalty
from shrinkwise.penalties.together import one_step


class Constraint(Penalty):
    """w ∈ C, as a term of the objective: 0 if it holds, +∞ otherwise. A subclass defines ``project(w)``.

    λ and any factor are ignored (∞ times anything is ∞): `lam` is 1, ``with_lam`` and ``a * constraint`` give the constraint
    itself. Its prox is the projection on C for every step, 0 included.

    ``value``      0 if no entry of w is further from its projection than 16 eps √size times the largest |entry|.
    ``conjugate``  the support function sup_{w ∈ C} ⟨u, w⟩ of a convex C.
    ``violation``  |w − project(w − step·g)|/step per entry: the prox residual at step 1, zero where −g is normal to C.
    ``lambda_max`` 0 if zero satisfies the constraint and is optimal, else ∞, because λ has no effect.
    """

    lam = 1.0
    constraint = True

    def project(self, w):
        """The point of C nearest to w."""
        raise TypeError(f"{type(self).__name__} has no projection; a constraint class must define project(w)")

    def prox(self, w, step):
        """The projection, for every step."""
        w = weights_array(w)
        step = step_like(step, w)
        return self._project_in_metric(w, step) if getattr(step, "ndim", 0) else self.project(w)

    def _project_in_metric(self, w, step):
        """argmin_{u ∈ C} Σ (u − w)²/(2 step); here for constraints on single entries, for which the step has no
        effect."""
        if self.separable:
            return self.project(w)
        one_step(step, w, self)
        return self.project(w)

    def value(self, w):
        """0 or +∞."""
        w = weights_array(w)
        xp = namespace(w)
        return number_or_scalar(xp.where(self._holds(w), 0.0, math.inf) + _nothing(w))

    def _holds(self, w):
        if not math.prod(w.shape):
            return namespace(w).ones_like(w.sum()) > 0
        w = w if namespace(w) is np else w.detach()
        slack = 16.0 * float(namespace(w).finfo(w.dtype).eps) * math.sqrt(math.prod(w.shape))
        return abs(w - self.project(w)).max() <= slack * abs(w).max()

    def unpenalised(self, shape):
        """Nothing."""
        return np.zeros(shape, dtype=bool)

    def lambda_max(self, g0) -> float:
        """0 or ∞."""
        zero = namespace(g0).zeros_like(weights_array(g0))
        optimal = float(self.value(zero)) == 0 and bool((self.violation(zero, g0) <= 0).all())
        return 0.0 if optimal else math.inf

    def with_lam(self, lam: float) -> Constraint:
        """Itself."""
        return self

    def __rmul__(self, a: float) -> Constraint:
        return self if isinstance(a, numbers.Real) else NotImplemented


def _nothing(w):
    """0 as an array of w's kind, with gradient 0 for autograd; NaN if w contains NaN."""
    return 0.0 * w.clip(-1.0, 1.0).sum()


def check_size(value, what: str) -> float:
    """`value` if it is a finite number ≥ 0, else ValueError or TypeError."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= as_float(value) < math.inf:
        raise ValueError(f"Expected {what} to be a finite number ≥ 0, got {value!r}")
    return value  # type: ignore[return-value]


def check_count(value, what: str) -> int:
    """`value` if it is an integer ≥ 0, else ValueError or TypeError."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise ValueError(f"Expected {what} to be an integer ≥ 0, got {value!r}")
    return value  # type: ignore[return-value]
