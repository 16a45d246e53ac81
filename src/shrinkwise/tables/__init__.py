"""A user's table: reading the file, column kinds, the plan, and the encoding fitted inside folds.

The names are resolved on first use, so that importing this folder (for `InputError`, say) does not load polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from .encoding import Encoder
    from .kinds import ColumnPlan
    from .notes import known_rows
    from .plan import TablePlan, Wishes, describe, plan_table
    from .reading import as_frame, data_hash, read_table

_WHERE = {
    "ColumnPlan": "kinds",
    "Encoder": "encoding",
    "TablePlan": "plan",
    "Wishes": "plan",
    "as_frame": "reading",
    "data_hash": "reading",
    "describe": "plan",
    "known_rows": "notes",
    "plan_table": "plan",
    "read_table": "reading",
}

__all__ = [
    "ColumnPlan",
    "Encoder",
    "InputError",
    "TablePlan",
    "Wishes",
    "as_frame",
    "data_hash",
    "describe",
    "known_rows",
    "plan_table",
    "read_table",
]


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"shrinkwise.tables has no name {name!r}; see shrinkwise.tables.__all__")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
