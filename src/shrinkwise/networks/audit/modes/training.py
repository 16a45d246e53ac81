"""Training steps in evaluation mode: dropout is off."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning. Needs a record made with the optimizer."""
    record = subject.record
    if record is not None and record.silent_steps:
        yield Finding(
            "dropout-off-in-training",
            "warning",
            "model",
            f"{record.silent_steps} of {record.steps} recorded steps were taken with all dropout layers in evaluation mode.",
            "call model.train() at the start of every epoch, not only at the start of the run",
            "https://github.com/pytorch/tutorials/issues/1624; https://github.com/MILVLG/mcan-vqa/issues/26",
        )
