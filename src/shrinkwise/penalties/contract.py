"""What a penalty is: value, prox, conjugate, lambda_max, violation. No model, no data, no optimizer.

The library minimises  L(θ) + Σ_k λ_k f_k(θ_k).  A `Penalty` object is one term λ f(·); linear solvers, network
training and reports use nothing but the members below.
"""

from __future__ import annotations

import copy
import inspect
import math
import numbers

import numpy as np

from ._array import namespace


class Penalty:
    """One term λ f(w) of the objective.

    Members every penalty has (`w` is a NumPy array or a torch tensor of any shape; results are of the same kind):

    ``value(w)``          λ f(w), a scalar (a torch scalar carries gradients).
    ``prox(w, step)``     argmin_u ½‖u − w‖² + step · λ f(u); with an array `step`, argmin_u Σ (u−w)²/(2 step) + λ f(u).
    ``conjugate(u)``      sup_w ⟨u, w⟩ − λ f(w), a scalar, possibly +∞; absent (TypeError) when not convex.
    ``lambda_max(g0)``    smallest λ with 0 ∈ g0 + λ ∂f(0): at it and above, zero is optimal; may be ∞.
    ``violation(w, g)``   distance of −g to λ ∂f(w), per entry (separable penalties) or per group.
    ``unpenalised(shape)``  mask of the entries it does not act on.
    ``l1_l2(shape)``      arrays (a, b) when λ f(w) = Σ a|w| + ½ b w², else None: what coordinate descent needs.
    """

    convex = True
    separable = False
    groups = None
    lam: float

    # --- algebra ---------------------------------------------------------------------------------
    def with_lam(self, lam: float) -> Penalty:
        """The same f with another λ."""
        other = copy.copy(self)
        other.lam = check_lam(lam)
        return other

    def fixed(self) -> Fixed:
        """The same term, exempt from scaling: in ``P + Q.fixed()`` a path over λ scales P alone."""
        return Fixed(self)

    def __rmul__(self, a: float) -> Penalty:
        if not isinstance(a, numbers.Real):
            return NotImplemented
        return self.with_lam(float(a) * self.lam)

    def __add__(self, other) -> Penalty:
        from .sums import Sum

        if not isinstance(other, Penalty):
            return NotImplemented
        return Sum((*_terms(self), *_terms(other)))

    # --- members with a general answer -----------------------------------------------------------
    def value(self, w):
        """λ f(w)."""
        raise TypeError(f"{type(self).__name__} has no value: a penalty class defines value(w)")

    def prox(self, w, step):
        """argmin_u ½‖u − w‖² + step · λ f(u)."""
        raise TypeError(f"{type(self).__name__} has no closed-form prox")

    def conjugate(self, u):
        """sup_w ⟨u, w⟩ − λ f(w)."""
        raise TypeError(f"{type(self).__name__} has no conjugate")

    def violation(self, w, g):
        """Distance of −g to λ ∂f(w)."""
        raise TypeError(f"{type(self).__name__} has no subdifferential distance")

    def l1_l2(self, shape) -> tuple[np.ndarray, np.ndarray] | None:
        """(a, b) with λ f(w) = Σ a|w| + ½ b w² where the penalty has that form, else None."""
        return None

    def unpenalised(self, shape) -> np.ndarray:
        """Mask of the entries on which the penalty does not act: free columns of a linear model."""
        parts = self.l1_l2(shape)
        if parts is None:
            raise TypeError(
                f"{type(self).__name__} does not say which entries it leaves free: define unpenalised(shape)"
            )
        return (parts[0] == 0) & (parts[1] == 0)

    def lambda_max(self, g0) -> float:
        """Smallest λ for which 0 is optimal when the gradient there is `g0`; by bisection where no formula is given."""
        return bisect_lambda_max(self, g0)

    def latex(self) -> str:
        """The term as LaTeX, with its constants."""
        raise TypeError(f"{type(self).__name__} has no LaTeX form")

    # --- scikit-learn's parameter protocol, so that clone and `penalty__lam` grids work ----------------
    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict:
        """Constructor parameters by name."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params) -> Penalty:
        """Set constructor parameters by name, checked as the constructor checks them."""
        known = self._parameter_names()
        for name in params:
            if name not in known:
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known)}")
        self.__init__(**{**self.get_params(), **params})  # type: ignore[misc]
        return self

    def __repr__(self) -> str:
        def shown(name, value):
            text = repr(value) if np.ndim(value) == 0 else f"<{np.size(value)} values>"
            return text if name == "lam" else f"{name}={text}"

        given = {k: v for k, v in self.get_params().items() if v is not None}
        return f"{type(self).__name__}({', '.join(shown(k, v) for k, v in given.items())})"

    def __eq__(self, other) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        mine, theirs = self.get_params(), other.get_params()
        return all(_same(mine[k], theirs[k]) for k in mine)

    __hash__ = None  # type: ignore[assignment]


class Fixed(Penalty):
    """A term that keeps its λ when the sum around it is scaled."""

    def __init__(self, penalty: Penalty):
        self.penalty = penalty

    @property
    def lam(self) -> float:  # type: ignore[override]
        """The λ of the term inside."""
        return self.penalty.lam

    @property
    def convex(self) -> bool:  # type: ignore[override]
        """As the term inside."""
        return self.penalty.convex

    @property
    def separable(self) -> bool:  # type: ignore[override]
        """As the term inside."""
        return self.penalty.separable

    @property
    def groups(self):  # type: ignore[override]
        """As the term inside."""
        return self.penalty.groups

    def with_lam(self, lam: float) -> Penalty:
        """Itself: that is what fixed means."""
        return self

    def fixed(self) -> Fixed:
        """Itself."""
        return self

    def __rmul__(self, a: float) -> Penalty:
        return Fixed(a * self.penalty)

    def value(self, w):
        """As the term inside."""
        return self.penalty.value(w)

    def prox(self, w, step):
        """As the term inside."""
        return self.penalty.prox(w, step)

    def conjugate(self, u):
        """As the term inside."""
        return self.penalty.conjugate(u)

    def violation(self, w, g):
        """As the term inside."""
        return self.penalty.violation(w, g)

    def l1_l2(self, shape):
        """As the term inside."""
        return self.penalty.l1_l2(shape)

    def unpenalised(self, shape):
        """As the term inside."""
        return self.penalty.unpenalised(shape)

    def lambda_max(self, g0) -> float:
        """0 if zero is optimal under the fixed term, else ∞: its λ does not move."""
        return 0.0 if self.penalty.lambda_max(g0) <= self.penalty.lam else math.inf

    def latex(self) -> str:
        """As the term inside."""
        return self.penalty.latex()


def check_lam(lam):
    """`lam` itself if it is a finite number ≥ 0, else one sentence."""
    if isinstance(lam, bool) or not isinstance(lam, numbers.Real):
        raise TypeError(f"expected lam (λ, the regularization strength) as a number, got {type(lam).__name__}")
    if not (lam >= 0 and math.isfinite(lam)):
        raise ValueError(f"expected lam (λ, the regularization strength) finite and ≥ 0, got {lam}")
    return lam


def check_weights(weights):
    """`weights` itself (factors ≥ 0 of λ, one per entry or group; 0 = not penalised), or None for all ones."""
    if weights is not None:
        xp = namespace(weights)
        values = np.asarray(weights, dtype=float) if xp is np else weights
        if not bool(((values >= 0) & (values < math.inf)).all()):
            raise ValueError("expected penalty weights finite and ≥ 0, got a negative, infinite or NaN entry")
    return weights


def bisect_lambda_max(penalty: Penalty, g0) -> float:
    """Smallest λ with violation(0, g0) = 0, by doubling and bisection to the last bits; ∞ where no λ < 1e30·‖g0‖ does."""
    scale = float(abs(g0).max()) if math.prod(g0.shape) else 0.0
    if scale == 0.0:
        return 0.0
    zero = namespace(g0).zeros_like(g0)

    def optimal(lam: float) -> bool:
        return bool((penalty.with_lam(lam).violation(zero, g0) <= 0).all())

    high = scale
    while not optimal(high):
        high *= 2.0
        if high > 1e30 * scale:
            return math.inf
    low = 0.0 if optimal(high / 2**60) else high / 2**60
    while high - low > 4 * np.finfo(float).eps * high and low < (middle := 0.5 * (low + high)) < high:
        low, high = (low, middle) if optimal(middle) else (middle, high)
    return high


def _terms(penalty: Penalty) -> tuple[Penalty, ...]:
    from .sums import Sum

    return penalty.scaled_terms() if isinstance(penalty, Sum) else (penalty,)


def _same(a, b) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if np.ndim(a) or np.ndim(b):
        return np.shape(a) == np.shape(b) and bool((np.asarray(a) == np.asarray(b)).all())
    return type(a) is type(b) and a == b if isinstance(a, Penalty) else a == b
