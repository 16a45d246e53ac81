"""Delimited text (CSV and its relatives) as a polars frame.

Every value is read as text and the type of a column is inferred from all its values, not from the first rows. The
records are counted here before polars parses them, because polars fills short records with nulls and blank lines with
rows of nulls.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from shrinkwise.tables.columns.kinds import typed
from shrinkwise.tables.columns.words import found_words
from shrinkwise.tables.errors import InputError, counted, first_line

from .blocks import read_in_blocks
from .layout import (
    FIRST,
    HEAD,
    LAST,
    MOST_TITLES,
    Layout,
    about_footers,
    is_footer,
    is_header,
    place_of,
    table_of,
    texts,
)
from .names import refuse_too_wide

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_SNIFFED = 1 << 18  # bytes at the beginning from which the delimiter is chosen
_BLOCK = 1 << 24  # bytes scanned at once, so that the scan's arrays stay small beside the file
_MANY_ROWS = 100_000  # from which the rows are read in blocks
_QUOTE, _LINE_END, _RETURN = b'"\n\r'

_DECIMAL_COMMA = "^[+\u2212\u2013-]?" r"(\d+,?\d*|,\d+)([eE][+-]?\d+)?$"
_THOUSANDS = "^[+\u2212\u2013-]?" r"[1-9]\d{0,2}(,\d{3})?$"


def parse_delimited(name: str, data: bytes, layout: Layout = Layout()) -> tuple[pl.DataFrame, list[str]]:  # noqa: B008
    """The table in `data`, UTF-8 text, and sentences on what is not a plain table; `name` is its name in messages.

    The delimiter (comma, semicolon, tab or pipe) is the one that splits most of the first lines into equally many
    fields. Lines with other numbers of fields above the header and remarks below the table are skipped, and the header
    is found (layout.table_of), unless `layout` says where it is. A text column whose values are all numbers becomes
    numeric (kinds.typed); with semicolons, and if no number has a decimal point, commas are decimal unless every one of
    them could separate thousands. Blank lines are skipped. A column without a name becomes "unnamed column 3". Raises
    InputError.
    """
    text = _below(_checked(name, data), layout.above)
    delimiter = _sniffed(text.data)
    records = _scan(text.data, delimiter)
    quoting = _quoting(text, records, delimiter)
    if not quoting:
        records = _scan(text.data, delimiter, quoting=False)
    lines = np.flatnonzero(_filled(text.data, records))
    first, last = (0, len(lines)) if layout.headers is not None else _extent(text.data, records, lines, delimiter)
    refuse_too_wide(name, int(records.fields[lines[first]]))  # before the work of reading them
    if first and not is_header(_head(text, records, lines[first:last], delimiter, quoting)):
        first = 0  # the lines above are not titles
    lines, below = lines[first:last], lines[last:]
    _refuse_ragged(text, records, lines, delimiter)
    frame, notes = _table(_Lines(text, records, lines, delimiter, quoting), layout, first)
    if len(below):
        remark = text.data[records.starts[below[0]] : records.ends[below[0]]].decode()
        notes.append(about_footers(name, remark.strip(f'{delimiter}" \r\n'), len(below)))
    return _typed(frame, decimal_comma=delimiter == ";"), notes


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


@dataclass
class _Lines:
    """The records with these numbers, which are not blank lines."""

    text: _Text
    records: _Records
    lines: np.ndarray
    delimiter: str
    quoting: bool

    def cells(self, rows: slice, columns: list[int] | None = None) -> pl.DataFrame:
        """Some rows (and columns) of texts."""
        return _parsed(self.text, self.records, self.lines[rows], self.delimiter, self.quoting, columns)


def _table(lines: _Lines, layout: Layout, skipped: int) -> tuple[pl.DataFrame, list[str]]:
    """The table among the lines, and the notes on its place; a large one is read in blocks."""
    name, n = lines.text.name, len(lines.lines)

    def line(row: int) -> int:
        return lines.text.line(lines.records.starts[lines.lines[row]])

    if n <= max(_MANY_ROWS, FIRST + LAST):
        return table_of(name, lines.cells(slice(None)), layout, line, skipped)
    ends = pl.concat([lines.cells(slice(0, FIRST)), lines.cells(slice(n - LAST, n))])
    place = place_of(name, ends, layout, line, skipped)
    body = replace(lines, lines=lines.lines[place.before : n - place.after])
    return read_in_blocks(body.cells, len(body.lines), place.names), place.notes


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


def _below(text: _Text, above: int) -> _Text:
    """The text below the first `above` lines of the file; InputError if there are no more lines."""
    start = 0
    for _ in range(above + 1 - text.first_line):
        start = text.data.find(b"\n", start) + 1
        if not start:
            raise InputError(f"{text.name} has {text.line(len(text.data))} lines, so {above} cannot be skipped.")
    if start and not text.data[start:].strip():
        raise InputError(f"{text.name} has no table below line {above}.")
    return _Text(text.name, text.data[start:], max(above + 1, text.first_line)) if start else text


def _sniffed(data: bytes) -> str:
    head = data[:_SNIFFED]

    def agreement(delimiter: str) -> tuple[float, int]:
        records = _scan(head, delimiter)
        fields = records.fields[_filled(head, records)]
        fields = fields[:-1] if len(head) < len(data) and len(fields) > 1 else fields  # the last line is cut
        usual = _usual(fields)
        return (float(np.mean(fields == usual)) if usual > 1 else 0.0), usual

    return max(_DELIMITERS, key=agreement)


def _usual(fields: np.ndarray) -> int:
    """The most frequent number of fields, of several the first."""
    values, first, counts = np.unique(fields, return_index=True, return_counts=True)
    return int(values[np.lexsort((first, -counts))[0]]) if len(values) else 0


def _extent(data: bytes, records: _Records, lines: np.ndarray, delimiter: str) -> tuple[int, int]:
    """Which of the filled lines may be the table, from the first with the usual number of fields on, without remarks
    below."""
    fields = records.fields[lines]
    usual = _usual(fields)
    first, last = int(np.argmax(fields == usual)), len(lines)
    while usual > 1 and last > first + 1 and fields[last - 1] < usual:
        text = data[records.starts[lines[last - 1]] : records.ends[lines[last - 1]]].decode().strip()
        if not is_footer(text.split(delimiter), after_blank=lines[last - 1] - lines[last - 2] > 1 or last < len(lines)):
            break
        last -= 1
    return (0, len(lines)) if usual == 1 or first > MOST_TITLES else (first, last)


def _scan(data: bytes, delimiter: str, *, quoting: bool = True) -> _Records:
    """The records of the text; with `quoting` delimiters and line ends between quotes belong to a value."""
    codes = np.frombuffer(data, dtype=np.uint8)
    ends, seen, before, quoted = [], [], 0, False
    for start in range(0, len(codes), _BLOCK):
        block = codes[start : start + _BLOCK]
        quotes = block == _QUOTE
        if quoted or (quoting and quotes.any()):
            inside = np.logical_xor.accumulate(quotes & quoting) ^ quoted
            outside, quoted = ~inside, bool(inside[-1])
            delimiters = np.flatnonzero((block == ord(delimiter)) & outside)
            line_ends = np.flatnonzero((block == _LINE_END) & outside)
        else:
            delimiters, line_ends = np.flatnonzero(block == ord(delimiter)), np.flatnonzero(block == _LINE_END)
        ends.append(line_ends + start)
        seen.append(np.searchsorted(delimiters, line_ends) + before)
        before += len(delimiters)
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


def _quoting(text: _Text, records: _Records, delimiter: str) -> bool:
    """Whether quotes enclose values: some value begins with one.

    Raises InputError for a quote inside a value of such a file (a lone one joins all lines up to the next) and for one
    never closed.
    """
    codes = np.frombuffer(text.data, dtype=np.uint8)
    blocks = range(0, len(codes), _BLOCK)
    marks = np.concatenate([start + np.flatnonzero(codes[start : start + _BLOCK] == _QUOTE) for start in blocks])
    before = codes[np.maximum(marks - 1, 0)]
    if len(marks) and not np.any((marks == 0) | np.isin(before, (ord(delimiter), _LINE_END))):
        return False
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
    return True


def _refuse_ragged(text: _Text, records: _Records, lines: np.ndarray, delimiter: str) -> None:
    fields = records.fields[lines]
    wrong = np.flatnonzero(fields != fields[0])
    if len(wrong):
        line, other = text.line(records.starts[lines[wrong[0]]]), counted(int(fields[wrong[0]]), "field")
        more = f" (and {counted(len(wrong) - 1, 'row')} after it differ too)" if len(wrong) > 1 else ""
        raise InputError(
            f"{text.name} has rows of unequal length: line {line} has {other}, but the header has {fields[0]}, "
            f"separated by {_DELIMITERS[delimiter]}{more}."
        )


def _head(text: _Text, records: _Records, lines: np.ndarray, delimiter: str, quoting: bool) -> list[list[str]]:
    """The cells of the first of these lines that have as many fields as the first."""
    some = lines[:HEAD]
    other = np.flatnonzero(records.fields[some] != records.fields[some[0]])
    return texts(_parsed(text, records, some[: other[0]] if len(other) else some, delimiter, quoting))


def _parsed(
    text: _Text,
    records: _Records,
    lines: np.ndarray,
    delimiter: str,
    quoting: bool,
    columns: list[int] | None = None,
) -> pl.DataFrame:
    """The records with these numbers as rows of texts; those between them are blank. Default: all columns.

    A record of dashes is put before them, because polars takes the number of columns from the first record, and
    mistakes text that begins like a compressed file ("x^") for one.
    """
    n_rows, width = int(lines[-1] - lines[0]) + 1, int(records.fields[lines[0]])
    data = text.data[records.starts[lines[0]] : records.ends[lines[-1]] + 1]
    given = (delimiter.join("-" * width) + "\n").encode() + data
    quote = '"' if quoting else None
    try:
        rows = pl.read_csv(
            given, has_header=False, separator=delimiter, infer_schema=False, quote_char=quote, columns=columns
        )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{text.name} cannot be read as a table ({first_line(error)}); check its quotes.") from error
    if rows.shape != (n_rows + 1, width if columns is None else len(columns)):
        raise InputError(f"{text.name} has {n_rows} lines, but {rows.height - 1} rows were parsed; check its quotes.")
    rows = rows.slice(1)
    return rows if len(lines) == n_rows else rows[lines - lines[0]]


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
