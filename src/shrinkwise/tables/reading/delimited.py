"""Delimited text (CSV and its relatives) as a polars frame.

Every value is read as text and the type of a column is inferred from all its values, not from the first rows.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from shrinkwise.tables.columns.kinds import typed
from shrinkwise.tables.columns.words import found_words
from shrinkwise.tables.errors import InputError

from .layout import HEAD, MOST_TITLES, Layout, about_footers, is_footer, is_header, table_of, texts, without_footers
from .names import refuse_too_wide
from .records import Records, Text, checked, filled, parsed, quoting_of, refuse_ragged, scan, sniffed, usual_fields

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
    text = below_line(checked(name, data), layout.above)
    delimiter = sniffed(text.data)
    records = scan(text.data, delimiter)
    quoting = quoting_of(text, records, delimiter)
    if not quoting:
        records = scan(text.data, delimiter, quoting=False)
    lines = np.flatnonzero(filled(text.data, records))
    first, last = (0, len(lines)) if layout.headers is not None else extent(text.data, records, lines, delimiter)
    refuse_too_wide(name, int(records.fields[lines[first]]))  # before the work of reading them
    if first and not is_header(head_texts(text, records, lines[first:last], delimiter, quoting)):
        first = 0  # the lines above are not titles
    lines, below = lines[first:last], lines[last:]
    refuse_ragged(text, records, lines, delimiter)
    cells = parsed(text, records, lines, delimiter, quoting)
    frame, notes = table_of(name, cells, layout, lambda row: text.line(records.starts[lines[row]]), first)
    if len(below):
        notes.append(_about_below(text, records, below, delimiter))
    return typed_frame(frame, decimal_comma=delimiter == ";"), notes


def footers(
    text: Text, records: Records, below: np.ndarray, body: pl.DataFrame, delimiter: str
) -> tuple[pl.DataFrame, list[str]]:
    """The last rows of a table without remarks, and sentences on these and on the lines `below` it."""
    body, about = without_footers(text.name, body)
    return body, [each for each in (about, _about_below(text, records, below, delimiter) if len(below) else "") if each]


def _about_below(text: Text, records: Records, below: np.ndarray, delimiter: str) -> str:
    remark = text.data[records.starts[below[0]] : records.ends[below[0]]].decode()
    return about_footers(text.name, remark.strip(f'{delimiter}" \r\n'), len(below))


def below_line(text: Text, above: int) -> Text:
    """The text below the first `above` lines of the file; InputError if there are no more lines."""
    start = 0
    for _ in range(above + 1 - text.first_line):
        start = text.data.find(b"\n", start) + 1
        if not start:
            raise InputError(f"{text.name} has {text.line(len(text.data))} lines, so {above} cannot be skipped.")
    if not text.data[start:].strip():
        raise InputError(f"{text.name} has no table below line {above}.")
    return Text(text.name, text.data[start:], max(above + 1, text.first_line)) if start else text


def extent(data: bytes, records: Records, lines: np.ndarray, delimiter: str) -> tuple[int, int]:
    """Which of the filled lines may be the table, from the first with the usual number of fields on, without remarks
    below."""
    fields = records.fields[lines]
    usual = usual_fields(fields)
    first, last = int(np.argmax(fields == usual)), len(lines)
    while usual > 1 and last > first + 1 and fields[last - 1] < usual:
        text = data[records.starts[lines[last - 1]] : records.ends[lines[last - 1]]].decode().strip()
        if not is_footer(text.split(delimiter), after_blank=lines[last - 1] - lines[last - 2] > 1 or last < len(lines)):
            break
        last -= 1
    return (0, len(lines)) if usual == 1 or first > MOST_TITLES else (first, last)


def head_texts(text: Text, records: Records, lines: np.ndarray, delimiter: str, quoting: bool) -> list[list[str]]:
    """The cells of the first of these lines that have as many fields as the first."""
    some = lines[:HEAD]
    other = np.flatnonzero(records.fields[some] != records.fields[some[0]])
    return texts(parsed(text, records, some[: other[0]] if len(other) else some, delimiter, quoting))


def typed_frame(frame: pl.DataFrame, *, decimal_comma: bool) -> pl.DataFrame:
    """The texts of a table with the type of each column."""
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
