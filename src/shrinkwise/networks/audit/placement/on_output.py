"""Dropout on the output of the model: predictions are zeroed."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .in_a_row import ELEMENTWISE
from .invariance import VIEWS


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding: a warning where there is a target or a loss, else a note (the output may be features). Needs a batch."""
    passes = subject.passes
    if passes is None:
        return
    found = []
    for index in passes.train.outputs:
        call = passes.train.calls[index]
        last = call if call.name not in VIEWS else passes.train.back_through(index, VIEWS)
        if last is not None and last.noise is not None and last.noise.on and last.name in ELEMENTWISE:
            found.append(last)
    if found:
        p = max(call.noise.p or 0.0 for call in found if call.noise)
        what = "predicted values are" if passes.batch.regression() else "outputs are"
        yield Finding(
            "dropout-on-output",
            "warning" if passes.batch.has_target or passes.batch.loss else "note",
            listed(f"{call.module or 'model'} ({call.noise.site})" for call in found if call.noise),
            f"The last operation is dropout; in training {100 * p:g} % of the {what} set to 0 and the others are "
            f"multiplied by {1 / (1 - p) if p < 1 else 0:.3g}.",
            "move it before the last linear layer",
            "https://github.com/deepchem/deepchem/issues/303; https://github.com/weihua916/powerful-gnns/issues/16",
        )
