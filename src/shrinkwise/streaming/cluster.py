"""Sums over rows on the workers of a Dask cluster: a task per part, and a binary tree of merges on the workers.

The tree is the one of a single machine, so that the result has the same digits whichever worker does what. The tasks of a
worker that is lost are run again by others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from itertools import accumulate
from threading import Thread
from typing import Any

from .blocks import RowBlocks, RowsError
from .tree import Tree

_RETRIES = 3  # of a task that fails, as on a machine without memory; lost workers do not count
_CONNECT_SECONDS = 10
_MOST_TASKS, _TASKS_A_WORKER = 512, 16  # of a pass: the scheduler needs some milliseconds for each


def reduce_on(rows: RowBlocks, contribute, merge, columns, progress) -> Any:
    """`reduce_rows` on the cluster of `rows.scheduler`, an address or a Client."""
    if rows.one_pass:
        raise RowsError("An iterator cannot be read on a cluster; pass files, or a function that returns an iterator")
    client, ours = _client(rows.scheduler)
    try:
        return _reduced(client, rows, contribute, merge, columns, progress)
    except RowsError:
        raise
    except Exception as error:
        if not _is_lost(error):
            raise
        raise RowsError(
            f"The Dask cluster was lost ({_first_line(error)}); start it again and repeat the work, a command with --resume"
        ) from error
    finally:
        if ours:
            client.close()


def _reduced(client, rows: RowBlocks, contribute, merge, columns, progress):
    from distributed import as_completed

    counts = _counts(client, rows)
    groups = _groups(rows.parts, counts, max(_MOST_TASKS, _TASKS_A_WORKER * sum(client.nthreads().values())))
    options = {"pure": False, "retries": _RETRIES}
    # A result of a task, unlike scattered data, is computed again if its worker is lost.
    work = client.submit(_work, rows.shell, contribute, merge, **options)
    level = [client.submit(_contribution, work, group, columns, **options) for group in groups]
    result = _tree(level, lambda a, b: client.submit(merge, a, b, **options))
    if progress is not None:
        sizes = {future.key: sum(n for *_, n in group) for future, group in zip(level, groups, strict=True)}
        for done in as_completed(level, loop=client.loop):
            progress(sizes[done.key])
    rows._seen["n"] = sum(counts)
    return client.gather(result)


def _groups(parts, counts: list[int], most: int) -> list[list[tuple]]:
    """The parts, each with its first row and its number of rows, in groups of 2^k for at most so many tasks.

    Each group but the last is a complete subtree of the merges, so that the digits do not depend on k.
    """
    firsts = [0, *accumulate(counts)]
    size = 1
    while len(parts) > most * size:
        size *= 2
    each = list(zip(parts, firsts, counts, strict=False))
    return [each[start : start + size] for start in range(0, len(each), size)]


def _work(shell: RowBlocks, contribute, merge) -> tuple:
    """What every task of a pass needs, as one result on the cluster."""
    return shell, contribute, merge


def _contribution(work: tuple, group: list[tuple], columns):
    shell, contribute, merge = work
    return _tree((contribute(shell.blocks_of(part, first, columns)) for part, first, _ in group), merge)


def _tree(level: Iterable, merge):
    """The contributions, or their futures, merged as `Tree` does."""
    tree: Tree = Tree(merge)
    for each in level:
        tree.add(each)
    return tree.total()


def _counts(client, rows: RowBlocks) -> list[int]:
    """The number of rows of every part; those that are not stored are counted on the workers, once."""
    if "counts" not in rows._seen:
        counts = [part.count() for part in rows.parts]
        missing = [k for k, count in enumerate(counts) if count is None]
        found = client.gather(
            client.map(
                _height, [rows.parts[k] for k in missing], column=next(iter(rows.schema)), pure=False, retries=_RETRIES
            )
        )
        for k, count in zip(missing, found, strict=True):
            counts[k] = count
        rows._seen["counts"] = counts
    return rows._seen["counts"]


def _height(part, column: str) -> int:
    return sum(frame.height for frame in part.frames([column]))


def _client(scheduler):
    """(client, whether it is ours to close)."""
    try:
        from distributed import Client
    except ImportError as error:
        raise RowsError("Reading rows on a Dask cluster requires distributed; install shrinkwise[dask]") from error
    if not isinstance(scheduler, str):
        return scheduler, False
    try:
        return _within(
            2 * _CONNECT_SECONDS, lambda: Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        ), True
    except (OSError, ValueError) as error:
        raise RowsError(
            f"There is no Dask scheduler at {scheduler} ({_first_line(error)}); start one with `dask scheduler`, and workers "
            "with `dask worker`"
        ) from error


def _within(seconds: float, connect: Callable[[], Any]) -> Any:
    """The result of `connect`, or OSError: distributed sets no limit to the reply after the connection."""
    found: Future = Future()

    def run() -> None:
        try:
            found.set_result(connect())
        except BaseException as error:
            found.set_exception(error)

    Thread(target=run, name="connect to the scheduler", daemon=True).start()
    if not wait([found], seconds).done:
        raise OSError(f"No answer within {seconds:g} seconds")
    return found.result()


def _is_lost(error: BaseException) -> bool:
    """Whether an error says that the cluster is gone: no connection, cancelled futures, or tasks that lost all workers."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError

    return isinstance(error, (OSError, CancelledError, CommClosedError, FutureCancelledError, KilledWorker))


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(" .:") if text else type(error).__name__
