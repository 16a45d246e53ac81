"""The types of the columns of a text that is read in pieces: those that all values have together."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from shrinkwise.tables.columns.kinds import LEADING_ZERO, as_text, short_minus
from shrinkwise.tables.columns.words import found_words

_DECIMAL_COMMA = "^[+\u2212\u2013-]?" r"(\d+,?\d*|,\d+)([eE][+-]?\d+)?$"
_THOUSANDS = "^[+\u2212\u2013-]?" r"[1-9]\d{0,2}(,\d{3})?$"
_WHOLE = r"^(0|-?[1-9]\d*)$"  # as a whole number is written again


@dataclass
class ColumnValues:
    """The values of a column so far: whether all are whole numbers or numbers, and whether they are written like codes.

    plain: whether polars parses all that are numbers. keeps_text: whether numbers with a fraction are kept as texts too.
    has_floats: whether some piece is kept as numbers with a fraction, of which the texts are not known any more.
    """

    keeps_text: bool = False
    n: int = 0
    whole: bool = True
    numbers: bool = True
    plain: bool = True
    zero_first: bool = False
    has_floats: bool = False
    lengths: set[int] = field(default_factory=set)

    @property
    def settled(self) -> bool:
        """Whether polars may parse the next piece as numbers: all are so far, and some have a fraction."""
        return bool(self.n) and self.numbers and self.plain and not self.whole and not self.keeps_text

    @property
    def dtype(self) -> pl.DataType:
        """The type that `kinds.typed` gives all values together."""
        if not (self.n and self.numbers) or (self.whole and self.zero_first and len(self.lengths) == 1):
            return pl.String()
        return pl.Int64() if self.whole else pl.Float64()

    def add(self, series: pl.Series) -> pl.Series:
        """The values of a further piece, texts or numbers that polars has parsed, as numbers or trimmed texts."""
        name, series = series.name, series.alias("")
        if series.dtype != pl.String:
            self.has_floats = True
            return series.alias(name)
        if not self.numbers:
            return as_text(series).alias(name)
        return self._numbers(series).alias(name)

    def _numbers(self, text: pl.Series) -> pl.Series:
        found, written = text.cast(pl.Float64, strict=False), text
        if found.null_count() > text.null_count() or found.is_nan().any():
            self.plain, text = False, as_text(text)
            written = short_minus(text)
            found = written.cast(pl.Float64, strict=False)
        self.n += len(written) - written.null_count()
        self.numbers = found.null_count() == written.null_count()
        if self.numbers and self.whole:
            whole = written.cast(pl.Int64, strict=False)
            self.whole = whole.null_count() == written.null_count()
            if self.whole:
                return self._whole(written, text, whole)
        if not self.numbers or self.keeps_text:
            return as_text(text)
        self.has_floats = True
        return found

    def _whole(self, written: pl.Series, text: pl.Series, numbers: pl.Series) -> pl.Series:
        self.zero_first |= bool(written.str.contains(LEADING_ZERO).any())
        self.lengths |= set(written.drop_nulls().str.len_chars().unique().to_list()[:2])
        return numbers if text.str.contains(_WHOLE).all() else as_text(text)


@dataclass
class CommaValues:
    """The values of a column so far with points in the place of commas, as long as all may be decimal."""

    values: ColumnValues = field(default_factory=ColumnValues)
    decimal: bool = True
    some: bool = False
    thousands: bool = True

    def add(self, series: pl.Series) -> None:
        """The values of a further piece. Words that mark missing values are no numbers, and may stand beside them."""
        if not self.decimal or series.dtype != pl.String:
            return
        text = as_text(series)
        numbers = text.filter(text.is_not_null() & ~text.is_in(found_words(text)))
        self.decimal = bool(numbers.str.contains(_DECIMAL_COMMA).all())
        self.some |= bool(numbers.str.contains(",", literal=True).any())
        self.thousands &= bool(numbers.str.contains(_THOUSANDS).all())
        self.values.add(_with_points(text))


def columns_with_points(plain: dict[str, ColumnValues], commas: dict[str, CommaValues]) -> frozenset[str]:
    """The columns whose commas are decimal: of texts in which all values are numbers if they are.

    There are none if some number has a decimal point, or if all commas could separate thousands.
    """
    if any(values.dtype == pl.Float64 for values in plain.values()):
        return frozenset()
    found = {name: each for name, each in commas.items() if each.decimal and each.some}
    return frozenset() if all(each.thousands for each in found.values()) else frozenset(found)


def of_type(values: pl.Series, dtype: pl.DataType, decimal_comma: bool) -> pl.Series:
    """The values of a piece, numbers or trimmed texts, in the type of their column."""
    if values.dtype == pl.String:
        values = _with_points(values) if decimal_comma else values
        return values if dtype == pl.String else short_minus(values).cast(dtype)
    if values.dtype == dtype:
        return values
    return as_text(values).alias(values.name) if dtype == pl.String else values.cast(dtype)


def _with_points(text: pl.Series) -> pl.Series:
    return text.str.replace(",", ".", literal=True)
