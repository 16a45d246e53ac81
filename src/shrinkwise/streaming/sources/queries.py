"""The rows of a SQL query, read in batches by polars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from shrinkwise.streaming.blocks import RowsError, block_rows

from .frames import same_columns

_LOOK = 10_000  # rows from which types are inferred


@dataclass(frozen=True)
class QueryPart:
    """A query that is run for every pass."""

    query: str
    database: Any
    schema: Mapping[str, Any]
    origin: str = "the query"
    offset: int = 0

    def count(self) -> int | None:
        """Not known before it is run."""
        return None

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows in the order in which the database returns them."""
        height = block_rows(len(self.schema))
        for k, frame in enumerate(_batches(self.query, self.database, height, self.schema)):
            yield same_columns(frame, self.schema, f"batch {k + 1} of the query")[list(columns)]


def open_query(query, database):
    """The rows of `query` in `database`, a URL or an open connection."""
    if not isinstance(query, str):
        raise RowsError(f"Expected a SQL query as text with database=, got {type(query).__name__}")
    first = next(_batches(query, database, _LOOK, None), None)
    if first is None or not first.width:
        raise RowsError("Expected a query with at least one column and one row, got none")
    schema = {
        name: pl.Float64() if dtype.is_integer() or dtype == pl.Null else dtype for name, dtype in first.schema.items()
    }
    return [QueryPart(query, database, schema)], schema, False


def _batches(query: str, database, height: int, schema) -> Iterator[pl.DataFrame]:
    connection, close = _connected(database)
    try:
        yield from pl.read_database(
            query, connection, iter_batches=True, batch_size=height, schema_overrides=schema, infer_schema_length=_LOOK
        )
    except RowsError:
        raise
    except Exception as error:  # each driver raises its own
        raise RowsError(f"The query failed: {_first_line(error)}") from error
    finally:
        if close:
            connection.close()


def _connected(database):
    """(connection, whether it is ours to close) of a URL; anything but a text is a connection already."""
    if not isinstance(database, str):
        return database, False
    if database.startswith("sqlite:///"):
        import sqlite3
        from pathlib import Path

        path = Path(database.removeprefix("sqlite:///"))
        if not path.is_file():  # sqlite3 would create it
            raise RowsError(f"There is no database file {path}")
        return sqlite3.connect(path), True
    if "://" not in database:
        raise RowsError(f"Expected the URL of a database, such as sqlite:///sales.db, got {database!r}")
    try:
        from sqlalchemy import create_engine
    except ImportError as error:
        raise RowsError(
            f"Reading {database.split('://')[0]} databases requires SQLAlchemy; install sqlalchemy and the driver of the "
            "database, or pass an open connection"
        ) from error
    try:
        return create_engine(database).connect(), True
    except Exception as error:  # sqlalchemy's, or that of a driver
        raise RowsError(f"The database cannot be opened: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
