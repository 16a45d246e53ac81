"""Dropout layers with p = 0."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .layers import drop_of, is_dropout


def detect(subject: Subject) -> Iterator[Finding]:
    """One note: an option that is off."""
    off = [
        name
        for name, module in subject.modules.items()
        if is_dropout(module) and drop_of(module) == 0 and isinstance(getattr(module, "p", 0.0), (int, float))
    ]
    if off:
        yield Finding(
            "dropout-p-zero",
            "note",
            listed(off),
            f"{len(off)} dropout layers have p = 0 and no effect.",
            "set p, or remove the layers",
        )
