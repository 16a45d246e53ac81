"""A penalty computed from .data, detach() or a state_dict, which changes the reported loss but not the weights."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One error. Needs a batch and the loss."""
    term = subject.passes.own_term if subject.passes else None
    if term is not None and term.dead:
        found = [subject.by_id[key].name for key in term.dead]
        yield Finding(
            "penalty-without-gradient",
            "error",
            listed(found),
            f"The loss reads {len(found)} parameters without a gradient (through .data, detach(), item() or a "
            "state_dict): a penalty computed from them has no effect on training.",
            "use p itself: sum(p.square().sum() for p in model.parameters()); or sw.attach(optimizer, model, sw.L2(lam))",
            "https://github.com/bioFAM/scDORI/issues/19",
        )
