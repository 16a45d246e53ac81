"""The first picture: the held-out score of every candidate with its standard error, on one scale."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from shrinkwise.report.axes import Axis, axis_over
from shrinkwise.report.markup import Markup, element, join
from shrinkwise.report.numbers import finite, plus_minus
from shrinkwise.report.schema import CandidateRow, Choice, Page

from .plots import mind


def score_chart(page: Page) -> Markup | None:
    """One line per candidate, at the kept or else its best setting; None if fewer than two have a score."""
    rows = [(row, row.kept or row.best) for row in page.candidates]
    rows = [(row, choice) for row, choice in rows if finite(choice.score)]
    if len(rows) < 2:
        return None
    axis = _axis([choice for _, choice in rows], page.score.lower_is_better)
    side = "left" if page.score.lower_is_better else "right"
    caption = (
        f"Held-out {page.score.name} ± one standard error of every candidate at its best setting, and of the kept model at "
        f"its own; further {side} is better. An arrow marks a score beyond the scale. "
    )
    change = (
        "more rows, which shorten the bars; compare two candidates by their paired difference, not by the "
        "overlap of their bars."
    )
    lines = element("ul", (_line(row, choice, axis) for row, choice in rows), class_="scores")
    return element("figure", lines, element("figcaption", caption, mind(change)))


def _line(row: CandidateRow, choice: Choice, axis: Axis) -> Markup:
    reference = row.family == "reference"
    kind = "kept" if row.kept else "reference" if reference else None
    note = element("small", "kept" if row.kept else "for reference") if kind else None
    return element(
        "li",
        element("b", row.name, note),
        element("i", _marks(choice, axis), aria_hidden="true"),
        element("span", plus_minus(choice.score, choice.se)),
        class_=kind,
    )


def _marks(choice: Choice, axis: Axis) -> Markup:
    error = choice.se if finite(choice.se) else 0.0
    low, at, high = (100 - axis.percent(value) for value in (choice.score - error, choice.score, choice.score + error))
    if not 0 <= at <= 100:
        return element("u", "→" if at > 100 else "←", class_="beyond right" if at > 100 else "beyond")
    low, high = max(low, 0.0), min(high, 100.0)
    return join(element("s", style=f"left:{low:.1f}%;width:{high - low:.1f}%"), element("u", style=f"left:{at:.1f}%"))


def _axis(choices: Sequence[Choice], lower_is_better: bool) -> Axis:
    """An axis for all scores, except those more than 2.5 times as far from the best as the median."""
    ends = [end for c in choices for end in (c.score - (c.se or 0.0), c.score + (c.se or 0.0)) if finite(end)]
    low, high = min(ends), max(ends)
    reach = 2.5 * statistics.median(abs(c.score - (low if lower_is_better else high)) for c in choices)
    if reach > 0:
        low, high = (low, min(high, low + reach)) if lower_is_better else (max(low, high - reach), high)
    return axis_over(low, high)
