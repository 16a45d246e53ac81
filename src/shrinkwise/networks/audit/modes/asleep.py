"""Dropout that `model.train()` does not switch on, next to trained parameters."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.dropout.layers import drop_of, is_dropout
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning; a frozen part that stays in evaluation is intended. Needs a batch."""
    if subject.passes is None:
        return
    asleep = [
        f"{name} (p={drop_of(subject.modules[name]):g})"
        for name in subject.passes.asleep
        if is_dropout(subject.modules[name]) and drop_of(subject.modules[name]) > 0 and _trained(subject, name)
    ]
    if asleep:
        yield Finding(
            "dropout-stays-in-eval",
            "warning",
            listed(asleep),
            f"{len(asleep)} dropout layers are still in evaluation mode after model.train(), next to trained "
            "parameters, so they never act.",
            "call super().train(mode) in the module that overrides train()",
        )


def _trained(subject: Subject, name: str) -> bool:
    """Whether the closest module around it that has parameters has one that is trained."""
    while name:
        name = name.rpartition(".")[0]
        parameters = list(subject.modules[name].parameters())
        if parameters:
            return any(p.requires_grad for p in parameters)
    return False
