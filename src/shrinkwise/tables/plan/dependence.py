"""Rows that are not independent: successive in time, or of one person or thing. Random folds score such rows too well."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from shrinkwise.tables.columns.features import column_values
from shrinkwise.tables.columns.kinds import as_numbers, as_text, typed
from shrinkwise.tables.errors import quoted

from .table_plan import TablePlan

_MOST_ROWS = 20_000
_ALIKE = 0.3  # correlation from which rows are said to be alike, and _ERRORS of its standard errors
_ERRORS = 4.0
_REPEATS = (1.5, 200.0)  # rows of each value of a column that may identify groups
_IDENTIFIES = re.compile(
    r"(^|[^a-z])(id|ids|no|nr|key|code|patient|subject|person|customer|client|user|member|household|hospital|shop|store|"
    r"school|site|sensor|station|device|player|driver|animal|owner|account|batch|plot|farm|case|participant)([^a-z]|$)"
)


def dependence_notes(plan: TablePlan, used: pl.DataFrame) -> list[str]:
    """Sentences that advise --time or --group, if the target of neighbouring rows is alike; none if one was given."""
    if plan.splits_by:
        return []
    y = plan.target_values(used)
    if plan.classes is not None:
        y = (y == np.bincount(y.astype(int)).argmax()).astype(float)
    rows = np.arange(len(y))
    if len(rows) > _MOST_ROWS:  # consecutive in the file, so that neighbours stay neighbours
        rows = rows[:_MOST_ROWS]
    return [note for note in (_about_time(plan, used[rows], y[rows]), _about_groups(plan, used[rows], y[rows])) if note]


def _about_time(plan: TablePlan, used: pl.DataFrame, y: np.ndarray) -> str:
    for names, moments in _times(plan, used):
        order = np.argsort(moments[~np.isnan(moments)], kind="stable")
        alike = _autocorrelation(y[~np.isnan(moments)][order])
        if alike < max(_ALIKE, _ERRORS / np.sqrt(len(order))):
            continue
        shown = " and ".join(", ".join(map(quoted, names)).rsplit(", ", 1))
        advice = f"--time {quoted(names[0])}" if len(names) == 1 else "--time with one column of dates"
        return (
            f"Successive rows by {shown} have similar targets (autocorrelation {alike:.2f}), so random folds score each "
            f"row with a model that was fitted on its neighbours in time; use {advice} to score later rows with models "
            "fitted on earlier rows."
        )
    return ""


def _times(plan: TablePlan, used: pl.DataFrame):
    """(names of columns, the time of each row) for columns of dates, and for columns named year, month, day."""
    for column in plan.kept:
        if column.kind == "date":
            yield [column.name], column_values(column, used[column.name])[0]
    named = {name.strip().lower(): name for name in used.columns}
    calendar = [named[part] for part in ("year", "month", "day", "hour") if part in named]
    parts = [typed(used[name]) for name in calendar]
    if len(parts) > 1 and all(part.dtype.is_numeric() for part in parts) and used.height:
        values = np.array([as_numbers(part) for part in parts])
        yield calendar, sum(part * 100.0 ** (len(values) - k) for k, part in enumerate(values))


def _about_groups(plan: TablePlan, used: pl.DataFrame, y: np.ndarray) -> str:
    for column in plan.columns:
        if column.leaks or not _IDENTIFIES.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.name).lower()):
            continue
        series = used[column.name]
        if series.dtype.is_float() or series.dtype.is_nested() or series.dtype == pl.Object:
            continue
        codes = np.unique(as_text(series).fill_null("").to_numpy(), return_inverse=True)[1]
        repeats = len(codes) / (codes.max() + 1.0)
        if not _REPEATS[0] <= repeats <= _REPEATS[1] or codes.max() < 9:
            continue
        alike = _within_groups(codes, y)
        if alike >= _ALIKE:
            return (
                f"Rows with the same {quoted(column.name)} have similar targets (intraclass correlation {alike:.2f}), so "
                f"random folds score rows with a model that was fitted on rows of the same group; use --group "
                f"{quoted(column.name)} if predictions are needed for new values of it."
            )
    return ""


def _autocorrelation(y: np.ndarray) -> float:
    """The correlation of each value with the next."""
    if len(y) < 20 or y.std() == 0:
        return 0.0
    off = y - y.mean()
    return float(off[1:] @ off[:-1] / (off @ off))


def _within_groups(codes: np.ndarray, y: np.ndarray) -> float:
    """The intraclass correlation: the share of the variance that is between groups; 0 where chance would explain it."""
    counts = np.bincount(codes).astype(float)
    n, k = len(y), len(counts)
    means = np.bincount(codes, weights=y) / counts
    within = np.square(y - means[codes]).sum() / (n - k)
    between = (counts * np.square(means - y.mean())).sum() / (k - 1)
    size = (n - np.square(counts).sum() / n) / (k - 1)
    if between <= within * (1 + _ERRORS * np.sqrt(2 / (k - 1) + 2 / (n - k))):
        return 0.0
    return float((between - within) / (between + (size - 1) * within))
