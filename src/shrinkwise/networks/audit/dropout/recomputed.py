"""Activation checkpointing that draws different masks in recomputation."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One error. Needs a batch."""
    if subject.passes is None:
        return
    calls = [call for call in subject.passes.train.active() if call.noise and call.noise.state]
    first = {(call.name, call.noise.state) for call in calls if call.noise and not call.backward}
    other = [c for c in calls if c.backward and c.noise and (c.name, c.noise.state) not in first]
    if other:
        yield Finding(
            "dropout-differs-when-recomputed",
            "error",
            listed(f"{call.module or 'model'} ({call.noise.site})" for call in other if call.noise),
            f"{len(other)} dropout calls are recomputed in the backward pass with a different random state, so "
            "gradients use a different mask than the loss.",
            "checkpoint(..., preserve_rng_state=True)",
            "https://github.com/openai/guided-diffusion/issues/167; https://github.com/allenai/OLMo/pull/702",
        )
