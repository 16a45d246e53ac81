"""Frozen parameters in a group: harmless unless they are unfrozen or get a zero gradient, with which they decay."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One note for the frozen ones of all groups with decay."""
    frozen = [
        subject.name_of(p)
        for optimizer in subject.optimizers
        for group in optimizer.param_groups
        if group.get("weight_decay")
        for p in group["params"]
        if not p.requires_grad and p.grad is None
    ]
    if frozen:
        yield Finding(
            "frozen-in-decayed-group",
            "note",
            listed(frozen),
            f"{len(frozen)} frozen parameters are in a group with weight decay. They do not change while their "
            "gradient is None, but with a zero gradient decay would shrink them.",
            "[p for p in model.parameters() if p.requires_grad], or sw.audit.groups(model, weight_decay)",
            "https://github.com/facebookresearch/moco/issues/14",
        )
