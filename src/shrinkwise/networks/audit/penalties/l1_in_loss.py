"""L1 in the loss: the right objective, but no exact zeros under any optimizer."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.groups import kind
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning, with λ and the number of zeros. Needs a batch and the loss."""
    term = subject.passes.own_term if subject.passes else None
    if term is None or not term.l1:
        return
    found = [subject.by_id[key] for key in term.l1]
    size = sum(c.param.numel() for c in found)
    zeros = sum(int((c.param.detach() == 0).sum()) for c in found if c.param.dim() > 1)
    lams = sorted(set(term.l1.values()))
    lam = f"λ = {lams[0]:.3g}" if lams[-1] <= 1.001 * lams[0] else f"λ from {lams[0]:.3g} to {lams[-1]:.3g}"
    beside = sorted({kind(c) for c in found} - {"weight"})
    also = f" It also acts on {', '.join(beside)} parameters." if beside else ""
    names = ", ".join(sorted({type(opt).__name__ for opt in subject.optimizers})) or "Any optimizer"
    yield Finding(
        "l1-in-loss",
        "warning",
        listed(c.name for c in found),
        f"The loss adds L1 with {lam} to {size:,} weights, of which {zeros:,} are exactly zero. {names} steps "
        "across 0 by about the learning rate, so weights oscillate around 0 and none is removed; λ also scales "
        f"with gradient accumulation.{also}",
        f"reg = sw.attach(optimizer, model, sw.L1({lams[-1]:.3g})) and no term in the loss",
        "https://github.com/keras-team/tf-keras/issues/16; https://github.com/wenwei202/iss-rnns/issues/5",
    )
