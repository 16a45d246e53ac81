"""Weight decay on parameters that recipes exclude: gains of normalisations, biases, scalars, embeddings."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.groups import kind
from shrinkwise.networks.audit.subject.subject import Subject

from .rate import MATERIAL, decayed, over_the_run

_FIX = "optimizer = AdamW(sw.audit.groups(model, weight_decay), lr=lr)"
_KINDS = {
    "norm": (
        "decay-on-norms",
        "gains and shifts of normalisations",
        "A gain near 0 switches its channel off instead of making the function smoother",
        "https://github.com/ServiceNow/Fast-LLM/issues/542; Goyal et al., arXiv:1706.02677",
    ),
    "bias": (
        "decay-on-biases",
        "biases",
        "They do not affect the smoothness of the function, so recipes exclude them",
        "https://github.com/Lightning-AI/lit-llama/issues/254; He et al., arXiv:1812.01187",
    ),
    "scalar": (
        "decay-on-scalars",
        "scalars and vectors that are not weights of a product (gates, scales, slopes)",
        "Their neutral value is rarely 0",
        "https://github.com/majumderb/rezero/issues/14; https://github.com/ServiceNow/Fast-LLM/pull/545",
    ),
    "embedding": (
        "decay-on-embeddings",
        "embeddings",
        "Rows of rare tokens shrink at every step but are rarely updated; recipes differ on this",
        "https://github.com/karpathy/minGPT/pull/24",
    ),
}


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding per kind. Embeddings, and decay too slow to matter, are notes because many recipes keep them."""
    everything = list(decayed(subject))
    for role, (code, what, why, source) in _KINDS.items():
        found = [d for d in everything if kind(d.candidate) == role]
        if not found:
            continue
        matters = role != "embedding" and max(d.shrinks(subject.steps) for d in found) >= MATERIAL
        names = list(dict.fromkeys(d.candidate.name for d in found))
        yield Finding(
            code,
            "warning" if matters else "note",
            listed(names),
            f"{len(names)} {what} have weight decay: {over_the_run(found, subject.steps)}. {why}.",
            _FIX,
            source,
        )
