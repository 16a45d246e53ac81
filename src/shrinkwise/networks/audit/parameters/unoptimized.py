"""Parameters that keep their initial values: they are in no parameter group, or the optimizer is another model's."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject, averaged


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding for all of them. Needs an optimizer."""
    if not subject.optimizers:
        return
    held = subject.held()
    if not held & set(subject.by_id):
        trained = [c for c in subject.parameters if c.param.requires_grad]
        if held and trained and not averaged(subject.model):  # an average of weights has no optimizer of its own
            yield Finding(
                "optimizer-of-other-parameters",
                "error",
                type(subject.optimizers[0]).__name__,
                f"None of the {len(subject.parameters)} parameters of the model is in the optimizer, which holds {len(held)} "
                "others. Its steps do not change the model: the optimizer was made for another model, or before the "
                "model's parameters were replaced.",
                "make the optimizer from model.parameters() of the model that is trained, after its last replacement",
                "https://github.com/spro/practical-pytorch/issues/9; https://github.com/microsoft/nni/issues/4521",
            )
        return
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
