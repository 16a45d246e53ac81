"""The penalties of `attach`, and how they grow with the weights."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.subject import Subject
from shrinkwise.networks.step.arming import stepper_of


def steppers(subject: Subject) -> Iterator:
    """The steppers that `attach` added to the optimizers."""
    for optimizer in subject.optimizers:
        found = stepper_of(optimizer)
        if found is not None:
            yield found


def terms(subject: Subject) -> Iterator:
    """The penalised parameters."""
    for stepper in steppers(subject):
        yield from stepper.terms


def degree(term) -> int:
    """2 for a penalty that grows with the square of the weights, 1 for one that grows as a norm does, 0 for others."""
    penalty, w = term.map.penalty, term.whole().double()
    value = float(penalty.value(w))
    if not value > 0:
        return 0
    ratio = float(penalty.value(2 * w)) / value
    return next((d for d in (1, 2) if abs(ratio - 2**d) < 1e-6), 0)
