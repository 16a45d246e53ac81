"""The self-contained page and the terminal summary. A `schema.Page` in, text out: this folder does not depend on
models.

The names are resolved on first use, so that building a page does not import the code that draws it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .page import render_page
    from .schema import FreshScore, Page
    from .terminal import print_columns, print_comparison, print_summary, print_verdict

_WHERE = {
    "FreshScore": "schema",
    "Page": "schema",
    "print_columns": "terminal",
    "print_comparison": "terminal",
    "print_summary": "terminal",
    "print_verdict": "terminal",
    "render_page": "page",
}

__all__ = ["FreshScore", "Page", "print_columns", "print_comparison", "print_summary", "print_verdict", "render_page"]


if not TYPE_CHECKING:  # for mypy a name that is not imported above does not exist

    def __getattr__(name: str):
        if name not in _WHERE:
            raise AttributeError(f"{name!r} is not a name in shrinkwise.report; see shrinkwise.report.__all__")
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
