"""The self-contained page and the terminal summary. A `schema.Page` in, text out: this folder does not depend on
models.

The names are resolved on first use, so that building a page does not import the code that draws it.
"""

from __future__ import annotations

from importlib import import_module

_WHERE = {
    "Page": "schema",
    "print_columns": "terminal",
    "print_comparison": "terminal",
    "print_summary": "terminal",
    "print_verdict": "terminal",
    "render_page": "page",
}

__all__ = ["Page", "print_columns", "print_comparison", "print_summary", "print_verdict", "render_page"]


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"{name!r} is not a name in shrinkwise.report; see shrinkwise.report.__all__")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
