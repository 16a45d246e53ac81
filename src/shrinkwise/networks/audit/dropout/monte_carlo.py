"""Monte Carlo dropout without spread: dropout layers are in training mode, but the outputs are equal."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One error. Needs a batch, and the model in the modes that the script sets."""
    if subject.passes is None or subject.passes.spread is not False:
        return
    yield Finding(
        "mc-dropout-deterministic",
        "error",
        "model",
        "The model is in evaluation mode except for its dropout layers, as for Monte Carlo dropout, but two "
        "passes without gradients are equal, so nothing is dropped (fused kernels and functions use the mode of "
        "the calling module).",
        "shrinkwise.dropout.mc_predict(model, x, task=...), which sets the modes and raises an error if all "
        "draws are equal",
        "https://github.com/TiagoCortinhal/SalsaNext/issues/40; https://github.com/unit8co/darts/pull/2312",
    )
