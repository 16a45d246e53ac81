"""The columns with their kinds, notes from reading them, and the checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shrinkwise.report.exhibits import Check
from shrinkwise.report.markup import Markup, element, numbers, scroll, shortened, table
from shrinkwise.report.numbers import count, counted
from shrinkwise.report.schema import Column, Page
from shrinkwise.report.section import Section, section

_MOST_ROWS = 500


def _render(page: Page, _: bool) -> Markup:
    columns = page.columns
    kinds = Counter(column.kind for column in columns)
    summary = ", ".join(f"{count(n)} {kind}" for kind, n in kinds.items())
    dropped = [column for column in columns if column.kind == "dropped"]
    return section(
        "data",
        "The data",
        element("p", f"{counted(page.n_rows, 'row')}; columns: {summary}." if columns else "No columns are described."),
        element("ul", (element("li", note) for note in page.notes), class_="notes") if page.notes else None,
        _checks(page.checks),
        scroll("Dropped columns", _columns_table("Dropped columns and reasons", dropped)) if dropped else None,
        numbers("All columns with their kinds", _columns_table("Columns", columns)) if columns else None,
    )


def _checks(checks: Sequence[Check]) -> Markup | None:
    if not checks:
        return None
    rows = [[check.question, check.answer] for check in checks]
    caption = "Checks of the data and the comparison"
    return scroll(caption, table(["question", "answer"], rows, caption=caption, class_="checks"))


def _columns_table(caption: str, columns: Sequence[Column]) -> Markup:
    rest = len(columns) - _MOST_ROWS
    rows = [[shortened(column.name), column.kind, column.reason] for column in columns[:_MOST_ROWS]]
    more = f" (the first {count(_MOST_ROWS)}; {count(rest)} more)" if rest > 0 else ""
    return table(["column", "kind", "reason"], rows, caption=caption + more, class_="columns")


SECTION = Section(lambda _: True, _render)
