"""How sure a difference of two candidates is, from the losses of all held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from shrinkwise.compare.metrics import REGRESSION, row_losses
from shrinkwise.compare.splits.splits import Splits
from shrinkwise.selection import Difference, differences_to_one, row_difference

from .nested import HeldOut


def difference(splits: Splits, one: Sequence[HeldOut], other: Sequence[HeldOut]) -> Difference:
    """Score of one candidate minus score of the other on the same outer folds (`row_difference`).

    Rows of one group count as one observation. Rows in order of time resemble their neighbours: each run of √n of them
    counts as one.
    """
    return row_difference(_losses(splits, one), _losses(splits, other), splits.mean_sizes[0], **_counted(splits))


def differences(
    splits: Splits, several: Sequence[Sequence[HeldOut]], other: Sequence[HeldOut]
) -> tuple[list[Difference], np.ndarray]:
    """The `difference` of several candidates to one, and p-values adjusted for their number (`differences_to_one`)."""
    losses = [_losses(splits, one) for one in several]
    return differences_to_one(losses, _losses(splits, other), splits.mean_sizes[0], **_counted(splits))


def _losses(splits: Splits, held: Sequence[HeldOut]) -> list[np.ndarray]:
    return [
        row_losses(splits.plan.task, splits.y[test], fold.output)
        for (_, test), fold in zip(splits.folds, held, strict=True)
    ]


def _counted(splits: Splits) -> dict[str, Any]:
    """How rows count: the score, their weights, and which of them are one observation."""
    tests, weights = [test for _, test in splits.folds], splits.rows.weights
    return {
        "root": splits.plan.task == REGRESSION,
        "weights": None if weights is None else [weights[test] for test in tests],
        "clusters": _clusters(splits, tests),
    }


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
