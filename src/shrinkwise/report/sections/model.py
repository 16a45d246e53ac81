"""The kept model: its objective, how to deploy it, and its coefficients in the units of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shrinkwise.report.charts.shapes import shapes_figure
from shrinkwise.report.exhibits import Written
from shrinkwise.report.markup import Child, Markup, element, join, name, numbers, scroll, shortened, table
from shrinkwise.report.numbers import copyable, count, counted, number, spelled
from shrinkwise.report.schema import Coefficient, Page
from shrinkwise.report.section import Section, section

_SHOWN = 30
_MOST_ROWS = 500
_MOST_ZEROS = 12


def _render(page: Page, _: object) -> Markup:
    return section(
        "model",
        "The kept model",
        element("p", "It minimizes") if page.formula else None,
        element("pre", element("code", spelled(page.formula)), class_="formula") if page.formula else None,
        shapes_figure(page.shapes) if page.shapes else None,
        _to_deploy(page.written),
        _coefficients(page.coefficients, {column.name for column in page.columns}) if page.coefficients else None,
    )


def _to_deploy(written: Written | None) -> Markup | None:
    """The formula to copy, and the files of the run that compute the same."""
    if written is None:
        return None
    formula = element("pre", element("code", written.formula), class_="formula") if written.formula else None
    return join(
        element("h3", "How to deploy it"),
        join(formula, (element("p", note) for note in written.notes)) if formula else None,
        element(
            "p",
            "The run folder has score.py, which computes the same predictions in plain Python without any package (python "
            "score.py NEW.csv), coefficients.csv, and the model for shrinkwise predict and shrinkwise explain.",
        ),
    )


def _coefficients(coefficients: Sequence[Coefficient], columns: set[str]) -> Markup:
    """The largest coefficients, a collapsible table of the rest, and the zeros in one line; long lists are
    truncated."""
    by_size = sorted((c for c in coefficients if c.coefficient != 0), key=lambda c: -_size(c.coefficient))
    first, rest = by_size[:_SHOWN], by_size[_SHOWN:_MOST_ROWS]
    more = len(by_size) - len(first) - len(rest)
    beyond = f" The {count(more)} smallest are in coefficients.csv." if more else ""
    return join(
        scroll("Coefficients", _coefficient_table("Coefficients in the units of the data", first, number)),
        _zeros(coefficients, columns),
        numbers(
            f"The next {counted(len(rest), 'coefficient')}", _coefficient_table(f"The rest.{beyond}", rest, copyable)
        )
        if rest
        else None,
    )


def _zeros(coefficients: Sequence[Coefficient], columns: set[str]) -> Markup | None:
    """The number of inputs that are exactly zero (for all classes), and the first of their names.

    For encoded columns a zero may belong to one level only; the column may still be needed.
    """
    used = {c.feature for c in coefficients if c.coefficient != 0}
    zeros = list(dict.fromkeys(c.feature for c in coefficients if c.feature not in used))
    if not zeros:
        return None
    names = [part for feature in zeros[:_MOST_ZEROS] for part in (", ", name(feature))][1:]
    more = len(zeros) - _MOST_ZEROS
    features = (used | set(zeros)) - {"(intercept)"}
    of = counted(len(features), "input" if features <= columns else "coefficient")
    return element(
        "p",
        f"Exactly zero: {count(len(zeros))} of {of} (",
        names,
        f" and {count(more)} more)." if more > 0 else ").",
    )


def _coefficient_table(
    caption: str, coefficients: Sequence[Coefficient], written: Callable[[float | None], str]
) -> Markup:
    """A table to read (`written` is `number`) or to copy (`copyable`)."""
    head: list[Child] = ["input", "coefficient", "unit"]
    if not any(c.unit_note for c in coefficients):
        head.pop()
    rows = ([shortened(c.feature), written(c.coefficient), c.unit_note][: len(head)] for c in coefficients)
    return table(head, rows, caption=caption, class_="coefficients")


def _size(value: float | None) -> float:
    return abs(value) if value is not None and value == value else -1.0


SECTION = Section(lambda page: page.coefficients or page.formula, _render)
