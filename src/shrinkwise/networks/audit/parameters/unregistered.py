"""Trained tensors that `model.parameters()` does not list: modules in a plain list or dict."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding. Needs a batch."""
    shapes = subject.passes.strangers if subject.passes else []
    held = {tuple(p.shape) for opt in subject.optimizers for g in opt.param_groups for p in g["params"]} - {
        tuple(c.param.shape) for c in subject.parameters
    }
    shapes = [shape for shape in shapes if shape not in held]
    if shapes:
        some = ", ".join("×".join(map(str, shape)) or "1" for shape in shapes[:3])
        yield Finding(
            "parameter-not-registered",
            "error",
            some,
            f"{len(shapes)} tensors that require gradients contribute to the output but are not in "
            "model.parameters(), so no optimizer made from it trains or decays them, and train(), eval() and "
            "state_dict() ignore them.",
            "keep modules in nn.ModuleList or nn.ModuleDict, tensors in nn.Parameter",
            "https://github.com/pytorch/pytorch/issues/59925",
        )
