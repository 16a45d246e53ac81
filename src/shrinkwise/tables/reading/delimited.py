"""Delimited text (CSV and its relatives) as polars frames: a first pass finds the table and the types of its columns.

The text is read in pieces that end where records end, so that every one is read as the whole would be; the type of a column
is inferred from all its values. The parsed pieces are kept, in memory or in a temporary file, so that further passes parse
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from shrinkwise.streaming.spool import FrameStore, InMemory
from shrinkwise.tables.columns.kinds import as_text
from shrinkwise.tables.errors import InputError

from .extent import about_below, below_line, extent, footers, head_texts
from .layout import Layout, is_header, table_of
from .names import refuse_too_wide
from .records import Records, Text, checked, filled, parsed, quoting_of, refuse_ragged, scan, sniffed
from .text_bytes import PIECE, TextBytes, TextSource, in_pieces
from .value_types import ColumnValues, CommaValues, columns_with_points, of_type

_LONGEST_RECORD = 16  # pieces; a quote that stays open for longer is never closed


@dataclass
class TextTable:
    """What the first pass finds in a text: how values are separated, the names and types of the columns, the rows.

    points: the columns whose commas are decimal. plain: the numeric columns that polars parses itself in every piece.
    kept: what the store needs to return each piece, None if some was not kept.
    """

    source: TextSource
    layout: Layout
    delimiter: str
    quoting: bool
    schema: dict[str, pl.DataType]
    points: frozenset[str]
    plain: frozenset[str]
    height: int
    notes: list[str]
    store: FrameStore | None
    kept: list[Any] | None

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """These columns of the rows in order, in frames of one piece each."""
        for table in self._again(columns) if self.store is None or self.kept is None else self._kept(columns):
            yield self._typed(table, columns)

    def whole(self) -> pl.DataFrame:
        """All rows as one frame. The pieces that are kept are released."""
        columns = list(self.schema)
        if self.store is None or self.kept is None:
            frames = list(self.frames(columns))
        else:
            kept, self.kept = self.kept[::-1], None
            frames = [self._typed(self.store.get(kept.pop(), columns), columns) for _ in range(len(kept))]
        if len(frames) == 1:
            return frames[0]
        return pl.DataFrame(
            [pl.concat([frame.drop_in_place(name) for frame in frames], rechunk=True) for name in columns]
        )

    def _kept(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        assert self.store is not None
        for each in self.kept or []:
            yield self.store.get(each, columns)

    def _again(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The pieces parsed again: numbers, or trimmed texts."""
        types = {name: dtype if name in self.plain else pl.String() for name, dtype in self.schema.items()}
        reading = _Pass(self.source, self.layout, self.delimiter, self.quoting)
        for table in reading.tables(lambda: types, columns):
            read = [table[name] for name in columns]
            yield pl.DataFrame([as_text(each).alias(each.name) if each.dtype == pl.String else each for each in read])

    def _typed(self, table: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        types = table.schema
        if all(types[name] == self.schema[name] != pl.String for name in columns):
            return table[list(columns)]
        return pl.DataFrame([of_type(table[name], self.schema[name], name in self.points) for name in columns])


def parse_delimited(name: str, data: bytes, layout: Layout = Layout()) -> tuple[pl.DataFrame, list[str]]:  # noqa: B008
    """The table in `data`, UTF-8 text, and the notes of `text_table`; `name` is its name in messages."""
    table = text_table(TextBytes(name, data), layout, InMemory())
    return table.whole(), table.notes


def text_table(source: TextSource, layout: Layout, store: FrameStore) -> TextTable:
    """The first pass over a text, whose parsed pieces are kept in `store`.

    The delimiter (comma, semicolon, tab or pipe) is the one that splits most of the first lines into equally many
    fields. Lines with other numbers of fields above the header and remarks below the table are skipped, and the header
    is found (layout.table_of), unless `layout` says where it is. A text column whose values are all numbers becomes
    numeric (kinds.typed); with semicolons, and if no number has a decimal point, commas are decimal unless every one of
    them could separate thousands. Blank lines are skipped. A column without a name becomes "unnamed column 3". Raises
    InputError.
    """
    first = _FirstPass(source, layout, store, frozenset())
    lost = first.run()
    if lost:  # the texts of a column that was parsed as numbers until some value was none: they are kept this time
        first = _FirstPass(source, layout, store, lost)
        first.run()
    return first.table()


class _FirstPass:
    """The pieces of a text, the types of their columns so far, and what is kept; the columns `as_text` are kept as text."""

    def __init__(self, source: TextSource, layout: Layout, store: FrameStore, as_text: frozenset[str]):
        self.reading, self.store, self.as_text = _Pass(source, layout), store, as_text
        self.columns: dict[str, ColumnValues] = {}
        self.commas: dict[str, CommaValues] = {}
        self.kept: list[Any] | None = []
        self.height = 0

    def run(self) -> frozenset[str]:
        """Read all pieces; the columns of text of which some pieces are kept as numbers."""
        for texts in self.reading.tables(self._so_far):
            if not self.columns:
                self.columns = {name: ColumnValues(name in self.as_text) for name in texts.columns}
                self.commas = {name: CommaValues() for name in texts.columns if self.reading.delimiter == ";"}
            for name, commas in self.commas.items():
                commas.add(texts[name])
            found = pl.DataFrame([self.columns[column.name].add(column) for column in texts.get_columns()])
            self.height += found.height
            if self.kept is not None:
                place = self.store.put(found)
                self.kept = None if place is None else self.kept
            if self.kept is not None:
                self.kept.append(place)
        if not self.columns:
            raise InputError(f"{self.reading.source.name} is empty.")
        types, _ = self._types()
        return frozenset(name for name, each in self.columns.items() if each.has_floats and types[name] == pl.String)

    def table(self) -> TextTable:
        """What the pass has found."""
        reading, (schema, points) = self.reading, self._types()
        plain = frozenset(
            name for name, each in self.columns.items() if each.plain and each.dtype == schema[name] != pl.String
        )
        found = (reading.delimiter, bool(reading.quoting), schema, points, plain, self.height, reading.notes)
        return TextTable(reading.source, reading.layout, *found, self.store, self.kept)

    def _so_far(self) -> dict[str, pl.DataType]:
        return {name: pl.Float64() if each.settled else pl.String() for name, each in self.columns.items()}

    def _types(self) -> tuple[dict[str, pl.DataType], frozenset[str]]:
        points = columns_with_points(self.columns, self.commas)
        return {
            name: self.commas[name].values.dtype if name in points else each.dtype
            for name, each in self.columns.items()
        }, points


@dataclass
class _Pass:
    """One pass over a file; the delimiter and the quoting are found by the first one."""

    source: TextSource
    layout: Layout
    delimiter: str = ""
    quoting: bool | None = None
    notes: list[str] = field(default_factory=list)

    def tables(
        self, types: Callable[[], dict[str, pl.DataType]], columns: Sequence[str] | None = None
    ) -> Iterator[pl.DataFrame]:
        """The rows of the table, one frame for each piece: texts, or numbers where `types()` says so and polars can.

        At least `columns` are read, by default all.
        """
        names: list[str] = []
        for text, records, is_last in self._pieces():
            if names and records is None and not is_last:
                quick = self._quick(text, names, types(), columns)
                if quick is not None:
                    yield quick
                    continue
            records = self._records(text) if records is None else records
            lines = np.flatnonzero(filled(text.data, records))
            if not len(lines):
                continue
            if not names:
                table = self._first(text, records, lines, is_last)
                names = table.columns
            else:
                table = self._further(text, records, lines, names, is_last)
            yield table

    def _quick(
        self, text: Text, names: list[str], types: dict[str, pl.DataType], columns: Sequence[str] | None
    ) -> pl.DataFrame | None:
        """A piece without quotes, parsed by polars alone; None where that may differ from what the records say.

        A blank or a short line has no value in the last column, and polars refuses a long one.
        """
        if text.data[:1] in (b"x", b"(", b"\x1f"):  # polars may take it for a compressed file
            return None
        read = {*(names if columns is None else columns), names[-1]}
        wanted = [at for at, name in enumerate(names) if name in read]
        try:
            table = pl.read_csv(
                text.data,
                has_header=False,
                separator=self.delimiter,
                quote_char=None,
                schema={name: types[name] for name in names},
                columns=wanted,
            )
        except pl.exceptions.PolarsError:
            return None
        if table[names[-1]].null_count() or any(map(any, table.select(pl.col(pl.Float64).is_nan().any()).rows())):
            return None
        return table

    def _first(self, text: Text, records: Records, lines: np.ndarray, is_last: bool) -> pl.DataFrame:
        first, last = (0, len(lines)) if self._told else extent(text.data, records, lines, self.delimiter)
        last = last if is_last else len(lines)
        refuse_too_wide(text.name, int(records.fields[lines[first]]))  # before the work of reading them
        if first and not is_header(head_texts(text, records, lines[first:last], self.delimiter, bool(self.quoting))):
            first = 0  # the lines above are not titles
        lines, below = lines[first:last], lines[last:]
        refuse_ragged(text, records, lines, self.delimiter)
        cells = parsed(text, records, lines, self.delimiter, bool(self.quoting))
        table, self.notes = table_of(
            text.name,
            cells,
            self.layout,
            lambda row: text.line(records.starts[lines[row]]),
            first,
            with_footers=is_last,
        )
        if len(below):
            self.notes.append(about_below(text, records, below, self.delimiter))
        return table

    def _further(
        self, text: Text, records: Records, lines: np.ndarray, names: list[str], is_last: bool
    ) -> pl.DataFrame:
        below = lines[:0]
        if is_last and not self._told:
            last = extent(text.data, records, lines, self.delimiter)[1]
            lines, below = lines[:last], lines[last:]
        refuse_ragged(text, records, lines, self.delimiter, len(names))
        table = parsed(text, records, lines, self.delimiter, bool(self.quoting))
        table.columns = names
        if is_last and not self._told:
            table, notes = footers(text, records, below, table, self.delimiter)
            self.notes += notes
        return table

    @property
    def _told(self) -> bool:
        """Whether the user says where the header is: nothing is skipped then."""
        return self.layout.headers is not None

    def _pieces(self) -> Iterator[tuple[Text, Records | None, bool]]:
        """Whole lines, their records (None where there is no quote), and whether they are the last ones."""
        rest, line = b"", 1
        for data, is_last in in_pieces(self.source):
            cut = len(data) if is_last else data.rfind(b"\n") + 1
            if not cut:  # a line that is longer than a piece
                rest += data
                continue
            lines, rest = b"".join((rest, memoryview(data)[:cut])), data[cut:]
            if lines[:2].isspace() and lines.isspace():
                line += lines.count(b"\n")
                continue
            text = checked(self.source.name, lines, line)
            if line == 1 and self.layout.above:
                text = below_line(text, self.layout.above)
            self.delimiter = self.delimiter or sniffed(text.data)
            if b'"' not in text.data:
                line = text.line(len(text.data))
                yield text, None, is_last
                continue
            records = self._records(text)
            line = text.line(len(text.data))
            if records.open_quote and not is_last:
                start = int(records.starts[-1])
                line, rest = text.line(start), text.data[start:] + rest
                if len(rest) > _LONGEST_RECORD * PIECE:
                    raise InputError(
                        f'{self.source.name} has a quote (") on line {line} or below that is never closed.'
                    )
                records = Records(records.starts[:-1], records.ends[:-1], records.fields[:-1], False)
                text = Text(text.name, text.data[:start], text.first_line)
            if len(records.starts):
                yield text, self._quoted(text, records), is_last

    def _records(self, text: Text) -> Records:
        return scan(text.data, self.delimiter, quoting=self.quoting is not False)

    def _quoted(self, text: Text, records: Records) -> Records:
        """The records, after the decision whether quotes enclose values, which the first piece with a quote shows."""
        found = quoting_of(text, records, self.delimiter, self.quoting is True)
        if self.quoting is False and found:
            raise InputError(
                f'{text.name} has values in quotes from line {text.first_line} on, but above a quote (") inside a value; put '
                "that value in quotes and double each quote inside it."
            )
        self.quoting = found
        return records if found else scan(text.data, self.delimiter, quoting=False)
