"""The intervals of the kept model's predictions: how often they contain the truth, and what they hold for."""

from __future__ import annotations

from collections.abc import Sequence

from shrinkwise.compare.result import Comparison
from shrinkwise.compare.scoring.conformal import LEVEL
from shrinkwise.report.exhibits import Coverage, CoveragePart

from .words import said

_VALID = {
    "group": "The level is approximately that of a random row of a new group, if the groups are a random sample.",
    "time": "They are from the errors in later periods, and hold as long as errors stay as they were; nothing guarantees it.",
    "": "The level is approximate, and an average over new rows that are like these: some kinds of rows may be covered less.",
}


def coverage_page(comparison: Comparison) -> Coverage | None:
    """The coverage of the intervals at `LEVEL`; None where the rows do not support it."""
    if (found := comparison.intervals) is None or not found.coverage:
        return None
    fresh = [] if comparison.fresh is None else list(comparison.fresh.coverage)
    return Coverage(LEVEL, found.how, _VALID[comparison.plan.splits_by], found.coverage, fresh)


def covered(comparison: Comparison, found: Coverage) -> str:
    """The coverage in a sentence."""
    classes = comparison.plan.classes is not None
    what = "Sets of labels" if classes else "Intervals of predictions"
    size = said(found.held_out[0].size)
    size = f"with {size} labels on average" if classes else f"{size} wide on average"
    text = f"{what} at {found.level:.0%}, {size}, contain the truth of {_shares(found.held_out)} of the held-out rows"
    return f"{text} and of {_shares(found.fresh)} of the test rows." if found.fresh else f"{text}."


def _shares(parts: Sequence[CoveragePart]) -> str:
    whole, *thirds = (f"{part.coverage:.1%}" for part in parts)
    return f"{whole} ({', '.join(thirds)} in the thirds from low to high predictions)"
