"""A user's table: reading the file, column kinds, the plan, and the encoding fitted inside folds.

The names are resolved on first use, so that importing this folder (for `InputError`, say) does not load polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from .columns.kinds import ColumnPlan
    from .encoding import Encoder
    from .plan.notes import known_rows
    from .plan.plan import ColumnOptions, describe, plan_table
    from .plan.table_plan import TablePlan
    from .reading.layout import Layout
    from .reading.read import as_frame, data_hash, read_table

_WHERE = {
    "ColumnPlan": "columns.kinds",
    "Encoder": "encoding",
    "Layout": "reading.layout",
    "TablePlan": "plan.table_plan",
    "ColumnOptions": "plan.plan",
    "as_frame": "reading.read",
    "data_hash": "reading.read",
    "describe": "plan.plan",
    "known_rows": "plan.notes",
    "plan_table": "plan.plan",
    "read_table": "reading.read",
}

__all__ = [
    "ColumnOptions",
    "ColumnPlan",
    "Encoder",
    "InputError",
    "Layout",
    "TablePlan",
    "as_frame",
    "data_hash",
    "describe",
    "known_rows",
    "plan_table",
    "read_table",
]


if not TYPE_CHECKING:  # for mypy a name that is not imported above does not exist

    def __getattr__(name: str):
        if name not in _WHERE:
            raise AttributeError(f"{name!r} is not a name in shrinkwise.tables; see shrinkwise.tables.__all__")
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
