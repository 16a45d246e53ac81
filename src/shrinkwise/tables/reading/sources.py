"""The rows of a file, a folder or a pattern of files in blocks, each read as `read_table` reads a whole file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from shrinkwise.streaming import RowBlocks, RowsError
from shrinkwise.streaming.blocks import SourcePart
from shrinkwise.streaming.sources.files import open_files
from shrinkwise.streaming.spool import FrameStore, OnDisk
from shrinkwise.tables.columns.kinds import as_text
from shrinkwise.tables.errors import InputError, no_such_column, quoted

from .files import ARROW_ENDINGS, PARQUET_ENDINGS, TEXT_ENDINGS, files_of, is_several, text_ending
from .layout import Layout
from .read import as_frame, read_with_notes, refuse_settings, table_in_pieces

_FOUND = Layout()  # everything is found from the cells
_SAME = "the files of one table need the same columns"


class _Frames(Protocol):
    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]: ...


@dataclass
class TablePart:
    """Rows of one file, from the row `offset` on, with the types that the columns have in all files together.

    As a part of `RowBlocks` it can be read without the others, also on another machine that has the files.
    """

    origin: str
    source: _Frames
    height: int | None = None
    offset: int = 0
    schema: Mapping[str, Any] | None = None

    def count(self) -> int | None:
        """Number of rows, if it is known without reading all of them."""
        return self.height

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """These columns, in frames of any height."""
        try:
            for frame in self.source.frames(columns):
                yield self._as_in_all(as_frame(frame))
        except RowsError as error:
            raise InputError(f"{str(error).removesuffix('.')}.") from error

    def _as_in_all(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self.schema is None:
            return frame
        return pl.DataFrame([_as(column, self.schema[column.name]) for column in frame.get_columns()])


def _as(column: pl.Series, dtype: Any) -> pl.Series:
    if column.dtype == dtype:
        return column
    return as_text(column).alias(column.name) if dtype == pl.String else column.cast(dtype)


@dataclass(frozen=True)
class _Whole:
    """A file that is read at once: a small text file, one that is not UTF-8, a workbook."""

    path: Path
    layout: Layout
    store: FrameStore | None
    kept: Any

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows, in one frame."""
        if self.store is None or self.kept is None:
            yield read_with_notes(self.path, self.layout)[0][list(columns)]
        else:
            yield self.store.get(self.kept, columns)


@dataclass(frozen=True)
class TableRows:
    """The rows of files in blocks, the files, and notes on how they were read."""

    rows: RowBlocks
    files: list[Path]
    notes: list[str]


def open_table(source: str | Path, layout: Layout = _FOUND, store: FrameStore | None = None) -> TableRows:
    """The rows of a table in one file or several with the same columns.

    Files of text and workbooks are read here, for the types that all their values have. Their rows are kept in `store`, by
    default in a temporary file if there is space for it, from which all passes over them are read.

    Raises
    ------
    InputError : for files that cannot be read or that have different columns.
    """
    files, notes, store = files_of(source), [], store or OnDisk()
    parts: list[TablePart] = []
    schemas: list[Mapping[str, Any]] = []
    for file in files:
        found, schema, said = _opened(file, layout, store)
        parts += found
        schemas.append(schema)
        notes += said
    schema, about = _common(files, schemas)
    notes += about
    read: list[SourcePart] = [replace(part, schema=schema) for part in parts]
    return TableRows(RowBlocks(read, schema, None), files, notes)


def read_all(source: str | Path, layout: Layout = _FOUND) -> tuple[pl.DataFrame, list[str]]:
    """All rows of a file, a folder or a pattern of files as one frame, and notes on how they were read."""
    if not is_several(source):
        return read_with_notes(source, layout)
    table = open_table(source, layout)
    return pl.concat([block.frame for block in table.rows.blocks()]), table.notes


def _opened(file: Path, layout: Layout, store: FrameStore) -> tuple[list[TablePart], Mapping[str, Any], list[str]]:
    """The parts of a file, its columns with their types, and notes on how it was read."""
    ending = file.suffix.lower()
    if file.is_file() and file.stat().st_size and ending in PARQUET_ENDINGS + ARROW_ENDINGS:
        refuse_settings(file, layout)
        try:
            found, schema, _ = open_files([file], [])
        except RowsError as error:
            raise InputError(f"{str(error).removesuffix('.')}.") from error
        if not sum(part.height or 0 for part in found):
            raise InputError(f"{file.name} has a header but no rows.")
        schema = {name: pl.Float64() if dtype == pl.Duration else dtype for name, dtype in schema.items()}  # as_frame
        return [TablePart(str(file), part, part.height, part.offset) for part in found], schema, []
    if text_ending(file) in TEXT_ENDINGS and (table := table_in_pieces(file, layout, store)):
        return [TablePart(str(file), table, table.height)], table.schema, table.notes
    frame, notes = read_with_notes(file, layout)
    return (
        [TablePart(str(file), _Whole(file, layout, store, store.put(frame)), frame.height)],
        dict(frame.schema),
        notes,
    )


def _common(files: list[Path], schemas: list[Mapping[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """The columns of the first file with the type that they have in all: numbers, or text if they differ, and a note then."""
    found, differ = dict(schemas[0]), dict[str, Path]()
    for file, schema in zip(files, schemas, strict=True):
        for name in found:
            if name not in schema:
                raise InputError(f"{file} has no column {quoted(name)}, but {files[0]} has; {_SAME}.")
        for name, dtype in schema.items():
            if name not in found:
                raise InputError(f"{file} has a column {quoted(name)}, but {files[0]} has not; {_SAME}.")
            if dtype != found[name]:
                both = dtype.is_numeric() and found[name].is_numeric()
                found[name] = pl.Float64() if both else pl.String()
                if not both:
                    differ.setdefault(name, file)
    return found, [_about_types(files[0], differ)] if differ else []


def _about_types(first: Path, differ: Mapping[str, Path]) -> str:
    named = ", ".join(f"{quoted(name)} in {file}" for name, file in list(differ.items())[:3])
    more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
    return f"Columns that do not have the type that they have in {first} are read as text in all files: {named}{more}."


def refuse_absent(rows: RowBlocks, names: Sequence[str]) -> None:
    """Raise InputError for a column that the rows do not have."""
    for name in names:
        if name not in rows.schema:
            raise no_such_column("The table", name, rows.columns)
