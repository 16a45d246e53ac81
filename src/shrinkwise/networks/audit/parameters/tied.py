"""A weight with two names, of which weight decay uses one."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.decay.rate import decayed
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One note: decay on an output layer that is tied to an embedding also decays the embedding."""
    tied = [d.candidate for d in decayed(subject) if len(d.candidate.names) > 1]
    if tied:
        yield Finding(
            "decay-on-tied-weight",
            "note",
            listed(" = ".join(c.names) for c in tied),
            f"{len(tied)} weights have several names and are decayed once, in the group of the first.",
            "set the decay for the tensor: sw.audit.groups(model, weight_decay, embeddings=True) decays tied "
            "embeddings",
            "https://github.com/karpathy/minGPT/pull/24",
        )
