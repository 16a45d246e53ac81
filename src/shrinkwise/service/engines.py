"""The engine of a fit: the whole table in memory, its rows in blocks, or its rows in blocks on a Dask cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from shrinkwise.tables.errors import InputError
from shrinkwise.tables.reading.files import files_of, text_ending

if TYPE_CHECKING:
    from polars import DataFrame

    from shrinkwise.streaming import RowBlocks

# A comparison holds the table, its encoded training and held-out rows and the copies of one candidate at a time.
_COPIES = 6
_PACKED = 5  # how much larger text is than its .gz
_QUERY_SHARE = 2  # of the memory for a table a query may take before its rows are streamed


def fits_in_memory(source: str | Path) -> tuple[bool, str]:
    """Whether a comparison on these files fits in memory, and the two sizes in words."""
    size, there = sum(map(_bytes, files_of(source))), available_memory()
    words = f"about {_gigabytes(_COPIES * size)} of memory are needed and {_gigabytes(there)} are available"
    return _COPIES * size <= there, words


def available_memory() -> float:
    """Bytes that this process can still use: of the machine, and of its control group if that has a limit."""
    found = [float("inf")]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found += [1024.0 * int(line.split()[1]) for line in file if line.startswith("MemAvailable:")]
        limit, used = (Path(f"/sys/fs/cgroup/memory.{name}").read_text().strip() for name in ("max", "current"))
        if limit != "max":
            found.append(float(limit) - float(used))
    except (OSError, ValueError):
        pass
    if found == [float("inf")] and hasattr(os, "sysconf"):
        found.append(float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))
    return min(found)


def rows_of_query(query: str, database: str) -> RowBlocks:
    """The rows of a query. Raises InputError if it cannot be answered."""
    from shrinkwise.streaming import RowsError
    from shrinkwise.streaming import rows as open_rows

    try:
        return open_rows(query, database=database)  # type: ignore[return-value]  # a query gives no sparse blocks
    except RowsError as error:
        raise InputError(f"{str(error).removesuffix('.')}.") from error


def read_query(rows: RowBlocks) -> DataFrame | None:
    """All rows of a query as one frame; None where it is too large for a comparison in memory."""
    import polars as pl

    from shrinkwise.streaming import RowsError

    frames, size, most = [], 0.0, available_memory() / _COPIES / _QUERY_SHARE
    try:
        for block in rows.blocks():
            frames.append(block.frame)
            size += block.frame.estimated_size()
            if size > most:
                return None
    except RowsError as error:
        raise InputError(f"{str(error).removesuffix('.')}.") from error
    return pl.concat(frames)


def _bytes(file: Path) -> float:
    """The size of a table in memory: 8 bytes a value of columns that are stored as such, else that of the text."""
    if not file.is_file():
        return 0.0  # reading it reports that
    stored = float(file.stat().st_size)
    if file.suffix.lower() == ".gz":
        return _PACKED * stored
    if text_ending(file) not in (".parquet", ".pq"):
        return stored
    import polars as pl

    try:
        scan = pl.scan_parquet(file, glob=False)
        return max(stored, 8.0 * scan.select(pl.len()).collect().item() * len(scan.collect_schema()))
    except (pl.exceptions.PolarsError, OSError):
        return stored


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"
