"""The kept model: predictors, its file and its other forms.

The names are resolved on first use, so that importing this folder loads neither polars nor scikit-learn nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .table_model import TableModel, load

_WHERE = {"TableModel": "table_model", "load": "table_model"}

__all__ = ["TableModel", "load"]


if not TYPE_CHECKING:  # for mypy a name that is not imported above does not exist

    def __getattr__(name: str):
        if name not in _WHERE:
            raise AttributeError(f"{name!r} is not a name in shrinkwise.models; see shrinkwise.models.__all__")
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
