"""Delimited text (CSV and its relatives) as a polars frame.

Every value is read as text and the type of a column is inferred from all its values, not from the first rows. The
records are counted here before polars parses them, because polars fills short records with nulls and blank lines with
rows of nulls.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import numpy as np
import polars as pl

from shrinkwise.tables.columns.kinds import typed
from shrinkwise.tables.columns.words import found_words
from shrinkwise.tables.errors import InputError, counted, first_line

from .names import name_unnamed, refuse_duplicates, refuse_too_wide

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_SNIFFED = 1 << 18  # bytes at the beginning from which the delimiter is chosen
_BLOCK = 1 << 24  # bytes scanned at once, so that the scan's arrays stay small beside the file
_QUOTE, _LINE_END, _RETURN = b'"\n\r'

_DECIMAL_COMMA = "^[+\u2212\u2013-]?" r"(\d+,?\d*|,\d+)([eE][+-]?\d+)?$"
_THOUSANDS = "^[+\u2212\u2013-]?" r"[1-9]\d{0,2}(,\d{3})?$"


def parse_delimited(name: str, data: bytes) -> pl.DataFrame:
    """The table in `data`, UTF-8 text with a header; `name` is its name in messages.

    The delimiter (comma, semicolon, tab or pipe) is the one that splits most of the first lines into as many fields as
    the header. A text column whose values are all numbers becomes numeric (kinds.typed); with semicolons, and if no
    number has a decimal point, commas are decimal unless every one of them could separate thousands. Blank lines are
    skipped. A column without a name becomes "unnamed column 3". Raises InputError.
    """
    text = _checked(name, data)
    delimiter = _sniffed(text.data)
    records = _scan(text.data, delimiter)
    refuse_too_wide(name, int(records.fields[0]))  # before the work of reading them
    filled = _filled(text.data, records)
    _refuse_bad_quotes(text, records, delimiter)
    _refuse_ragged(text, records, filled, delimiter)
    rows = _parsed(text, records, delimiter)
    names = name_unnamed([value or "" for value in rows.row(0)])
    refuse_duplicates(name, names)
    rows.columns = names
    return _typed(rows.slice(1).filter(pl.Series(filled[1:], dtype=pl.Boolean)), decimal_comma=delimiter == ";")


@dataclass
class _Text:
    """UTF-8 bytes that begin with the header, on line `first_line` of the file."""

    name: str
    data: bytes
    first_line: int

    def line(self, position: int) -> int:
        """The number of the line in the file that holds the byte at `position`."""
        return self.first_line + self.data.count(b"\n", 0, int(position))


@dataclass
class _Records:
    """Where each record starts and ends in the bytes, its number of fields, and whether a quote stays open."""

    starts: np.ndarray
    ends: np.ndarray
    fields: np.ndarray
    open_quote: bool


def _checked(name: str, data: bytes) -> _Text:
    """The bytes without the byte-order mark and blank lines before the header; InputError unless they are UTF-8
    text."""
    text = _Text(name, data, 1)
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 text: line {text.line(error.start)} holds the byte 0x{data[error.start]:02X} "
            f"(byte {error.start + 1} of the file); save the file as UTF-8."
        ) from None
    if (nul := data.find(b"\0")) >= 0:
        raise InputError(f"{name} is not a text table: line {text.line(nul)} holds a NUL byte.")
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")  # line ends of old Macs
    if data.isspace() or not data:
        raise InputError(f"{name} is empty.")
    from_header = data.lstrip(b"\r\n")
    return _Text(name, from_header, 1 + data.count(b"\n", 0, len(data) - len(from_header)))


def _sniffed(data: bytes) -> str:
    head = data[:_SNIFFED]

    def agreement(delimiter: str) -> tuple[float, int]:
        fields = _scan(head, delimiter).fields
        fields = fields[:-1] if len(head) < len(data) and len(fields) > 1 else fields  # the last line is cut
        return (float(np.mean(fields == fields[0])) if fields[0] > 1 else 0.0), int(fields[0])

    return max(_DELIMITERS, key=agreement)


def _scan(data: bytes, delimiter: str) -> _Records:
    """The records of the text; delimiters and line ends between quotes belong to a value."""
    codes = np.frombuffer(data, dtype=np.uint8)
    ends, seen, before, quoted = [], [], 0, False
    for start in range(0, len(codes), _BLOCK):
        block = codes[start : start + _BLOCK]
        inside = np.logical_xor.accumulate(block == _QUOTE) ^ quoted
        delimiters = np.flatnonzero((block == ord(delimiter)) & ~inside)
        line_ends = np.flatnonzero((block == _LINE_END) & ~inside)
        ends.append(line_ends + start)
        seen.append(np.searchsorted(delimiters, line_ends) + before)
        before += len(delimiters)
        quoted = bool(inside[-1])
    if codes[-1] != _LINE_END or quoted:
        ends.append(np.array([len(codes)]))
        seen.append(np.array([before]))
    stops = np.concatenate(ends)
    starts = np.concatenate([[0], stops[:-1] + 1])
    return _Records(starts, stops, np.diff(np.concatenate(seen), prepend=0) + 1, quoted)


def _filled(data: bytes, records: _Records) -> np.ndarray:
    """Which records are not blank lines."""
    lengths = records.ends - records.starts
    first = np.frombuffer(data, dtype=np.uint8)[np.minimum(records.starts, len(data) - 1)]
    return (lengths > 1) | ((lengths == 1) & (first != _RETURN))


def _refuse_bad_quotes(text: _Text, records: _Records, delimiter: str) -> None:
    """InputError for a quote inside a value (a lone one joins all lines up to the next) and for one never closed."""
    codes = np.frombuffer(text.data, dtype=np.uint8)
    marks = np.flatnonzero(codes == _QUOTE)
    opening = np.arange(len(marks)) % 2 == 0
    beside = marks + np.where(opening, -1, 1)
    at_edge = (beside < 0) | (beside == len(codes))
    allowed = (ord(delimiter), _LINE_END, _RETURN, _QUOTE)
    stray = marks[~at_edge & ~np.isin(codes[np.where(at_edge, 0, beside)], allowed)]
    if len(stray):
        raise InputError(
            f'{text.name} has a quote (") inside a value on line {text.line(stray[0])}; put the value in quotes and '
            "double each quote inside it."
        )
    if records.open_quote:
        raise InputError(f'{text.name} has a quote (") on line {text.line(marks[-1])} that is never closed.')


def _refuse_ragged(text: _Text, records: _Records, filled: np.ndarray, delimiter: str) -> None:
    width = records.fields[0]
    wrong = np.flatnonzero(filled & (records.fields != width))
    if len(wrong):
        line, fields = text.line(records.starts[wrong[0]]), counted(int(records.fields[wrong[0]]), "field")
        more = f" (and {counted(len(wrong) - 1, 'row')} after it differ too)" if len(wrong) > 1 else ""
        raise InputError(
            f"{text.name} has rows of unequal length: line {line} has {fields}, but the header has {width}, "
            f"separated by {_DELIMITERS[delimiter]}{more}."
        )


def _parsed(text: _Text, records: _Records, delimiter: str) -> pl.DataFrame:
    """Every record as a row of texts, including the header.

    A record of dashes is put before it, because polars takes the number of columns from the first record, and mistakes
    text that begins like a compressed file ("x^") for one.
    """
    n_rows, width = len(records.starts), int(records.fields[0])
    dashes = delimiter.join("-" * width) + "\n"
    try:
        rows = pl.read_csv(dashes.encode() + text.data, has_header=False, separator=delimiter, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{text.name} cannot be read as a table ({first_line(error)}); check its quotes.") from error
    if rows.shape != (n_rows + 1, width):
        raise InputError(f"{text.name} has {n_rows} lines, but {rows.height - 1} rows were parsed; check its quotes.")
    return rows.slice(1)


def _typed(frame: pl.DataFrame, *, decimal_comma: bool) -> pl.DataFrame:
    columns = [typed(column) for column in frame]
    if decimal_comma and not any(column.dtype == pl.Float64 for column in columns):
        with_commas = {column.name: column.alias("") for column in columns if _has_commas(column)}
        if not all(_numbers_of(column).str.contains(_THOUSANDS).all() for column in with_commas.values()):
            points = {name: column.str.replace(",", ".", literal=True) for name, column in with_commas.items()}
            columns = [typed(points.get(column.name, column)).alias(column.name) for column in columns]
    return pl.DataFrame(columns)


def _has_commas(column: pl.Series) -> bool:
    """Whether the values present are numbers after commas are replaced by points, and some have a comma."""
    if column.dtype != pl.String:
        return False
    values = _numbers_of(column.alias(""))
    return values.str.contains(_DECIMAL_COMMA).all() and values.str.contains(",", literal=True).any()


def _numbers_of(text: pl.Series) -> pl.Series:
    """The values present without the words that mark missing values, if all others are numbers."""
    return text.filter(text.is_not_null() & ~text.is_in(found_words(text)))
