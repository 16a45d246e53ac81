"""Nested cross-validation of the candidates on one table, intervals, the verdict, and the kept model.

The names are resolved on first use, so that importing this folder loads neither polars nor scikit-learn nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .comparison import compare_table
    from .options import CocktailOptions, NetworkOptions, Options
    from .result import Comparison
    from .story.page import comparison_page

_WHERE = {
    "Comparison": "result",
    "CocktailOptions": "options",
    "NetworkOptions": "options",
    "Options": "options",
    "compare_table": "comparison",
    "comparison_page": "story.page",
}

__all__ = ["CocktailOptions", "Comparison", "NetworkOptions", "Options", "compare_table", "comparison_page"]


if not TYPE_CHECKING:  # for mypy a name that is not imported above does not exist

    def __getattr__(name: str):
        if name not in _WHERE:
            raise AttributeError(f"{name!r} is not a name in shrinkwise.compare; see shrinkwise.compare.__all__")
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
