"""Parameters with a gradient that are in no parameter group and keep their initial values."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding for all of them. Needs an optimizer."""
    if not subject.optimizers:
        return
    held = subject.held()
    if not held & set(subject.by_id):
        return  # another model's optimizer: an average of weights has none of its own
    left = [c for c in subject.parameters if c.param.requires_grad and id(c.param) not in held]
    gradients = subject.passes.gradients if subject.passes and subject.passes.differentiated else None
    if gradients is not None:
        left = [c for c in left if gradients.get(id(c.param)) is not None]
    if left:
        yield Finding(
            "parameter-not-optimized",
            "warning",
            listed(c.name for c in left),
            f"{len(left)} parameters ({sum(c.param.numel() for c in left):,} numbers) require a gradient but are "
            "in no group of the optimizer, so they are neither trained nor decayed.",
            "optimizer = AdamW(sw.audit.groups(model, weight_decay)); or p.requires_grad_(False) if that is intended",
            "https://github.com/facebookresearch/mmf/issues/104; https://github.com/ACEsuit/mace/pull/1529",
        )
