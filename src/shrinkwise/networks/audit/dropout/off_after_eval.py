"""Dropout that an evaluation switches off permanently by overwriting an attribute."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One error. Needs a batch."""
    passes = subject.passes
    if passes is None or passes.again is None:
        return
    still = {(call.module, call.name) for call in passes.again.active()}
    gone = [call for call in passes.train.active() if (call.module, call.name) not in still]
    if gone:
        yield Finding(
            "dropout-off-after-eval",
            "error",
            listed(f"{call.module or 'model'} ({call.noise.site})" for call in gone if call.noise),
            f"{len(gone)} dropout calls act in training, but no longer after the model has been evaluated, "
            "because forward overwrites the probability.",
            "p = self.p if self.training else 0.0, in a local variable",
            "https://github.com/NVIDIA/Megatron-LM/pull/411",
        )
