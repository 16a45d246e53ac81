"""Which lines of a delimited text are the table: below titles that the user or the number of fields shows, above remarks."""

from __future__ import annotations

import numpy as np
import polars as pl

from shrinkwise.tables.errors import InputError

from .layout import HEAD, MOST_TITLES, about_footers, is_footer, texts, without_footers
from .records import Records, Text, parsed, usual_fields


def below_line(text: Text, above: int) -> Text:
    """The text below the first `above` lines of the file; InputError if there are no more lines."""
    start = 0
    for _ in range(above + 1 - text.first_line):
        start = text.data.find(b"\n", start) + 1
        if not start:
            raise InputError(f"{text.name} has {text.line(len(text.data))} lines, so {above} cannot be skipped.")
    if start and not text.data[start:].strip():
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


def footers(
    text: Text, records: Records, below: np.ndarray, body: pl.DataFrame, delimiter: str
) -> tuple[pl.DataFrame, list[str]]:
    """The last rows of a table without remarks, and sentences on these and on the lines `below` it."""
    body, about = without_footers(text.name, body)
    return body, [each for each in (about, about_below(text, records, below, delimiter) if len(below) else "") if each]


def about_below(text: Text, records: Records, below: np.ndarray, delimiter: str) -> str:
    """A sentence on the lines `below` the table."""
    remark = text.data[records.starts[below[0]] : records.ends[below[0]]].decode()
    return about_footers(text.name, remark.strip(f'{delimiter}" \r\n'), len(below))
