"""A parameter that is in optimizers twice and therefore updated and decayed twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding for the same tensor twice, one for two parameters that share their memory."""
    held = [p for opt in subject.optimizers for group in opt.param_groups for p in group["params"]]
    counts = Counter(id(p) for p in held)
    unique = list({id(p): p for p in held}.values())
    twice = [subject.name_of(p) for p in unique if counts[id(p)] > 1]
    if twice:
        yield Finding(
            "parameter-held-twice",
            "error",
            listed(twice),
            f"{len(twice)} parameters are in the optimizer's groups more than once, so every step updates and "
            "decays them more than once.",
            "list(dict.fromkeys(params)), or sw.audit.groups(model, weight_decay)",
            "https://github.com/pytorch/pytorch/issues/40967",
        )
    regions: dict[tuple, list] = {}
    for p in unique:
        if p.numel() and p.device.type != "meta":
            regions.setdefault((p.device, p.data_ptr()), []).append(p)
    shared = [subject.name_of(p) for group in regions.values() if len(group) > 1 for p in group]
    if shared:
        yield Finding(
            "shared-memory-twice",
            "error",
            listed(shared),
            "These parameters are different objects that share memory, so each step updates and decays it once "
            "for each of them.",
            "tie the parameters themselves: head.weight = embedding.weight",
            "https://github.com/deepspeedai/DeepSpeed/issues/195",
        )
