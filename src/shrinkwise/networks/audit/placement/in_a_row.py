"""Two dropouts in a row, without a learned layer between them."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .invariance import VIEWS

ELEMENTWISE = frozenset({"dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "Dropout"})


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning. Needs a batch."""
    if subject.passes is None:
        return
    tape, found = subject.passes.train, []
    for call in tape.active():
        before = tape.back_through(call.index, VIEWS) if call.name in ELEMENTWISE and not call.backward else None
        if before is not None and before.noise is not None and before.noise.on and before.name in ELEMENTWISE:
            found.append((call, before))
    if found:
        call, before = found[0]
        p, q = (c.noise.p or 0.0 for c in (before, call) if c.noise)
        yield Finding(
            "dropout-twice-in-a-row",
            "warning",
            listed(f"{b.module or 'model'}, {c.module or 'model'}" for c, b in found),
            f"Dropout with p={p:g} is followed directly by dropout with p={q:g}: "
            f"{100 * (1 - (1 - p) * (1 - q)):.3g} % of the units are dropped.",
            "keep one of the two",
            "https://github.com/TimDettmers/ConvE/issues/19; https://github.com/rasbt/LLMs-from-scratch/pull/105",
        )
