"""The table that a run was fitted on."""

from __future__ import annotations

from pathlib import Path


def table_of(run_dir: Path) -> Path:
    """The table that a run was fitted on, while it is the same."""
    from shrinkwise.runs.two_runs import read_record
    from shrinkwise.tables import InputError, data_hash

    record = read_record(run_dir)["data"]
    if not isinstance(record.get("file"), str) or not isinstance(record.get("sha256"), str):
        raise InputError("That run was fitted on a data frame, not on a file: name a table with --file.")
    file = Path(record["file"])
    if not file.exists():
        raise InputError(f"The table of that run is not at {file.absolute()} any more: name it with --file.")
    if data_hash(file) != record["sha256"]:
        raise InputError(f"{file} is not the table of that run any more: name another with --file.")
    return file
