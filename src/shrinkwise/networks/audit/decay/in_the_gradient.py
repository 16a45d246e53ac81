"""L2 in an adaptive optimizer: the decay is divided by √v, so that weights with large gradients are barely decayed."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .rate import decayed


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding per optimizer."""
    found = [d for d in decayed(subject) if d.adaptive]
    for name in dict.fromkeys(d.optimizer for d in found):
        own = [d for d in found if d.optimizer == name]
        spread = _spread(subject)
        yield Finding(
            "l2-in-adaptive-optimizer",
            "warning",
            f"{name}: {listed(d.candidate.name for d in own)}",
            f"{name} adds weight_decay={own[0].decay:g} to the gradient and divides the sum by √v, so the weights "
            f"do not decay uniformly: the decay is weak where gradients are large{spread}.",
            "torch.optim.AdamW(..., weight_decay=...), whose decay acts on the weights (its value must be tuned again)"
            if name == "Adam"
            else f"{name}(..., weight_decay=0) and sw.attach(optimizer, model, sw.L2.from_weight_decay({own[0].decay:g}))",
            "Loshchilov and Hutter, arXiv:1711.05101; https://github.com/mapbox/robosat/pull/166",
        )


def _spread(subject: Subject) -> str:
    """The variation of the decay over the weights, from the optimizer's second moments."""
    roots = [
        state["exp_avg_sq"].detach().reshape(-1)[: 1 << 16].float().sqrt()
        for optimizer in subject.optimizers
        for state in optimizer.state.values()
        if isinstance(state.get("exp_avg_sq"), torch.Tensor)
    ]
    if not roots:
        return ""
    some = torch.cat(roots)
    some = some[some > 0][: 1 << 20]
    if some.numel() < 100:
        return ""
    low, high = torch.quantile(some, torch.tensor([0.1, 0.9], device=some.device)).tolist()
    return f"; at present the factor 1/√v differs {high / low:.3g}-fold between its 10 % and 90 % points"
