"""The plan: what is done with every column of a table, and which question its target poses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from .errors import InputError, counted, no_such_column, quoted
from .kinds import ColumnPlan, as_numbers, as_text, codes_of, is_missing, judge
from .names import unnamed
from .reading import as_frame
from .target import judge_target

# Nested 5-fold scoring leaves 16 of 20 rows to learn from, 12 of them inside, and 4 to score on: fewer say nothing.
MIN_ROWS = 20
SMALL_CLASS = 10


@dataclass
class TablePlan:
    """What was decided about a table: one ColumnPlan per input column in file order, the task, and `notes` that say it.

    `classes` are the texts of the target's values in order (None for a regression), `class_counts` their rows;
    `n_rows` counts the rows used, `n_rows_read` all.
    """

    name: str
    target: str
    task: str
    classes: list[str] | None
    columns: list[ColumnPlan]
    n_rows: int
    n_rows_read: int
    notes: list[str] = field(default_factory=list)
    class_counts: list[int] = field(default_factory=list)

    @property
    def kept(self) -> list[ColumnPlan]:
        """The columns that are inputs."""
        return [column for column in self.columns if column.kind != "dropped"]

    @property
    def smallest_class(self) -> int | None:
        """The number of rows of the rarest class, the most folds a stratified split can have; None for a regression."""
        return min(self.class_counts, default=None)

    def used_rows(self, frame: Any) -> pl.DataFrame:
        """The rows whose target is there, in order."""
        frame = as_frame(frame)
        return frame.filter(pl.Series(~is_missing(self._target_column(frame))))

    def target_values(self, frame: Any) -> np.ndarray:
        """The target of `used_rows`, float64 for a regression, else the index of each row's class in `classes`.

        Raises InputError for a missing value, a value that is no number or a class that is not in `classes`.
        """
        series = self._target_column(as_frame(frame))
        values = as_numbers(series) if self.classes is None else codes_of(as_text(series), self.classes)
        wrong = np.isnan(values) if self.classes is None else values == len(self.classes)
        if wrong.any():
            row = int(np.argmax(wrong))
            expected = "a number" if self.classes is None else "one of the classes of the plan"
            came = "missing" if is_missing(series)[row] else quoted(as_text(series)[row])
            raise InputError(
                f"The target {quoted(self.target)} is {came} in row {row + 1} where {expected} was expected "
                f"({counted(int(wrong.sum()), 'such row')})."
            )
        return values

    def _target_column(self, frame: pl.DataFrame) -> pl.Series:
        if self.target not in frame.columns:
            raise no_such_column("The table", self.target, frame.columns)
        return frame[self.target]


def plan_table(
    frame: Any, target: str, *, name: str = "table", drop: Collection[str] = (), task: str | None = None
) -> TablePlan:
    """Decide what is done with every column of `frame` when `target` is to be predicted from the others.

    Parameters
    ----------
    frame : the table, as `read_table` gives it, or any data frame `as_frame` takes
    name : what messages call the table
    drop : columns to leave out
    task : "regression" or "classes", to overrule what the target looks like (target.judge_target)

    Raises
    ------
    InputError : no such column, fewer than 20 rows with a target, a target nothing can be learned about, no input left

    """
    frame = as_frame(frame)
    _refuse_choices(frame, target, name, drop, task)
    present = ~is_missing(frame[target])
    used, rows = frame.filter(pl.Series(present)), np.flatnonzero(present) + 1
    if len(rows) < MIN_ROWS:
        missing = frame.height - len(rows)
        besides = f" ({counted(missing, 'row')} without a value in {quoted(target)})" if missing else ""
        raise InputError(
            f"{name} has {counted(len(rows), 'row')} to learn from{besides}; at least {MIN_ROWS} are needed to compare "
            "models on rows they have not seen."
        )
    question = judge_target(used[target], task, rows)
    columns = [_column(series, rows, series.name in drop) for series in used if series.name != target]
    plan = TablePlan(
        name,
        target,
        question.task,
        question.classes,
        columns,
        len(rows),
        frame.height,
        [question.sentence],
        question.class_counts,
    )
    if not plan.kept:
        shown = "; ".join(f"{quoted(column.name)}: {column.reason}" for column in columns[:5])
        raise InputError(
            f"{name} has no usable input column beside {quoted(target)} ({shown or 'it is the only one'})."
        )
    plan.notes += _notes(plan, frame)
    return plan


def describe(plan: TablePlan) -> list[tuple[str, str, str]]:
    """`(name, kind, reason)` of every input column, in file order."""
    return [(column.name, column.kind, column.reason) for column in plan.columns]


def _refuse_choices(frame: pl.DataFrame, target: str, name: str, drop: Collection[str], task: str | None) -> None:
    for wanted in (target, *drop):
        if wanted not in frame.columns:
            raise no_such_column(name, wanted, frame.columns)
    if target in drop:
        raise InputError(f"The target {quoted(target)} cannot be dropped; choose another target or keep it.")
    if task not in (None, "regression", "classes"):
        raise InputError(f"The task is 'regression' or 'classes', not {quoted(task)}.")


def _column(series: pl.Series, rows: np.ndarray, dropped: bool) -> ColumnPlan:
    return ColumnPlan(series.name, "dropped", "left out as asked for") if dropped else judge(series, rows)


def _notes(plan: TablePlan, frame: pl.DataFrame) -> list[str]:
    notes = []
    if missing := plan.n_rows_read - plan.n_rows:
        notes.append(
            f"{missing} of {counted(plan.n_rows_read, 'row')} {'has' if missing == 1 else 'have'} no value in "
            f"{quoted(plan.target)} and {'is' if missing == 1 else 'are'} left out."
        )
    nameless = [column for position, column in enumerate(frame.columns) if column == unnamed(position)]
    if nameless:
        notes.append(
            f"{counted(len(nameless), 'column')} without a name: called {', '.join(map(quoted, nameless[:5]))}."
        )
    if plan.classes is not None and (fewest := min(plan.class_counts)) < SMALL_CLASS:
        rarest = plan.classes[plan.class_counts.index(fewest)]
        notes.append(f"The class {quoted(rarest)} has only {fewest} rows, so scores of it are uncertain.")
    if len(plan.kept) > plan.n_rows:
        notes.append(
            f"There are more inputs ({len(plan.kept)}) than rows ({plan.n_rows}): without a penalty the inputs can "
            "reproduce the target exactly, whatever it is."
        )
    return notes
