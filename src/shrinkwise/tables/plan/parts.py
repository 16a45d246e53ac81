"""Columns that are not inputs but determine how rows are used: groups, times and weights."""

from __future__ import annotations

import numpy as np
import polars as pl

from shrinkwise.tables.columns.dates import TYPED, date_format, read_dates
from shrinkwise.tables.columns.kinds import as_numbers, as_text, is_missing, typed
from shrinkwise.tables.errors import InputError, RowError, counted, quoted


def rows_to_use(target: pl.Series, weight: pl.Series | None) -> np.ndarray:
    """Which rows have a target and, if there are weights, a weight above 0."""
    present = ~is_missing(target)
    return present if weight is None else present & (row_weights(weight) > 0)


def row_weights(series: pl.Series) -> np.ndarray:
    """Weights (n,) ≥ 0; InputError for anything else."""
    weights = as_numbers(series)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        came = "missing" if is_missing(series)[row] else quoted(series[row])
        n = counted(int(wrong.sum()), "such row")
        raise RowError(
            lambda place, least: (
                f"The weight {quoted(series.name)} is {came} in {place}, but a number ≥ 0 was expected ({least}{n})."
            ),
            row + 1,
        )
    return weights


EXPOSURES = ("exposure", "offset")


def row_number(row: int, numbers: np.ndarray | None) -> int:
    """The number of a row in its table: of the given ones, or from 1."""
    return row + 1 if numbers is None else int(numbers[row])


def row_exposures(series: pl.Series, kind: str, numbers: np.ndarray | None = None) -> np.ndarray:
    """Exposures (n,) > 0, or the exponentials of offsets; InputError for anything else, with the number of the row."""
    values = as_numbers(series)
    with np.errstate(over="ignore"):
        found = np.exp(values) if kind == "offset" else values
    wrong = ~(np.isfinite(found) & (found > 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        came = "missing" if is_missing(series)[row] else quoted(series[row])
        expected = "a number > 0" if kind == "exposure" else "a number that has an exponential"
        n = counted(int(wrong.sum()), "such row")
        raise RowError(
            lambda place, least: (
                f"The {kind} {quoted(series.name)} is {came} in {place}, but {expected} was expected ({least}{n})."
            ),
            row_number(row, numbers),
        )
    return found


def group_codes(series: pl.Series, numbers: np.ndarray | None = None) -> np.ndarray:
    """Codes (n,) of the groups 0, 1, …; InputError if a row has none, with its number."""
    text = as_text(series)
    if text.null_count():
        n = counted(text.null_count(), "such row")
        raise RowError(
            lambda place, least: (
                f"The group {quoted(series.name)} is missing in {place} ({least}{n}); every row needs one."
            ),
            row_number(int(text.is_null().arg_true()[0]), numbers),
        )
    return text.rank("dense").to_numpy() - 1


def times(series: pl.Series, numbers: np.ndarray | None = None) -> np.ndarray:
    """The time of each row (n,) as a number; InputError if it is missing, with the row's number, or cannot be parsed."""
    series = typed(series)
    if series.dtype.is_numeric():
        found = as_numbers(series)
    else:
        text = as_text(series)
        form = TYPED if series.dtype in (pl.Date, pl.Datetime) else date_format(text)
        if not form:
            raise InputError(
                f"The time {quoted(series.name)} holds {quoted(text.drop_nulls()[0])}, but numbers or dates such "
                "as 2024-01-31 were expected."
            )
        found = read_dates(series, text, form).cast(pl.Int64).cast(pl.Float64).to_numpy()
    if (missing := np.isnan(found)).any():
        row = row_number(int(np.argmax(missing)), numbers)
        raise InputError(f"The time {quoted(series.name)} is missing in row {row}; every row needs one.")
    return found
