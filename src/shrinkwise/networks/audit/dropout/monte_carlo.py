"""Monte Carlo dropout without spread: dropout layers are in training mode, the outputs are equal all the same."""

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
        "The model is in evaluation but for its dropout layers, as for Monte Carlo dropout, and two passes without gradients "
        "are equal: nothing is drawn (fused kernels and functions look at the mode of the module that calls them).",
        "shrinkwise.dropout.mc_predict(model, x, task=...), which sets the modes and refuses equal draws",
        "https://github.com/TiagoCortinhal/SalsaNext/issues/40; https://github.com/unit8co/darts/pull/2312",
    )
