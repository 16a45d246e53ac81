"""Penalties that wrap another one: fixed in a sum, on a part of the weights, or times a number."""

from __future__ import annotations

import math

import numpy as np

from .array import mask_like, namespace, step_like, weights_array, working
from .contract import Penalty, check_lam
from .pieces import Pieces


class Around(Penalty):
    """Base class of penalties that wrap another one; by default all members are those of the wrapped penalty.

    Parameters
    ----------
    penalty : Penalty
        The wrapped penalty.
    lam : float ≥ 0, optional
        λ, by default that of the wrapped penalty.
    """

    def __init__(self, penalty: Penalty, lam: float | None = None):
        if not isinstance(penalty, Penalty):
            raise TypeError(f"Expected a penalty, e.g. sw.L1(0.1), got {type(penalty).__name__}")
        self.penalty = penalty
        self.lam = penalty.lam if lam is None else check_lam(lam)
        self.term = self._inside()

    def _inside(self) -> Penalty:
        """The wrapped penalty with the effective λ."""
        return self.penalty if self.lam == self.penalty.lam else self.penalty.with_lam(self.lam)

    def _around(self, penalty: Penalty) -> Penalty:
        """The same wrapper around another penalty."""
        return type(self)(**{**self.get_params(), "penalty": penalty, "lam": penalty.lam})

    convex = property(lambda self: self.term.convex)  # type: ignore[assignment]
    makes_zeros = property(lambda self: self.term.makes_zeros)  # type: ignore[assignment]
    separable = property(lambda self: self.term.separable)  # type: ignore[assignment]
    radial = property(lambda self: self.term.radial)  # type: ignore[assignment]
    multiplicative = property(lambda self: self.term.multiplicative)  # type: ignore[assignment]
    by_residual = property(lambda self: self.term.by_residual)  # type: ignore[assignment]
    has_conjugate = property(lambda self: self.term.has_conjugate)  # type: ignore[assignment]
    constraint = property(lambda self: self.term.constraint)  # type: ignore[assignment]
    flat_from = property(lambda self: self.term.flat_from)  # type: ignore[assignment]
    groups = property(lambda self: self.term.groups)  # type: ignore[assignment]

    def with_lam(self, lam: float) -> Penalty:
        """The same wrapper with another λ."""
        return self._around(self.term.with_lam(lam))

    def __rmul__(self, a: float) -> Penalty:
        scaled = self.term.__rmul__(a)
        return scaled if scaled is NotImplemented else self._around(scaled)

    def resolve(self, w) -> Penalty:
        """The same wrapper around the resolved penalty."""
        return self._around(self.term.resolve(w))

    def value(self, w):
        """As the term inside."""
        return self.term.value(w)

    def prox(self, w, step):
        """As the term inside."""
        return self.term.prox(w, step)

    def prox_beside(self, pieces: Pieces, w, step):
        """As the term inside."""
        return self.term.prox_beside(pieces, w, step)

    def conjugate(self, u):
        """As the term inside."""
        return self.term.conjugate(u)

    def residual_at(self, w) -> bool:
        """As the term inside."""
        return self.term.residual_at(w)

    def violation(self, w, g):
        """As the term inside."""
        return self.term.violation(w, g)

    def pieces(self, w) -> Pieces | None:
        """As the term inside."""
        return self.term.pieces(w)

    def family(self, w):
        """As the term inside."""
        return self.term.family(w)

    def unpenalised(self, shape):
        """As the term inside."""
        return self.term.unpenalised(shape)

    def unbounded(self, shape):
        """As the term inside."""
        return self.term.unbounded(shape)

    def lambda_max(self, g0) -> float:
        """As the term inside."""
        return self.term.lambda_max(g0)

    def latex(self) -> str:
        """As the term inside."""
        return self.term.latex()


class Fixed(Around):
    """A term that keeps its λ when the sum that contains it is scaled: ``P.fixed()``."""

    def with_lam(self, lam: float) -> Penalty:
        """The term itself, because its λ is fixed."""
        return self

    def fixed(self) -> Penalty:
        """Itself."""
        return self

    def scaled_in_sum(self, a: float) -> Penalty:
        """Itself."""
        return self

    def lambda_max(self, g0) -> float:
        """0 if zero is optimal under the fixed term, else ∞, because its λ is constant."""
        return 0.0 if self.term.lambda_max(g0) <= self.lam else math.inf

    def __repr__(self) -> str:
        return f"{self.term.repr_inside()}.fixed()"


class Scaled(Around):
    """λ/λ₀ times a penalty whose shape depends on its own λ₀: ``2 * MCP(0.1)``. Here λ only multiplies.

    Parameters
    ----------
    penalty : Penalty
        With λ₀ > 0.
    lam : float ≥ 0
        λ.
    """

    multiplicative = True

    def _inside(self) -> Penalty:
        if not self.penalty.lam > 0:
            raise ValueError(f"Expected a penalty with λ > 0 to scale, got {self.penalty!r}")
        return self.penalty

    @property
    def factor(self) -> float:
        """λ/λ₀."""
        return float(self.lam) / float(self.penalty.lam)

    def with_lam(self, lam: float) -> Penalty:
        """Another multiple of the same penalty."""
        return Scaled(self.penalty, lam)

    def __rmul__(self, a: float) -> Penalty:
        return Penalty.__rmul__(self, a)

    def resolve(self, w) -> Penalty:
        """The same multiple of the resolved penalty."""
        return Scaled(self.penalty.resolve(w), self.lam)

    def value(self, w):
        """λ/λ₀ · P(w)."""
        return self.factor * self.term.value(w)

    def prox(self, w, step):
        """P's prox with the step λ/λ₀ times as long."""
        w = weights_array(w)
        return self.term.prox(w, self.factor * step_like(step, w))

    def prox_beside(self, pieces: Pieces, w, step):
        """As every penalty."""
        return Penalty.prox_beside(self, pieces, w, step)

    def conjugate(self, u):
        """λ/λ₀ · P*(u · λ₀/λ)."""
        k = self.factor
        return k * self.term.conjugate(u / k) if k > 0 else self.term.with_lam(0.0).conjugate(u)

    def pieces(self, w) -> Pieces | None:
        """None: P is not a piecewise quadratic scaled by λ."""
        return None

    def family(self, w):
        """That of P, scaled."""
        inside = self.term.family(w)
        return None if inside is None else inside.scaled(self.factor)

    def violation(self, w, g):
        """λ/λ₀ · the violation of P at g · λ₀/λ."""
        k = self.factor
        if self.by_residual:
            return self.prox_residual(w, g)
        return k * self.term.violation(w, g / k) if k > 0 else self.term.with_lam(0.0).violation(w, g)

    def unpenalised(self, shape):
        """As P; everything when λ = 0."""
        return self.term.unpenalised(shape) | (self.lam == 0)

    def unbounded(self, shape):
        """As P; everything when λ = 0."""
        falls, rises = self.term.unbounded(shape)
        return falls | (self.lam == 0), rises | (self.lam == 0)

    def lambda_max(self, g0) -> float:
        """By bisection."""
        return Penalty.lambda_max(self, g0)

    def latex(self) -> str:
        """A number times P."""
        return rf"{self.factor:.4g} \left({self.term.latex()}\right)"

    def __repr__(self) -> str:
        return f"{self.factor:.6g} * {self.term!r}"

    def repr_inside(self) -> str:
        """In brackets."""
        return f"({self!r})"


class On(Around):
    """A penalty on a part of the weights, ``P.on(where)``: P(w[where]); the rest of w is not penalised.

    Parameters
    ----------
    penalty : Penalty
    where : slice, integer, list of integers, mask, or a tuple of them
        Index of the part.
    lam : float ≥ 0, optional
        λ, by default that of the penalty.

    >>> import numpy as np
    >>> from shrinkwise import L1
    >>> L1(1.0).on(slice(0, 2)).prox(np.array([3.0, 0.5, 0.5]), step=1.0)
    array([2. , 0. , 0.5])
    """

    groups = None

    def __init__(self, penalty: Penalty, where, lam: float | None = None):
        super().__init__(penalty, lam)
        self.where = where

    def _part(self, w):
        try:
            part = w[self.where]
        except (IndexError, TypeError) as error:
            raise ValueError(
                f"Expected weights with a part {_shown(self.where)}, got shape {tuple(w.shape)}: {error}"
            ) from error
        return part if namespace(w) is not np else np.asarray(part)

    def _acting(self, shape) -> np.ndarray:
        mask = np.zeros(shape, dtype=bool)
        self._part(mask)
        mask[self.where] = True
        return mask

    def _laid_into(self, w, part):
        whole = w.copy() if namespace(w) is np else w.clone()
        whole[self.where] = part
        return whole

    def resolve(self, w) -> Penalty:
        """On the same part, resolved there."""
        return self._around(self.term.resolve(self._part(w)))

    def value(self, w):
        """P(w[where])."""
        return self.term.value(self._part(weights_array(w)))

    def prox(self, w, step):
        """P's prox on the part."""
        w = weights_array(w)
        return self._laid_into(w, self.term.prox(self._part(w), self._step(step, w)))

    def _step(self, step, w):
        step = step_like(step, w)
        return self._part(namespace(w).broadcast_to(step, w.shape)) if getattr(step, "ndim", 0) else step

    def prox_beside(self, pieces: Pieces, w, step):
        """The other terms everywhere, P with them on its part."""
        inside = self.term.prox_beside(pieces.at(self.where, w), self._part(w), self._step(step, w))
        return self._laid_into(pieces.prox(w, step), inside)

    def conjugate(self, u):
        """P's conjugate on the part if u is zero on the rest, else +∞."""
        u = weights_array(u)
        rest = bool((u[mask_like(~self._acting(u.shape), u)] != 0).any())
        inside = self.term.conjugate(self._part(u))
        return inside + math.inf if rest else inside

    def violation(self, w, g):
        """P's on the part; per entry also |g| on the rest."""
        w, g = working(w), working(g)
        inside = self.term.violation(self._part(w), self._part(g))
        return self._laid_into(abs(g), inside) if self.separable else inside

    def pieces(self, w) -> Pieces | None:
        """P's on the part, nothing on the rest."""
        inside = self.term.pieces(self._part(w))
        return None if inside is None else inside.laid_into(self.where, w)

    def family(self, w):
        """P's on the part, nothing on the rest."""
        inside = self.term.family(self._part(w))
        return None if inside is None else inside.laid_into(self.where, w)

    def unpenalised(self, shape):
        """The rest, and the entries that P does not penalise."""
        mask = ~self._acting(shape)
        mask[self.where] = self.term.unpenalised(self._part(mask).shape)
        return mask

    def unbounded(self, shape):
        """The rest, and what P leaves unbounded."""
        masks = ~self._acting(shape), ~self._acting(shape)
        for mask, inside in zip(masks, self.term.unbounded(self._part(masks[0]).shape), strict=True):
            mask[self.where] = inside
        return masks

    def lambda_max(self, g0) -> float:
        """P's on the part."""
        return self.term.lambda_max(self._part(weights_array(g0)))

    def latex(self) -> str:
        """P of a part of w."""
        return rf"\left[{self.term.latex()}\right]_{{w = w[{_shown(self.where)}]}}"

    def __repr__(self) -> str:
        return f"{self.term.repr_inside()}.on({_shown(self.where)})"


def _shown(where) -> str:
    many = (
        math.prod(getattr(where, "shape", ()))
        if hasattr(where, "shape")
        else len(where)
        if isinstance(where, list)
        else 1
    )
    return repr(where) if many < 6 else f"<{many} entries>"
