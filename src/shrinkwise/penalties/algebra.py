"""What a composed penalty is made of: the one place that looks inside sums, fixed terms, multiples and parts.

A penalty written ``2 * (P + Q.fixed()).on(part)`` is a tree. `leaves` lists the penalties at its ends, each with the part of
the weights on which it stands, the number that multiplies it, and whether it is exempt from scaling; `terms` gives them as
penalties on all of w; `rebuild` makes the same tree of other leaves. Whoever asks a question of a penalty asks its leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import singledispatch

from .contract import Penalty
from .sums import Sum
from .terms import Fixed, On, Scaled


@dataclass(frozen=True)
class Leaf:
    """A penalty that contains no other, and where it stands.

    penalty : with the λ that counts.
    where : indices into w, one inside the other; () for all of w.
    factor : multiplies its value.
    fixed : whether the scaling of a sum leaves it as it is.
    """

    penalty: Penalty
    where: tuple = ()
    factor: float = 1.0
    fixed: bool = False

    @property
    def placed(self) -> Penalty:
        """The leaf as a penalty on all of w, free to be scaled."""
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
    """The same composition with `change(leaf)` in the place of the penalty of every leaf."""
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
    """The sum of the terms, none of them fixed: λ scales them all."""
    return Sum(tuple(terms(penalty)))


def fixed_leaves(penalty: Penalty) -> list[bool]:
    """Of every leaf, whether its λ does not move: fixed terms and constraints."""
    return [leaf.fixed or leaf.penalty.constraint for leaf in leaves(penalty)]


def has_fixed(penalty: Penalty) -> bool:
    """Whether some leaf is fixed."""
    return any(leaf.fixed for leaf in leaves(penalty))


def has_constraint(penalty: Penalty) -> bool:
    """Whether some leaf is a constraint."""
    return any(leaf.penalty.constraint for leaf in leaves(penalty))


def strength(penalty: Penalty) -> float:
    """The total of the λ of the leaves, constraints apart."""
    return float(sum(leaf.factor * leaf.penalty.lam for leaf in leaves(penalty) if not leaf.penalty.constraint))


def concavity(penalty: Penalty) -> float:
    """ρ such that the penalty + ½ρ|w|² is convex; 0 where every leaf is convex or says nothing of where it is flat.

    The slope of a leaf falls from λ at zero to 0 where it is flat.
    """
    bent = [leaf for leaf in leaves(penalty) if leaf.penalty.flat_from]
    return float(sum(leaf.factor * float(leaf.penalty.lam) / leaf.penalty.flat_from for leaf in bent))


def multiplied(penalty: Penalty, factors) -> Penalty:
    """The penalty with λ of entry j multiplied by factors[j], an array of w's shape; 0 = free, bounds stay as they are."""

    def change(leaf: Leaf) -> Penalty:
        part = factors
        for where in leaf.where:
            part = part[where]
        return leaf.penalty.with_factors(part)

    return rebuild(penalty, change)
