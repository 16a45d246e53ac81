"""How often each input is selected on halves of the rows, and which inputs replace each other."""

from __future__ import annotations

from collections.abc import Sequence

from shrinkwise.report.charts.plots import mind
from shrinkwise.report.exhibits import Halves, SelectedInput
from shrinkwise.report.markup import Markup, element, join, name, numbers, shortened, table
from shrinkwise.report.numbers import copyable, count, number
from shrinkwise.report.schema import Page
from shrinkwise.report.section import Section, section

_BARS = 24
_MOST_ROWS = 500


def _render(_: Page, found: Halves) -> Markup:
    inputs, least = found.inputs, found.threshold
    stable = [each for each in inputs if each.frequency >= least]
    return section(
        "halves",
        "Selection stability",
        element(
            "p",
            f"The {found.by} was fitted again, at λ = {number(found.lam)}, on {count(found.n_halves)} random halves of the "
            f"rows. {_stable_words(len(stable), len(inputs), least)}",
        ),
        _turns(found),
        _figure(found),
    )


def _stable_words(stable: int, total: int, least: float) -> str:
    share = f"{100 * least:.0f} %"
    if stable == 0:
        return f"None of {count(total)} inputs is selected in {share} of them: the selection depends on which rows are drawn."
    return f"{count(stable)} of {count(total)} inputs {'is' if stable == 1 else 'are'} selected in {share} of them or more."


def _turns(found: Halves) -> Markup:
    if not found.turns:
        return element("p", "No two inputs detectably replace each other.")
    more = found.n_turns - len(found.turns)
    items = (
        element(
            "li",
            name(turn.first),
            " and ",
            name(turn.second),
            f" replace each other: {100 * turn.one_of_both:.0f} % of the halves select exactly one of the two.",
        )
        for turn in found.turns
    )
    rest = element("li", f"… and {count(more)} more pairs, in the table.") if more > 0 else None
    return element("ul", items, rest, class_="notes")


def _figure(found: Halves) -> Markup:
    shown = found.inputs[:_BARS]
    bars = element(
        "ol",
        (_bar(each, found.threshold) for each in shown),
        class_="bars-list",
        role="list",
        style=f"--limit:{100 * found.threshold:g}%",
    )
    rows = [
        [shortened(each.name), copyable(each.frequency), ", ".join(each.partners)] for each in found.inputs[:_MOST_ROWS]
    ]
    caption = join(
        f"Share of the halves in which the input has a nonzero weight; the {len(shown)} most frequent of "
        f"{count(len(found.inputs))}. The line marks {100 * found.threshold:.0f} %. ",
        mind(
            "an input that is rarely selected is not necessarily useless, because a correlated input may carry the same "
            "information. Drop one of the two and fit again."
        ),
    )
    head = ["input", "share of the halves", "replaced by"]
    return element(
        "figure",
        bars,
        element("figcaption", caption),
        numbers(
            "All frequencies as a table",
            table(head, rows, caption="How often each input is selected", class_="columns"),
        ),
    )


def _bar(each: SelectedInput, least: float) -> Markup:
    """Name, bar (drawn by the style alone, so that a row stays short) and share."""
    share = 100 * each.frequency
    partners = element("small", "↔ ", join(*_commas(each.partners[:3]))) if each.partners else None
    kind = "stable" if each.frequency >= least else None
    return element(
        "li",
        element("span", name(each.name), partners),
        element("i", class_=kind, style=f"--share:{share:g}%"),
        f"{share:.0f} %",
    )


def _commas(names: Sequence[str]) -> list[Markup | str]:
    return [part for i, each in enumerate(names) for part in ([", "] if i else []) + [name(each)]]


SECTION = Section(lambda page: page.halves, _render)
