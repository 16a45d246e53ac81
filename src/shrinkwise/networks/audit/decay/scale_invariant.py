"""Weights followed by a normalisation: the loss does not depend on their size, so decay does not regularize the
function."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.placement.invariance import scale_invariant
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .rate import decayed


def detect(subject: Subject) -> Iterator[Finding]:
    """One note: most networks are trained like this, but decay has a different effect than is often assumed."""
    invariant = scale_invariant(subject)
    found = [d for d in decayed(subject) if id(d.candidate.param) in invariant]
    if found:
        rate = found[0].rate
        tempo = f" over about {0.5 / rate:,.0f} steps" if rate else ""
        yield Finding(
            "decay-on-scale-invariant",
            "note",
            listed(d.candidate.name for d in found),
            f"{len(found)} weights are followed by a normalisation, so the loss does not depend on their norm: "
            f"decay does not regularize them but determines their effective learning rate lr/‖w‖²{tempo}.",
            "tune weight_decay together with lr for them; to regularize, penalize the gain of the normalisation",
            "van Laarhoven, arXiv:1706.05350; Defazio, arXiv:2506.02285",
        )
