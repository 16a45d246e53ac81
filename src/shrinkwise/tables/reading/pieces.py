"""Delimited text in pieces, for files larger than memory: a first pass finds the table and its types, further ones its rows.

The pieces end where records end, so that every one is read as a whole file would be (delimited.py): the same rows, and for
every column the type that all its values have.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from shrinkwise.tables.columns.kinds import as_text, short_minus
from shrinkwise.tables.errors import InputError, first_line

from .delimited import below_line, extent, footers, head_texts, typed_frame
from .layout import Layout, is_header, table_of
from .names import refuse_too_wide
from .records import Records, Text, checked, filled, parsed, quoting_of, refuse_ragged, scan, sniffed

PIECE = 1 << 24  # bytes
_LONGEST_RECORD = 16  # pieces; a quote that stays open for longer is never closed


@dataclass(frozen=True)
class TextTable:
    """What the first pass finds in a file: how values are separated, the names and types of the columns, the rows.

    points: the columns whose commas are decimal. plain: whether every value of each numeric column is written so that
    polars parses it itself.
    """

    path: Path
    layout: Layout
    delimiter: str
    quoting: bool
    schema: dict[str, pl.DataType]
    points: frozenset[str]
    plain: frozenset[str]
    height: int
    notes: list[str]

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """These columns of the rows in order, in frames of one piece each."""
        types = {name: dtype if name in self.plain else pl.String() for name, dtype in self.schema.items()}
        reading = _Pass(self.path, self.layout, self.delimiter, self.quoting)
        for table in reading.tables(lambda: types, columns):
            yield pl.DataFrame([self._typed(table[name]) for name in columns])

    def _typed(self, text: pl.Series) -> pl.Series:
        name, dtype = text.name, self.schema[text.name]
        if text.dtype == dtype and dtype != pl.String:
            return text
        if name in self.points:
            text = text.str.replace(",", ".", literal=True)
        if name not in self.plain:
            text = as_text(text) if dtype == pl.String else short_minus(as_text(text))
        return text.cast(dtype).alias(name)


def text_table(path: Path, layout: Layout) -> TextTable:
    """The first pass over a file. Raises InputError as `parse_delimited` does."""
    reading, points, height = _Pass(path, layout), frozenset[str](), 0
    found: dict[str, _Types] = {}

    def so_far() -> dict[str, pl.DataType]:
        return {name: pl.Float64() if types.settled else pl.String() for name, types in found.items()}

    for texts in reading.tables(so_far):
        if not found:
            found.update({name: _Types() for name in texts.columns})
            points = _with_points(texts, reading.delimiter)
        for name, types in found.items():
            types.add(texts[name].str.replace(",", ".", literal=True) if name in points else texts[name])
        height += texts.height
    if not height:
        raise InputError(f"{path.name} has a header but no rows.")
    schema = {name: types.dtype for name, types in found.items()}
    plain = frozenset(name for name, types in found.items() if types.plain and types.dtype != pl.String)
    return TextTable(
        path, layout, reading.delimiter, bool(reading.quoting), schema, points, plain, height, reading.notes
    )


def _with_points(texts: pl.DataFrame, delimiter: str) -> frozenset[str]:
    """The columns whose commas are decimal, by the rows of the first piece."""
    if delimiter != ";":
        return frozenset()
    read, plain = typed_frame(texts, decimal_comma=True), typed_frame(texts, decimal_comma=False)
    return frozenset(name for name in texts.columns if read[name].dtype != plain[name].dtype)


@dataclass
class _Types:
    """The values of a column so far: whether all are whole numbers or numbers, and whether they are written like codes."""

    n: int = 0
    whole: bool = True
    numbers: bool = True
    plain: bool = True
    zero_first: bool = False
    lengths: set[int] = field(default_factory=set)

    @property
    def settled(self) -> bool:
        """Whether all are numbers so far, some with a fraction, and none needs more than polars' own parsing."""
        return bool(self.n) and self.numbers and self.plain and not self.whole

    def add(self, series: pl.Series) -> None:
        """The values of a further piece: texts, or numbers that polars has parsed."""
        series = series.alias("")
        if not self.numbers or series.dtype != pl.String:
            return
        found = series.cast(pl.Float64, strict=False)
        if found.null_count() > series.null_count() or found.is_nan().any():
            self.plain, series = False, short_minus(as_text(series))
            found = series.cast(pl.Float64, strict=False)
        self.n += len(series) - series.null_count()
        self.numbers = found.null_count() == series.null_count()
        if self.numbers and self.whole:
            self.whole = series.cast(pl.Int64, strict=False).null_count() == series.null_count()
        if self.numbers and self.whole:
            self.zero_first |= bool(series.str.contains(r"^0\d+$").any())
            self.lengths |= set(series.drop_nulls().str.len_chars().unique().to_list()[:2])

    @property
    def dtype(self) -> pl.DataType:
        """The type that `kinds.typed` gives all values together."""
        if not (self.n and self.numbers) or (self.whole and self.zero_first and len(self.lengths) == 1):
            return pl.String()
        return pl.Int64() if self.whole else pl.Float64()


@dataclass
class _Pass:
    """One pass over a file; the delimiter and the quoting are found by the first one."""

    path: Path
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
        unread = any(column.dtype.is_float() and column.is_nan().any() for column in table.get_columns())
        return None if unread or table[names[-1]].null_count() else table

    def _first(self, text: Text, records: Records, lines: np.ndarray, is_last: bool) -> pl.DataFrame:
        first, last = (0, len(lines)) if self._told else extent(text.data, records, lines, self.delimiter)
        refuse_too_wide(text.name, int(records.fields[lines[first]]))
        if first and not is_header(head_texts(text, records, lines[first:], self.delimiter, bool(self.quoting))):
            first = 0
        lines = lines[first : last if is_last else None]
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
        for data, is_last in _read(self.path):
            whole = rest + data
            cut = len(whole) if is_last else whole.rfind(b"\n") + 1
            if not whole[:cut].strip(b"\r\n"):
                rest, line = whole[cut:], line + whole.count(b"\n", 0, cut)
                continue
            text = checked(self.path.name, whole[:cut], line)
            if line == 1 and self.layout.above:
                text = below_line(text, self.layout.above)
            self.delimiter = self.delimiter or sniffed(text.data)
            if b'"' not in text.data:
                rest, line = whole[cut:], text.line(len(text.data))
                yield text, None, is_last
                continue
            records = self._records(text)
            if records.open_quote and not is_last:
                start = int(records.starts[-1])
                if len(text.data) - start > _LONGEST_RECORD * PIECE:
                    raise InputError(
                        f'{self.path.name} has a quote (") on line {text.line(start)} or below that is never closed.'
                    )
                rest = text.data[start:] + whole[cut:]
                records = Records(records.starts[:-1], records.ends[:-1], records.fields[:-1], False)
                line = text.line(start)
                text = Text(text.name, text.data[:start], text.first_line)
            else:
                rest, line = whole[cut:], text.line(len(text.data))
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


def _read(path: Path) -> Iterator[tuple[bytes, bool]]:
    """The bytes of a file in pieces, decompressed if they are gzip data, and whether a piece is the last.

    The last is as large as a quarter of the others, so that it has rows enough to find a footer.
    """
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        file = gzip.GzipFile(fileobj=plain) if packed else plain
        try:
            data = file.read(PIECE)
            while data:
                following = file.read(PIECE)
                if len(following) < PIECE // 4:
                    data, following = data + following, b""
                yield data, not following
                data = following
        except (EOFError, zlib.error) as error:
            raise InputError(f"{path.name} is a damaged or truncated gzip file ({first_line(error)}).") from error
        except OSError as error:
            raise InputError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
