"""The rows of files that a model predicts, block by block, so that the memory does not depend on their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shrinkwise.tables.reading.layout import Layout
from shrinkwise.tables.reading.sources import open_table, refuse_absent

from .encoding import Encoder
from .errors import RowError

if TYPE_CHECKING:
    import polars as pl

    from shrinkwise.streaming import RowBlock

_Found = TypeVar("_Found")


class FileRows:
    """The rows of a file, or of a folder or a pattern of files with the same columns. Only needed columns are read.

    `used` are the indices of the inputs in `plan.kept` that the model needs. `several` says that there are several files.

    Raises
    ------
    InputError : for files that cannot be read or lack a column.
    """

    def __init__(self, encoder: Encoder, used: set[int], source: str | Path, layout: Layout | None = None):
        self.encoder, self.used = encoder, used
        self.table = open_table(source, layout or Layout())
        self.several = len(self.table.files) > 1
        kept, exposure = encoder.plan.kept, encoder.plan.exposure
        needed = [kept[i].name for i in sorted(used)] + ([] if exposure is None else [exposure[1]])
        refuse_absent(self.table.rows, needed)
        self._columns = needed or self.table.rows.columns[:1]  # a frame without columns has no rows

    def blocks(self) -> Iterator[RowBlock]:
        """The rows in order."""
        return self.table.rows.blocks(self._columns)

    def done(
        self, block: RowBlock, work: Callable[[pl.DataFrame], _Found], start: int = 0, n: int | None = None
    ) -> _Found:
        """`work` on rows of a block, n from `start` on; an error names the row in the file, and the file among several."""
        try:
            return work(block.frame.slice(start, n))
        except RowError as error:
            raise error.moved(block.offset + start, block.origin if self.several else "") from None
