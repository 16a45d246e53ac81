"""The files of a table: one, those of a folder, or those that a pattern names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shrinkwise.tables.errors import InputError, quoted

TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".psv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
ARROW_ENDINGS = (".feather", ".arrow", ".ipc")
BOOK_ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
TABLE_ENDINGS = TEXT_ENDINGS + BOOK_ENDINGS + PARQUET_ENDINGS + ARROW_ENDINGS


def text_ending(path: Path) -> str:
    """The ending of the file, or of the one that it holds if that is compressed (.csv.gz)."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def path_of(name: str | Path) -> Path:
    """The path of this name. Raises InputError for one without characters, which `Path` takes for the current folder."""
    if not str(name).strip():
        raise InputError("Expected the name of a file or a folder, got an empty text.")
    if "\0" in str(name):
        raise InputError(f"The name of a file cannot contain a null character, but {quoted(name)} does.")
    return Path(name)


def lack_of(file: Path) -> str:
    """Why there is no file to read at this path, for use within a sentence."""
    return "is not a regular file" if file.exists() else "does not exist"


def files_of(source: str | Path) -> list[Path]:
    """The files of a path, a folder or a pattern such as data/*.parquet, in the order of their names.

    Of a folder the files whose name ends as that of a table does, also in its folders; hidden ones and those of runs, such
    as their coefficients.csv, are left out.
    """
    path = path_of(source)
    if path.is_dir():
        runs = {each.parent for each in path.rglob("*/run.toml")}
        found = [each for each in path.rglob("*") if each.is_file() and _is_table(each.relative_to(path))]
        found = [each for each in found if runs.isdisjoint(each.parents)]
        if not found:
            raise InputError(f"The folder {path} has no file that ends in {', '.join(TABLE_ENDINGS)}.")
    elif is_pattern(path):
        anchor = Path(path.anchor)
        found = [each for each in anchor.glob(str(path.relative_to(path.anchor))) if each.is_file()]
        if not found:
            raise InputError(f"No file matches {path}.")
    else:
        found = [path]
    return sorted(found)


def is_pattern(source: Any) -> bool:
    """Whether a path stands for several files by *, ? or [, and is not the name of one."""
    is_path = isinstance(source, str | Path)
    return is_path and any(sign in str(source) for sign in "*?[") and not Path(source).exists()


def is_several(source: Any) -> bool:
    """Whether a source is a folder or a pattern of files."""
    return isinstance(source, str | Path) and (Path(source).is_dir() or is_pattern(source))


def _is_table(path: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in path.parts)
    return not hidden and path.name.lower().removesuffix(".gz").endswith(TABLE_ENDINGS)
