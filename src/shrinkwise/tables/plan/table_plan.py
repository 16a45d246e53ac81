"""The plan of a table: how its target, its columns and its rows are used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import polars as pl

from shrinkwise.selection import Rows
from shrinkwise.tables.columns.kinds import ColumnPlan, as_numbers, as_text, codes_of, is_missing
from shrinkwise.tables.columns.level_means import LEVEL_MEANS, Outcome
from shrinkwise.tables.columns.spelling import alike
from shrinkwise.tables.errors import RowError, counted, no_such_column, quoted
from shrinkwise.tables.reading.read import as_frame

from .order_in_time import moments
from .parts import EXPOSURES, group_codes, row_exposures, row_number, row_weights, rows_to_use, times
from .target import COUNTS, Reading, check_counts


@dataclass
class TablePlan:
    """The decisions about a table: one ColumnPlan per input column in file order, the task, and `notes` for the user.

    `classes` are the texts of the target's values in order (None for a regression), `class_counts` their rows;
    `n_rows` counts the rows used, `n_rows_read` all rows. `target_form` and `target_words` describe how text is parsed
    as a numeric target (target.Reading). `limits` are the lowest and the highest value that a numeric target can take,
    None if open; `log_target` says that models are fitted to its logarithm.
    `ordered_by` are the inputs by which the rows are split by time although no column was given for that.
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
    target_form: str = ""
    target_words: list[str] = field(default_factory=list)
    limits: list[float | None] = field(default_factory=lambda: [None, None])
    log_target: bool = False
    ordered_by: list[str] = field(default_factory=list)

    @property
    def kept(self) -> list[ColumnPlan]:
        """The columns that are inputs."""
        return [column for column in self.columns if column.is_input]

    @property
    def weight(self) -> str | None:
        """The name of the column of weights."""
        return self._part("weight")

    @property
    def log_link(self) -> bool:
        """Whether the scores of models are logarithms of predictions."""
        return self.log_target or self.task == COUNTS

    @property
    def exposure(self) -> tuple[str, str] | None:
        """("exposure" or "offset", name of its column); None for none."""
        return next(((column.kind, column.name) for column in self.columns if column.kind in EXPOSURES), None)

    def exposures(self, frame: Any, numbers: np.ndarray | None = None) -> np.ndarray | None:
        """The exposure (n,) of each row of a table, the exponential of an offset; None for none.

        Errors state the number of a row out of `numbers` (n,), by default counted from 1.
        """
        if self.exposure is None:
            return None
        kind, column = self.exposure
        return row_exposures(self._column(as_frame(frame), column), kind, numbers)

    @property
    def has_groups(self) -> bool:
        """Whether an input becomes several features."""
        single = ("number", "yes/no", *([LEVEL_MEANS] if len(self.classes or []) < 3 else []))
        return any(column.kind not in single or column.n_missing for column in self.kept)

    @property
    def has_level_means(self) -> bool:
        """Whether the features of an input are means of the target by level."""
        return any(column.kind == LEVEL_MEANS for column in self.kept)

    @property
    def has_numbers(self) -> bool:
        """Whether an input has values between its lowest and its highest."""
        return any(column.kind in ("number", "date", LEVEL_MEANS) for column in self.kept)

    @property
    def splits_by(self) -> str:
        """The kind of the column that determines the splits: "group", "time" or ""."""
        return next((kind for kind in ("group", "time") if self._part(kind)), "time" if self.ordered_by else "")

    def _part(self, kind: str) -> str | None:
        return next((column.name for column in self.columns if column.kind == kind), None)

    @property
    def smallest_class(self) -> int | None:
        """The number of rows of the rarest class, the most folds a stratified split can have; None for a regression."""
        return min(self.class_counts, default=None)

    def used_rows(self, frame: Any) -> pl.DataFrame:
        """The rows that have a target (and a weight above 0), in order."""
        return self.numbered_rows(frame)[0]

    def numbered_rows(self, frame: Any) -> tuple[pl.DataFrame, np.ndarray]:
        """`used_rows`, and the number of each in the table, from 1.

        Raises InputError, with that number, for a target, weight, exposure, group or time that cannot be used.
        """
        frame = as_frame(frame)
        weight = None if self.weight is None else self._column(frame, self.weight)
        present = rows_to_use(self._target_column(frame), weight)
        used, numbers = frame if present.all() else frame.filter(pl.Series(present)), np.flatnonzero(present) + 1
        self.target_values(used, numbers)
        return used, numbers

    def rows(self, frame: Any, numbers: np.ndarray | None = None) -> Rows:
        """Groups, time and weights of `used_rows`.

        Errors state the number of a row out of `numbers` (n,), by default counted from 1.
        """
        frame, found = as_frame(frame), cast(dict[str, Any], {})
        for part, (key, read) in {"group": ("groups", group_codes), "time": ("time", times)}.items():
            if (column := self._part(part)) is not None:
                found[key] = read(self._column(frame, column), numbers)
        if self.ordered_by:
            found["time"] = moments(self.ordered_by, self.columns, frame)
        return Rows(**found, weights=self.weights(frame))

    def weights(self, frame: Any) -> np.ndarray | None:
        """The weights (n,) of `used_rows` in fits and scores; None for none.

        With an exposure e a count y has the rate y / e and the weight e: the Poisson loss of rates weighted by their exposure,
        Σ e (μ − (y/e) log μ), is that of the counts with the offset log e.
        """
        frame = as_frame(frame)
        own = None if self.weight is None else row_weights(self._column(frame, self.weight))
        exposure = self.exposures(frame)
        return own if exposure is None else exposure if own is None else exposure * own

    def target_values(self, frame: Any, numbers: np.ndarray | None = None) -> np.ndarray:
        """The target of `used_rows`, float64 for a regression, else the index of each row's class in `classes`.

        Counts with an exposure are divided by it: see `rows`. Errors state the number of a row out of `numbers` (n,),
        by default counted from 1.

        Raises InputError for a missing value, a value that is not a number or a class that is not in `classes`.
        """
        series = self._target_column(as_frame(frame))
        values = as_numbers(series) if self.classes is None else self._codes(as_text(series))
        wrong = np.isnan(values) if self.classes is None else values == len(self.classes)
        if wrong.any():
            row = int(np.argmax(wrong))
            expected = "a number" if self.classes is None else "one of the classes of the plan"
            came = "missing" if is_missing(series)[row] else quoted(as_text(series)[row])
            n = counted(int(wrong.sum()), "such row")
            raise RowError(
                lambda place, least: (
                    f"The target {quoted(self.target)} is {came} in {place}, but {expected} was expected ({least}{n})."
                ),
                row_number(row, numbers),
            )
        if self.task == COUNTS:
            check_counts(self.target, values, numbers, are_all=False)
            return values / exposure if (exposure := self.exposures(frame, numbers)) is not None else values
        return values

    def outcome(self, frame: Any) -> Outcome:
        """The target of `used_rows` as what means by level are taken of: class shares, rates of counts, or numbers."""
        y, weights = self.target_values(frame), self.weights(frame)
        weights = np.ones(len(y)) if weights is None else weights
        if self.classes is not None:
            names = [f"log-odds of {self.target} = {name}" for name in self.classes[1:]]
            return Outcome((y[:, None] == np.arange(1, len(self.classes))).astype(float), weights, names, "log-odds")
        if self.task == COUNTS:
            return Outcome(y[:, None], weights, [f"log rate of {self.target}"], "log")
        what, values = ("mean log", np.log(y)) if self.log_target else ("mean", y)
        return Outcome(values[:, None], weights, [f"{what} {self.target}"])

    def _target_column(self, frame: pl.DataFrame) -> pl.Series:
        return Reading(self.target_form, self.target_words).of(self._column(frame, self.target))

    def _column(self, frame: pl.DataFrame, name: str) -> pl.Series:
        if name not in frame.columns:
            raise no_such_column("The table", name, frame.columns)
        return frame[name]

    def _codes(self, text: pl.Series) -> np.ndarray:
        return codes_of(alike(text, self.classes or []), self.classes or [])
