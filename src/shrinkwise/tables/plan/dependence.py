"""Rows that are not independent: successive in time, or of one person or thing. Random folds score such rows too well."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from shrinkwise.tables.columns.kinds import as_numbers, as_text
from shrinkwise.tables.errors import quoted

from .order_in_time import can_split, moments, time_columns
from .table_plan import TablePlan

_MOST_ROWS = 20_000
_ALIKE = 0.3  # correlation from which rows are said to be alike, and _ERRORS of its standard errors
_ERRORS = 4.0
_NEARLY = 0.75  # the share of the likeness within single values; groups at random keep half of it
_REPEATS = (1.5, 200.0)  # rows of each value of a column that may identify groups
_IDENTIFIES = re.compile(
    r"(^|[^a-z])(id|ids|no|nr|key|code|patient|subject|person|customer|client|user|member|household|hospital|shop|store|"
    r"school|site|sensor|station|device|player|driver|animal|owner|account|batch|plot|farm|case|participant)([^a-z]|$)"
)


def dependence_notes(plan: TablePlan, used: pl.DataFrame, shuffle: bool = False) -> list[str]:
    """Sentences on rows that are alike in time or in groups; none if the user gave a column that splits them.

    Where successive targets are alike and the rows can be split by time, `plan.ordered_by` is set, unless `shuffle`.
    """
    if plan.splits_by:
        return []
    y = plan.target_values(used)
    alike = y if plan.classes is None else (y == np.bincount(y.astype(int)).argmax()).astype(float)
    some = slice(0, _MOST_ROWS)  # consecutive in the file, so that neighbours stay neighbours
    in_time = _about_time(plan, used, y, alike, shuffle)
    groups = _about_groups(plan, used[some], alike[some]) if not plan.ordered_by else ""
    return [note for note in (in_time, groups) if note]


def _about_time(plan: TablePlan, used: pl.DataFrame, y: np.ndarray, values: np.ndarray, shuffle: bool) -> str:
    for names in time_columns(plan.kept, used.columns):
        time = moments(names, plan.columns, used[:_MOST_ROWS])
        if time is None:
            continue
        known = ~np.isnan(time)
        order = np.argsort(time[known], kind="stable")
        alike = _autocorrelation(values[:_MOST_ROWS][known][order])
        if alike < max(_ALIKE, _ERRORS / np.sqrt(max(len(order), 1))):
            continue
        shown = " and ".join(", ".join(map(quoted, names)).rsplit(", ", 1))
        said = f"Successive rows by {shown} have similar targets (autocorrelation {alike:.2f}), so "
        whole = moments(names, plan.columns, used)
        if not shuffle and whole is not None and can_split(whole, y, plan.task):
            plan.ordered_by = names
            return (
                f"{said}models are scored on rows later than those they were fitted on; use --shuffle to split the rows at "
                "random if predictions are needed for rows between known ones."
            )
        advice = f"--time {quoted(names[0])}" if len(names) == 1 else "--time with one column of dates"
        return (
            f"{said}random folds score each row with a model that was fitted on its neighbours in time; use {advice} to "
            "score later rows with models fitted on earlier rows."
        )
    return ""


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
        if alike >= _ALIKE and not _is_measured(series, y, alike):
            return (
                f"Rows with the same {quoted(column.name)} have similar targets (intraclass correlation {alike:.2f}), so "
                f"random folds score rows with a model that was fitted on rows of the same group; use --group "
                f"{quoted(column.name)} if predictions are needed for new values of it."
            )
    return ""


def _is_measured(series: pl.Series, y: np.ndarray, alike: float) -> bool:
    """Whether numbers are a measure, not names: rows of two neighbouring values are nearly as alike as those of one."""
    if not series.dtype.is_numeric():
        return False
    codes = np.unique(as_numbers(series), return_inverse=True)[1]
    return _within_groups(codes // 2, y) > _NEARLY * alike


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
