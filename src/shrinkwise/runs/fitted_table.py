"""The table that a run was fitted on: where it is, and its rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shrinkwise.tables import InputError, Layout, data_hash
from shrinkwise.tables.reading.files import files_of
from shrinkwise.tables.reading.sources import read_all

from .two_runs import read_record

if TYPE_CHECKING:
    from polars import DataFrame

_LAYOUT = {"header": int, "no_header": bool, "skip": int, "sheet": str}


def fitted_rows(run_dir: Path, layout: Layout) -> DataFrame:
    """The rows of the table of a run, which a `layout` other than the recorded one may describe.

    Raises InputError if the table is not a file or files, is missing or has changed.
    """
    record = read_record(run_dir)
    layout = _recorded(run_dir, record) if layout == Layout() else layout
    return read_all(_fitted_table(run_dir, record["data"]), layout)[0]


def _recorded(run_dir: Path, record: dict) -> Layout:
    """Where the table was in its file."""
    settings = record.get("fit", {})
    found = {name: settings[name] for name in _LAYOUT if name in settings}
    for name, value in found.items():
        if not isinstance(value, _LAYOUT[name]):
            raise InputError(f"The run.toml of {run_dir} is damaged or was changed: fit.{name} has the wrong type.")
    return Layout(**found)


def _fitted_table(run_dir: Path, data: dict) -> Path:
    if not isinstance(data.get("file"), str) or not isinstance(data.get("sha256"), str):
        raise InputError("The run was fitted on a data frame or a query, not on a file; specify a table with --file.")
    file = Path(data["file"])
    found = located(file, data["sha256"], run_dir)
    if not _is_there(found):
        raise InputError(f"The table of the run is no longer at {file.absolute()}; specify its path with --file.")
    if data_hash(found) != data["sha256"]:
        raise InputError(f"{found} has changed since the run; specify the original table with --file.")
    return found


def located(file: Path, digest: str, run_dir: Path) -> Path:
    """The present path of a table of a run, looked for from here, from the run folder and from the folder around it.

    The first with the recorded SHA-256; if there is none, the first that exists, else `file` itself.
    """
    home = run_dir.absolute()
    there = [path for path in (file, home / file, home.parent / file) if _is_there(path)]
    return next((path for path in there if data_hash(path) == digest), there[0] if there else file)


def _is_there(table: Path) -> bool:
    """Whether there is such a file, a folder with tables or a file that matches a pattern."""
    try:
        return all(file.is_file() for file in files_of(table))
    except InputError:
        return False
