"""How sure a difference of two candidates is, from the losses of all held-out rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shrinkwise.compare.metrics import REGRESSION, row_losses
from shrinkwise.compare.splits.splits import Splits
from shrinkwise.selection import Difference, row_difference

from .nested import HeldOut


def difference(splits: Splits, one: Sequence[HeldOut], other: Sequence[HeldOut]) -> Difference:
    """Score of one candidate minus score of the other on the same outer folds (`row_difference`).

    Rows of one group count as one observation. Rows in order of time resemble their neighbours: each run of √n of them
    counts as one.
    """
    tests = [test for _, test in splits.folds]

    def losses(held: Sequence[HeldOut]) -> list[np.ndarray]:
        return [row_losses(splits.plan.task, splits.y[t], fold.output) for t, fold in zip(tests, held, strict=True)]

    weights = splits.rows.weights
    return row_difference(
        losses(one),
        losses(other),
        splits.mean_sizes[0],
        root=splits.plan.task == REGRESSION,
        weights=None if weights is None else [weights[test] for test in tests],
        clusters=_clusters(splits, tests),
    )


def _clusters(splits: Splits, tests: list[np.ndarray]) -> list[np.ndarray] | None:
    groups, time = splits.rows.groups, splits.rows.time
    if groups is not None:
        return [groups[test] for test in tests]
    if time is None:
        return None
    held = np.concatenate(tests)
    run = np.empty(len(splits.y), dtype=int)
    run[held[np.argsort(time[held], kind="stable")]] = np.arange(len(held)) // int(np.sqrt(len(held)))
    return [run[test] for test in tests]
