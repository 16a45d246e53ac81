"""The interface of penalties: value, prox, conjugate, lambda_max, violation; independent of model, data and optimizer.

The library minimises  L(θ) + Σ_k λ_k f_k(θ_k).  A `Penalty` object is one term λ f(·); linear solvers, network training
and reports use only the members below.
"""

from __future__ import annotations

import copy
import inspect
import math
import numbers
from functools import cache
from typing import Any

import numpy as np

from .array import as_float, as_numpy, by_position, double, namespace, step_like, working
from .pieces import Pieces

OPERATORS: dict[str, Any] = {}  # how penalties are composed; bound at the door of the package


class Penalty:
    """One term λ f(w) of the objective.

    Members of every penalty (`w` is a NumPy array or a torch tensor of any shape; results are of the same kind):

    ``value(w)``          λ f(w), a scalar (a torch scalar carries gradients).
    ``prox(w, step)``     argmin_u ½‖u − w‖² + step · λ f(u); with an array `step`, argmin_u Σ (u−w)²/(2 step) + λ f(u).
    ``conjugate(u)``      sup_w ⟨u, w⟩ − λ f(w), a scalar, possibly +∞; absent (TypeError) when not convex.
    ``lambda_max(g0)``    smallest λ with 0 ∈ g0 + λ ∂f(0), from which on zero is optimal; may be ∞.
    ``violation(w, g)``   distance of −g to λ ∂f(w), per entry (separable penalties) or per group.
    ``unpenalised(shape)``  mask of the entries it does not act on.
    ``family(w)``         `Pieces`, `Grouped` or `Folded` if a fast kernel supports its form, else None.
    ``l1_l2(shape)``      arrays (a, b) when λ f(w) = Σ a|w| + ½ b w², else None; used by coordinate descent.

    **To write your own penalty**, define a class with ``value`` and ``prox``, using operators common to NumPy and
    torch, and with λ in ``self.lam``:

    >>> class Huber(Penalty):
    ...     "λ Σ h(w_j), h(w) = ½w² for |w| ≤ 1, |w| − ½ beyond."
    ...     convex = True
    ...     def __init__(self, lam):
    ...         self.lam = lam
    ...     def value(self, w):
    ...         inside = w.clip(-1, 1)
    ...         return self.lam * (inside * w - 0.5 * inside * inside).sum()
    ...     def prox(self, w, step):
    ...         s = step * self.lam
    ...         return w - s * (w / (1 + s)).clip(-1, 1)
    ...     def conjugate(self, u):
    ...         return float((u * u).sum() / (2 * self.lam)) if abs(u).max() <= self.lam else float("inf")
    >>> Huber(1.0).prox(np.array([3.0, 0.5]), step=1.0)
    array([2.  , 0.25])

    All other members have defaults. `violation` is the prox residual |w − prox(w − g, 1)|, which for a convex penalty
    is zero exactly at stationary points; `lambda_max` is found from it by bisection; no entry counts as unpenalised;
    sums with L2 work. With ``convex = True`` and `conjugate` (here both) the linear solvers add a duality gap; without
    them the certificate is the violation alone. :meth:`from_function` makes a penalty from a function without a prox.

    Sums (see `Sum`) use these members: ``separable``: a sum over entries; ``radial``: a non-decreasing function of
    every |w_j|, or of every ‖w_g‖; ``pieces(w)`` if it is piecewise quadratic, entry by entry; ``prox_beside`` for a
    special rule. ``multiplicative = False`` means that f itself depends on λ (MCP: it is flat beyond γλ).
    """

    separable = False
    radial = False
    multiplicative = True
    groups: Any = None
    lam: float
    constraint = False  # values 0 and ∞ alone, whatever λ
    makes_zeros = True  # weights of a solution can be exactly zero
    flat_from: float = math.inf  # size beyond which a weight is not shrunk
    group_sum = False  # Σ_g of a function of ‖w_g‖ or of the entries of w_g, for `groups`
    lam_per_part = False  # λ may be an array: one for each entry or, with groups, for each group
    __array_ufunc__ = None  # so that np.float64(2) * penalty asks the penalty

    @property
    def convex(self) -> bool:
        """True if the class declares it; by default if it defines `conjugate`."""
        return type(self).conjugate is not Penalty.conjugate

    @property
    def has_conjugate(self) -> bool:
        """Whether it is convex and has a conjugate, so that a solution has a duality gap."""
        return self.convex and type(self).conjugate is not Penalty.conjugate

    @property
    def by_residual(self) -> bool:
        """Whether `violation` is the prox residual, and not a formula."""
        return type(self).violation is Penalty.violation

    def residual_at(self, w) -> bool:
        """Whether `violation` at weights like w is the prox residual, one number per entry, also for groups."""
        return self.by_residual

    def __getattr__(self, name: str):
        if name == "lam":
            raise AttributeError(
                f"{type(self).__name__} does not define λ; set self.lam in __init__ and multiply by it in value "
                "and prox"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # --- algebra ---------------------------------------------------------------------------------
    def with_lam(self, lam: float) -> Penalty:
        """The same f with another λ."""
        other = copy.copy(self)
        other.lam = check_lam(lam)
        return other

    def fixed(self) -> Penalty:
        """The same term, exempt from scaling: in ``P + Q.fixed()`` a path over λ scales P alone."""
        return OPERATORS["fixed"](self)

    def on(self, where) -> Penalty:
        """The same term on ``w[where]`` (an index, a slice or a tuple of them); the rest of w is not penalised."""
        return OPERATORS["on"](self, where)

    def __rmul__(self, a: float) -> Penalty:
        if isinstance(a, bool) or not isinstance(a, numbers.Real):
            return NotImplemented
        if self.multiplicative or self.lam == 0:
            return self.with_lam(float(a) * self.lam)
        return OPERATORS["scaled"](self, float(a) * self.lam)

    def __add__(self, other) -> Penalty:
        if not isinstance(other, Penalty):
            return NotImplemented
        return OPERATORS["add"]((*self.summands(), *other.summands()))

    def summands(self) -> tuple[Penalty, ...]:
        """The terms it contributes to a sum: the penalty itself, or the terms of a sum."""
        return (self,)

    def scaled_in_sum(self, a: float) -> Penalty:
        """The term in ``a * (P + Q)``: a times the penalty, unless it is fixed."""
        return a * self

    def resolve(self, w) -> Penalty:
        """The penalty with ``anchor="initial"`` replaced by a copy of the weights w on which it acts."""
        return self

    # --- members with a general answer -----------------------------------------------------------
    def value(self, w):
        """λ f(w)."""
        raise TypeError(f"{type(self).__name__} has no value; a penalty class must define value(w)")

    def prox(self, w, step):
        """argmin_u ½‖u − w‖² + step · λ f(u)."""
        raise TypeError(f"{type(self).__name__} has no closed-form prox")

    def conjugate(self, u):
        """sup_w ⟨u, w⟩ − λ f(w)."""
        why = "no conjugate is given" if self.convex else "only convex penalties have one"
        raise TypeError(f"{type(self).__name__} has no conjugate: {why}")

    def violation(self, w, g):
        """`prox_residual` at step 1, unless a subclass defines the distance of −g to λ ∂f(w)."""
        return self.prox_residual(w, g)

    def prox_residual(self, w, g, step=1.0):
        """|w − prox(w − step · g, step)| / step per entry: zero exactly at the fixed points of a prox step of that
        length."""
        x, g = working(w), working(g)
        step = step_like(step, x)
        return abs(x - self.prox(x - step * g, step)) / step

    def pieces(self, w) -> Pieces | None:
        """The penalty as a piecewise quadratic of every entry, with arrays of w's kind; None if it is not piecewise
        quadratic."""
        declared = None if type(self).family is Penalty.family else self.family(w)
        return declared if isinstance(declared, Pieces) else None

    def family(self, w) -> Any:
        """Its form at weights like w: `Pieces`, `Grouped` or `Folded` (module `family`), or None if no kernel supports
        it."""
        return self.pieces(w)

    def axis_norms(self, w) -> tuple[int, Any] | None:
        """(axis, t) where the penalty is Σ_i t_i ‖w_i‖ over all slices w_i along an axis of w, else None; every step asks."""
        return None

    def with_bounds_scaled(self, scale) -> Penalty:
        """The same penalty of weights that are multiplied by scale > 0, an array of w's shape: bounds move with them."""
        return self

    def with_factors(self, factors) -> Penalty:
        """The same penalty with λ of entry j multiplied by factors[j], an array of w's shape; 0 = not penalised."""
        if self.constraint:
            return self
        if not self.separable or "weights" not in self._parameter_names():
            raise TypeError(
                "Penalty factors need a penalty on single weights (L1, L2, elastic net, MCP, SCAD), got "
                f"{self!r}; for groups use GroupLasso(..., weights=...) with one factor per group"
            )
        own = self.get_params()["weights"]
        weights = factors if own is None else np.asarray(own, dtype=float) * factors
        return type(self)(**{**self.get_params(), "weights": weights})

    def prox_beside(self, pieces: Pieces, w, step):
        """The prox of this term + `pieces`, if it has a closed form; see `Sum`."""
        point, inner = pieces.moved(w, step)
        if not pieces.kinked or (self.radial and pieces.homogeneous):
            return self.prox(pieces.prox(w, step), inner)
        if self.separable and self.convex and not pieces.kinks:
            return pieces.clipped(self.prox(point, inner))
        raise TypeError(
            f"There is no closed-form prox for {self!r} in a sum with terms that have kinks or bounds; write your "
            "own Penalty with value and prox for this sum"
        )

    def l1_l2(self, shape) -> tuple[np.ndarray, np.ndarray] | None:
        """(a, b) with λ f(w) = Σ a|w| + ½ b w² if the penalty has this form, else None."""
        pieces = self.pieces(np.zeros(shape))
        return None if pieces is None else pieces.l1_l2(shape)

    def unpenalised(self, shape) -> np.ndarray:
        """Mask of the entries on which the penalty does not act: the unpenalised columns of a linear model."""
        pieces = self.pieces(np.zeros(shape))
        return np.zeros(shape, dtype=bool) if pieces is None else pieces.free(shape)

    def unbounded(self, shape) -> tuple[np.ndarray, np.ndarray]:
        """Masks (falls, rises) of the entries that may go to −∞, and to ∞, without raising the penalty."""
        free = self.unpenalised(shape)
        return free, free

    def lambda_max(self, g0) -> float:
        """Smallest λ for which 0 is optimal if the gradient there is `g0`; by bisection unless a formula is given."""
        return bisect_lambda_max(self, g0)

    def latex(self) -> str:
        """The term as LaTeX, with its constants."""
        return rf"{self.lam:.4g} \, \mathrm{{{type(self).__name__}}}(w)"

    @staticmethod
    def from_function(function, lam: float = 1.0, *, elementwise: bool = False) -> Penalty:
        """λ · function(w) as a penalty; its gradient by autograd. See `FromFunction`."""
        return OPERATORS["from_function"](function, lam, elementwise=elementwise)

    # --- scikit-learn's parameter protocol, so that clone and `penalty__lam` grids work ----------------
    @classmethod
    @cache  # a signature takes longer to read than a small path needs for its checks
    def _parameter_names(cls) -> tuple[str, ...]:
        return tuple(
            name for name in inspect.signature(cls.__init__).parameters if name not in ("self", "args", "kwargs")
        )

    def get_params(self, deep: bool = True) -> dict:
        """Constructor parameters by name."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params) -> Penalty:
        """Set constructor parameters by name, with the checks of the constructor."""
        known = self._parameter_names()
        for name in params:
            if name not in known:
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known)}")
        self.__init__(**{**self.get_params(), **params})  # type: ignore[misc]
        return self

    def __repr__(self) -> str:
        def shown(name, value):
            shape = tuple(getattr(value, "shape", ())) or (np.shape(value) if isinstance(value, (list, tuple)) else ())
            plain = float(value) if isinstance(value, np.floating) else value
            text = f"<{math.prod(shape)} values>" if shape else repr(plain)
            return text if name == "lam" else f"{name}={text}"

        given = {k: v for k, v in self.get_params().items() if v is not None}
        return f"{type(self).__name__}({', '.join(shown(k, v) for k, v in given.items())})"

    def repr_inside(self) -> str:
        """Its repr if ``.on(...)`` or ``.fixed()`` follows: in brackets if that would apply to its last term only."""
        return repr(self)

    def __eq__(self, other) -> bool:
        if isinstance(other, str):  # what scikit-learn's SelectFromModel asks an estimator's penalty
            return other == "l1" and self.makes_zeros
        if type(self) is not type(other):
            return NotImplemented
        mine, theirs = self.get_params(), other.get_params()
        return all(_same(mine[k], theirs[k]) for k in mine)

    __hash__ = None  # type: ignore[assignment]


def check_lam(lam):
    """`lam` if it is a finite number ≥ 0, else ValueError or TypeError."""
    if isinstance(lam, bool) or not isinstance(lam, numbers.Real):
        raise TypeError(f"Expected lam (λ, the regularization strength) to be a number, got {type(lam).__name__}")
    if not 0 <= as_float(lam) < math.inf:
        raise ValueError(f"Expected lam (λ, the regularization strength) to be finite and ≥ 0, got {lam}")
    return lam


def check_above(value, name: str, bound: float, meaning: str):
    """`value` if it is a finite number > bound, else ValueError or TypeError."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not bound < as_float(value) < math.inf:
        raise ValueError(f"Expected {name} ({meaning}) to be finite and > {bound:g}, got {value}")
    return value


def check_weights(weights):
    """`weights` (factors ≥ 0 of λ, one per entry or group; 0 = not penalised), checked; None for all ones."""
    if weights is not None:
        xp = namespace(by_position(weights, "penalty weights"))
        values = np.asarray(weights, dtype=float) if xp is np else weights
        if not bool(((values >= 0) & (values < math.inf)).all()):
            raise ValueError("Expected penalty weights to be finite and ≥ 0, got a negative, infinite or NaN entry")
    return weights


def bisect_lambda_max(penalty: Penalty, g0) -> float:
    """Smallest λ with violation(0, g0) = 0, by doubling and bisection to rounding accuracy; ∞ if no λ < 1e12·‖g0‖
    qualifies.

    Computed in float64, so that the residual of a smooth penalty, which decreases as 1/λ, does not round to zero
    before.
    """
    g0 = double(g0)
    scale = (float(abs(g0).max()) if math.prod(g0.shape) else 0.0) or 1.0
    zero = namespace(g0).zeros_like(g0)

    def optimal(lam: float) -> bool:
        return bool((penalty.with_lam(lam).violation(zero, g0) <= 0).all())

    high = scale
    while not optimal(high):
        high *= 2.0
        if high > 1e12 * scale:
            return math.inf
    low = high
    while optimal(low):
        low /= 2.0
        if low < 1e-12 * scale:
            return 0.0
    while high - low > 4 * np.finfo(float).eps * high and low < (middle := 0.5 * (low + high)) < high:
        low, high = (low, middle) if optimal(middle) else (middle, high)
    return high


def _same(a, b) -> bool:
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Penalty) or not (np.ndim(a) or np.ndim(b)):
        return type(a) is type(b) and a == b if isinstance(a, Penalty) else bool(a == b)
    return np.shape(a) == np.shape(b) and bool((as_numpy(a) == as_numpy(b)).all())
