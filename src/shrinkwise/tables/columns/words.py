"""Words that mark a missing value in a column of numbers or dates, and are ordinary words in a text column."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from shrinkwise.tables.errors import quoted

from .compounds import compound_form
from .dates import undated
from .kinds import as_text, date_reason, looks_like_date, typed
from .measures import read_written, written_form, written_numbers

WORDS = (
    *("**", "***", "****"),
    *("-", "--", "---", "\u2013", "\u2014", "\u2212", ".", "..", "...", "\u2026", "*", "??", "???"),
    *("na", "n.a.", "n.a", "n. a.", "n/a", "n.d.", "nan", "null", "nil", "none", "missing", "unknown", "undefined"),
    *("not available", "not applicable", "not known", "no data", "tbd", "tba"),
    *("k.a.", "k. a.", "keine angabe", "unbekannt"),
    *("#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!", "#nv", "#wert!", "#bezug!", "#zahl!", "#n/a n/a"),
)

_STRANGE_TEXTS, _FEW_TEXTS, _STRANGE, _FEWEST_ROWS, _FEWEST_NUMBERS, _MOST_STRANGERS = 0.3, 3, 0.01, 100, 10, 20


def found_words(text: pl.Series) -> list[str]:
    """The values of trimmed text that are one of WORDS in any case, in sorted order."""
    values = text.drop_nulls().unique()
    return sorted(values.filter(values.str.to_lowercase().is_in(WORDS)).to_list())


def words_beside_numbers(series: pl.Series) -> list[str]:
    """`found_words` if all other values are numbers (plain or formatted) or dates and not all equal; else none."""
    if series.dtype != pl.String:
        return []
    text = as_text(series)
    words = found_words(text)
    others = strangers(without(text, words))
    for gone in (words, words + others):
        if gone and _is_measured(without(text, gone)):
            return gone
    return []


def _is_measured(text: pl.Series) -> bool:
    """Whether the values are numbers (plain or formatted), times or dates and not all equal."""
    rest = typed(text)
    if rest.drop_nulls().n_unique() < 2:
        return False
    return bool(rest.dtype.is_numeric() or date_reason(rest) or compound_form(rest) or written_numbers(rest))


def strangers(text: pl.Series) -> list[str]:
    """The few values of trimmed text that are neither numbers nor dates, if most are.

    They occur in at most one row of a hundred, or they are at most three texts in at most 30 of a hundred rows ("Varies
    with device"). At least ten different other values are needed: a word beside few numbers is a level of a category.
    """
    counts = text.drop_nulls().value_counts(name="rows")
    counts.columns = ["value", "rows"]
    if counts["rows"].sum() < _FEWEST_ROWS:
        return []
    values = counts["value"]
    like_dates = looks_like_date(values)
    if (strange := undated(values) if 2 * like_dates.sum() > len(values) else None) is None:
        strange = np.isnan(read_written(values, written_form(values)))
    others, n_rows = counts.filter(pl.Series(strange)), int(counts["rows"].sum())
    share = _STRANGE_TEXTS if len(others) <= _FEW_TEXTS else _STRANGE
    few = len(others) <= _MOST_STRANGERS and int(others["rows"].sum()) <= share * n_rows
    return sorted(others["value"].to_list()) if few and len(values) - len(others) >= _FEWEST_NUMBERS else []


def without(text: pl.Series, words: list[str]) -> pl.Series:
    """Trimmed text with null in place of `words`, with its name."""
    return text.set(text.is_in(words), None) if words else text


def present(rule: dict[str, Any], series: pl.Series) -> pl.Series:
    """A column with null in place of the rule's own words and, for numbers and dates, in place of all of WORDS."""
    everywhere, words = rule["kind"] in ("number", "date", "time of day", "coordinates"), rule.get("words") or []
    if not (everywhere or words) or series.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return series
    text = as_text(series)
    gone = text.is_in(words)
    if everywhere:
        gone = gone | text.str.to_lowercase().is_in(WORDS)
    return text.set(gone, None).alias(series.name)


def said(text: pl.Series, words: list[str]) -> str:
    """ "'-' read as missing: 49 rows" for the words among the values of trimmed text."""
    counts = [(word, int((text == word).sum())) for word in words]
    shown = ", ".join(f"{quoted(word)} ({count})" for word, count in counts[:5]) + (", …" if len(counts) > 5 else "")
    if len(counts) == 1:
        shown = quoted(words[0])
    total = sum(count for _, count in counts)
    return f"{shown} read as missing: {total} {'row' if total == 1 else 'rows'}" if counts else ""
