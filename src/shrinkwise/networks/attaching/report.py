"""The report on an attached penalty, which prints as a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shrinkwise.networks.methods.normal_map import THRESHOLD
from shrinkwise.networks.step.stepper import Stepper
from shrinkwise.networks.terms.block import blocks
from shrinkwise.networks.terms.term import Term

from .printing import table
from .rules import candidates


@dataclass(frozen=True)
class TensorReport:
    """One penalised parameter. `groups` and `zero_groups` are None for penalties without groups."""

    name: str
    shape: tuple[int, ...]
    penalty: str
    rule: int
    zeros: int
    size: int
    zero_groups: int | None  # of the groups with entries in it
    groups: int | None
    threshold: float | None
    note: str


@dataclass(frozen=True)
class Report:
    """The penalised parameters, the other parameters with the reason, notes, and Σ λ f(w)."""

    tensors: list[TensorReport]
    left: list[tuple[str, str]]
    notes: list[str]
    value: float
    method: str = "normal_map"
    steps: int = 0
    zero_groups: int = 0
    groups: int = 0  # a group that spans several tensors counts once

    @property
    def zeros(self) -> int:
        """Exact zeros among the penalised weights."""
        return sum(t.zeros for t in self.tensors)

    @property
    def size(self) -> int:
        """Penalised weights."""
        return sum(t.size for t in self.tensors)

    def _threshold(self, tensor: TensorReport) -> str:
        if self.method != "normal_map":
            return ""
        return "at the first step" if tensor.threshold is None else f"{tensor.threshold:.3g}"

    def __str__(self) -> str:
        rows = [
            (
                t.name,
                "×".join(map(str, t.shape)) or "1",
                t.penalty,
                t.rule if len({other.rule for other in self.tensors}) > 1 else "",
                f"{t.zeros} of {t.size}",
                "" if t.groups is None else f"{t.zero_groups} of {t.groups}",
                self._threshold(t),
                t.note,
            )
            for t in self.tensors
        ]
        header = ("penalised", "shape", "penalty", "rule", "exact zeros", "zero groups", "threshold", "note")
        parts = [table(header, rows)]
        if self.left:
            parts.append(table(("not penalised", "why"), self.left))
        spanned = self.groups and sum(t.groups or 0 for t in self.tensors) > self.groups
        whole = f", and {self.zero_groups} of {self.groups} groups over several tensors" if spanned else ""
        parts.append(
            f"{self.zeros} of {self.size} penalised weights{whole} are exactly zero; the penalty is {self.value:.6g}."
        )
        return "\n\n".join(parts) + "".join(f"\nNote: {note}." for note in self.notes)


def describe(terms: list[Term], stepper: Stepper, optimizer, model=None) -> Report:
    """The report of an attached optimizer; the model tells which parameters came after `attach`."""
    tensors, value, zero_groups, n_groups = {}, 0.0, 0, 0
    for block in blocks(terms):
        whole = [term.whole() for term in block.terms]
        stacked, groups = block.stacked(whole), block.penalty.groups
        value += float(block.penalty.value(stacked))
        zero = None if groups is None else groups.norms(stacked) == 0
        if zero is not None:
            zero_groups, n_groups = zero_groups + int(zero.sum()), n_groups + zero.numel()
        for term, w in zip(block.terms, whole, strict=True):
            here = zero if zero is None or groups.tensors is None else zero[_groups_in(term)]
            tensors[id(term)] = TensorReport(
                name=term.name,
                shape=tuple(w.shape),
                penalty=repr(block.penalty),
                rule=term.rule + 1,
                zeros=int((w == 0).sum()),
                size=w.numel(),
                zero_groups=None if here is None else int(here.sum()),
                groups=None if here is None else here.numel(),
                threshold=optimizer.state.get(term.param, {}).get(THRESHOLD, stepper.options.threshold),
                note=term.note,
            )
    ordered = [tensors[id(term)] for term in terms]
    left = stepper.left + ([] if model is None else _later(terms, stepper, model))
    return Report(ordered, left, stepper.notes, value, stepper.method, stepper.steps, zero_groups, n_groups)


def _later(terms: list[Term], stepper: Stepper, model) -> list[tuple[str, str]]:
    """Parameters of the model that it did not have at `attach`."""
    known = {id(term.param) for term in (*terms, *stepper.waiting)}
    named = {name for name, _ in stepper.left}
    return [
        (one.name, "added to the model after attach; attach again to penalise it")
        for one in candidates(model)
        if id(one.param) not in known and not named.intersection(one.names)
    ]


def _groups_in(term: Term) -> np.ndarray:
    """The numbers of the groups with entries in one of the tensors that they span."""
    labels = np.unique(term.map.stack.groups.labels_in[term.map.part.name])
    return labels[labels >= 0]
