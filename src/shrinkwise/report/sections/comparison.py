"""The comparison: every candidate at its best setting and at the 1-SE one, with a drawing of its paired difference."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from shrinkwise.report.markup import Child, Markup, element, join, numbers, scroll, table
from shrinkwise.report.numbers import copyable, count, finite, interval, number, plus_minus, setting, spelled
from shrinkwise.report.schema import CandidateRow, Choice, Interval, Page
from shrinkwise.report.section import Section, section

_HEADS = (
    "candidate",
    "strength",
    "held-out {score}",
    "difference to no regularization",
    "inputs",
    "exact zeros",
    "seconds",
)


def _render(page: Page, _: object) -> Markup:
    return section(
        "comparison",
        "The comparison",
        element("p", page.score.explain, class_="prose") if page.score.explain else None,
        scroll("Comparison", _drawn_table(page)),
        numbers("The comparison as a table of numbers", _numbers_table(page)),
    )


def _choices(page: Page, row: CandidateRow) -> list[tuple[str, Choice]]:
    return [("best", row.best), *([(page.one_se_label, row.one_se)] if row.one_se else [])]


def _numbers_table(page: Page) -> Markup:
    head: list[Child] = ["candidate", "family", "regularizer", "choice", "strength", "score", "standard error"]
    head += ["difference", "low", "high", "inputs", "zeros", "weights", "seconds", "kept"]
    rows = []
    for row in page.candidates:
        for label, choice in _choices(page, row):
            found = choice.difference
            cells = [row.name, row.family, row.regularizer, label, spelled(choice.strength)]
            cells += [copyable(choice.score), copyable(choice.se)]
            cells += [copyable(value) for value in ((found.mean, found.low, found.high) if found else (None,) * 3)]
            cells += [count(value) for value in (choice.inputs, choice.zeros, choice.weights)]
            rows.append([*cells, copyable(row.seconds), "yes" if choice.kept else ""])
    return table(head, rows, caption=f"Held-out {page.score.name} of every candidate")


def _drawn_table(page: Page) -> Markup:
    """One table; each candidate is a group of one or two rows so that it can become a card on a narrow page.

    A screen reader does not recognize cards as a table without roles, which the script adds.
    """
    heads = [head.format(score=page.score.name) for head in _HEADS]
    better = element("small", "← better · worse →" if page.score.lower_is_better else "← worse · better →")
    cells = [element("th", h, better if i == 3 else None, scope="col") for i, h in enumerate(heads)]
    groups = []
    for family, members in page.families().items():
        title = element("th", family, colspan=7, scope="col")
        groups.append(element("tbody", element("tr", title), class_="family"))
        groups += [_candidate(page, row, _limit(members)) for row in members]
    return element(
        "table",
        element("caption", _caption(page)),
        element("thead", element("tr", cells)),
        groups,
        class_="comparison",
    )


def _caption(page: Page) -> str:
    better = "lower" if page.score.lower_is_better else "higher"
    return (
        f"Held-out {page.score.name} ± standard error ({better} is better), and the paired difference to no "
        "regularization in the same family with its 95 % interval, drawn to one scale within a family. A filled mark is "
        "an interval that excludes zero. What would change this: more rows, when an interval includes both a gain and a loss "
        "that would matter to you."
    )


def _candidate(page: Page, row: CandidateRow, limit: float) -> Markup:
    choices = _choices(page, row)
    regularizer = row.regularizer
    if regularizer == "none" or regularizer.lower() in row.name.lower():
        regularizer = ""
    title = element(
        "th",
        element("b", row.name),
        element("span", "kept", class_="tag") if row.kept else None,
        element("small", regularizer) if regularizer else None,
        scope="rowgroup",
        rowspan=len(choices) if len(choices) > 1 else None,
    )
    rows = [
        element(
            "tr",
            title if i == 0 else None,
            _cells(row, label if len(choices) > 1 else "", choice, limit),
            class_="kept" if choice.kept else None,
        )
        for i, (label, choice) in enumerate(choices)
    ]
    if row.note:
        rows.append(element("tr", element("td", spelled(row.note), colspan=7), class_="note"))
    return element("tbody", rows, class_="chosen" if row.kept else None)


def _cells(row: CandidateRow, label: str, choice: Choice, limit: float) -> Iterator[Markup]:
    contents = (
        join(element("small", label) if label else None, setting(choice.strength)),
        plus_minus(choice.score, choice.se),
        _difference_cell(choice.difference, limit),
        count(choice.inputs),
        _zeros(choice),
        number(row.seconds, 2) if choice is row.best else "",
    )
    for content in contents:
        yield element("td", content, class_="empty" if content in ("", "–") else None)


def _zeros(choice: Choice) -> str:
    zeros, weights = choice.zeros, choice.weights
    return count(zeros) if zeros is None or weights is None else f"{zeros:,} of {weights:,}"


def _difference_cell(found: Interval | None, limit: float) -> Markup | str:
    """The interval drawn on a scale of ±`limit` and in numbers; "–" where there is none."""
    if found is None or not all(map(finite, (found.mean, found.low, found.high))):
        return "–"
    low, mean, high = (_across(value, limit) for value in (found.low, found.mean, found.high))
    sure = found.low > 0 or found.high < 0
    drawing = element(
        "svg",
        element("path", d="M60 1V19"),
        element("path", d=f"M{low} 10H{high}{_ends(found, low, high, limit)}"),
        element("circle", cx=mean, cy=10, r=4, class_="sure" if sure else "unsure"),
        viewBox="0 0 120 20",
        aria_hidden="true",
    )
    return join(drawing, interval(found.mean, found.low, found.high))


def _ends(found: Interval, low: int, high: int, limit: float) -> str:
    """A short bar at each end of the interval, or an arrow head if it extends beyond the scale."""
    left = f"M{low + 4} 6L{low} 10L{low + 4} 14" if found.low < -limit else f"M{low} 7V13"
    right = f"M{high - 4} 6L{high} 10L{high - 4} 14" if found.high > limit else f"M{high} 7V13"
    return left + right


def _across(value: float, limit: float) -> int:
    return 60 + round(58 * max(-1.0, min(1.0, value / limit)))


def _limit(rows: Sequence[CandidateRow]) -> float:
    """Half the scale of the drawn intervals: the longest, unless it is four times as long as is typical."""
    found = [choice.difference for row in rows for choice in (row.best, row.one_se) if choice]
    reach = [max(abs(d.low), abs(d.high)) for d in found if d and finite(d.low) and finite(d.high)]
    return min(max(reach), 4 * statistics.median(reach)) or 1.0 if reach else 1.0


SECTION = Section(lambda page: page.candidates, _render)
