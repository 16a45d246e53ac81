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
            f"Dropout acts on one-hot vectors: {100 * p:g} % of them become all zeros and the others {1 / (1 - p):.3g} times "
            "a one-hot vector. Nothing is thinned, categories are missing at random.",
            "drop behind the first layer (or the embedding); for missing categories, give them a code of their own",
        )
