"""Pages written as the JSON that `Page.to_json` publishes, read back into the schema and drawn."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any

from shrinkwise import report
from shrinkwise.report.schema import Page


def page_of(document: dict) -> Page:
    """The page of a document; a key that the schema does not know is a TypeError."""
    return _read(Page, {key: value for key, value in document.items() if key != "schema"})


def render_page(document: dict) -> str:
    return report.render_page(page_of(document))


def print_summary(document: dict, console) -> None:
    report.print_summary(page_of(document), console)


def _read(kind: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if value is None:
        return None
    if origin in (typing.Union, types.UnionType):
        fits = [each for each in arguments if is_dataclass(each) or typing.get_origin(each) is Sequence]
        return _read(fits[0], value) if fits and isinstance(value, dict | list) else value
    if origin is Sequence:
        return [_read(arguments[0], each) for each in value]
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: _read(hints.get(name), each) for name, each in value.items()})
    return value
