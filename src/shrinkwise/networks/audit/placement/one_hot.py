"""Dropout on one-hot inputs: it removes the only entry."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .invariance import VIEWS


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning. Needs a batch."""
    if subject.passes is None:
        return
    tape, found = subject.passes.train, []
    for call in tape.active():
        if call.noise is not None and call.noise.one_hot and call.noise.p is not None:
            before = tape.back_through(call.index, VIEWS)
            if before is None or before.name in ("input", "one_hot"):
                found.append(call)
    if found:
        p = max(call.noise.p or 0.0 for call in found if call.noise)
        yield Finding(
            "dropout-on-one-hot",
            "warning",
            listed(f"{call.module or 'model'} ({call.noise.site})" for call in found if call.noise),
            f"Dropout acts on one-hot vectors: {100 * p:g} % of them become zero and the others are multiplied by "
            f"{1 / (1 - p):.3g}, so categories are missing at random.",
            "apply dropout after the first layer (or the embedding); encode missing categories as a separate category",
        )
