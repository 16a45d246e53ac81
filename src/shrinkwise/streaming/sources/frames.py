"""Frames, lazy frames, iterators of frames, and arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from shrinkwise.streaming.blocks import RowsError, block_rows, exactly, with_types

_PART_ROWS = 1_000_000


@dataclass(frozen=True)
class FramePart:
    """Rows of a frame in memory."""

    frame: pl.DataFrame
    origin: str = "the data frame"
    offset: int = 0

    def count(self) -> int | None:
        """Number of rows."""
        return self.frame.height

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The columns asked for."""
        yield self.frame[list(columns)]


@dataclass(frozen=True)
class LazyPart:
    """The rows of a lazy frame, collected in batches."""

    lazy: pl.LazyFrame
    origin: str = "the lazy frame"
    offset: int = 0

    def count(self) -> int | None:
        """Not known before it is collected."""
        return None

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows in order."""
        try:
            yield from self.lazy.select(exactly(columns)).collect_batches(
                chunk_size=block_rows(len(columns)), maintain_order=True
            )
        except (pl.exceptions.PolarsError, OSError) as error:
            raise RowsError(f"The lazy frame cannot be collected: {str(error).splitlines()[0]}") from error


@dataclass(frozen=True)
class StreamPart:
    """The rows of the frames that a function returns, or of an iterator that has been started."""

    make: Callable[[], Iterator[Any]]
    schema: Mapping[str, Any]
    origin: str = "the frames"
    offset: int = 0

    def count(self) -> int | None:
        """Not known before they are read."""
        return None

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows in order; RowsError if a frame has other columns or types than the first."""
        for k, given in enumerate(self.make()):
            yield same_columns(as_polars(given), self.schema, f"frame {k + 1}")[list(columns)]


@dataclass(frozen=True)
class ArrayPart:
    """Some rows of an array, with arrays for the columns that are not in it."""

    X: Any
    names: tuple[str, ...]
    beside: Mapping[str, Any]
    offset: int
    origin: str = "the array"

    def count(self) -> int | None:
        """Number of rows."""
        return len(self.X)

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Frames of about 16 MB, so that no more of a file on disk is in memory."""
        step = block_rows(len(columns))
        for start in range(0, len(self.X), step):
            part = slice(start, start + step)
            block = np.asarray(self.X[part])
            known = {name: np.asarray(values[part]) for name, values in self.beside.items()}
            known |= {name: np.ascontiguousarray(block[:, j]) for j, name in enumerate(self.names)}
            yield pl.DataFrame({name: known[name] for name in columns})


def open_frame(source):
    """A frame in memory, of any library that narwhals knows."""
    frame = as_polars(source)
    return [FramePart(frame)], dict(frame.schema), False


def open_lazy(source: pl.LazyFrame):
    """A lazy frame of polars."""
    try:
        schema = dict(source.collect_schema())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RowsError(f"The lazy frame cannot be collected: {str(error).splitlines()[0]}") from error
    return [LazyPart(source)], schema, False


def open_frames(source):
    """A list of frames, a function that returns an iterator of frames, or an iterator."""
    if isinstance(source, (list, tuple)):
        frames = [as_polars(each) for each in source]
        if not frames:
            raise RowsError("Expected at least one frame, got an empty list")
        schema = common_schema(frames)
        parts = [FramePart(same_columns(f, schema, f"frame {k + 1}"), f"frame {k + 1}") for k, f in enumerate(frames)]
        return parts, schema, False
    once = not callable(source)
    frames = iter(source if once else source())
    first = next(frames, None)
    if first is None:
        raise RowsError("Expected at least one frame, got an iterator without any")
    schema = dict(as_polars(first).schema)
    make = (lambda: chain([first], frames)) if once else source
    return [StreamPart(make, schema)], schema, once


def open_array(source: np.ndarray, special: dict):
    """An array (n, p); those of `special` that are arrays become columns of their own."""
    if source.ndim != 2 or 0 in source.shape:
        raise RowsError(f"Expected an array of shape (n, p) with n ≥ 1 and p ≥ 1, got {source.shape}")
    beside = {role: value for role, value in special.items() if isinstance(value, np.ndarray)}
    for role, values in beside.items():
        if values.shape != (len(source),):
            raise RowsError(f"Expected {role} of shape ({len(source)},), as the array has rows, got {values.shape}")
    names = tuple(f"x{j}" for j in range(source.shape[1]))
    for role, value in special.items():
        if isinstance(value, (int, np.integer)) and 0 <= value < len(names):
            special[role] = names[value]
    parts = []
    for start in range(0, len(source), _PART_ROWS):
        own = slice(start, start + _PART_ROWS)
        parts.append(ArrayPart(source[own], names, {role: values[own] for role, values in beside.items()}, start))
    schema = dict(next(parts[0].frames([*names, *beside])).schema)
    return parts, schema, False


def as_polars(given) -> pl.DataFrame:
    """A frame of any library as one of polars."""
    if isinstance(given, pl.DataFrame):
        return given
    try:
        return nw.from_native(given, eager_only=True).to_polars()
    except Exception as error:  # each library raises its own
        raise RowsError(
            "Expected a file, a folder, a pattern, a frame, frames, an array or a Dask collection, got "
            f"{type(given).__name__}"
        ) from error


def same_columns(frame: pl.DataFrame, schema: Mapping[str, Any], origin: str) -> pl.DataFrame:
    """The frame, after a check that it has the columns of the first one with the same types, or other numbers."""
    for name, dtype in schema.items():
        if name not in frame.columns:
            raise RowsError(f"Expected all frames to have the same columns, but {origin} lacks {name!r}")
        other = frame.schema[name]
        if other != dtype and not (other.is_numeric() and dtype.is_numeric()) and other != pl.Null:
            raise RowsError(
                f"Expected {name!r} to have the type {dtype} of the first frame, but it is {other} in {origin}"
            )
    more = [name for name in frame.columns if name not in schema]
    if more:
        raise RowsError(f"Expected all frames to have the same columns, but {origin} also has {more[0]!r}")
    return with_types(frame, schema)


def common_schema(frames: Sequence[pl.DataFrame]) -> dict[str, Any]:
    """The columns of the first frame; those that hold numbers of several types are floats."""
    found = dict(frames[0].schema)
    for frame in frames[1:]:
        for name, dtype in frame.schema.items():
            if name in found and dtype != found[name] and dtype.is_numeric() and found[name].is_numeric():
                found[name] = pl.Float64()
    return found
