"""A column's values as text and as numbers, and the reasons why they are unusable: identifiers, dates, types.

Text is compared after trimming the white space around it, and the usual markers for a missing value (`MISSING`) are
missing in every column. Ambiguous values are not converted to numbers: codes with leading zeros remain text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from shrinkwise.tables.errors import InputError, RowError, counted, quoted

from .level_means import LEVEL_MEANS

INPUT_KINDS = (
    *("number", "category", LEVEL_MEANS, "ordered", "yes/no", "date", "time of day", "coordinates", "items", "text"),
)
MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null")

# Squares and cross products of larger numbers leave the range of a float (1.8e308) within a few steps.
LARGEST = 1e100

_NEARLY_ALL = 0.95  # of the texts of an identifier are different: some are drawn twice

ADVICE = " (or use --number)"

_IDENTIFIER_WORDS = set("id ids idx index key no nr row rowid rownum serial unnamed uuid".split())

_CLOCK = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp][Mm])?"
_DAY = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})|\d{4}[-/](0[1-9]|1[0-2])"
    r"|\d{1,2}[- ][A-Za-z]{3,9}\.?,?[- ]\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}"
)
_DATE_OR_TIME = rf"^(({_DAY})([T ,]+{_CLOCK} ?(Z|UTC|[+-]\d{{2}}:?\d{{2}})?)?|{_CLOCK})$"
TOO_MANY_LEVELS = "too many levels"
LEADING_ZERO, LEADING_ZEROS = r"^0\d+$", "codes with leading zeros"
_WITH_SEPARATORS = r"^[^\w]*\d[\d.,' ]*[^\d]{0,4}$"


@dataclass
class ColumnPlan:
    """How one input column is used.

    kind is "number", "category", "level means" (a category of many levels, as means of the target), "ordered", "yes/no",
    "date", "time of day", "coordinates", "items" (lists in a cell) or "text" (a bag of words); "dropped"; or the role of a
    column that is not an input: "group", "time", "weight". `levels` are the texts of a category in sorted order, of an
    ordered one from least to most, or of a yes/no column with the level coded 1 last (one level alone: it is either that or
    missing).
    `n_missing` counts the rows used. `form` says how a date is written (dates.date_format), is "written" for numbers
    with units or separators, or the separator of items. `leaks` marks a column that was dropped because it alone predicts
    the target.
    """

    name: str
    kind: str
    reason: str
    levels: list[str] | None = None
    n_missing: int = 0
    form: str = ""
    leaks: bool = False
    words: list[str] | None = None

    @property
    def is_input(self) -> bool:
        """Whether it is an input of the models."""
        return self.kind in INPUT_KINDS


def as_text(series: pl.Series) -> pl.Series:
    """The values as trimmed text, missing as null. Whole numbers give the same text for every type: 1, 1.0 and "1" are
    "1".

    The result has no name, because polars takes a name such as "^x$" for a pattern in many methods of a series.
    """
    if _is_foreign(series):
        raise InputError(
            f"Column {quoted(series.name)} has the type {series.dtype}, but numbers or text were expected."
        )
    series = series.alias("")
    if series.dtype == pl.Boolean:
        return series.replace_strict({True: "True", False: "False"}, return_dtype=pl.String)
    if series.dtype.is_float() or series.dtype.is_decimal():
        series = series.cast(pl.Float64).fill_nan(None)
        whole = ((series == series.round()) & (series.abs() < 2**53)).fill_null(False)
        return series.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole, series.cast(pl.String))
    text = series.cast(pl.String, strict=False).str.strip_chars()
    return text.set(text.is_in(MISSING), None)


def as_numbers(series: pl.Series) -> np.ndarray:
    """The values as float64; NaN where missing and where the value is not a number."""
    is_number = series.dtype.is_numeric() or series.dtype == pl.Boolean
    return (series.cast(pl.Float64, strict=False) if is_number else floats(as_text(series))).to_numpy()


def taken(series: pl.Series, rows: np.ndarray | None) -> pl.Series:
    """The values in these rows, by default all; gathered without the name, which polars may take for a pattern."""
    return series if rows is None else series.alias("").gather(rows).alias(series.name)


def floats(text: pl.Series) -> pl.Series:
    """Text as floats, null where it is not a number; a minus may be "−" or "–"."""
    return short_minus(text).cast(pl.Float64, strict=False)


def short_minus(text: pl.Series) -> pl.Series:
    """Text with the "−" or "–" that begins a number as "-"."""
    begins = text.str.starts_with("\u2212") | text.str.starts_with("\u2013")  # tells most columns apart in no time
    return text.str.replace("^[\u2212\u2013]([0-9.,])", "-$1") if begins.any() else text


def codes_of(text: pl.Series, levels: list[str]) -> np.ndarray:
    """The index of each text in `levels`, `len(levels)` if it is missing or not in `levels`."""
    return text.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.Int64).fill_null(len(levels)).to_numpy()


def typed(series: pl.Series) -> pl.Series:
    """A text column as integers or floats when every value present is one; any other column as it is.

    Digits of one common width with a leading zero somewhere (postal codes, "007") are codes and stay text.
    """
    if series.dtype != pl.String:
        return series
    numbers = _plain_numbers(series)
    if numbers is not None and np.isnan(numbers.to_numpy()).sum() == numbers.null_count():
        return numbers  # most columns: nothing to trim, no missing marker
    text = as_text(series)
    numbers = _plain_numbers(short_minus(text))
    return (text if numbers is None else numbers).alias(series.name)


def is_missing(series: pl.Series) -> np.ndarray:
    """Where the value is missing: null, NaN, or text that marks a missing value."""
    return np.isnan(as_numbers(series)) if series.dtype.is_numeric() else as_text(series).is_null().to_numpy()


def unusable_type(series: pl.Series) -> str:
    """Why values of this type are neither numbers nor text; "" if they are."""
    if series.dtype == pl.Duration:
        return "durations; convert them to numbers of one unit, such as hours, to use them"
    if series.dtype.is_temporal() and series.dtype != pl.Time:
        return "dates or times"
    return f"of type {series.dtype}, which is neither numeric nor text" if _is_foreign(series) else ""


def refuse_infinite(name: str, numbers: np.ndarray, rows: np.ndarray) -> None:
    """InputError when a number is infinite or beyond ±1e100; NaN is a missing value and passes."""
    beyond = np.abs(numbers) > LARGEST
    if beyond.any():
        first = int(np.argmax(beyond))
        raise RowError(
            lambda place, least: (
                f"Column {quoted(name)} holds {least}{counted(int(beyond.sum()), 'value')} that "
                f"{'is' if beyond.sum() == 1 else 'are'} infinite or beyond ±1e100 (first in {place}: "
                f"{numbers[first]:g}); replace such values by finite numbers or leave them empty."
            ),
            int(rows[first]),
        )


def not_a_measure(name: str, numbers: np.ndarray, rows: np.ndarray, n_different: int) -> str:
    """Why numbers are a row identifier or dates; "" if they may be a measurement.

    Identifiers count the rows of the file from 0 or 1, or are whole numbers in a column named like an identifier, all
    different in the `n_different` rows that are not copies of others.
    """
    present = numbers[~np.isnan(numbers)]
    if np.any(present != np.round(present)):
        return ""
    if np.array_equal(numbers, rows) or np.array_equal(numbers, rows - 1):
        return "a row number: it counts the rows of the table"
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()))
    if words & _IDENTIFIER_WORDS and len(present) == len(numbers) and len(np.unique(numbers)) == n_different:
        return "an identifier: a different whole number in every row, and a name typical of identifiers"
    if 19000101 <= present.min() and present.max() <= 21001231:
        days = pl.Series(np.unique(present).astype(int)).cast(pl.String).str.to_date("%Y%m%d", strict=False)
        return "" if days.null_count() else "dates written as YYYYMMDD"
    return ""


def names_rows(text: pl.Series) -> bool:
    """Whether nearly all texts are distinct and share a pattern ("C-00123") or are codes of equal length."""
    values = text.drop_nulls()
    if values.n_unique() < _NEARLY_ALL * len(values):
        return False
    if values.str.len_chars().n_unique() == 1 and values.str.contains(r"^\S*\d\S*$").all():
        return True
    pattern = values.str.replace_all(r"[0-9]+", "0").str.replace_all(r"[^\W\d_]+", "a").unique()
    return len(pattern) == 1 and "0" in str(pattern[0])


def date_reason(text: pl.Series) -> str:
    """Why a text column holds dates or times; "" if it does not."""
    values = text.drop_nulls().unique()
    return f"dates or times, such as {quoted(values.min())}" if values.str.contains(_DATE_OR_TIME).all() else ""


def looks_like_date(text: pl.Series) -> np.ndarray:
    """Which texts are written like a date, a time or both."""
    return text.str.contains(_DATE_OR_TIME).fill_null(False).to_numpy()


def almost_numbers(text: pl.Series, rows: np.ndarray, advice: str = ADVICE) -> str:
    """Which few values prevent reading a text column as numbers; "" if they are more than one in ten."""
    present = text.is_not_null()
    wrong = present & floats(text).is_null()
    if not 0 < int(wrong.sum()) <= 0.1 * int(present.sum()):
        return ""
    first = int(wrong.arg_true()[0])
    return (
        f"numbers except for {counted(int(wrong.sum()), 'value')} such as {quoted(text[first])} (row "
        f"{rows[first]}); leave them empty{advice} if the column is numeric"
    )


def disguised_numbers(text: pl.Series, rows: np.ndarray, advice: str = ADVICE) -> str:
    """What prevents reading text as numbers: a few values, leading zeros, separators or units; else ""."""
    if _are_codes(text):
        return LEADING_ZEROS
    values = text.drop_nulls()
    wrong = values.filter(floats(values).is_null())
    if len(wrong) and values.str.contains(_WITH_SEPARATORS).all():
        such = f"numbers with separators or units such as {quoted(wrong[0])}"
        return f"{such}; write plain numbers{advice} if the column is numeric"
    return almost_numbers(text, rows, advice)


def _plain_numbers(text: pl.Series) -> pl.Series | None:
    """Text as integers or floats; None when a value present is neither, when all are missing, and for codes."""
    for dtype in (pl.Int64, pl.Float64):
        numbers = text.cast(dtype, strict=False)
        if numbers.null_count() == text.null_count() < len(text):
            return None if dtype == pl.Int64 and _are_codes(text.alias("")) else numbers
    return None


def _are_codes(text: pl.Series) -> bool:
    return text.str.contains(LEADING_ZERO).any() and text.drop_nulls().str.len_chars().n_unique() == 1


def _is_foreign(series: pl.Series) -> bool:
    return series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary, pl.Duration)
