"""The number of steps in which decay alone shrinks a weight by e, compared with the length of the run."""

from __future__ import annotations

import math
from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .rate import decayed

_TOO_SLOW = 3  # a timescale of three runs takes less than 30 % of a weight


def detect(subject: Subject) -> Iterator[Finding]:
    """One finding for all weights whose decay is slower than the planned run. Needs `steps`."""
    if subject.steps is None:
        return
    rates = [(d.rate, d) for d in decayed(subject) if d.rate and 1.0 / d.rate > subject.steps]
    if not rates:
        return
    found = [d for _, d in rates]
    rate, fastest = max(rates, key=lambda pair: pair[0])
    timescale = 1.0 / rate
    slow = timescale > _TOO_SLOW * subject.steps
    wanted = fastest.decay * timescale / subject.steps
    yield Finding(
        "decay-slower-than-run",
        "warning" if slow else "note",
        listed(d.candidate.name for d in found),
        f"The timescale of the decay, 1/(lr·weight_decay) = {timescale:,.0f} steps, is longer than the run of "
        f"{subject.steps:,}: decay alone shrinks a weight by {-100 * math.expm1(-subject.steps / timescale):.2g} "
        "%.",
        f"weight_decay={wanted:.2g} makes the timescale equal to one run at lr={fastest.lr:g}; or omit the decay",
        "Wang and Aitchison, arXiv:2405.13698",
    )
