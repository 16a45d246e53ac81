"""Dropout that acts after `model.eval()`: functional calls that ignore the mode, layers created in forward."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One error for dropout; a note if evaluation is random for another reason. Needs a batch."""
    if subject.passes is None:
        return
    active, change = subject.passes.evaluation.active(), subject.passes.eval_change
    moved = f"two evaluations of the batch differ by up to {change:.2g} standard deviations of the output"
    if active:
        names = dict.fromkeys(call.name for call in active)
        attention = "scaled_dot_product_attention" in names
        yield Finding(
            "dropout-in-eval",
            "error",
            listed(f"{call.module or 'model'} ({call.noise.site})" for call in active if call.noise),
            f"After model.eval() dropout still acts in {len(active)} calls of {', '.join(names)}; {moved}.",
            "dropout_p=self.p if self.training else 0.0"
            if attention
            else "F.dropout(x, p, training=self.training), or an nn.Dropout made in __init__",
            "https://github.com/pytorch/pytorch/issues/124464; https://github.com/karpathy/nanoGPT/pull/240",
        )
    elif change > 0:
        yield Finding(
            "random-in-eval",
            "note",
            "model",
            f"After model.eval() the model draws random numbers; {moved}.",
            "draw under `if self.training:`, or pass a torch.Generator if sampling is intended",
        )
