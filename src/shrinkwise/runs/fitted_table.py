"""The table that a run was fitted on, found again."""

from __future__ import annotations

from pathlib import Path

from shrinkwise.tables import InputError, data_hash

from .two_runs import read_record


def fitted_table(run_dir: Path) -> Path:
    """Its path as run.toml records it. Raises InputError where it is no file, has gone or has changed."""
    record = read_record(run_dir)["data"]
    if "file" not in record:
        raise InputError("That run was fitted on a data frame, not on a file; name a table with --file.")
    file = Path(record["file"])
    if not file.exists():
        raise InputError(f"The table of that run is no longer at {file.absolute()}; name it with --file.")
    if data_hash(file) != record["sha256"]:
        raise InputError(f"{file} has changed since that run; name the table with --file.")
    return file
