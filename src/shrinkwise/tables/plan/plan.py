"""The plan of a table: how every column is used, and the task that the target defines."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from shrinkwise.tables.columns.features import column_values
from shrinkwise.tables.columns.judging import judge
from shrinkwise.tables.columns.kinds import ColumnPlan, as_text
from shrinkwise.tables.errors import InputError, counted, no_such_column, quoted
from shrinkwise.tables.reading.read import as_frame

from .dependence import dependence_notes
from .leakage import MOST_ROWS, knows_target, same_order, tells_some
from .notes import first_of_copies, plan_notes
from .parts import EXPOSURES, rows_to_use
from .sums import sum_note, total_note
from .table_plan import TablePlan
from .target import COUNTS, judge_target, target_reading

# Nested 5-fold scoring leaves 16 of 20 rows to learn from, 12 of them inside, and 4 to score on: fewer say nothing.
MIN_ROWS = 20

# Of more columns that each give some classes away none is named: such tables are made of rules.
_MOST_HINTS = 3


@dataclass(frozen=True)
class ColumnOptions:
    """The user's settings for columns and the task; they overrule what is inferred from the values.

    Parameters
    ----------
    drop : columns to exclude
    keep : columns to keep even if they would be dropped (an identifier, a constant, a possible leak)
    number, category, text : columns to parse as numeric, as categories, or as bags of words
    group : column that identifies a group of rows (a patient, a shop); rows with the same value stay in the same fold
    time : column of dates or numbers; models are scored on rows later than those they were fitted on
    weight : column of row weights ≥ 0
    exposure, offset : column of the exposure > 0 of each count, or of its logarithm
    task : "regression", "counts" or "classes"; by default inferred from the target (target.judge_target)
    shuffle : whether rows are split at random also where their targets are alike in successive rows by time
    level_means : whether categories of many levels become the means of the target by level; otherwise their most frequent
        levels are 0/1 features, or they are dropped

    """

    drop: Collection[str] = ()
    keep: Collection[str] = ()
    number: Collection[str] = ()
    category: Collection[str] = ()
    text: Collection[str] = ()
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    exposure: str | None = None
    offset: str | None = None
    task: str | None = None
    shuffle: bool = False
    level_means: bool = True

    @property
    def roles(self) -> dict[str, str]:
        """The role of each column that is not an input, by its name."""
        return {column: part for part, column in self._parts.items() if column is not None}

    @property
    def _parts(self) -> dict[str, str | None]:
        return {part: getattr(self, part) for part in ("group", "time", "weight", *EXPOSURES)}

    def of(self, column: str) -> str:
        """The request for a column, as `judge` takes it."""
        for wish in ("number", "category", "text", "keep"):
            columns = getattr(self, wish)
            if column in columns:
                return wish
        return ""

    def refuse(self, names: Collection[str], target: str, table: str) -> None:
        """Raise InputError for absent columns and for requests that contradict one another."""
        lists = (self.drop, self.keep, self.number, self.category, self.text, self.roles)
        for wanted in (target, *(column for columns in lists for column in columns)):
            if wanted not in names:
                raise no_such_column(table, wanted, list(names))
        if target in self.drop:
            raise InputError(f"The target {quoted(target)} cannot be dropped; choose another target or keep it.")
        for column in (target, *self.roles):
            if any(column in columns for columns in lists[1:5]) or (column == target and column in self.roles):
                raise InputError(
                    f"Column {quoted(column)} is an input and cannot also be the target, group, time, weight or exposure."
                )
        if len(self.roles) < sum(part is not None for part in self._parts.values()):
            raise InputError("Group, time, weight and exposure must be different columns.")
        if self.exposure and self.offset:
            raise InputError("Expected either an exposure or an offset, its logarithm; choose one.")
        if (self.exposure or self.offset) and self.task not in (None, COUNTS):
            raise InputError(
                f"An exposure belongs to counts; omit it, or choose the task 'counts' instead of {self.task!r}."
            )
        if self.shuffle and self.time:
            raise InputError("Rows can be split by time or at random (shuffle), but not both; choose one.")
        if self.group and self.time:
            raise InputError("Rows can be split by group or by time, but not by both; choose one.")
        if self.task not in (None, "regression", COUNTS, "classes"):
            raise InputError(f"The task is 'regression', 'counts' or 'classes', not {quoted(self.task)}.")


def plan_table(
    frame: Any, target: str, *, name: str = "table", numbers: np.ndarray | None = None, **wishes: Any
) -> TablePlan:
    """Decide how every column of `frame` is used to predict `target`.

    Parameters
    ----------
    frame : the table, as `read_table` gives it, or any data frame `as_frame` takes
    name : the name of the table in messages
    numbers : the number of each row (n,) in its table, from 1; by default they are all rows of one
    wishes : the user's settings, see `ColumnOptions`

    Raises
    ------
    InputError : absent column, fewer than 20 rows with a target, a target that cannot be predicted, no input left

    """
    frame, wish = as_frame(frame), ColumnOptions(**wishes)
    wish.refuse(frame.columns, target, name)
    wish = replace(wish, task=COUNTS) if wish.exposure or wish.offset else wish
    reading = target_reading(frame[target], wish.task)
    frame = frame.with_columns(reading.of(frame[target]))
    present = rows_to_use(frame[target], None if wish.weight is None else frame[wish.weight])
    used, rows = (frame if present.all() else frame.filter(pl.Series(present))), np.flatnonzero(present)
    rows = rows + 1 if numbers is None else numbers[rows]
    if len(rows) < MIN_ROWS:
        missing = frame.height - len(rows)
        besides = f" ({counted(missing, 'row')} without a value in {quoted(target)})" if missing else ""
        raise InputError(
            f"{name} has {counted(len(rows), 'row')} to learn from{besides}; at least {MIN_ROWS} are needed to "
            "compare models on held-out rows."
        )
    question = judge_target(used[target], wish.task, rows)
    if question.set_aside:  # missing from here on, wherever the target is read
        reading = replace(reading, words=[*reading.words, *question.set_aside])
        there = ~as_text(used[target]).is_in(question.set_aside)
        used, rows = used.filter(there), rows[there.to_numpy()]
    originals = first_of_copies(used)
    columns = [_column(series, rows, wish, originals) for series in used.get_columns() if series.name != target]
    plan = TablePlan(
        name,
        target,
        question.task,
        question.classes,
        columns,
        used.height,
        frame.height,
        [question.sentence, *([reading.sentence] if reading.sentence else [])],
        question.class_counts,
        reading.form,
        reading.words,
        question.limits,
    )
    _drop_what_knows(plan, used, wish.keep)
    if not plan.kept:
        shown = "; ".join(f"{quoted(column.name)}: {column.reason}" for column in columns[:5])
        raise InputError(
            f"{name} has no usable input column besides {quoted(target)} ({shown or 'it is the only column'})."
        )
    alike = dependence_notes(plan, used, wish.shuffle)  # decides how the rows are split
    plan.notes += [*plan_notes(plan, used, frame.columns, int(present.sum()) - used.height), *alike]
    plan.notes += [note for note in (sum_note(plan, used), total_note(plan, used)) if note]
    return plan


def describe(plan: TablePlan) -> list[tuple[str, str, str]]:
    """`(name, kind, reason)` of every input column, in file order."""
    return [(column.name, column.kind, column.reason) for column in plan.columns]


_PARTS = {
    "group": "rows with the same value stay in the same fold",
    "time": "models are scored on rows later than those they were fitted on",
    "weight": "weight of each row",
    "exposure": "exposure of each count, by which its rate is multiplied",
    "offset": "logarithm of the exposure of each count",
}


def _column(series: pl.Series, rows: np.ndarray, wish: ColumnOptions, originals: np.ndarray) -> ColumnPlan:
    if part := wish.roles.get(series.name):
        return ColumnPlan(series.name, part, _PARTS[part])
    if series.name in wish.drop:
        return ColumnPlan(series.name, "dropped", "dropped as requested")
    return judge(series, rows, wish.of(series.name), originals, wish.level_means)


def _drop_what_knows(plan: TablePlan, used: pl.DataFrame, keep: Collection[str]) -> None:
    """Drop the columns that alone predict the target of held-out rows, unless nothing else is left; mark those kept."""
    if plan.classes is None:  # all that is asked of numbers is asked of a sample of the rows
        used = used[np.sort(np.random.default_rng(0).permutation(used.height)[:MOST_ROWS])]
    y = plan.target_values(used)
    found, hints = {}, {}
    for column in plan.kept:
        values, gaps = column_values(column, used[column.name])
        # rows near in time are alike: that is no leak, and dependence_notes reports it
        told = "" if column.kind == "date" else knows_target(values, y, plan.classes is not None)
        if not told and gaps.any():
            told = knows_target(gaps.astype(float), y, plan.classes is not None)
        if told:
            found[column.name] = told
        elif column.name not in keep and (hint := _hint(plan, column, values, y)):
            hints[column.name] = hint
    if len(hints) <= _MOST_HINTS:
        plan.notes += [
            f"Column {quoted(name)} may leak the target: {hint}; check that its value is known at prediction time."
            for name, hint in hints.items()
        ]
    only = len(found) == len(plan.kept)
    for column in plan.kept:
        if column.name not in found:
            continue
        suspicion = f"this column alone predicts {found[column.name]}"
        if only or column.name in keep:
            column.reason += f"; {suspicion}"
            plan.notes.append(f"Column {quoted(column.name)} may leak the target: {suspicion}.")
        else:
            column.kind, column.leaks = "dropped", True
            column.reason = f"possible leak: {suspicion}; use --keep-column if its value is known at prediction time"


def _hint(plan: TablePlan, column: ColumnPlan, values: np.ndarray, y: np.ndarray) -> str:
    """A weaker sign of leakage: the column predicts the class of many rows, or their order."""
    if plan.classes is None:
        return same_order(values, y) if column.kind in ("number", "ordered", "date") else ""
    if column.kind != "number":  # levels have no edge; only whether there is one can be told
        values = np.where(np.isnan(values), np.nan, np.arange(len(values)))
    return tells_some(values, y.astype(int), plan.classes, column.name, len(plan.columns))
