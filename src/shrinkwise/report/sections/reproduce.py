"""How to reproduce the report."""

from __future__ import annotations

from shrinkwise.report.markup import Markup, element
from shrinkwise.report.schema import Page
from shrinkwise.report.section import Section, section

SIZE = "\ue000size\ue000"  # where the size of the whole file is written when it is known; of no use to a text


def _render(page: Page, _: bool) -> Markup:
    lines = "\n".join(page.reproduce)
    return section(
        "reproduce",
        "How to reproduce this report",
        element("p", "The same table, version and seed give the same numbers."),
        element("pre", element("code", lines or page.command)),
        element(
            "footer",
            f"shrinkwise {page.version} · seed {page.seed} · this file is {SIZE} and makes no network requests · "
            f"{page.command}",
        ),
    )


SECTION = Section(lambda _: True, _render)
