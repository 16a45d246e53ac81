"""Dask data frames and arrays: a part per partition, computed where the part is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from shrinkwise.streaming.blocks import RowsError

from .frames import as_polars, same_columns


@dataclass(frozen=True)
class PartitionPart:
    """One partition: a delayed frame, or delayed blocks of rows of arrays."""

    delayed: Any
    schema: Mapping[str, Any]
    origin: str
    names: tuple[str, ...] | None = None  # of the columns of an array
    offset: int = 0

    def count(self) -> int | None:
        """Not known before it is computed."""
        return None

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The partition as one frame."""
        import dask

        found = dask.compute(self.delayed, scheduler="synchronous")[0]
        if self.names is None:
            frame = as_polars(found)
        else:
            X, beside = np.asarray(found[0]), found[1:]
            known = {name: np.ascontiguousarray(X[:, j]) for j, name in enumerate(self.names[: X.shape[1]])}
            frame = pl.DataFrame(known | dict(zip(self.names[X.shape[1] :], map(np.asarray, beside), strict=True)))
        yield same_columns(frame, self.schema, self.origin)[list(columns)]


def open_collection(source, special: dict):
    """The partitions of a Dask data frame, or the row blocks of a Dask array with arrays for columns of `special`."""
    if hasattr(source, "divisions"):
        schema = dict(as_polars(source.head(1, npartitions=-1)).schema)
        parts = [PartitionPart(d, schema, f"partition {k + 1}") for k, d in enumerate(source.to_delayed())]
        return parts, schema, False
    if source.ndim != 2:
        raise RowsError(f"Expected a Dask array of shape (n, p), got {source.ndim} dimensions")
    whole = source.rechunk({1: -1})
    names = [f"x{j}" for j in range(source.shape[1])]
    rows, columns = [whole.to_delayed()[:, 0]], dict.fromkeys(names, pl.Float64())
    for role, value in special.items():
        if isinstance(value, (int, np.integer)):
            special[role] = names[value]
        elif hasattr(value, "__dask_graph__"):
            rows.append(value.rechunk((whole.chunks[0],)).to_delayed())
            special[role] = role
            names.append(role)
            columns[role] = pl.Float64()
    parts = [
        PartitionPart(list(delayed), columns, f"block {k + 1}", tuple(names))
        for k, delayed in enumerate(zip(*rows, strict=True))
    ]
    return parts, columns, False
