"""Find the table that a run was fitted on."""

from __future__ import annotations

from pathlib import Path

from shrinkwise.tables import InputError, data_hash

from .two_runs import read_record


def fitted_table(run_dir: Path) -> Path:
    """The path recorded in run.toml. Raises InputError if the table is not a file, is missing or has changed."""
    record = read_record(run_dir)["data"]
    if not isinstance(record.get("file"), str) or not isinstance(record.get("sha256"), str):
        raise InputError("The run was fitted on a data frame, not on a file; specify a table with --file.")
    file = Path(record["file"])
    if not file.exists():
        raise InputError(f"The table of the run is no longer at {file.absolute()}; specify its path with --file.")
    if data_hash(file) != record["sha256"]:
        raise InputError(f"{file} has changed since the run; specify the original table with --file.")
    return file
