"""HTML that is escaped by default: `element` escapes every child and attribute that is not `Markup`."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_VOID = {"input", "br", "hr"}
_SHAPES = {"path", "circle", "rect"}  # of SVG, where an empty element may close itself
_UNENDED = {"li", "tr", "th", "td"}  # HTML ends these where the next one begins, or their parent ends
_LONGEST_NAME = 120
_JSON_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&"}


class Markup(str):
    """A string that is already HTML; only this module creates it."""


Child = str | int | None | Iterable[Any]


def element(tag: str, /, *children: Child, **attributes: object) -> Markup:
    """One HTML or SVG element.

    Children that are not `Markup` are escaped; None is skipped; an iterable is flattened. An attribute's trailing
    underscore is dropped and the others become hyphens (`class_`, `aria_label`); attributes that are False or None are
    omitted.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    content = "".join(_flat(children))
    if tag in _SHAPES and not content:
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{content}" + ("" if tag in _UNENDED else f"</{tag}>"))


def join(*children: Child) -> Markup:
    """The children one after the other, escaped as in `element`."""
    return Markup("".join(_flat(children)))


def name(value: object) -> Markup:
    """A user's name (a column, a level), isolated so that its characters cannot reorder the sentence around it.

    A cell or list item that contains nothing else already isolates its text; there `shortened` is enough.
    """
    return element("bdi", shortened(value))


def shortened(value: object) -> str:
    """`value` as text of at most 120 characters."""
    written = str(value)
    return written if len(written) <= _LONGEST_NAME else written[: _LONGEST_NAME - 1] + "…"


def encodable(value: object) -> str:
    """`value` as text that UTF-8 can encode: lone surrogates become question marks."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def script_json(value: object) -> Markup:
    """JSON that is safe inside a <script> element: no <, > or & that could end the element."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(encodable(written).translate(_JSON_ESCAPES))


def table(head: Sequence[Child], rows: Iterable[Sequence[Any]], *, caption: str, class_: str | None = None) -> Markup:
    """A data table: the first cell of each row is its header (a first column of th alone needs no scope to be so)."""
    body = (element("tr", *(_cell(i, cell) for i, cell in enumerate(row))) for row in rows)
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", (element("th", cell) for cell in head))),
        element("tbody", body),
        class_=class_,
    )


def numbers(summary: str, *content: Child, **attributes: object) -> Markup:
    """A collapsible table with a copy button that the page's script adds."""
    return element("details", element("summary", summary), scroll(summary, content), class_="numbers", **attributes)


def scroll(label: str, *content: Child) -> Markup:
    """Content that may be wider than the page, in a region that the keyboard can reach and scroll."""
    return element("div", content, class_="scroll", tabindex=0, role="region", aria_label=label)


def _cell(position: int, cell: Child) -> Markup:
    return element("td" if position else "th", cell)


def _flat(children: Iterable[Child]) -> Iterator[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, (str, int)):
            yield html.escape(encodable(child), quote=False)
        else:
            yield from _flat(child)


def _attribute(attribute: str, value: object) -> str:
    if value is None or value is False:
        return ""
    written = attribute.rstrip("_").replace("_", "-")
    return f" {written}" if value is True else f' {written}="{html.escape(encodable(value))}"'
