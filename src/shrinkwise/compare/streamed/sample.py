"""The first pass over the rows: a random sample of those with a target, and what must be counted in all of them.

The sample holds the rows whose numbers have the smallest hashes, so that it does not depend on blocks, files and machines.
A share q of the rows is q ± √(q (1 − q)/n) in a sample of n, so that a quantile of 50 000 rows is off by less than 0.0045 in
rank (two standard errors, at the median).
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import polars as pl
from polars import selectors

from shrinkwise.streaming import Bound, RowBlock, RowBlocks, RowsError, reduce_rows
from shrinkwise.streaming.folds import hashes
from shrinkwise.tables import InputError
from shrinkwise.tables.columns.kinds import as_numbers, as_text, unusable_type
from shrinkwise.tables.errors import RowError
from shrinkwise.tables.plan.parts import rows_to_use

from .pieces import PartSums, StoredPass

SAMPLE_ROWS, _SAMPLE_VALUES, _FEWEST = 50_000, 10_000_000, 2_000
_SEED = 0x5A  # other than that of the folds, so that the sample is spread over them
_LARGEST_HASH = np.uint64(2**64 - 1)
_MOST_TEXTS = 1000  # different texts of a target that are counted


@dataclass(frozen=True)
class TableSample:
    """Rows of a table with a target, and counts over all rows.

    frame: the rows of the sample, in the order of the table. numbers: the number of each in the table, from 0. n_read, n_used:
    all rows, and those with a target and a weight above 0. missing: how many of these have no value, by column. low, high:
    the range of a numeric target. texts: the rows of each of its values, if they are at most 1000 texts or whole numbers.
    bare: the files in which no row has a target. places: of every part the file, the number of its first row there, from 0,
    and its rows.
    """

    frame: pl.DataFrame
    numbers: np.ndarray
    n_read: int = 0
    n_used: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    low: float = np.inf
    high: float = -np.inf
    texts: Counter[str] | None = field(default_factory=Counter)
    bare: list[str] = field(default_factory=list)
    places: list[tuple[str, int, int]] = field(default_factory=list)

    def located(self, error: RowError) -> InputError:
        """An error that names a row of the table, with the file of the row and its place there."""
        first = 0
        for origin, offset, n in self.places:
            if error.row <= first + n:
                return error.moved(offset - first, origin)
            first += n
        return error

    @classmethod
    def joined(cls, parts: Sequence[TableSample], most: int) -> TableSample:
        """The sample of the rows of all parts."""
        texts: Counter[str] | None = Counter()
        for part in parts:
            texts = None if texts is None or part.texts is None else texts + part.texts
            texts = None if texts is None or len(texts) > _MOST_TEXTS else texts
        return cls(
            frame=pl.concat([part.frame for part in parts]),
            numbers=np.concatenate([part.numbers for part in parts]),
            n_read=sum(part.n_read for part in parts),
            n_used=sum(part.n_used for part in parts),
            missing=sum((part.missing for part in parts), Counter()),
            low=min(part.low for part in parts),
            high=max(part.high for part in parts),
            texts=texts,
            bare=[each for part in parts for each in part.bare],
            places=[each for part in parts for each in part.places],
        ).at_most(most)

    def at_most(self, most: int) -> TableSample:
        """With the rows of the `most` smallest hashes."""
        if len(self.numbers) <= most:
            return self
        some = np.sort(np.argpartition(hashes(self.numbers, _SEED), most)[:most])
        return replace(self, frame=self.frame[some], numbers=self.numbers[some])

    def arrays(self) -> dict[str, np.ndarray]:
        """As arrays, of which `of` restores it."""
        buffer = io.BytesIO()
        self.frame.write_ipc(buffer)
        counts = {"missing": self.missing, "texts": self.texts, "bare": self.bare, "places": self.places}
        return {
            "frame": np.frombuffer(buffer.getvalue(), dtype=np.uint8),
            "numbers": self.numbers,
            "scalars": np.array([self.n_read, self.n_used, self.low, self.high]),
            "counts": np.array(json.dumps(counts)),
        }

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> TableSample:
        """From `arrays`."""
        n_read, n_used, low, high = arrays["scalars"].tolist()
        counts = json.loads(str(arrays["counts"]))
        texts = None if counts["texts"] is None else Counter(counts["texts"])
        frame = pl.read_ipc(io.BytesIO(arrays["frame"].tobytes()))
        missing = Counter(counts["missing"])
        places = [(origin, offset, n) for origin, offset, n in counts["places"]]
        size = (int(n_read), int(n_used))
        return cls(frame, arrays["numbers"], *size, missing, low, high, texts, counts["bare"], places)


def sampled(
    rows: RowBlocks, target: str, weight: str | None, pieces: PartSums, progress: Callable[[int], None]
) -> TableSample:
    """The sample of the rows of a source, in one pass. `progress` is called with the number of rows of each block.

    Raises InputError for a source without rows that have a target, and for a weight that is not a number ≥ 0, with its row.
    """
    most = max(_FEWEST, min(SAMPLE_ROWS, _SAMPLE_VALUES // len(rows.schema)))
    work, merge = Bound(_of_part, (target, weight, most)), partial(_joined, most=most)
    store = StoredPass(pieces, "sample", TableSample.arrays, TableSample.of)
    try:
        whole = reduce_rows(rows, work, merge, progress=progress, store=store)
    except RowsError as error:
        raise InputError(f"{str(error).removesuffix('.')}.") from error
    if whole is None or not whole.n_used:
        raise InputError(f"No row of the table has a value in {target!r}; choose another target.")
    return whole.at_most(most)


def _joined(one: TableSample | None, other: TableSample | None, most: int) -> TableSample | None:
    return other if one is None else one if other is None else TableSample.joined([one, other], most)


def _of_part(blocks: Iterable[RowBlock], target: str, weight: str | None, most: int) -> TableSample | None:
    """The sample of one part; None if it has no rows."""
    place, held, largest = ("", 0), list[TableSample](), _LARGEST_HASH
    for block in blocks:
        place = place if held else (block.origin, block.offset)
        held.append(_of_block(block, target, weight, largest))
        if sum(len(each.numbers) for each in held) > 2 * most:
            held = [TableSample.joined(held, most)]
            largest = hashes(held[0].numbers, _SEED).max()
    if not held:
        return None
    found = TableSample.joined(held, most)
    return replace(found, bare=[] if found.n_used else [place[0]], places=[(*place, found.n_read)])


def _of_block(block: RowBlock, target: str, weight: str | None, largest: np.uint64) -> TableSample:
    """The counts of a block, and those of its rows with a hash of at most `largest`."""
    frame = block.frame
    try:
        present = rows_to_use(frame[target], None if weight is None else frame[weight])
    except RowError as error:
        raise error.moved(block.offset, block.origin) from None
    numbers = np.arange(block.first, block.first + len(block))[present]
    used = frame if present.all() else frame.filter(pl.Series(present))
    values = as_numbers(used[target]) if used[target].dtype.is_numeric() else np.empty(0)
    some = np.flatnonzero(hashes(numbers, _SEED) <= largest)
    return TableSample(
        used[some],
        numbers[some],
        frame.height,
        used.height,
        _missing(used),
        float(values.min(initial=np.inf)),
        float(values.max(initial=-np.inf)),
        _texts(used[target]),
    )


def _missing(frame: pl.DataFrame) -> Counter[str]:
    """How many rows have no value, by column."""
    nan = frame.select(selectors.float().is_nan().sum())  # all columns at once: an expression costs more than its sum
    counts = {column.name: _n_null(column) for column in frame.get_columns()}
    return +(Counter(counts) + Counter({column.name: column[0] for column in nan.get_columns()}))


def _n_null(column: pl.Series) -> int:
    plain = column.dtype.is_numeric() or unusable_type(column) or column.dtype == pl.Boolean
    return column.null_count() if plain else as_text(column).null_count()


def _texts(target: pl.Series) -> Counter[str] | None:
    """The rows of each value of the target as text; None if there are too many or they are not whole."""
    if target.dtype.is_float() and not (target == target.round()).all():
        return None
    counts = as_text(target).value_counts(name="rows")
    return None if counts.height > _MOST_TEXTS else Counter(dict(counts.rows()))
