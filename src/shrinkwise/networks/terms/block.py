"""Penalised tensors by penalty: one tensor, or the tensors that groups span."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from shrinkwise.penalties import Penalty

from .term import Term


@dataclass(frozen=True)
class Block:
    """The tensors that one penalty acts on, in its order."""

    terms: list[Term]

    @property
    def name(self) -> str:
        """The name of the tensor, or the first and the last of several."""
        first, last = self.terms[0].name, self.terms[-1].name
        return first if len(self.terms) == 1 else f"{first} … {last} ({len(self.terms)} tensors)"

    @property
    def penalty(self) -> Penalty:
        """λf of `stacked` weights."""
        return self.terms[0].map.penalty

    @property
    def unit(self) -> Penalty:
        """f of `stacked` weights."""
        return self.terms[0].map.whole_unit

    def stacked(self, values: list[torch.Tensor]) -> torch.Tensor:
        """Whole arrays like the tensors as the one array that the penalty takes: the vector of all entries of several."""
        return values[0] if self.terms[0].map.stack is None else torch.cat([v.reshape(-1) for v in values])

    def whole(self) -> torch.Tensor:
        """The weights; every process has to call this."""
        return self.stacked([term.whole() for term in self.terms])

    def value(self) -> float:
        """λf(w)."""
        return float(self.penalty.value(self.whole()))


def blocks(terms: list[Term]) -> list[Block]:
    """The terms by penalty, in the order of the first tensor of each."""
    found: dict[int, list[Term]] = {}
    for term in terms:
        found.setdefault(id(term.map.stack or term), []).append(term)
    return [Block(sorted(some, key=lambda term: term.map.place)) for some in found.values()]
