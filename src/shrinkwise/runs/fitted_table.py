"""The table that a run was fitted on, found again."""

from __future__ import annotations

from pathlib import Path

from shrinkwise.tables import InputError, data_hash

from .two_runs import read_record


def fitted_table(run_dir: Path) -> Path:
    """Its path as run.toml records it. Raises InputError where it is no file, has gone or has changed."""
    record = read_record(run_dir)["data"]
    if not isinstance(record.get("file"), str) or not isinstance(record.get("sha256"), str):
        raise InputError("That run was fitted on a data frame, not on a file; name a table with --file.")
    file = Path(record["file"])
    found = located(file, record["sha256"], run_dir)
    if not found.exists():
        raise InputError(f"The table of that run is no longer at {file.absolute()}; name it with --file.")
    if data_hash(found) != record["sha256"]:
        raise InputError(f"{found} has changed since that run; name the table with --file.")
    return found


def located(file: Path, digest: str, run_dir: Path) -> Path:
    """Where the file of a run is now: as recorded from here, else from the run folder or the folder around it.

    The first that has the recorded SHA-256; where none has, the first that exists, else `file` itself.
    """
    home = run_dir.absolute()
    there = [path for path in (file, home / file, home.parent / file) if path.is_file()]
    return next((path for path in there if data_hash(path) == digest), there[0] if there else file)
