"""The first pass over rows in blocks: counts, means, deviations, classes, and a sample that does not depend on the blocks.

The sample are the rows with the smallest hashes of their number, so that sorted rows are sampled evenly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from shrinkwise.linear.problem.row_triangles import targets, weights
from shrinkwise.streaming import Bound, RowBlock, RowBlocks, RowsError, reduce_rows
from shrinkwise.streaming.folds import hashes

_SEED = 7  # of the sample, so that it is independent of the folds
_MOST_CLASSES = 1000
_VALUES, _FEWEST, _MOST = 4_000_000, 5_000, 50_000


def sample_size(p: int) -> int:
    """Rows of the sample: about 32 MB of float64, between 5,000 and 50,000."""
    return min(_MOST, max(_FEWEST, _VALUES // (p + 1)))


@dataclass
class Overview:
    """What the first pass sums.

    n : rows with a weight above 0;  weight : Σ s;  lowest : Σ s min_η f(y, η).
    mean, squares : x̄ (p,) and Σ s (x − x̄)² (p,).  largest : max |x| (p,).
    low, high : (y, where) of the smallest and the largest target.  classes : {label: Σ s}, where they are collected.
    hash, X, y, s : the sample.
    """

    n: int = 0
    weight: float = 0.0
    lowest: float = 0.0
    mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(0))
    largest: np.ndarray = field(default_factory=lambda: np.zeros(0))
    low: tuple = (np.inf, "")
    high: tuple = (-np.inf, "")
    classes: dict = field(default_factory=dict)
    hash: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    X: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    y: np.ndarray = field(default_factory=lambda: np.zeros(0))
    s: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def labels(self) -> np.ndarray:
        """The distinct targets in order, where they are collected."""
        return np.array(sorted(self.classes))


def overview_of(rows: RowBlocks, loss, progress=None) -> Overview:
    """The Overview of all rows, in one pass; for a loss of classes also these."""
    found = reduce_rows(rows, Bound(_contribution, (rows.shell, loss)), _merged, progress=progress)
    if found is None or not found.n:
        raise RowsError("Expected at least one row with a weight above 0, got none")
    return found


def _contribution(blocks: Iterable[RowBlock], rows: RowBlocks, loss) -> Overview | None:
    found = None
    for block in blocks:
        X = block.matrix(rows.inputs)
        y = block.values(rows.target) if loss.coded and rows.target is not None else targets(block, rows)
        s = weights(block, rows)
        part = _of_block(block, X, y, np.ones(len(y)) if s is None else s, loss)
        found = part if found is None else _merged(found, part)
    return found


def _of_block(block: RowBlock, X, y, s, loss) -> Overview:
    number = np.arange(block.first, block.first + len(y))
    if not (s > 0).all():
        present = s > 0
        X, y, s, number = X[present], y[present], s[present], number[present]
    if not len(y):
        p = X.shape[1]
        return Overview(mean=np.zeros(p), squares=np.zeros(p), largest=np.zeros(p), X=X, y=y, s=s)
    weight = float(s.sum())
    mean = s @ X / weight
    hashed, most = hashes(number, _SEED), sample_size(X.shape[1])
    kept = np.sort(np.argpartition(hashed, most)[:most]) if len(y) > most else np.arange(len(y))
    squares, largest = s @ np.square(X - mean), np.abs(X).max(axis=0)
    sample = {"hash": hashed[kept], "X": X[kept], "y": y[kept], "s": s[kept]}
    found = Overview(len(y), weight, 0.0, mean, squares, largest, **sample)
    if loss.coded:
        labels, inverse = np.unique(y, return_inverse=True)
        found.classes = dict(zip(labels.tolist(), np.bincount(inverse, s).tolist(), strict=True))
        _check_classes(found.classes)
    else:
        at = np.searchsorted(np.arange(block.first, block.first + len(block)), number)
        low, high = int(np.argmin(y)), int(np.argmax(y))
        with np.errstate(invalid="ignore"):  # an invalid target is refused once its place is known
            found.lowest = float(s @ loss.lowest(y))
        found.low, found.high = (float(y[low]), block.place(at[low])), (float(y[high]), block.place(at[high]))
    return found


def _check_classes(classes: dict) -> None:
    if len(classes) > _MOST_CLASSES:
        raise RowsError(
            f"Expected at most {_MOST_CLASSES} classes in the target, got more; if it is a number, use PenalizedRegressor"
        )


def _merged(a: Overview | None, b: Overview | None) -> Overview | None:
    """The Overview of two sets of rows. Means and squares as in Chan, Golub, LeVeque, Am. Statist. 1983."""
    if a is None or b is None or not a.n or not b.n:
        return a if b is None or (a is not None and not b.n) else b
    weight = a.weight + b.weight
    away = b.mean - a.mean
    classes = dict(a.classes)
    for label, total in b.classes.items():
        classes[label] = classes.get(label, 0.0) + total
    _check_classes(classes)
    hashed, most = np.concatenate([a.hash, b.hash]), sample_size(len(a.mean))
    kept = np.sort(np.argpartition(hashed, most)[:most]) if len(hashed) > most else np.arange(len(hashed))
    return Overview(
        a.n + b.n,
        weight,
        a.lowest + b.lowest,
        a.mean + away * (b.weight / weight),
        a.squares + b.squares + np.square(away) * (a.weight * b.weight / weight),
        np.maximum(a.largest, b.largest),
        min(a.low, b.low),
        max(a.high, b.high),
        classes,
        hashed[kept],
        *(np.concatenate([first, second])[kept] for first, second in ((a.X, b.X), (a.y, b.y), (a.s, b.s))),
    )
