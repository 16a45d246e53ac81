"""A comparison with held-out scores that a test has chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkwise.compare.scoring.differences import difference


def with_scores(comparison, scores: dict[str, list[float]], guess: float):
    """The comparison with other held-out scores (the same for best and 1-SE); everything that follows is recomputed."""

    splits = comparison.splits

    def rescored(scored, values):
        parts = zip(scored.folds, values, splits.folds, strict=True)
        return replace(scored, folds=[scoring(comparison, fold, value, test) for fold, value, (_, test) in parts])

    held = {row.candidate.name: scores.get(row.candidate.name, [9.0, 9.1, 9.2]) for row in comparison.rows}
    rows = []
    for row in comparison.rows:
        best = rescored(row.best, held[row.candidate.name])
        bases = [other for other in comparison.rows if other.candidate.family == row.candidate.family]
        base = rescored(bases[0].best, held[bases[0].candidate.name])
        differences = dict.fromkeys(row.differences, difference(splits, best.folds, base.folds))
        cost = row.cost and difference(splits, best.folds, best.folds)
        rows.append(replace(row, best=best, one_se=row.one_se and best, differences=differences, cost=cost))
    chosen = min(rows[:-1], key=lambda row: row.best.score)
    return replace(comparison, rows=rows, chosen=chosen, constant=rescored(comparison.constant, [guess] * 3))


def scoring(comparison, fold, value: float, test):
    """A fold each of whose rows has the loss that makes `value` the score."""
    truth = comparison.splits.y[test]
    if comparison.plan.classes is None:
        return replace(fold, score=value, output=truth + value)
    right = np.exp(-value)
    output = np.full((len(test), len(comparison.plan.classes)), (1 - right) / (len(comparison.plan.classes) - 1))
    output[np.arange(len(test)), truth] = right
    return replace(fold, score=value, output=output)
