"""Dropout directly before a BatchNorm, whose running variance then includes the noise."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .invariance import VIEWS

_SHIFT = 0.95  # of the standard deviation in evaluation; less of a shift is a note
_THROUGH = VIEWS | {"relu", "relu_"}


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding, with the largest shift. Needs a batch."""
    if subject.passes is None:
        return
    tape, found = subject.passes.train, []
    for call in tape.calls:
        before = tape.back_through(call.index, _THROUGH) if call.name == "batch_norm" and not call.backward else None
        noise = before.noise if before else None
        if noise is not None and noise.on and noise.p is not None and noise.p < 1 and noise.variance > 0:
            # Var[x·b/q] = Var[x] + (1 − q)/q · E[x²]
            with_noise = noise.variance + noise.p / (1 - noise.p) * noise.mean_square
            found.append(((noise.variance / with_noise) ** 0.5, noise.p, f"{call.module or 'model'} ({noise.site})"))
    if found:
        ratio, p, _ = min(found)
        yield Finding(
            "dropout-before-batchnorm",
            "warning" if ratio < _SHIFT else "note",
            listed(where for _, _, where in found),
            f"Dropout (p={p:g}) is followed directly by BatchNorm, whose running variance includes the noise, so "
            f"that in evaluation the standard deviation after it is {ratio:.2f} instead of 1.",
            "dropout after the last BatchNorm, or sw.DropPath around the whole branch",
            "Li et al., arXiv:1801.05134; https://github.com/luigibonati/mlcolvar/pull/205",
        )
