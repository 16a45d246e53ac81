"""The target: which task it defines and why, or why it cannot be predicted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from shrinkwise.tables.columns.kinds import (
    as_numbers,
    as_text,
    date_reason,
    disguised_numbers,
    not_a_measure,
    refuse_infinite,
    typed,
    unusable_type,
)
from shrinkwise.tables.columns.measures import read_written, written_numbers
from shrinkwise.tables.columns.spelling import one_spelling
from shrinkwise.tables.columns.words import found_words, said, without, words_beside_numbers
from shrinkwise.tables.errors import InputError, figure, quoted

_ADVICE = " (or use --task regression)"
MAX_CLASSES = 100
MAX_CODES = 10  # distinct whole numbers that may be class codes


@dataclass(frozen=True)
class Reading:
    """How a target's text is parsed as numbers: `form` as in a ColumnPlan ("" for plain ones), and the words that mark
    a missing target.

    `sentence` describes it for the user; "" if there is nothing special.
    """

    form: str = ""
    words: list[str] = field(default_factory=list)
    sentence: str = ""

    def of(self, series: pl.Series) -> pl.Series:
        """The target as numbers if it is parsed as such, otherwise unchanged."""
        if series.dtype.is_numeric() or not (self.form or self.words):
            return series
        text = without(as_text(series), self.words)
        read = pl.Series(read_written(text, self.form), nan_to_null=True) if self.form else typed(text)
        wrong = read.is_null() & text.is_not_null()
        if wrong.any():
            row = int(wrong.arg_true()[0])
            raise InputError(
                f"The target {quoted(series.name)} is {quoted(text[row])} in row {row + 1}, but a number was expected."
            )
        return read.alias(series.name)


def target_reading(series: pl.Series, task: str | None) -> Reading:
    """How the target is parsed: as an input would be, and for a regression as --number would parse an input."""
    if (series := typed(series)).dtype != pl.String or task == "classes":
        return Reading()
    text = as_text(series)
    words = found_words(text) if task == "regression" else words_beside_numbers(series)
    rest = without(text, words)
    form, how = "", ""
    if not typed(rest).dtype.is_numeric():
        form, how = written_numbers(rest, sure=task != "regression") or ("", "")
        words = words if form else []
    parts = [part for part in (how, said(text, words)) if part]
    return Reading(form, words, f"The target {quoted(series.name)}: {'; '.join(parts)}." if parts else "")


@dataclass
class Target:
    """The task, a sentence with the reason, and for classes their names in order with their numbers of rows."""

    task: str
    sentence: str
    classes: list[str] | None = None
    class_counts: list[int] = field(default_factory=list)


def judge_target(series: pl.Series, task: str | None, rows: np.ndarray) -> Target:
    """The task that a target without missing values defines.

    Text and two distinct values are classes. Whole numbers from −1, 0 or 1 up to at most 10 are class codes; other
    numbers (a quality from 3 to 8, any amount) give a regression. `task`, "regression" or "classes", overrides this.
    Raises InputError for a target that is constant, an identifier, a date, free text or infinite.
    """
    series = typed(series)
    name, text = quoted(series.name), as_text(series)
    numeric = series.dtype.is_numeric()
    n_distinct = text.n_unique()
    if n_distinct == 1:
        raise InputError(
            f"The target {name} is {quoted(text[0])} in all {len(text)} rows, so there is nothing to predict."
        )
    if reason := unusable_type(series) or ("" if numeric else date_reason(text)):
        raise InputError(f"The target {name} holds {reason}; numbers or classes were expected.")
    if numeric:
        return _judge_numbers(series, task, rows)
    if task == "regression":
        why = disguised_numbers(text, rows, "") or f"text such as {quoted(text[0])}"
        raise InputError(f"The target {name} holds {why}; a regression needs numbers.")
    return _classes(series, f"it is {'yes or no' if series.dtype == pl.Boolean else 'text'}", rows)


def _judge_numbers(series: pl.Series, task: str | None, rows: np.ndarray) -> Target:
    name, numbers = quoted(series.name), as_numbers(series)
    refuse_infinite(series.name, numbers, rows)
    distinct = np.unique(numbers)
    spread = f"{len(distinct)} different values from {figure(distinct[0])} to {figure(distinct[-1])}"
    if task is None and (reason := not_a_measure(series.name, numbers, rows, len(numbers))):
        raise InputError(f"The target {name} is {reason}; use the task regression if it is an amount.")
    if task == "classes":
        return _classes(series, "this task was requested", rows)
    if task == "regression":
        return Target("regression", f"Regression on {name}, as requested: {spread}.")
    if len(distinct) == 2:
        return _classes(series, f"it has only the values {figure(distinct[0])} and {figure(distinct[1])}", rows)
    whole = bool(np.all(distinct == np.round(distinct)))
    if whole and len(distinct) <= MAX_CODES and distinct[0] in (-1, 0, 1) and distinct[-1] <= MAX_CODES:
        why = (
            f"its {spread} are whole numbers and read as class codes (use the task regression to read them as amounts)"
        )
        return _classes(series, why, rows)
    other = (
        " read as amounts (use the task classes to read them as class names)"
        if whole and len(distinct) <= MAX_CODES
        else ""
    )
    return Target("regression", f"Regression on {name}, because it holds numbers: {spread}{other}.")


def _classes(series: pl.Series, why: str, rows: np.ndarray) -> Target:
    name, (text, joined) = quoted(series.name), one_spelling(as_text(series))
    counts = text.value_counts()
    number_of = dict(zip(*(column.to_list() for column in counts), strict=True))
    classes = sorted(number_of, key=float if series.dtype.is_numeric() else None)
    if len(classes) > len(text) / 2 or len(classes) > MAX_CLASSES:
        hint = "" if series.dtype.is_numeric() else disguised_numbers(text, rows, _ADVICE)
        raise InputError(
            f"The target {name} has {len(classes)} different values in {len(text)} "
            f"rows{f' ({hint})' if hint else ''}, which is too many for classes (at most {MAX_CLASSES}, with 2 "
            "rows or more each)."
        )
    if lonely := [each for each in classes if number_of[each] == 1]:
        more = f", as have {len(lonely) - 1} other classes" if len(lonely) > 1 else ""
        amounts = ", or use the task regression" if series.dtype.is_numeric() else ""
        raise InputError(
            f"The class {quoted(lonely[0])} of the target {name} has a single row{more}, which cannot be used "
            f"both for training and for scoring; remove it or merge classes{amounts}."
        )
    shown = ", ".join(f"{quoted(each, 30)} {number_of[each]}" for each in classes[:6]) + (
        ", …" if len(classes) > 6 else ""
    )
    task = "binary" if len(classes) == 2 else "multiclass"
    spelled = f" ({joined})" if joined else ""
    sentence = f"{len(classes)} classes of {name}, because {why}{spelled}; rows of each: {shown}."
    return Target(task, sentence, classes, [number_of[each] for each in classes])
