"""Rows in blocks, from sources larger than memory: the protocol, the sources, folds by hash, and sums over blocks.

`shrinkwise.rows` opens a source. polars is loaded when the first source is opened, Dask only for its collections and
schedulers.
"""

from __future__ import annotations

from .blocks import RowBlock, RowBlocks, RowsError, are_rows
from .folds import fold_numbers
from .opening import rows
from .reduction import Bound, reduce_rows
from .sparse import SparseRows

__all__ = [
    "Bound",
    "RowBlock",
    "RowBlocks",
    "RowsError",
    "SparseRows",
    "are_rows",
    "fold_numbers",
    "reduce_rows",
    "rows",
]
