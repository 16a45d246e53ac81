"""Find the table that a run was fitted on, and where it is in its file."""

from __future__ import annotations

from pathlib import Path

from shrinkwise.tables import InputError, Layout, data_hash

from .two_runs import read_record


def fitted_table(run_dir: Path) -> Path:
    """The path recorded in run.toml. Raises InputError if the table is not a file, is missing or has changed."""
    record = read_record(run_dir)["data"]
    if not isinstance(record.get("file"), str) or not isinstance(record.get("sha256"), str):
        raise InputError("The run was fitted on a data frame, not on a file; specify a table with --file.")
    file = Path(record["file"])
    found = located(file, record["sha256"], run_dir)
    if not found.exists():
        raise InputError(f"The table of the run is no longer at {file.absolute()}; specify its path with --file.")
    if data_hash(found) != record["sha256"]:
        raise InputError(f"{found} has changed since the run; specify the original table with --file.")
    return found


def fitted_layout(run_dir: Path) -> Layout:
    """Where the table is in its file, as the run was asked."""
    asked = read_record(run_dir).get("fit", {})
    return Layout(asked.get("header"), asked.get("no_header", False), asked.get("skip", 0), asked.get("sheet"))


def located(file: Path, digest: str, run_dir: Path) -> Path:
    """The present path of a file of a run, looked for from here, from the run folder and from the folder around it.

    The first with the recorded SHA-256; if there is none, the first that exists, else `file` itself.
    """
    home = run_dir.absolute()
    there = [path for path in (file, home / file, home.parent / file) if path.is_file()]
    return next((path for path in there if data_hash(path) == digest), there[0] if there else file)
