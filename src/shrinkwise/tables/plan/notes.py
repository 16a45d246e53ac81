"""Notes on a table before any model is fitted."""

from __future__ import annotations

import numpy as np
import polars as pl

from shrinkwise.tables.columns.kinds import TOO_MANY_LEVELS, ColumnPlan, as_text
from shrinkwise.tables.columns.level_means import LEVEL_MEANS
from shrinkwise.tables.columns.several import MAX_LEVELS
from shrinkwise.tables.errors import counted, quoted
from shrinkwise.tables.reading.names import unnamed

from .table_plan import TablePlan

SMALL_CLASS = 10
_UNBALANCED = 0.1  # share of the smallest class under which accuracy flatters


def plan_notes(plan: TablePlan, used: pl.DataFrame, columns: list[str], n_set_aside: int = 0) -> list[str]:
    """Sentences on excluded rows, column names, rare classes, more inputs than rows, duplicate rows, and level means.

    `n_set_aside` counts the rows of classes that are not used, which are reported with the classes.
    """
    found = (
        *(_missing(plan, n_set_aside), _nameless(columns), *_classes(plan)),
        *(_wide(plan), _twice(plan, used), _level_means(plan)),
    )
    return [sentence for sentence in found if sentence]


def copies(frame: pl.DataFrame, columns: list[str]) -> np.ndarray:
    """For each row a number that it shares with its exact copies in `columns`."""
    renamed = pl.DataFrame([frame[name].alias(str(i)) for i, name in enumerate(columns)])
    return np.unique(renamed.hash_rows().to_numpy(), return_inverse=True)[1]


def first_of_copies(frame: pl.DataFrame) -> np.ndarray:
    """The positions of the rows that are not an exact copy of an earlier one."""
    columns = [name for name, dtype in frame.schema.items() if not (dtype.is_nested() or dtype == pl.Object)]
    return np.sort(np.unique(copies(frame, columns), return_index=True)[1])


def known_rows(frame: pl.DataFrame, others: pl.DataFrame, columns: list[str]) -> np.ndarray:
    """Which rows of `frame` are exact copies, in `columns`, of rows of `others`: (n,) of bool, values compared as texts.

    Columns that `frame` does not have are not compared.
    """
    columns = [name for name in columns if name in frame.columns]
    here, there = (
        pl.DataFrame([as_text(table[name]).alias(str(i)) for i, name in enumerate(columns)]).hash_rows().to_numpy()
        for table in (frame, others)
    )
    return np.isin(here, there)


def _missing(plan: TablePlan, n_set_aside: int) -> str:
    if not (missing := plan.n_rows_read - plan.n_rows - n_set_aside):
        return ""
    why = f"no value in {quoted(plan.target)}" + (f", or weight 0 in {quoted(plan.weight)}," if plan.weight else "")
    return (
        f"{missing} of {counted(plan.n_rows_read, 'row')} {'has' if missing == 1 else 'have'} {why} and "
        f"{'is' if missing == 1 else 'are'} excluded."
    )


def _nameless(columns: list[str]) -> str:
    nameless = [column for position, column in enumerate(columns) if column == unnamed(position)]
    if not nameless:
        return ""
    return (
        f"{counted(len(nameless), 'column')} without a name {'was' if len(nameless) == 1 else 'were'} named "
        f"{', '.join(map(quoted, nameless[:5]))}."
    )


def _classes(plan: TablePlan) -> list[str]:
    if plan.classes is None:
        return []
    said, fewest = [], min(plan.class_counts)
    rarest = plan.classes[plan.class_counts.index(fewest)]
    if fewest < SMALL_CLASS:
        said.append(f"The class {quoted(rarest)} has only {fewest} rows, so its scores are uncertain.")
    if fewest < _UNBALANCED * plan.n_rows:
        said.append(
            f"The classes are unbalanced ({quoted(rarest)} is {fewest / plan.n_rows:.1%} of the rows): models are compared "
            "by log loss and balanced accuracy, and no class is reweighted."
        )
    return said


def _wide(plan: TablePlan) -> str:
    if len(plan.kept) <= plan.n_rows:
        return ""
    return (
        f"There are more inputs ({len(plan.kept)}) than rows ({plan.n_rows}): without a penalty a linear model "
        "can fit any target exactly."
    )


def _level_means(plan: TablePlan) -> str:
    names = [quoted(column.name) for column in plan.columns if column.kind == LEVEL_MEANS]
    if not names:
        return ""
    subject = f"Column {names[0]} has" if len(names) == 1 else f"Columns {', '.join(names[:5])} have"
    return (
        f"{subject} many levels, so the mean of {quoted(plan.target)} by level is an input, shrunk towards the mean of all "
        "rows and learned in the training rows of each fold; a training row has the mean over rows outside its inner fold, so "
        "that it never counts its own target (--category for one column, or --no-level-means, uses 0/1 features instead)."
    )


def many_levels(column: ColumnPlan) -> bool:
    """Whether a column is not encoded by all of its levels because there are too many."""
    return column.reason.startswith(TOO_MANY_LEVELS) or len(column.levels or []) > MAX_LEVELS


def _twice(plan: TablePlan, used: pl.DataFrame) -> str:
    """Rows that are the same in every column (but for one that counts the rows), of which a split may put one into
    training and the other into the held-out fold; none with groups or time."""
    if plan.splits_by:
        return ""
    counts_rows = {column.name for column in plan.columns if column.reason.startswith("a row number")}
    comparable = [name for name, dtype in used.schema.items() if not (dtype.is_nested() or dtype == pl.Object)]
    codes = copies(used, [name for name in comparable if name not in counts_rows])
    repeated = np.bincount(codes)[codes] > 1
    if not repeated.any():
        return ""
    return (
        f"{int(repeated.sum())} of {counted(plan.n_rows, 'row')} are exact copies of another row; "
        "if they are repeated records of the same case, drop them or use --group, because a copy "
        "in the training folds makes every score too optimistic."
    )
