"""Clipping only the gradient of the loss, which makes the penalty relatively stronger."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from shrinkwise.networks.audit.decay.rate import decayed
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .attached import steppers

_MATTERS = 0.9


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning. Needs a record of training steps made with the optimizer."""
    ratios = subject.record.clipped if subject.record else []
    if not ratios or median(ratios) >= _MATTERS or median(ratios) == 0:
        return
    loose = [t.name for s in steppers(subject) if s.options.max_norm is None for t in s.terms]
    # Decay in the gradient is added behind the clipping, by the optimizer. An adaptive one divides the scale out again.
    loose += [d.candidate.name for d in decayed(subject) if d.in_gradient and not d.adaptive]
    if loose:
        ratio = median(ratios)
        yield Finding(
            "clipping-changes-lambda",
            "warning",
            listed(loose),
            f"Clipping multiplied the gradient of the loss by {ratio:.3g} (median of {len(ratios)} recorded "
            f"steps), but not the penalty, so λ is effectively {1 / ratio:.3g} times the specified value.",
            "sw.attach(..., max_norm=...) clips the sum; for weight decay, use AdamW or a larger max_norm",
        )
