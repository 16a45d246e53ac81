"""A user's file or data frame as a polars frame; ambiguous input is refused with an error of one sentence."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from shrinkwise.tables.errors import InputError, first_line

from .decoding import as_utf8
from .delimited import parse_delimited
from .names import name_unnamed, refuse_duplicates, refuse_too_wide

_TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".psv", ".txt")
_PARQUET_ENDINGS = (".parquet", ".pq")
_ARROW_ENDINGS = (".feather", ".arrow", ".ipc")

# A .gz can unpack to a thousandfold of what the file shows.
_LARGEST_UNPACKED = 2 * 1024**3


def read_table(path: str | Path) -> pl.DataFrame:
    """The table in a delimited text file (.csv, .tsv, .txt, …, also .gz), a Parquet or an Arrow/Feather file.

    Raises InputError for anything but a table with named columns and at least one row.
    """
    return read_with_note(path)[0]


def read_with_note(path: str | Path) -> tuple[pl.DataFrame, str]:
    """The same, and a sentence on an encoding other than UTF-8 ("" for UTF-8)."""
    path, note = Path(path), ""
    ending = path.suffix.lower()
    inner = Path(path.stem).suffix.lower() if ending == ".gz" else ending
    with _opened(path) as file:
        if not file.peek(1):
            raise InputError(f"{path.name} is empty.")
        if inner in _TEXT_ENDINGS:
            data, note = as_utf8(path.name, _unpacked(path.name, file.read()))
            frame = parse_delimited(path.name, data)
        elif ending in _PARQUET_ENDINGS + _ARROW_ENDINGS:
            frame = _columnar(path, file)
        else:
            raise InputError(
                f"{path.name} does not end in one of {', '.join(_TEXT_ENDINGS)} (also followed by .gz), "
                f"{', '.join(_PARQUET_ENDINGS + _ARROW_ENDINGS)}; save the table as one of these."
            )
    if frame.height == 0:
        raise InputError(f"{path.name} has a header but no rows.")
    refuse_too_wide(path.name, frame.width)
    return frame, note


def as_frame(table: Any) -> pl.DataFrame:
    """Any eager data frame that narwhals knows (pandas, polars, pyarrow, …) as a polars frame with text names."""
    if not isinstance(table, pl.DataFrame):
        table = _from_other(table)
    if all(name.strip() for name in table.columns):
        return table
    return table.rename(dict(zip(table.columns, name_unnamed(table.columns), strict=True)))


def data_hash(path: str | Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
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
    if data[:2] != b"\x1f\x8b":
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
        frame = pl.read_parquet(path, glob=False) if ending in _PARQUET_ENDINGS else pl.read_ipc(file)
        return as_frame(frame)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(f"{path.name} is damaged, truncated or not a {ending} file ({first_line(error)}).") from error


def _from_other(table: Any) -> pl.DataFrame:
    if not isinstance(table, pl.LazyFrame):  # whose columns cost a pass
        refuse_duplicates("The data frame", [str(name) for name in getattr(table, "columns", [])])
    try:
        eager = nw.from_native(table, eager_only=True)
        pandas = eager.implementation.is_pandas() and find_spec("pyarrow") is None
        frame = _from_pandas(table) if pandas else _from_narwhals(eager)
    except Exception as error:  # every kind of frame raises its own
        raise InputError(f"The data frame cannot be read: {first_line(error)}.") from error
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _from_narwhals(eager: nw.DataFrame) -> pl.DataFrame:
    categories = [name for name, dtype in eager.schema.items() if dtype in (nw.Categorical, nw.Enum)]
    texts = [nw.col(name).cast(nw.String) for name in categories]  # else categories of numbers become numbers
    frame = eager.with_columns(*texts).to_polars()
    return frame.with_columns(*(frame[name].cast(pl.Categorical) for name in categories))


def _from_pandas(table: Any) -> pl.DataFrame:
    """A pandas frame converted column by column, for environments without the pyarrow that polars and narwhals
    require."""
    return pl.DataFrame([_pandas_column(str(name), column) for name, column in table.items()])


def _pandas_column(name: str, column: Any) -> pl.Series:
    dtype = column.dtype
    if getattr(dtype, "kind", "O") in "iufbM" and type(dtype).__module__.startswith("numpy"):
        return pl.Series(name, column.to_numpy(), nan_to_null=True)
    is_category = hasattr(dtype, "categories")
    values = [
        None if missing else str(value) if is_category else value
        for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)
    ]
    return pl.Series(name, values).cast(pl.Categorical) if is_category else pl.Series(name, values)
