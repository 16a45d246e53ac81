"""Column kinds, inferred from the values, each with the reason shown to the user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from shrinkwise.tables.errors import InputError, counted, figure, quoted

from .compounds import CLOCKS, compound_form, read_compound
from .dates import COMPACT, TYPED, date_format, read_dates
from .kinds import (
    LEADING_ZEROS,
    TOO_MANY_LEVELS,
    ColumnPlan,
    almost_numbers,
    as_numbers,
    as_text,
    date_reason,
    disguised_numbers,
    is_missing,
    names_rows,
    not_a_measure,
    refuse_infinite,
    typed,
    unusable_type,
)
from .level_means import LEVEL_MEANS
from .measures import read_written, written_form, written_numbers
from .order import in_order
from .several import LEVEL_ROWS, MAX_LEVELS, are_coordinates, learn_several, separator
from .spelling import one_spelling
from .words import found_words, said, without, words_beside_numbers

# A level is learned from LEVEL_ROWS rows or more; rarer ones are pooled by the encoder, and so are those beyond the
# MAX_LEVELS most frequent. Text is a category up to FREE_LEVELS levels, or while more than half of its rows are not pooled;
# with more than MAX_LEVELS levels, or more rows to pool, its levels are means of the target.
FREE_LEVELS = 30

# All but a handful of rows alike: whatever those few rows say cannot be told from chance.
_FEW, _NEARLY_ALL = 5, 0.99
_WORDS_OF_PROSE = 4
_MEANS_OVERRULED = f"makes its {MAX_LEVELS} most frequent levels 0/1 features"


def judge(
    series: pl.Series,
    rows: np.ndarray | None = None,
    wish: str = "",
    originals: np.ndarray | None = None,
    level_means: bool = True,
) -> ColumnPlan:
    """The kind of one input column, with the reason shown to the user.

    `rows` are the numbers of its rows in the file (1 is the first below the header), for messages; default 1, 2, ….
    `wish` is the user's request: "number", "category", "text", "keep" (despite a reason to drop it) or "". `originals` are the
    positions of the rows that are not an exact copy of an earlier one (default all): an identifier differs among them.
    Without `level_means` no category becomes means of the target by level.

    Raises InputError for infinite values and for a request that cannot be met.
    """
    rows = np.arange(1, len(series) + 1) if rows is None else rows
    originals = np.arange(len(series)) if originals is None else originals
    series = typed(series)
    if series.dtype in (pl.Date, pl.Datetime):
        return _kept(_finished(_typed_dates(series), series.null_count(), len(series)), wish)
    if reason := unusable_type(series):
        return _kept(ColumnPlan(series.name, "dropped", reason, n_missing=series.null_count()), wish)
    whole, words = series, _words(series, wish)
    series = typed(without(series, words))
    n_missing = int(is_missing(series).sum())
    if n_missing == len(series):
        return _kept(ColumnPlan(series.name, "dropped", "all values are missing", n_missing=n_missing), wish)
    judged = _JudgedRows(rows, originals, wish, level_means)
    column = _wished(series, rows, wish) or _unlike_itself(series, n_missing, wish)
    if column is None and series.dtype.is_numeric():
        column = _judge_numbers(series.name, as_numbers(series), judged)
    if column is None:
        column = _judge_text(series.name, as_text(series), judged)
    column = _kept(_finished(column, n_missing, len(series)), wish)
    if words:
        column.words, column.reason = words, f"{column.reason}; {said(as_text(whole), words)}"
    return column


@dataclass(frozen=True)
class _JudgedRows:
    """The rows of a column: their numbers in the file, those that are not copies, the user's request, and whether levels can
    be means of the target."""

    numbers: np.ndarray
    originals: np.ndarray
    wish: str
    level_means: bool


def _words(series: pl.Series, wish: str) -> list[str]:
    """The words that stand for a missing value."""
    if series.dtype != pl.String or wish == "category":
        return []
    return found_words(as_text(series)) if wish == "number" else words_beside_numbers(series)


def _kept(column: ColumnPlan, wish: str) -> ColumnPlan:
    """The column; InputError if the user asked to keep it and it has no usable values."""
    if wish == "keep" and column.kind == "dropped":
        raise InputError(f"Column {quoted(column.name)} cannot be kept: {column.reason}.")
    return column


def _finished(column: ColumnPlan, n_missing: int, n_rows: int) -> ColumnPlan:
    column.n_missing = n_missing
    if n_missing and column.kind != "dropped":
        column.reason += f"; {n_missing} of {n_rows} missing"
    return column


def _wished(series: pl.Series, rows: np.ndarray, wish: str) -> ColumnPlan | None:
    """The kind that the user requested."""
    if wish not in ("number", "category", "text"):
        return None
    if wish == "text":
        return _as_words(series.name, as_text(series))
    if wish == "category":
        return _as_category(series.name, as_text(series))
    if series.dtype.is_numeric():
        refuse_infinite(series.name, as_numbers(series), rows)
        return ColumnPlan(series.name, "number", f"{_range(as_numbers(series))}, as requested")
    return _as_numbers(series.name, as_text(series), rows)


def _as_category(name: str, text: pl.Series) -> ColumnPlan:
    text, joined = one_spelling(text)
    levels = sorted(text.drop_nulls().unique().to_list())
    if int(text.value_counts(name="rows")["rows"].to_numpy().max()) < LEVEL_ROWS and len(levels) > FREE_LEVELS:
        raise InputError(
            f"Column {quoted(name)} cannot be a category: none of its {len(levels)} different values occurs in at "
            f"least {LEVEL_ROWS} rows."
        )
    reason = f"{counted(len(levels), 'level')}, a category as requested{f'; {joined}' if joined else ''}"
    return ColumnPlan(name, "category", reason, levels)


def _as_words(name: str, text: pl.Series) -> ColumnPlan:
    rule: dict = {"kind": "text", "form": ""}
    learn_several(rule, name, text)
    if not rule["items"]:
        raise InputError(f"Column {quoted(name)} has no word that occurs in at least {LEVEL_ROWS} rows.")
    reason = f"a bag of {counted(len(rule['items']), 'word')} that occur in at least {LEVEL_ROWS} rows, as requested"
    return ColumnPlan(name, "text", reason)


def _as_numbers(name: str, text: pl.Series, rows: np.ndarray) -> ColumnPlan:
    form = written_form(text)
    numbers = read_written(text, form)
    if np.isnan(numbers).all():
        raise InputError(f"Column {quoted(name)} cannot be parsed as numeric: it holds {quoted(text.drop_nulls()[0])}.")
    refuse_infinite(name, numbers, rows)
    lost = np.isnan(numbers) & text.is_not_null().to_numpy()
    first = int(np.argmax(lost))
    besides = (
        f", {counted(int(lost.sum()), 'value')} that cannot be parsed, such as {quoted(text[first])} (row "
        f"{rows[first]}), treated as missing"
    )
    return ColumnPlan(name, "number", f"{_range(numbers)}, as requested{besides if lost.any() else ''}", form=form)


def _unlike_itself(series: pl.Series, n_missing: int, wish: str) -> ColumnPlan | None:
    """Nearly constant columns are dropped: too few rows differ to learn from them."""
    if wish == "keep" or len(series) < _FEW / (1 - _NEARLY_ALL) / 4:
        return None
    if series.dtype.is_numeric():  # a value that 99 % of the rows have is their median
        numbers = as_numbers(series)
        top = int(np.count_nonzero(numbers == np.nanmedian(numbers)))
    else:
        top = int(series.alias("").drop_nulls().value_counts(name="rows")["rows"].to_numpy().max(initial=0))
    others = len(series) - max(top, n_missing)
    if others == 0 or others >= _FEW or others > (1 - _NEARLY_ALL) * len(series):
        return None
    return ColumnPlan(series.name, "dropped", f"nearly constant: all but {counted(others, 'row')} have the same value")


def _typed_dates(series: pl.Series) -> ColumnPlan:
    dates = series.alias("").drop_nulls()
    if not len(dates):
        return ColumnPlan(series.name, "dropped", "all values are missing")
    if dates.n_unique() == 1:
        return ColumnPlan(series.name, "dropped", f"constant: always {dates[0]}")
    return _dates(series.name, read_dates(series, as_text(series), TYPED), TYPED)


def _dates(name: str, moments: pl.Series, form: str) -> ColumnPlan:
    first, last = (moment.strftime("%Y-%m-%d") for moment in (moments.min(), moments.max()))  # type: ignore[union-attr]
    return ColumnPlan(name, "date", f"dates from {first} to {last}: year, month, day, weekday", form=form)


def _judge_numbers(name: str, numbers: np.ndarray, rows: _JudgedRows) -> ColumnPlan:
    refuse_infinite(name, numbers, rows.numbers)
    keep = rows.wish == "keep"
    present = numbers[~np.isnan(numbers)]
    low, high = present.min(), present.max()
    if low == high:
        if len(present) < len(numbers):
            return ColumnPlan(name, "number", f"always {figure(low)} or missing")
        return ColumnPlan(name, "dropped", f"constant: always {figure(low)}")
    if not keep and (reason := not_a_measure(name, numbers, rows.numbers, len(rows.originals))):
        if reason.startswith("dates"):
            days = pl.Series(present.astype(np.int64)).cast(pl.String)
            return _dates(name, read_dates(days, days, COMPACT), COMPACT)
        return ColumnPlan(name, "dropped", reason)
    if (low, high) == (0, 1) and np.isin(present, (0, 1)).all():
        return ColumnPlan(name, "yes/no", "only 0 and 1", ["0", "1"])
    return ColumnPlan(name, "number", _range(numbers) + (", kept as requested" if keep else ""))


def _ends(numbers: np.ndarray) -> tuple[float, float]:
    return float(np.nanmin(numbers)), float(np.nanmax(numbers))


def _range(numbers: np.ndarray) -> str:
    low, high = _ends(numbers)
    return f"numbers from {figure(low)} to {figure(high)}"


def _judge_text(name: str, text: pl.Series, rows: _JudgedRows) -> ColumnPlan:
    if text.n_unique() == 1:
        return ColumnPlan(name, "dropped", f"constant: always {quoted(text[0])}")
    if column := _written(name, text, rows.numbers):
        return column
    if mark := separator(text):
        return _items(name, text, mark)
    text, joined = one_spelling(text)
    column = _levels(name, text, rows)
    if joined and column.kind != "dropped":
        column.reason += f"; {joined}"
    return column


def _levels(name: str, text: pl.Series, rows: _JudgedRows) -> ColumnPlan:
    """Yes/no, ordered or category; dropped when it has too many levels."""
    counts = text.drop_nulls().value_counts(name="rows")
    levels, n = sorted(counts.to_series(0).to_list()), len(text) - text.null_count()
    if len(levels) == 1:
        return ColumnPlan(name, "yes/no", f"only {quoted(levels[0])} or missing", levels)
    if len(levels) == 2:
        return _yes_no(name, levels)
    if ordered := in_order(levels):
        return ColumnPlan(name, "ordered", f"levels in order: {', '.join(map(quoted, ordered))}", ordered)
    largest = counts["rows"].sort(descending=True).head(MAX_LEVELS)
    learned = int(largest.filter(largest >= LEVEL_ROWS).sum())
    narrow = len(levels) <= min(FREE_LEVELS, n / 2)
    many = len(levels) > MAX_LEVELS or (not narrow and learned <= n / 2)
    if rows.level_means and many and len(levels) <= n / 2 and not _almost_other(text, rows):
        shown = f"text with {len(levels)} levels, each with the shrunk mean of the target in its training rows"
        return ColumnPlan(name, LEVEL_MEANS, f"{shown} (--category {_MEANS_OVERRULED})", levels)
    if not narrow and not (rows.wish == "keep" and learned) and learned <= n / 2:
        return ColumnPlan(name, "dropped", _no_category(text, len(levels), n, rows))
    hint = almost_numbers(text, rows.numbers)
    rare = len(levels) - min(MAX_LEVELS, int((counts["rows"] >= LEVEL_ROWS).sum()))
    pooled = f", of which the {rare} rarest ({counted(n - learned, 'row')}) are pooled" if rare > 1 else ""
    return ColumnPlan(name, "category", f"text with {len(levels)} levels{pooled}{f' ({hint})' if hint else ''}", levels)


def _almost_other(text: pl.Series, rows: _JudgedRows) -> bool:
    """Whether text is nearly numbers: its few strangers are to be mended. Codes with leading zeros, such as postal codes, are
    levels."""
    hint = disguised_numbers(text, rows.numbers)
    return bool(hint) and hint != LEADING_ZEROS


def _written(name: str, text: pl.Series, rows: np.ndarray) -> ColumnPlan | None:
    """Times, dates, coordinates, and numbers with units or separators, if they are unambiguous."""
    form = compound_form(text)
    if form in CLOCKS:
        first, last = (
            f"{int(60 * hour) // 60:02}:{round(60 * hour) % 60:02}" for hour in _ends(read_compound(text, form))
        )
        return ColumnPlan(
            name, "time of day", f"times from {first} to {last}: hour and its place in the day", form=form
        )
    if form:
        return ColumnPlan(name, "number", f"{_range(read_compound(text, form))}, in {form}", form=form)
    if are_coordinates(text):
        return ColumnPlan(name, "coordinates", "pairs of numbers, each an input")
    if reason := date_reason(text):
        if form := date_format(text):
            return _dates(name, read_dates(text, text, form), form)
        return ColumnPlan(
            name, "dropped", f"{reason}: times without a date, or ambiguous dates; write dates like 2024-01-31"
        )
    if found := written_numbers(text):
        form, how = found
        numbers = read_written(text, form)
        refuse_infinite(name, numbers, rows)
        return ColumnPlan(name, "number", f"{_range(numbers)}, {how}", form=form)
    return None


def _items(name: str, text: pl.Series, mark: str) -> ColumnPlan:
    rule: dict = {"kind": "items", "form": mark}
    learn_several(rule, name, text)
    reason = f"lists separated by {mark!r}: {counted(len(rule['items']), 'item')} in at least {LEVEL_ROWS} rows"
    return ColumnPlan(name, "items", f"{reason} (--category reads the lists as levels)", form=mark)


def _yes_no(name: str, levels: list[str]) -> ColumnPlan:
    yes, no = {"yes", "true", "y", "t", "1", "on"}, {"no", "false", "n", "f", "0", "off"}
    levels.sort(key=lambda level: (level.lower() in yes, level.lower() not in no, level))
    return ColumnPlan(name, "yes/no", f"two values, {quoted(levels[0])} = 0 and {quoted(levels[1])} = 1", levels)


def _no_category(text: pl.Series, n_levels: int, n: int, rows: _JudgedRows) -> str:
    """Why text with many levels is not an input, and how it could become one."""
    shown = f"{n_levels} distinct texts in {counted(n, 'row')}"
    if hint := disguised_numbers(text, rows.numbers):
        return f"{hint}: {shown}"
    words = float(str(text.drop_nulls().str.split(" ").list.len().mean() or 0))
    if words < _WORDS_OF_PROSE and names_rows(text.gather(rows.originals)):
        return f"an identifier: {shown}, all of the form {quoted(text.drop_nulls()[0])}"
    if n_levels > n / 2 and words >= _WORDS_OF_PROSE:
        return f"free text: {shown}; use --text to make its frequent words inputs"
    if n_levels > n / 2:
        return f"{'an identifier or free text' if n_levels == n else 'free text'}: {shown}"
    return f"{TOO_MANY_LEVELS}: {shown}, and fewer than half of the rows are in levels with {LEVEL_ROWS} rows or more"
