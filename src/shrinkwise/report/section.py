"""The type of a section of the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from .markup import Child, Markup, element
from .schema import Page

Part = TypeVar("Part")


class Section(NamedTuple, Generic[Part]):
    """A section that is shown if its part of the page exists.

    applies(page) returns this part, or an empty value for no section; render(page, part) draws it.
    """

    applies: Callable[[Page], Part | None]
    render: Callable[[Page, Part], Markup]


def section(identity: str, title: str, *content: Child) -> Markup:
    """A section with its heading."""
    heading = element("h2", title, id=f"{identity}-title")
    return element("section", heading, content, id=identity, aria_labelledby=f"{identity}-title")
