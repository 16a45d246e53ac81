"""The table of a request, read as its engine says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shrinkwise.tables.errors import InputError

from . import engines
from .request import FitRequest

if TYPE_CHECKING:
    from shrinkwise.compare.streamed.table import StreamedTable
    from shrinkwise.streaming import RowBlocks


@dataclass(frozen=True)
class TableOfRequest:
    """The frame of a table in memory, or its rows in blocks; the request names the engine that was used."""

    request: FitRequest
    frame: Any
    streamed: StreamedTable | None
    notes: list[str]


def read_for(request: FitRequest, progress: Any, pieces: Path | None) -> TableOfRequest:
    """Read the table of a request, into memory or in blocks."""
    from shrinkwise.tables.reading.read import as_frame
    from shrinkwise.tables.reading.sources import read_all

    if request.sql is not None:
        return _read_query(request, progress)
    if request.file is None:
        return TableOfRequest(request, as_frame(request.table), None, [])
    why, file = "", request.file
    if request.engine is None:
        fits, sizes = engines.fits_in_memory(file)
        if not fits:
            request, why = replace(request, engine="stream"), f"The engine stream is used, because {sizes}."
    if request.engine in ("stream", "dask"):
        return _read_in_blocks(request, progress, pieces, why)
    frame, notes = read_all(file, request.layout)
    return TableOfRequest(request, frame, None, notes)


def _read_in_blocks(request: FitRequest, progress: Any, pieces: Path | None, why: str) -> TableOfRequest:
    from shrinkwise import __version__
    from shrinkwise.compare.streamed.pieces import PartSums
    from shrinkwise.compare.streamed.table import pass_key, stamps
    from shrinkwise.streaming.spool import OnDisk
    from shrinkwise.tables.reading.sources import open_table

    assert request.file is not None
    table = open_table(request.file, request.layout, OnDisk(pieces))
    settings = {
        "request": replace(request, n_jobs=None, budget=None, scheduler=None),
        "files": stamps(table.files),
        "version": __version__,
    }
    rows = replace(table.rows, scheduler=request.scheduler) if request.engine == "dask" else table.rows
    streamed = _streamed(request, rows, PartSums(pieces, pass_key(settings)), progress)
    return TableOfRequest(request, None, streamed, [*filter(None, [why]), *table.notes])


def _read_query(request: FitRequest, progress: Any) -> TableOfRequest:
    from shrinkwise.compare.streamed.pieces import PartSums

    assert request.sql is not None
    assert request.database is not None
    if request.engine == "dask":
        raise InputError("The rows of a query are read on one machine; use --engine stream.")
    rows, why = engines.rows_of_query(request.sql, request.database), ""
    if request.engine != "stream":
        frame = engines.read_query(rows)
        if frame is not None:
            return TableOfRequest(request, frame, None, [])
        if request.engine == "memory":
            raise InputError("The rows of the query do not fit in memory; use --engine stream.")
        request, why = (
            replace(request, engine="stream"),
            "The engine stream is used, because the rows do not fit in memory.",
        )
    streamed = _streamed(request, rows, PartSums(), progress)
    return TableOfRequest(request, None, streamed, [why] if why else [])


def _streamed(request: FitRequest, rows: RowBlocks, pieces: Any, progress: Any) -> StreamedTable:
    from shrinkwise.compare.streamed.table import StreamedTable
    from shrinkwise.tables.reading.sources import refuse_absent

    refuse_absent(rows, [request.target, *([] if request.weight is None else [request.weight])])
    return StreamedTable.read(rows, request.target, request.weight, pieces, progress)
