"""Parquet, CSV and Arrow files, folders and patterns of them, read in batches by polars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from shrinkwise.streaming.blocks import RowsError, block_rows, exactly, with_types

_KINDS = {
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".ipc", ".feather"), "arrow"),
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
}
_READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
_PART_ROWS = 1_000_000  # of a large Parquet or Arrow file, which is read from any row
_LOOK = 10_000  # rows of a CSV file from which its types are inferred


@dataclass(frozen=True)
class FilePart:
    """Some rows of a file: `height` of them from `offset` on, or all if it is None. `types` are those of all files."""

    path: str
    kind: str
    types: Mapping[str, Any]
    offset: int = 0
    height: int | None = None

    @property
    def origin(self) -> str:
        """The file."""
        return self.path

    def count(self) -> int | None:
        """Number of rows; of a CSV file only a pass over it shows it."""
        return self.height

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows in order."""
        scan = _scan(self.path, self.kind, self.types if self.kind == "csv" else None)
        if self.height is not None:
            scan = scan.slice(self.offset, self.height)
        try:
            batches = scan.select(exactly(columns)).collect_batches(
                chunk_size=block_rows(len(columns)), maintain_order=True
            )
            for frame in batches:
                yield with_types(frame, self.types)
        except _READ_ERRORS as error:
            raise _explained(self, error) from error


def open_files(source, kept: Sequence[str]) -> tuple[list[FilePart], Mapping[str, Any], bool]:
    """The parts and the schema of files; the columns `kept` of a CSV file keep the type that polars infers."""
    paths = _listed(source)
    kinds = {_kind(path) for path in paths}
    if len(kinds) > 1:
        raise RowsError(f"Expected files of one kind, got {' and '.join(sorted(kinds))} files; select one by a pattern")
    kind = kinds.pop()
    schemas = [_schema(path, kind) for path in paths]
    schema = _common(paths, schemas, kind, kept)
    if kind == "csv":
        return [FilePart(path, kind, schema) for path in paths], schema, False
    parts = [part for path in paths for part in _divided(path, kind, schema)]
    return parts, schema, False


def _listed(source) -> list[str]:
    """The files of a path, a folder, a pattern or a list, sorted by name."""
    if isinstance(source, (list, tuple)):
        return [path for each in source for path in _listed(each)]
    text = str(source)
    if not text.strip() or "\0" in text:
        raise RowsError(f"Expected the name of a file or a folder, got {text!r}")
    if "://" in text:  # polars reads object stores itself
        return [text]
    path = Path(text).expanduser()
    if path.is_dir():
        found = [
            each for each in path.rglob("*") if each.suffix.lower() in _KINDS and not each.name.startswith((".", "_"))
        ]
        if not found:
            raise RowsError(f"The folder {text} has no file that ends in {', '.join(_KINDS)}")
    elif path.exists():
        found = [path]
    elif any(sign in text for sign in "*?["):
        anchor = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
        found = [each for each in anchor.glob(pattern) if each.is_file()]
        if not found:
            raise RowsError(f"No file matches {text}")
    else:
        raise RowsError(f"There is no file or folder {text}")
    return sorted(str(each) for each in found)


def _kind(path: str) -> str:
    kind = _KINDS.get(Path(path.removesuffix(".gz")).suffix.lower())
    if kind is None:
        raise RowsError(f"Expected files that end in {', '.join(_KINDS)}, got {path}")
    return kind


def _scan(path: str, kind: str, types=None) -> pl.LazyFrame:
    if kind == "parquet":
        return pl.scan_parquet(path, glob="://" in path)
    if kind == "arrow":
        return pl.scan_ipc(path, glob="://" in path)
    separator = "\t" if Path(path.removesuffix(".gz")).suffix.lower() in (".tsv", ".tab") else ","
    return pl.scan_csv(
        path,
        separator=separator,
        glob="://" in path,
        infer_schema_length=_LOOK,
        schema_overrides=types,
        missing_columns="raise",
        extra_columns="raise",
    )


def _schema(path: str, kind: str) -> dict[str, Any]:
    try:
        return dict(_scan(path, kind).collect_schema())
    except _READ_ERRORS as error:
        raise RowsError(f"{path} is empty, damaged or not a {kind} file ({_first_line(error)})") from error


def _common(paths, schemas, kind: str, kept) -> dict[str, Any]:
    """The schema that all files share, in the order of the first; RowsError names the first file that differs."""
    first, found = schemas[0], dict(schemas[0])
    for path, schema in zip(paths, schemas, strict=True):
        if set(schema) != set(first):
            lacks, more = [n for n in first if n not in schema], [n for n in schema if n not in first]
            what = f"lacks {lacks[0]!r}" if lacks else f"also has {more[0]!r}"
            raise RowsError(f"Expected all files to have the columns of {paths[0]}, but {path} {what}")
        for name, dtype in schema.items():
            if dtype == found[name] or (kind == "csv" and not found[name].is_numeric()):
                continue
            if dtype.is_numeric() and found[name].is_numeric():
                found[name] = pl.Float64()
            elif kind != "csv":  # a CSV file is read with the types of the first, and its first other value is reported
                raise RowsError(
                    f"Expected {name!r} to have the type {found[name]} as in {paths[0]}, but it is {dtype} in {path}"
                )
    if kind == "csv":  # whole numbers so far may be followed by others
        found = {n: pl.Float64() if t.is_numeric() and n not in kept else t for n, t in found.items()}
    return found


def _divided(path: str, kind: str, types) -> list[FilePart]:
    try:
        height = int(_scan(path, kind).select(pl.len()).collect().item())
    except _READ_ERRORS as error:
        raise RowsError(f"{path} is damaged or not a {kind} file ({_first_line(error)})") from error
    starts = range(0, height, _PART_ROWS)
    return [FilePart(path, kind, types, start, min(_PART_ROWS, height - start)) for start in starts]


def _explained(part: FilePart, error) -> RowsError:
    """The error of a file that cannot be read, of a CSV file with the first cell that is not of its column's type."""
    if part.kind == "csv":
        try:
            place = _first_other(part)
        except _READ_ERRORS:
            place = None
        if place is not None:
            row, name, text = place
            return RowsError(
                f"Expected numbers in column {name!r}, got {text!r} in {part.path}, row {row + 1}; correct it, or leave "
                "out this column"
            )
    return RowsError(f"{part.path} cannot be read ({_first_line(error)})")


def _first_other(part: FilePart):
    """(row, column, text) of the first cell that is not a number although its column is one; None if there is none."""
    names = [name for name, dtype in part.types.items() if dtype.is_numeric()]
    texts = _scan(part.path, "csv", dict.fromkeys(part.types, pl.String()))
    row = 0
    for frame in texts.select(exactly(names)).collect_batches(chunk_size=100_000, maintain_order=True):
        found = []
        for name in names:
            column = frame.get_column(name)
            wrong = column.is_not_null() & column.str.strip_chars().cast(part.types[name], strict=False).is_null()
            if wrong.any():
                at = int(wrong.arg_max() or 0)
                found.append((row + at, name, column[at]))
        if found:
            return min(found)
        row += frame.height
    return None


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(" .:") if text else type(error).__name__
