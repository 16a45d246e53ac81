"""A penalty on weights followed by a normalisation, on whose size the loss does not depend."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.placement.invariance import scale_invariant
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .attached import degree, terms


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning. Needs a batch."""
    term = subject.passes.own_term if subject.passes else None
    penalised = {id(t.param) for t in terms(subject) if degree(t)} | set(term.l1 if term else ())
    found = [key for key in scale_invariant(subject) if key in penalised] if penalised else []
    if found:
        yield Finding(
            "penalty-on-scale-invariant",
            "warning",
            listed(subject.by_id[key].name for key in found),
            f"{len(found)} penalised weights are followed by a normalisation, so the loss does not depend on "
            "their norm: the penalty shrinks them indefinitely, and there is no stationary point for λ > 0.",
            'penalize the gain of the normalisation: sw.rule(sw.L1(lam), roles="norm"); or a norm constraint',
            "van Laarhoven, arXiv:1706.05350",
        )
