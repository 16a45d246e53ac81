"""The intervals of predictions: their coverage and size on held-out rows and on the test table."""

from __future__ import annotations

from shrinkwise.report.exhibits import Coverage, CoveragePart
from shrinkwise.report.markup import Markup, element, scroll, table
from shrinkwise.report.numbers import copyable, number
from shrinkwise.report.schema import Page
from shrinkwise.report.section import Section, section

_THIRDS = ("all", "lowest third", "middle third", "highest third")


def _render(page: Page, found: Coverage) -> Markup:
    classes = page.has_classes
    by, size = ("largest probability", "labels on average") if classes else ("prediction", "mean width")
    rows = [_row("held-out rows", name, part) for name, part in zip(_THIRDS, found.held_out, strict=False)]
    rows += [_row("test table", name, part) for name, part in zip(_THIRDS, found.fresh, strict=False)]
    caption = (
        f"Coverage at {found.level:.0%}: the share of rows whose {'set' if classes else 'interval'} contains the truth"
    )
    what = "Sets of labels" if classes else "Intervals"
    return section(
        "intervals",
        "Intervals of predictions",
        element(
            "p",
            f"{what} come from the errors on held-out rows: {found.how}. {found.valid} For new rows: shrinkwise predict "
            f"--interval {found.level:g}, or python score.py NEW.csv --interval {found.level:g}.",
        ),
        scroll(caption, table(["rows", f"by {by}", "from", "to", "number", "coverage", size], rows, caption=caption)),
    )


def _row(rows: str, name: str, part: CoveragePart) -> list:
    return [rows, name, copyable(part.low), copyable(part.high), part.rows, f"{part.coverage:.1%}", number(part.size)]


SECTION = Section(lambda page: page.coverage, _render)
