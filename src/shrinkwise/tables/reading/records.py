"""The records of delimited text: where each begins and ends, how its values are separated and quoted, and their texts.

The records are counted here before polars parses them, because polars fills short records with nulls and blank lines with
rows of nulls.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import numpy as np
import polars as pl

from shrinkwise.tables.errors import InputError, counted, first_line

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_SNIFFED = 1 << 18  # bytes at the beginning from which the delimiter is chosen
_BLOCK = 1 << 24  # bytes scanned at once, so that the scan's arrays stay small beside the file
_QUOTE, _LINE_END, _RETURN = b'"\n\r'


class NotUtf8(InputError):
    """Bytes that are not UTF-8 text."""


@dataclass
class Text:
    """UTF-8 bytes that begin with the header, on line `first_line` of the file."""

    name: str
    data: bytes
    first_line: int

    def line(self, position: int) -> int:
        """The number of the line in the file that holds the byte at `position`."""
        return self.first_line + self.data.count(b"\n", 0, int(position))


@dataclass
class Records:
    """Where each record starts and ends in the bytes, its number of fields, and whether a quote stays open."""

    starts: np.ndarray
    ends: np.ndarray
    fields: np.ndarray
    open_quote: bool


def checked(name: str, data: bytes, line: int = 1) -> Text:
    """The bytes, which begin on `line` of the file, without a byte-order mark and blank lines before the first row.

    InputError unless they are UTF-8 text.
    """
    text = Text(name, data, line)
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        raise NotUtf8(
            f"{name} is not UTF-8 text: line {text.line(error.start)} holds the byte 0x{data[error.start]:02X} "
            f"(byte {error.start + 1} of the {'file' if line == 1 else 'lines from ' + str(line) + ' on'}); save the file as "
            "UTF-8."
        ) from None
    if (nul := data.find(b"\0")) >= 0:
        raise InputError(f"{name} is not a text table: line {text.line(nul)} holds a NUL byte.")
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")  # line ends of old Macs
    if data.isspace() or not data:
        raise InputError(f"{name} is empty.")
    from_header = data.lstrip(b"\r\n")
    return Text(name, from_header, line + data.count(b"\n", 0, len(data) - len(from_header)))


def sniffed(data: bytes) -> str:
    """The delimiter that splits most of the first lines into equally many fields."""
    head = data[:_SNIFFED]

    def agreement(delimiter: str) -> tuple[float, int]:
        records = scan(head, delimiter)
        fields = records.fields[filled(head, records)]
        fields = fields[:-1] if len(head) < len(data) and len(fields) > 1 else fields  # the last line is cut
        usual = usual_fields(fields)
        return (float(np.mean(fields == usual)) if usual > 1 else 0.0), usual

    return max(DELIMITERS, key=agreement)


def usual_fields(fields: np.ndarray) -> int:
    """The most frequent number of fields, of several the first."""
    values, first, counts = np.unique(fields, return_index=True, return_counts=True)
    return int(values[np.lexsort((first, -counts))[0]]) if len(values) else 0


def scan(data: bytes, delimiter: str, *, quoting: bool = True) -> Records:
    """The records of the text; with `quoting` delimiters and line ends between quotes belong to a value."""
    codes = np.frombuffer(data, dtype=np.uint8)
    ends, seen, before, quoted = [], [], 0, False
    for start in range(0, len(codes), _BLOCK):
        block = codes[start : start + _BLOCK]
        marks = (block == _QUOTE) & quoting
        if quoted or marks.any():
            outside = ~(np.logical_xor.accumulate(marks) ^ quoted)
            delimiters = np.flatnonzero((block == ord(delimiter)) & outside)
            line_ends = np.flatnonzero((block == _LINE_END) & outside)
            quoted = not outside[-1]
        else:  # most files: half the work
            delimiters, line_ends = np.flatnonzero(block == ord(delimiter)), np.flatnonzero(block == _LINE_END)
        ends.append(line_ends + start)
        seen.append(np.searchsorted(delimiters, line_ends) + before)
        before += len(delimiters)
    if codes[-1] != _LINE_END or quoted:
        ends.append(np.array([len(codes)]))
        seen.append(np.array([before]))
    stops = np.concatenate(ends)
    starts = np.concatenate([[0], stops[:-1] + 1])
    return Records(starts, stops, np.diff(np.concatenate(seen), prepend=0) + 1, quoted)


def filled(data: bytes, records: Records) -> np.ndarray:
    """Which records are not blank lines."""
    lengths = records.ends - records.starts
    first = np.frombuffer(data, dtype=np.uint8)[np.minimum(records.starts, len(data) - 1)]
    return (lengths > 1) | ((lengths == 1) & (first != _RETURN))


def quoting_of(text: Text, records: Records, delimiter: str, known: bool = False) -> bool:
    """Whether quotes enclose values: some value begins with one (or `known`, which an earlier part of the file shows).

    Raises InputError for a quote inside a value of such a file (a lone one joins all lines up to the next) and for one
    never closed.
    """
    codes = np.frombuffer(text.data, dtype=np.uint8)
    blocks = range(0, len(codes), _BLOCK)
    marks = np.concatenate([start + np.flatnonzero(codes[start : start + _BLOCK] == _QUOTE) for start in blocks])
    before = codes[np.maximum(marks - 1, 0)]
    if not known and len(marks) and not np.any((marks == 0) | np.isin(before, (ord(delimiter), _LINE_END))):
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


def refuse_ragged(text: Text, records: Records, lines: np.ndarray, delimiter: str, width: int | None = None) -> None:
    """InputError for a line with another number of fields than the header, by default the first line."""
    fields = records.fields[lines]
    width = int(fields[0]) if width is None else width
    wrong = np.flatnonzero(fields != width)
    if len(wrong):
        line, other = text.line(records.starts[lines[wrong[0]]]), counted(int(fields[wrong[0]]), "field")
        more = f" (and {counted(len(wrong) - 1, 'row')} after it differ too)" if len(wrong) > 1 else ""
        raise InputError(
            f"{text.name} has rows of unequal length: line {line} has {other}, but the header has {width}, "
            f"separated by {DELIMITERS[delimiter]}{more}."
        )


def parsed(
    text: Text,
    records: Records,
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
