"""A validation in training mode."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning. Needs a record."""
    record = subject.record
    if record is not None and record.noisy_validations:
        yield Finding(
            "eval-not-called",
            "warning",
            listed(record.noisy_validations),
            f"Forward passes without gradients ({record.validations} in the record) ran in training mode, so "
            "dropout acts in the validation, and normalisations include its batches in their running statistics.",
            "call model.eval() before the validation and model.train() after it",
            "https://github.com/ipolharvard/ethos-ares/issues/20; https://github.com/wolny/pytorch-3dunet/issues/53",
        )
