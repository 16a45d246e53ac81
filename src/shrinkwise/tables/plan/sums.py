"""Sums: a numeric target that is one of input columns, such as a total of fare, tip and tolls; a last row of totals."""

from __future__ import annotations

import numpy as np
import polars as pl

from shrinkwise.tables.columns.features import column_values
from shrinkwise.tables.columns.kinds import taken
from shrinkwise.tables.errors import quoted

from .table_plan import TablePlan

_MOST_ROWS, _MOST_COLUMNS = 5_000, 100
_ROWS_PER_COLUMN = 3
_EXACT = 1e-6  # of the spread of the target, beyond which a sum is not exact (amounts are often rounded to cents)
_ONE = 1e-3
# The share of rows in which a sum must be exact: a first row of differences, or a corrected value, often is not. It is found by
# least trimmed squares (Rousseeuw and Van Driessen 2006): fits to this share of the rows, those with the smallest residuals.
_SHARE, _STEPS = 0.95, 5
# How near the last row is to the sums of the rows above it, in shares of them, or to their means, in standard deviations (both
# are often rounded), and in how many columns at least: few values are so near by chance.
_NEAR, _FEWEST = {"sums": 1e-3, "means": 0.02}, {"sums": 1, "means": 3}


def sum_note(plan: TablePlan, used: pl.DataFrame, seed: int = 0) -> str:
    """A sentence if two or more columns add up to the target in held-out rows; "" if not."""
    columns = [column for column in plan.kept if column.kind == "number" and not column.leaks]
    if plan.classes is not None or not 2 <= len(columns) <= _MOST_COLUMNS:
        return ""
    rows = np.sort(np.random.default_rng(seed).permutation(used.height)[:_MOST_ROWS])
    y = plan.target_values(used)[rows]
    X = np.column_stack([column_values(column, taken(used[column.name], rows))[0] for column in columns])
    there = ~np.isnan(X).any(axis=1)
    X, y = X[there], y[there]
    if len(y) < 2 * _ROWS_PER_COLUMN * len(columns) + 2 or y.std() == 0:
        return ""
    scale = np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    Z = np.column_stack([(X - X.mean(axis=0)) / scale, np.ones(len(y))])
    coef = _trimmed_least_squares(Z[::2], y[::2])
    exact = np.abs(Z @ coef - y) <= _EXACT * y.std()
    if exact[1::2].mean() < _SHARE:
        return ""
    used_columns = np.flatnonzero(np.abs(coef[:-1]) > _ONE * y.std())
    weights = (coef[:-1] / scale)[used_columns]
    if len(used_columns) < 2:
        return ""
    names = [quoted(columns[j].name) for j in used_columns]
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    kind = "the sum or difference" if np.all(np.abs(np.abs(weights) - 1) < _ONE) else "a weighted sum"
    where = "" if exact.all() else f" in {exact.sum()} of {len(exact)} rows"
    return (
        f"The target {quoted(plan.target)} is exactly {kind} of {shown}{where}: these columns may leak it; drop those whose "
        "values are not known at prediction time."
    )


def _trimmed_least_squares(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The coefficients of a fit to `_SHARE` of the rows, those with the smallest residuals."""
    near = np.ones(len(y), dtype=bool)
    for _ in range(_STEPS):
        coef = np.linalg.lstsq(Z[near], y[near], rcond=None)[0]
        residuals = np.abs(Z @ coef - y)
        near = residuals <= np.quantile(residuals, _SHARE, method="higher")
    return coef


def total_note(plan: TablePlan, used: pl.DataFrame) -> str:
    """A sentence if the last row holds the sums or the means of the rows above it; "" if not.

    At least half of its numbers must be such, and a sum must be larger than each of its terms.
    """
    columns = [column_values(column, used[column.name])[0] for column in plan.kept if column.kind == "number"]
    columns += [plan.target_values(used)] if plan.classes is None else []
    above = [(values[:-1][~np.isnan(values[:-1])], values[-1]) for values in columns if not np.isnan(values[-1])]
    varied = [(values, last) for values, last in above if len(values) > 1 and values.std() > 0]
    sums = sum(
        last > np.abs(values).max() and abs(last - values.sum()) <= _NEAR["sums"] * abs(values.sum())
        for values, last in varied
    )
    means = sum(abs(last - values.mean()) <= _NEAR["means"] * values.std() for values, last in varied)
    for what, count in (("sums", sums), ("means", means)):
        if count >= max(_FEWEST[what], len(above) / 2):
            return (
                f"The last row is near the {what} of the rows above it in {count} of {len(above)} numeric columns; remove it "
                "from the file if it is a total, because models learn from it as from any other row."
            )
    return ""
