"""Nested cross-validation of the candidates on one table, intervals, the verdict, and the kept model.

The names are resolved on first use, so that importing this folder loads neither polars nor scikit-learn nor torch.
"""

from __future__ import annotations

from importlib import import_module

_WHERE = {
    "Comparison": "result",
    "NetworkOptions": "options",
    "Options": "options",
    "compare_table": "comparison",
    "comparison_page": "story.page",
}

__all__ = ["Comparison", "NetworkOptions", "Options", "compare_table", "comparison_page"]


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"{name!r} is not a name in shrinkwise.compare; see shrinkwise.compare.__all__")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
