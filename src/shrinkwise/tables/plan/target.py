"""The target: which task it defines and why, or why it cannot be predicted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from shrinkwise.tables.columns.kinds import (
    LARGEST,
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
from shrinkwise.tables.errors import InputError, RowError, figure, quoted

from .parts import row_number

_ADVICE = " (or use --task regression)"
MAX_CLASSES = 100
FEWEST_MEMBERS = 3  # rows of a class that is not set aside
MAX_CODES = 10  # distinct whole numbers that may be class codes
COUNTS = "counts"
MAX_COUNT = 10_000  # whole numbers beyond are amounts rather than counts


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
        if not (self.form or self.words):
            return series
        if series.dtype.is_numeric():
            return series.set(as_text(series).is_in(self.words), None) if self.words else series
        text = without(as_text(series), self.words)
        read = pl.Series(read_written(text, self.form), nan_to_null=True) if self.form else typed(text)
        wrong = read.is_null() & text.is_not_null()
        if wrong.any():
            row = int(wrong.arg_true()[0])
            raise RowError(
                lambda place, _: (
                    f"The target {quoted(series.name)} is {quoted(text[row])} in {place}, but a number was expected."
                ),
                row + 1,
            )
        return read.alias(series.name)


def target_reading(series: pl.Series, task: str | None) -> Reading:
    """How the target is parsed: as an input would be, and for a regression as --number would parse an input."""
    if (series := typed(series)).dtype != pl.String or task == "classes":
        return Reading()
    text = as_text(series)
    words = found_words(text) if task in ("regression", COUNTS) else words_beside_numbers(series)
    rest = without(text, words)
    form, how = "", ""
    if not typed(rest).dtype.is_numeric():
        form, how = written_numbers(rest, sure=task not in ("regression", COUNTS)) or ("", "")
        words = words if form else []
    parts = [part for part in (how, said(text, words)) if part]
    return Reading(form, words, f"The target {quoted(series.name)}: {'; '.join(parts)}." if parts else "")


@dataclass
class Target:
    """The task, a sentence with the reason, and for classes their names in order with their numbers of rows.

    `set_aside` are the texts of classes with too few rows to learn and to score, which are not among the classes.
    """

    task: str
    sentence: str
    classes: list[str] | None = None
    class_counts: list[int] = field(default_factory=list)
    limits: list[float | None] = field(default_factory=lambda: [None, None])
    set_aside: list[str] = field(default_factory=list)


def judge_target(series: pl.Series, task: str | None, rows: np.ndarray) -> Target:
    """The task that a target without missing values defines.

    Text and two distinct values are classes. Whole numbers from −1, 0 or 1 up to at most 10 are class codes; other whole
    numbers from 0 or 1 up to at most 10 000, on average twice each, are counts; other numbers (a quality from 3 to 8, any
    amount) give a regression. `task`, "regression", "counts" or "classes", overrides this. Raises InputError for a target
    that is constant, an identifier, a date, free text or infinite.
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
    if task in ("regression", COUNTS):
        why = disguised_numbers(text, rows, "") or f"text such as {quoted(text[0])}"
        needed = "counts are" if task == COUNTS else "a regression needs"
        raise InputError(f"The target {name} holds {why}; {needed} numbers.")
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
    if distinct[-1] - distinct[0] < 1 / LARGEST and (task == "regression" or len(distinct) > 2):
        raise InputError(
            f"The values of the target {name} differ by less than {1 / LARGEST:g}, too little to be squared; multiply them "
            "by a power of ten."
        )
    limits, within = _limits(distinct)
    if task == "regression":
        return Target("regression", f"Regression on {name}, as requested: {spread}{within}.", limits=limits)
    if task == COUNTS:
        check_counts(series.name, numbers, rows)
        return Target(COUNTS, f"Counts of {name}, as requested: {spread}.", limits=[0.0, None])
    if len(distinct) == 2:
        return _classes(series, f"it has only the values {figure(distinct[0])} and {figure(distinct[1])}", rows)
    whole = bool(np.all(distinct == np.round(distinct)))
    if whole and len(distinct) <= MAX_CODES and distinct[0] in (-1, 0, 1) and distinct[-1] <= MAX_CODES:
        why = (
            f"its {spread} are whole numbers and read as class codes (use the task regression to read them as amounts)"
        )
        return _classes(series, why, rows)
    if whole and distinct[0] in (0, 1) and distinct[-1] <= MAX_COUNT and MAX_CODES < len(distinct) <= len(numbers) / 2:
        why = f"its {spread} are whole numbers (use the task regression to predict them as amounts)"
        return Target(COUNTS, f"Counts of {name}, because {why}.", limits=[0.0, None])
    other = (
        " read as amounts (use the task classes to read them as class names)"
        if whole and len(distinct) <= MAX_CODES
        else ""
    )
    sentence = f"Regression on {name}, because it holds numbers: {spread}{other}{within}."
    return Target("regression", sentence, limits=limits)


def _limits(distinct: np.ndarray) -> tuple[list[float | None], str]:
    """The range that the values suggest, from 0, or from 0 to 1 for shares, and its sentence; open below if one is negative.

    `distinct` is sorted.
    """
    if distinct[0] < 0:
        return [None, None], ""
    if distinct[-1] <= 1 and len(distinct) > 2:
        return [0.0, 1.0], "; predictions are kept within 0 and 1, as all values are"
    return [0.0, None], "; no prediction is below 0, as no value is"


def check_counts(name: str, values: np.ndarray, numbers: np.ndarray | None = None, *, are_all: bool = True) -> None:
    """Raise InputError unless all are whole numbers ≥ 0, and some are above; it names a row by its number (n,).

    Values that are not all of a table (`are_all`) may all be 0.
    """
    wrong = ~((values >= 0) & (values == np.round(values)))
    if wrong.any() or (are_all and not values.any()):
        came = figure(values[wrong][0]) if wrong.any() else "only zeros"
        raise RowError(
            lambda place, _: (
                f"The target {quoted(name)} holds {came}{f' in {place}' if wrong.any() else ''}, but counts are whole "
                "numbers ≥ 0, some of them above 0."
            ),
            row_number(int(np.argmax(wrong)), numbers),
        )


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
    rare = [each for each in classes if number_of[each] < FEWEST_MEMBERS]
    if rare and (len(classes) - len(rare) >= 2):
        classes = [each for each in classes if each not in rare]
    elif lonely := [each for each in rare if number_of[each] == 1]:
        more = f", as have {len(lonely) - 1} other classes" if len(lonely) > 1 else ""
        amounts = ", or use the task regression" if series.dtype.is_numeric() else ""
        raise InputError(
            f"The class {quoted(lonely[0])} of the target {name} has a single row{more}, which cannot be used "
            f"both for training and for scoring; remove it or merge classes{amounts}."
        )
    else:
        rare = []
    shown = ", ".join(f"{quoted(each, 30)} {number_of[each]}" for each in classes[:6]) + (
        ", …" if len(classes) > 6 else ""
    )
    task = "binary" if len(classes) == 2 else "multiclass"
    spelled = f" ({joined})" if joined else ""
    sentence = f"{len(classes)} classes of {name}, because {why}{spelled}; rows of each: {shown}."
    if rare:
        sentence += f" {_about_rare(rare, number_of)}"
    gone = as_text(series).filter(text.is_in(rare)).unique().to_list() if rare else []
    return Target(task, sentence, classes, [number_of[each] for each in classes], set_aside=sorted(gone))


def _about_rare(rare: list[str], number_of: dict[str, int]) -> str:
    shown = ", ".join(f"{quoted(each, 30)} {number_of[each]}" for each in rare[:6]) + (", …" if len(rare) > 6 else "")
    what = f"The class {shown} has" if len(rare) == 1 else f"The classes {shown} have"
    return (
        f"{what} too few rows to learn and to score, so these rows are set aside and never predicted; merge classes to "
        "use them."
    )
