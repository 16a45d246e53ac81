"""Rows in blocks: what a source gives, whatever it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_BLOCK_VALUES, _FEWEST, _MOST = 2_000_000, 1024, 65_536


class RowsError(ValueError):
    """A source of rows, or a value in it, that cannot be used; the message is one sentence that gives the file and the row."""


class SourcePart(Protocol):
    """A piece of a source that can be read without the others, here or on another machine (it can be pickled)."""

    origin: str  # the file, or what stands for it in an error
    offset: int  # number of the part's first row in it

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """These columns, in frames of any height."""

    def count(self) -> int | None:
        """Number of rows, if it is known without reading all of them."""


@dataclass(frozen=True)
class RowBlock:
    """Successive rows of a source.

    first : number of its first row, from 0, over all parts of the source.
    frame : polars frame with the columns asked for.
    origin, offset : the file (or what stands for it), and the number of the first row in it.
    """

    first: int
    frame: pl.DataFrame
    origin: str
    offset: int

    def __len__(self) -> int:
        return self.frame.height

    def place(self, row: int) -> str:
        """Where a row of the block is, for an error: file and row, counted from 1."""
        return f"{self.origin}, row {self.offset + row + 1}"

    def matrix(self, columns: Sequence[str]) -> np.ndarray:
        """(n, p) float64 in Fortran order, finite; RowsError names file, row and column of what is not a finite number."""
        X = np.empty((len(self), len(columns)), order="F")
        for j, name in enumerate(columns):
            X[:, j] = self._numeric(name)
        with np.errstate(over="ignore", invalid="ignore"):
            if not np.isfinite(X.sum()) and not np.isfinite(X).all():
                row, j = np.argwhere(~np.isfinite(X))[0]
                self._refuse(int(row), columns[j], X[row, j])
        return X

    def numbers(self, name: str) -> np.ndarray:
        """One column (n,) as finite float64."""
        return self.matrix([name])[:, 0]

    def values(self, name: str) -> np.ndarray:
        """One column (n,) as it is, without missing values."""
        column = self.frame.get_column(name)
        if column.null_count():
            row = int(column.is_null().arg_max() or 0)
            raise RowsError(f"Expected a value of {name!r} in every row, got a missing one in {self.place(row)}")
        return column.to_numpy()

    def _numeric(self, name: str):
        column = self.frame.get_column(name)
        if not (column.dtype.is_numeric() or str(column.dtype) == "Boolean"):
            raise RowsError(
                f"Expected numbers in column {name!r}, got {str(column.dtype).lower()} values in {self.origin}; "
                "encode or leave out this column, or use shrinkwise.fit, which encodes it"
            )
        return column.cast(float).to_numpy()

    def _refuse(self, row: int, name: str, value):
        null = self.frame.get_column(name)[row] is None
        what = "a missing value" if null else "NaN" if np.isnan(value) else f"{value:g}"
        raise RowsError(
            f"Expected finite numbers in column {name!r}, got {what} in {self.place(row)}; impute such values or drop "
            "these rows"
        )


@dataclass(frozen=True)
class RowBlocks:
    """The rows of a source, read in blocks as often as needed; made by `shrinkwise.rows`.

    Attributes
    ----------
    columns : all columns in order;  inputs : those that are not the target, the weight or the group.
    schema : {column: polars type}.
    target, weight, group : names of columns, the last two may be None.
    parts : pieces that can be read independently, in order.
    n : number of rows, None until it is known (after the first pass, or earlier where the source stores it).
    """

    parts: Sequence[SourcePart]
    schema: Mapping[str, Any]
    target: str | None
    weight: str | None = None
    group: str | None = None
    one_pass: bool = False
    sparse: ClassVar[bool] = False
    named: bool = True  # whether the columns have names of their own
    scheduler: Any = None
    transform: Callable[[Any], Any] | None = None
    _inputs: tuple[str, ...] | None = None
    _seen: dict = field(default_factory=dict, repr=False, compare=False)

    @property
    def columns(self) -> list[str]:
        """All columns of the source."""
        return list(self.schema)

    @property
    def inputs(self) -> list[str]:
        """The columns that are not the target, the weight or the group; after `map` those it gives."""
        if self._inputs is not None:
            return list(self._inputs)
        return [name for name in self.schema if name not in (self.target, self.weight, self.group)]

    @property
    def n(self) -> int | None:
        """Number of rows, None while it is not known."""
        if "n" not in self._seen:
            counts = [part.count() for part in self.parts]
            if any(count is None for count in counts):
                return None
            self._seen["n"] = sum(count or 0 for count in counts)
        return self._seen["n"]

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[RowBlock]:
        """The rows in order, in blocks of about 16 MB. `columns` are read (all by default), before `map` acts on them."""
        self.start_pass()
        first = 0
        for part in self.parts:
            for block in self.blocks_of(part, first, columns):
                yield block
                first = block.first + len(block)
        self._seen["n"] = first

    def blocks_of(self, part: SourcePart, first: int, columns: Sequence[str] | None = None) -> Iterator[RowBlock]:
        """The rows of one part, the first of which has the number `first`."""
        columns = self.columns if columns is None else columns
        offset, height = part.offset, block_rows(len(columns))
        for frame in _rebatched(part.frames(columns), height):
            yield RowBlock(first, self._mapped(frame), part.origin, offset)
            first, offset = first + frame.height, offset + frame.height

    def start_pass(self) -> None:
        """RowsError if the source can be read once and has been read."""
        if self.one_pass and self._seen.get("read"):
            raise RowsError(
                "The rows come from an iterator, which can be read once, and a second pass is needed; pass a function that "
                "returns a new iterator, or a file"
            )
        self._seen["read"] = True

    @property
    def shell(self) -> RowBlocks:
        """The same columns without parts and scheduler: what a function of blocks takes to the workers of a cluster."""
        return replace(self, parts=(), scheduler=None, _seen={})

    def map(self, function: Callable[[pl.DataFrame], pl.DataFrame], inputs: Sequence[str]) -> RowBlocks:
        """The same rows with `function` applied to the frame of each block; `inputs` are the columns it gives.

        The frame it returns has the same height. The target, the weight and the group are added where it has left them out.
        With Dask it must be picklable.
        """
        if self.transform is not None:
            raise ValueError("The rows are mapped already; pass one function that does both steps")
        return replace(self, transform=function, _inputs=tuple(inputs))

    def _mapped(self, frame):
        if self.transform is None:
            return frame
        mapped = self.transform(frame)
        if mapped.height != frame.height:
            raise RowsError(f"Expected the mapped frame to have {frame.height} rows, got {mapped.height}")
        special = [name for name in (self.target, self.weight, self.group) if name is not None]
        left = [frame.get_column(name) for name in special if name not in mapped.columns and name in frame.columns]
        return mapped.with_columns(left) if left else mapped


def are_rows(X) -> bool:
    """Whether X are rows in blocks, and no array or frame."""
    return hasattr(X, "blocks") and hasattr(X, "inputs")


def block_rows(width: int) -> int:
    """The height of a block with so many columns: about 16 MB of float64."""
    return min(_MOST, max(_FEWEST, _BLOCK_VALUES // max(width, 1)))


def exactly(columns: Sequence[str]) -> list[str]:
    """The names of columns for a lazy frame, in which one such as "^x.*$" is a pattern unless it is escaped."""
    return [f"^{re.escape(name)}$" if name.startswith("^") and name.endswith("$") else name for name in columns]


def with_types(frame: pl.DataFrame, types: Mapping[str, Any]) -> pl.DataFrame:
    """The frame with these types of its columns."""
    import polars as pl

    same = all(dtype == types[name] for name, dtype in frame.schema.items())
    return frame if same else pl.DataFrame([column.cast(types[column.name]) for column in frame.get_columns()])


def _rebatched(frames: Iterator[pl.DataFrame], height: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of `height` rows, the last one shorter; empty frames are skipped."""
    import polars as pl

    held: list = []
    size = 0
    for frame in frames:
        if frame.height == 0:
            continue
        held.append(frame)
        size += frame.height
        if size < height:
            continue
        whole = pl.concat(held, rechunk=False) if len(held) > 1 else held[0]
        full = size - size % height
        for start in range(0, full, height):
            yield whole.slice(start, height)
        held, size = ([whole.slice(full)], size - full) if full < size else ([], 0)
    if held:
        yield pl.concat(held, rechunk=False) if len(held) > 1 else held[0]
