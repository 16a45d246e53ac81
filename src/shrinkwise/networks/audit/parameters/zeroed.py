"""Parameters meant to be frozen by zeroing their gradient: weight decay goes on shrinking them."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.decay.rate import decayed
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding for parameters that a hook leaves no gradient at all, or whose `.grad` is zero now, and that decay."""
    gradients = subject.passes.gradients if subject.passes else {}
    found = []
    for d in decayed(subject):
        p = d.candidate.param
        hooked = bool(getattr(p, "_backward_hooks", None))
        gradient = gradients.get(id(p))
        if hooked and gradient is not None and not bool(gradient.any()):
            found.append(d)
        elif hooked and gradient is not None and p.dim() > 1 and bool((gradient.flatten(1) == 0).all(1).any()):
            found.append(d)
    if found:
        yield Finding(
            "decay-on-zeroed-gradient",
            "error",
            listed(d.candidate.name for d in found),
            f"A hook sets gradients of {len(found)} parameters to zero, wholly or in rows, but {found[0].optimizer} still "
            f"decays them by weight_decay={found[0].decay:g}: what is meant to be frozen shrinks at every step.",
            "put the parameter into a group with weight_decay=0, or train the free rows as a parameter of their own",
            "https://github.com/huggingface/diffusers/issues/1009",
        )
