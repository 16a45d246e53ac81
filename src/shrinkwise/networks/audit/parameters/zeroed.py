"""Parameters that are frozen by zeroing their gradient, but which weight decay still shrinks."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.decay.rate import decayed
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding for decayed parameters whose gradient a hook sets to zero, or whose `.grad` is currently zero."""
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
            f"A hook sets gradients of {len(found)} parameters to zero, wholly or in rows, but "
            f"{found[0].optimizer} still decays them by weight_decay={found[0].decay:g}: parameters that are "
            "meant to be frozen shrink at every step.",
            "put the parameter into a group with weight_decay=0, or make the trainable rows a separate parameter",
            "https://github.com/huggingface/diffusers/issues/1009",
        )
