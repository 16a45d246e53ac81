"""A user's file or data frame as a polars frame; ambiguous input is refused with an error of one sentence."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path
from typing import Any

import polars as pl

from shrinkwise.streaming.spool import FrameStore, InMemory
from shrinkwise.tables.errors import InputError, first_line

from .books import read_book
from .delimited import TextTable, parse_delimited, text_table
from .files import (
    ARROW_ENDINGS,
    BOOK_ENDINGS,
    PARQUET_ENDINGS,
    TEXT_ENDINGS,
    files_of,
    is_several,
    path_of,
    text_ending,
)
from .frames import from_other
from .layout import Layout
from .names import name_unnamed, refuse_too_wide
from .records import NotUtf8
from .text_bytes import PIECE, TextFile, as_utf8

_FOUND = Layout()  # everything is found from the cells

# A .gz can unpack to a thousandfold of what the file shows.
_LARGEST_UNPACKED = 2 * 1024**3
_GZIP = b"\x1f\x8b"
_SMALL = 2 * PIECE  # bytes of a text file that is read at once


def read_table(path: str | Path, layout: Layout = _FOUND) -> pl.DataFrame:
    """The table in a delimited text file (.csv, .tsv, .txt, …, also .gz), an Excel workbook, a Parquet or an
    Arrow/Feather file.

    Raises InputError for anything but a table with at least one row.
    """
    return read_with_notes(path, layout)[0]


def read_with_notes(path: str | Path, layout: Layout = _FOUND) -> tuple[pl.DataFrame, list[str]]:
    """The same, and sentences on what is not a plain table in UTF-8: encoding, titles, header, footers, names."""
    path = path_of(path)
    notes: list[str] = []
    ending, inner = path.suffix.lower(), text_ending(path)
    refuse_settings(path, layout)
    with _opened(path) as file:
        if not file.peek(1):
            raise InputError(f"{path.name} is empty.")
        if inner in TEXT_ENDINGS:
            frame, notes = _delimited(path, file, layout)
        elif ending in BOOK_ENDINGS:
            frame, notes = read_book(path, layout)
        elif ending in PARQUET_ENDINGS + ARROW_ENDINGS:
            frame = _columnar(path, file)
        else:
            raise InputError(
                f"{path.name} does not end in one of {', '.join(TEXT_ENDINGS)} (also followed by .gz), "
                f"{', '.join(BOOK_ENDINGS + PARQUET_ENDINGS + ARROW_ENDINGS)}; save the table as one of these."
            )
    if frame.height == 0:
        raise InputError(f"{path.name} has a header but no rows.")
    refuse_too_wide(path.name, frame.width)
    return frame, notes


def table_in_pieces(path: Path, layout: Layout, store: FrameStore) -> TextTable | None:
    """The table of a text file; None for a file of at most a few pieces, and if it is not UTF-8, which all of it decides."""
    if not path.is_file() or path.stat().st_size <= _SMALL:
        return None
    try:
        return text_table(TextFile(path), layout, store)
    except NotUtf8:
        return None


def _delimited(path: Path, file: io.BufferedReader, layout: Layout) -> tuple[pl.DataFrame, list[str]]:
    """The table of a text file. A large one is not in memory as text, unless it is packed."""
    packed = file.peek(2)[:2] == _GZIP
    if not packed and (table := table_in_pieces(path, layout, InMemory())):
        return table.whole(), table.notes
    data, note = as_utf8(path.name, _unpacked(path.name, file.read()))
    frame, notes = parse_delimited(path.name, data, layout)
    return frame, [note, *notes] if note else notes


def refuse_settings(path: Path, layout: Layout) -> None:
    """InputError for settings that this kind of file does not have."""
    name, is_book, is_text = path.name, path.suffix.lower() in BOOK_ENDINGS, text_ending(path) in TEXT_ENDINGS
    if layout.sheet is not None and not is_book:
        raise InputError(f"{name} has no sheets, so a sheet cannot be selected; remove --sheet.")
    if (layout.headers is not None or layout.skip) and not (is_book or is_text):
        raise InputError(f"{name} stores the names of its columns, so --header, --no-header and --skip do not apply.")


def as_frame(table: Any) -> pl.DataFrame:
    """Any data frame that narwhals knows (pandas, polars, pyarrow, …), or a dict of columns, as a polars frame with text names.

    A lazy frame is collected. Durations become seconds, integers of 128 bits floats. A column of values that are neither
    numbers nor text becomes one of objects, which no model uses.
    """
    if not isinstance(table, pl.DataFrame):
        table = from_other(table)
    if pl.Duration in table.dtypes:
        durations = [column for column in table.get_columns() if column.dtype == pl.Duration]
        table = table.with_columns(*(column.dt.total_microseconds() / 1e6 for column in durations))
    wide = [column for column in table.get_columns() if column.dtype.is_integer() and str(column.dtype).endswith("128")]
    if wide:  # NumPy has no such integers
        table = table.with_columns(*(column.cast(pl.Float64) for column in wide))
    if all(name.strip() for name in table.columns):
        return table
    return table.rename(dict(zip(table.columns, name_unnamed(table.columns), strict=True)))


def data_hash(path: str | Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal; of the hashes of the files of a folder or a pattern."""
    if is_several(path):
        return hashlib.sha256("".join(map(data_hash, files_of(path))).encode()).hexdigest()
    with _opened(Path(path)) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _opened(path: Path) -> io.BufferedReader:
    try:
        if path.exists() and not path.is_file():
            raise InputError(
                f"{path} is {'a folder' if path.is_dir() else 'not a regular file'}, but a table was expected."
            )
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {(error.strerror or 'input error').lower()}.") from error


def _unpacked(name: str, data: bytes) -> bytes:
    """The bytes, decompressed if they are gzip data, whatever the file is called."""
    if data[:2] != _GZIP:
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            unpacked = packed.read(_LARGEST_UNPACKED + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{name} is a damaged or truncated gzip file ({first_line(error)}).") from error
    if len(unpacked) > _LARGEST_UNPACKED:
        raise InputError(
            f"{name} decompresses to more than {_LARGEST_UNPACKED >> 30} GiB; decompress it first if that is intended."
        )
    return unpacked


def _columnar(path: Path, file: io.BufferedReader) -> pl.DataFrame:
    ending = path.suffix.lower()
    try:  # by path where the path can be kept from being a pattern: polars then reads less of the file
        frame = pl.read_parquet(path, glob=False) if ending in PARQUET_ENDINGS else pl.read_ipc(file)
        return as_frame(frame)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(f"{path.name} is damaged, truncated or not a {ending} file ({first_line(error)}).") from error
