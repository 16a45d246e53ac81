"""A probability of keeping where the probability of dropping is expected."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .layers import drop_of, is_dropout

_SUSPECT = 0.8  # nobody drops four fifths of the units; many keep them


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning for layers and calls."""
    found = {
        name: drop_of(module)
        for name, module in subject.modules.items()
        if is_dropout(module) and drop_of(module) >= _SUSPECT
    }
    for call in subject.passes.train.active() if subject.passes else []:
        p = call.noise.p if call.noise else None
        if p is not None and p >= _SUSPECT and call.module not in found:
            found[f"{call.module or 'model'} ({call.noise.site if call.noise else ''})"] = p
    if found:
        largest = max(found.values())
        yield Finding(
            "dropout-p-is-keep",
            "warning",
            listed(f"{name}: p={p:g}" for name, p in found.items()),
            f"In PyTorch p is the probability of dropping, so p={largest:g} drops {100 * largest:g} % of the units.",
            f"nn.Dropout({1 - largest:.2g}), or sw.Dropout(keep={largest:g})",
            "https://github.com/piergiaj/pytorch-i3d/issues/58; https://github.com/hassony2/kinetics_i3d_pytorch/issues/6",
        )
