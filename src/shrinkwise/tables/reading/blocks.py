"""The rows of a large text read block by block, so that not all of its texts are in memory at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from shrinkwise.tables.columns.kinds import LEADING_ZERO, typed

_ROWS = 1 << 16
_TEXTS = 8  # columns whose texts are in memory at once


def read_in_blocks(
    read: Callable[[slice, list[int] | None], pl.DataFrame], n_rows: int, names: list[str]
) -> pl.DataFrame:
    """The table of `read(rows, columns)`, which gives texts; its columns are those that `typed` gives for all rows.

    Columns whose texts are plain numbers in every block are read once, the others again and as a whole.
    """
    parts = [slice(start, min(start + _ROWS, n_rows)) for start in range(0, n_rows, _ROWS)]
    columns = [_Numbers(n_rows) for _ in names]
    for part in parts:
        for column, texts in zip(columns, read(part, None), strict=True):
            column.add(part, texts)
    found = {j: numbers for j, column in enumerate(columns) if (numbers := column.taken()) is not None}
    left = [j for j in range(len(names)) if j not in found]
    for start in range(0, len(left), _TEXTS):
        some = left[start : start + _TEXTS]
        cells = pl.concat([read(part, some) for part in parts])
        found |= {j: typed(texts.alias(names[j])) for j, texts in zip(some, cells, strict=True)}
    return pl.DataFrame([found[j].alias(name) for j, name in enumerate(names)])


class _Numbers:
    """A column (n,) of plain numbers, as long as every block of it holds some or is empty."""

    def __init__(self, n_rows: int) -> None:
        self.values, self.missing = np.zeros(n_rows, dtype=np.int64), np.zeros(n_rows, dtype=bool)
        self.plain = True

    def add(self, rows: slice, texts: pl.Series) -> None:
        """Add the texts of some rows."""
        if not self.plain:
            return
        texts, gaps = texts.alias(""), texts.is_null()
        numbers = texts.cast(pl.Int64, strict=False) if self.values.dtype.kind == "i" else texts
        if self.values.dtype.kind == "i" and numbers.null_count() == texts.null_count():
            self.plain = not texts.str.contains(LEADING_ZERO).any()  # such digits may be codes
        else:
            self.values = self.values.astype(np.float64, copy=False)
            numbers = texts.cast(pl.Float64, strict=False)
            self.plain = numbers.null_count() == texts.null_count() and not numbers.is_nan().any()
        self.values[rows], self.missing[rows] = numbers.fill_null(0).to_numpy(), gaps.to_numpy()

    def taken(self) -> pl.Series | None:
        """The column, which is then released; None if some values are not plain numbers, or all are missing."""
        if not self.plain or self.missing.all():
            return None
        found = pl.Series(self.values)
        found = found.set(pl.Series(self.missing), None) if self.missing.any() else found
        self.values = self.values[:0]
        return found
