"""An average over steps of weights with exact zeros: the average has no zeros."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject, averaged

_KEPT = 0.5


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning for averages with less than half of the zeros of the trained weights. Needs an optimizer."""
    held = subject.held()
    trained = [p for opt in subject.optimizers for g in opt.param_groups for p in g["params"] if p.dim() > 1]
    zeros, size = sum(int((p.detach() == 0).sum()) for p in trained), sum(p.numel() for p in trained)
    if not size or zeros < 0.01 * size:
        return
    for name, module in subject.modules.items():
        means = [p for p in averaged(module) if p.dim() > 1 and id(p) not in held]
        total = sum(p.numel() for p in means)
        share = sum(int((p.detach() == 0).sum()) for p in means) / total if total else 1.0
        if share < _KEPT * zeros / size:
            yield Finding(
                "average-without-zeros",
                "warning",
                listed([name or "model"]),
                f"{100 * zeros / size:.3g} % of the trained weights are exactly zero, but only {100 * share:.3g} "
                "% of their average, because a weight that was nonzero at any step is nonzero in the average.",
                "reg.averaged(decay), which averages the latents and takes the prox of their average",
                "https://github.com/neuralmagic/sparseml/pull/1486",
            )
