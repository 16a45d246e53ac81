"""Sums over the blocks of a source: one contribution per part, merged as a binary tree in the order of the parts.

The tree depends on the parts alone, so that the digits are the same on one machine and on a cluster, however many workers it
has and whichever of them are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .blocks import RowBlock, RowBlocks
from .tree import Tree

_Sum = TypeVar("_Sum")


@dataclass(frozen=True)
class Bound:
    """A function of blocks with further arguments, as a picklable object."""

    function: Callable
    arguments: tuple

    def __call__(self, blocks):
        """The function of the blocks and of the further arguments."""
        return self.function(blocks, *self.arguments)


class PartStore(Protocol):
    """Where finished parts of a pass are kept, so that an interrupted one goes on; on a cluster only their sum is."""

    def get(self, part: int) -> tuple[Any, int] | None:
        """The contribution of a part and its number of rows; None if they are not stored."""

    def put(self, part: int, contribution: Any, n_rows: int) -> None:
        """Store them."""

    def of_whole(self) -> PartStore:
        """The store of the sum of all parts, as its part 0."""


def reduce_rows(
    rows: RowBlocks,
    contribute: Callable[[Iterable[RowBlock]], _Sum],
    merge: Callable[[_Sum, _Sum], _Sum],
    columns: list[str] | None = None,
    progress: Callable[[int], Any] | None = None,
    store: PartStore | None = None,
) -> _Sum:
    """merge(merge(c(part 0), c(part 1)), …) over all parts, in one pass.

    contribute : the sum over the blocks of one part. merge : the sum of two of them.
    progress : called with the number of rows of each block that has been read (of each part, with a scheduler, or if stored).
    store : parts that it has are not read again, the others are stored when they are finished; with a scheduler the sum of all.
    """
    rows.start_pass()
    if rows.scheduler is not None:
        return _on_cluster(rows, contribute, merge, columns, progress, None if store is None else store.of_whole())
    tree: Tree = Tree(merge)
    first = 0
    for k, part in enumerate(rows.parts):
        known = None if store is None else store.get(k)
        if known is None:
            blocks = Counted(rows.blocks_of(part, first, columns), progress)
            known = contribute(blocks), blocks.n
            if store is not None:
                store.put(k, *known)
        elif progress is not None:
            progress(known[1])
        tree.add(known[0])
        first += known[1]
    rows._seen["n"] = first
    return tree.total()


def _on_cluster(rows: RowBlocks, contribute, merge, columns, progress, store: PartStore | None):
    """The sum of all parts, from the store or from the cluster."""
    from .cluster import reduce_on

    known = None if store is None else store.get(0)
    if known is None:
        found = reduce_on(rows, contribute, merge, columns, progress)
        if store is not None:
            store.put(0, found, rows._seen["n"])
        return found
    found, rows._seen["n"] = known
    if progress is not None:
        progress(rows._seen["n"])
    return found


class Counted:
    """Blocks, with the number of rows that went by."""

    def __init__(self, blocks: Iterator[RowBlock], progress):
        self.blocks, self.progress, self.n = blocks, progress, 0

    def __iter__(self):
        for block in self.blocks:
            yield block
            self.n += len(block)
            if self.progress is not None:
                self.progress(len(block))
