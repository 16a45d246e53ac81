"""Rows in the order of time: by a column of dates, or by columns named year, quarter, month, week, day and hour."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import polars as pl

from shrinkwise.selection import Rows, folds
from shrinkwise.tables.columns.features import column_values
from shrinkwise.tables.columns.kinds import ColumnPlan, as_numbers, typed

# Parts of a time, the longest first, with the names of their columns as people write them, without spaces, _ and -.
_PARTS = (
    ("year", "yr"),
    ("quarter", "qtr"),
    ("month", "mnth", "mth"),
    ("week",),
    ("day", "dayofmonth", "dateofmonth", "mday"),
    ("hour", "hr", "hourofday"),
)
# When somebody was born is not when a row was written.
_BIRTH = re.compile(r"birth|born|(^|[^a-z])(dob|bday)([^a-z]|$)")
# Folds as at thorough effort, those inside each of them, and the fewest of the former, as some may lack a class.
_FOLDS, _INNER, _FEWEST_SPLITS = 10, 5, 3


def time_columns(columns: list[ColumnPlan], names: list[str]) -> Iterator[list[str]]:
    """Names of columns that give the time of each row: an input of dates each, but of birth, or those named year, month, …"""
    dates = [column.name for column in columns if column.kind == "date" and column.name in names]
    yield from ([name] for name in dates if not _BIRTH.search(name.lower()))
    named = {re.sub(r"[\s_-]", "", name).lower(): name for name in names}
    calendar = [next(named[part] for part in parts if part in named) for parts in _PARTS if set(parts) & set(named)]
    if len(calendar) > 1:
        yield calendar


def moments(names: list[str], columns: list[ColumnPlan], frame: pl.DataFrame) -> np.ndarray | None:
    """The time of each row (n,) as a number, NaN where missing; None if columns named year, month, … are not numbers."""
    dates = {column.name: column for column in columns if column.kind == "date"}
    if len(names) == 1:
        return column_values(dates[names[0]], frame[names[0]])[0]
    parts = [typed(frame[name]) for name in names]
    if not all(part.dtype.is_numeric() for part in parts):
        return None
    return np.sum([as_numbers(part) * 100.0 ** (len(parts) - k) for k, part in enumerate(parts)], axis=0)


def can_split(time: np.ndarray, y: np.ndarray, task: str) -> bool:
    """Whether the rows can be split by time, and the training rows of every split again."""
    if np.isnan(time).any():
        return False
    try:
        outer = folds(y, _FOLDS, task=task, rows=Rows(time=time))
        inner = [folds(y[train], _INNER, task=task, rows=Rows(time=time[train])) for train, _ in outer]
    except ValueError:
        return False
    return len(outer) >= _FEWEST_SPLITS and min(map(len, inner)) >= 2
