"""The structure of composed penalties: the only module that looks inside sums, fixed terms, multiples and parts.

A penalty written ``2 * (P + Q.fixed()).on(part)`` is a tree. `leaves` lists its leaf penalties, each with the part of
the weights on which it acts, its factor, and whether it is exempt from scaling; `terms` gives them as penalties on all
of w; `rebuild` makes the same tree with other leaves. Code that inspects a penalty inspects its leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from .contract import Penalty
from .groups import Groups
from .sums import Sum
from .terms import Fixed, On, Scaled


@dataclass(frozen=True)
class Leaf:
    """A penalty that contains no other, and its place in the composition.

    penalty : with its effective λ.
    where : nested indices into w; () for all of w.
    factor : multiplies its value.
    fixed : whether it is exempt from the scaling of a sum.
    """

    penalty: Penalty
    where: tuple = ()
    factor: float = 1.0
    fixed: bool = False

    @property
    def placed(self) -> Penalty:
        """The leaf as a penalty on all of w, subject to scaling."""
        placed = self.penalty if self.factor == 1 else Scaled(self.penalty, self.factor * self.penalty.lam)
        for where in reversed(self.where):
            placed = On(placed, where)
        return placed


@singledispatch
def leaves(penalty: Penalty) -> Iterator[Leaf]:
    """The leaves of a penalty, from left to right."""
    yield Leaf(penalty)


@leaves.register
def _(penalty: Sum) -> Iterator[Leaf]:
    for term in penalty.scaled_terms():
        yield from leaves(term)


@leaves.register
def _(penalty: Fixed) -> Iterator[Leaf]:
    for leaf in leaves(penalty.term):
        yield replace(leaf, fixed=True)


@leaves.register
def _(penalty: Scaled) -> Iterator[Leaf]:
    for leaf in leaves(penalty.term):
        yield replace(leaf, factor=penalty.factor * leaf.factor)


@leaves.register
def _(penalty: On) -> Iterator[Leaf]:
    for leaf in leaves(penalty.term):
        yield replace(leaf, where=(penalty.where, *leaf.where))


def rebuild(penalty: Penalty, change: Callable[[Leaf], Penalty]) -> Penalty:
    """The same composition with `change(leaf)` in place of the penalty of every leaf."""
    return _rebuild(penalty, change, Leaf(penalty))


@singledispatch
def _rebuild(penalty: Penalty, change, at: Leaf) -> Penalty:
    return change(replace(at, penalty=penalty))


@_rebuild.register
def _(penalty: Sum, change, at: Leaf) -> Penalty:
    return Sum(tuple(_rebuild(term, change, at) for term in penalty.terms), penalty.lam)


@_rebuild.register
def _(penalty: Fixed, change, at: Leaf) -> Penalty:
    return Fixed(_rebuild(penalty.term, change, replace(at, fixed=True)))


@_rebuild.register
def _(penalty: Scaled, change, at: Leaf) -> Penalty:
    return Scaled(_rebuild(penalty.penalty, change, replace(at, factor=at.factor * penalty.factor)), penalty.lam)


@_rebuild.register
def _(penalty: On, change, at: Leaf) -> Penalty:
    return On(_rebuild(penalty.term, change, replace(at, where=(*at.where, penalty.where))), penalty.where)


# --- questions ---------------------------------------------------------------------------------------------------
def terms(penalty: Penalty) -> list[Penalty]:
    """The leaves as penalties on all of w, whose sum is the penalty."""
    return [leaf.placed for leaf in leaves(penalty)]


def released(penalty: Penalty) -> Sum:
    """The sum of the terms with none of them fixed, so that λ scales all of them."""
    return Sum(tuple(terms(penalty)))


def fixed_leaves(penalty: Penalty) -> list[bool]:
    """For every leaf whether its λ is constant: fixed terms and constraints."""
    return [leaf.fixed or leaf.penalty.constraint for leaf in leaves(penalty)]


def has_fixed(penalty: Penalty) -> bool:
    """Whether any leaf is fixed."""
    return any(leaf.fixed for leaf in leaves(penalty))


def has_constraint(penalty: Penalty) -> bool:
    """Whether any leaf is a constraint."""
    return any(leaf.penalty.constraint for leaf in leaves(penalty))


def strength(penalty: Penalty) -> float:
    """The sum of the λ of the leaves, without constraints."""
    return float(sum(leaf.factor * leaf.penalty.lam for leaf in leaves(penalty) if not leaf.penalty.constraint))


def concavity(penalty: Penalty) -> float:
    """ρ such that the penalty + ½ρ|w|² is convex; 0 if every leaf is convex or does not declare where it is flat.

    The slope of a leaf falls from λ at zero to 0 where it is flat.
    """
    bent = [leaf for leaf in leaves(penalty) if leaf.penalty.flat_from]
    return float(sum(leaf.factor * float(leaf.penalty.lam) / leaf.penalty.flat_from for leaf in bent))


def with_bounds_scaled(penalty: Penalty, scale) -> Penalty:
    """The penalty of weights that are multiplied by `scale` > 0, an array of w's shape: bounds move with them."""
    return rebuild(penalty, lambda leaf: leaf.penalty.with_bounds_scaled(_part_of(scale, leaf)))


def multiplied(penalty: Penalty, factors) -> Penalty:
    """The penalty with λ of entry j multiplied by factors[j], an array of w's shape; 0 = not penalised, bounds are
    unchanged."""
    return rebuild(penalty, lambda leaf: leaf.penalty.with_factors(_part_of(factors, leaf)))


def _part_of(values, leaf: Leaf):
    """The entries of an array of w's shape on which a leaf acts."""
    for where in leaf.where:
        values = values[where]
    return values


def fingerprint(penalty: Penalty) -> str:
    """A hash of a penalty: of its leaves with all their parameters, every entry of arrays and groups included.

    Two penalties that print alike, such as ``L1(0.1, weights=<8 values>)``, have different ones if an entry differs.
    """
    digest = hashlib.sha256()
    for leaf in leaves(penalty):
        _add(digest, (type(leaf.penalty).__qualname__, leaf.penalty.get_params(), leaf.where, leaf.factor, leaf.fixed))
    return digest.hexdigest()[:16]


def _add(digest, value) -> None:
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, tuple | list):
        for one in value:
            _add(digest, one)
    elif isinstance(value, Groups):
        _add(digest, (type(value).__qualname__, value.identity))
    elif isinstance(value, bytes):
        digest.update(value)
    elif hasattr(value, "full_tensor"):  # of a tensor that is spread over processes, all of which come here
        _add(digest, value.full_tensor())
        return
    elif hasattr(value, "shape"):
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=np.float64)
        digest.update(repr(array.shape).encode() + array.tobytes())
    elif isinstance(value, bool | int | float | np.number):
        digest.update(repr(float(value)).encode())
    else:
        digest.update(str(getattr(value, "__qualname__", value)).encode())
    digest.update(b"|")
