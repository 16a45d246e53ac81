"""A few rows that stand for many: with the same sums, squares and products, and so the same least squares.

With R'R = [1 X y]' S [1 X y] (Triangle) and H the reflection that takes (1, 0, …) to (1, …, 1)/√k, the k rows of

    [1 X̃ ỹ] = √k/r H R        r = R₁₁ = √Σ s

with the weight r²/k each have Σ weight · (1, x̃, ỹ)(1, x̃, ỹ)' = R'R. Every squared error of a linear model with an intercept,
its gradient and its gap are those of the rows that R is of. One set of them for every fold makes a cross-validation exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, fields

import numpy as np

from shrinkwise.compare.candidates.base import TrainingRows
from shrinkwise.linear.problem.triangular_factor import Triangle
from shrinkwise.selection import Rows
from shrinkwise.selection.splits import Fold
from shrinkwise.tables import Encoder


@dataclass(frozen=True)
class StandIns(TrainingRows):
    """Training rows that stand for those of several folds; blocks (n,): the fold that each stands for."""

    blocks: np.ndarray = field(default_factory=lambda: np.empty(0))

    def folds(self, n_splits: int) -> list[Fold]:
        """Every fold is held out once, however many splits are asked for: parts of a fold have no stand-ins."""
        parts = np.unique(self.blocks)
        return [(np.flatnonzero(self.blocks != k), np.flatnonzero(self.blocks == k)) for k in parts]


def stand_ins(triangles: Sequence[Triangle], encoder: Encoder, scaled: Encoder, problem: TrainingRows) -> StandIns:
    """The rows of folds, encoded by `encoder` when they were summed, as rows encoded by `scaled`; else like `problem`."""
    found = [_rows(triangle) for triangle in triangles]
    X = np.concatenate([X for X, _, _ in found]) * encoder.scale + encoder.mean
    X -= scaled.mean
    X /= scaled.scale
    lengths = [len(y) for _, y, _ in found]
    weights = np.repeat([weight for _, _, weight in found], lengths)
    given = {each.name: getattr(problem, each.name) for each in fields(TrainingRows)}
    given |= {"X": X, "y": np.concatenate([y for _, y, _ in found]), "rows": Rows(weights=weights / weights.mean())}
    given |= {"log_target": False, "shuffled": False, "stand_ins": None}
    return StandIns(**given, blocks=np.repeat(np.arange(len(found)), lengths))


def rescaled(encoder: Encoder, triangle: Triangle) -> Encoder:
    """The encoder with the means and standard deviations of the rows of a triangle, which it has encoded."""
    means = triangle.means[:-1]
    deviations = np.linalg.norm(triangle.R[1:, 1:-1], axis=0) / np.sqrt(triangle.weight)
    tiny = np.finfo(float).eps * np.maximum(1.0, np.abs(means)) * 8
    found = copy(encoder)
    found.mean = encoder.mean + encoder.scale * means
    found.scale = encoder.scale * np.where(deviations > tiny, deviations, 1.0)
    return found


def _rows(triangle: Triangle) -> tuple[np.ndarray, np.ndarray, float]:
    """X̃ (k, p), ỹ (k,) and the weight of each row."""
    R = triangle.R
    k, r = len(R), R[0, 0]
    v = -np.full(k, 1 / np.sqrt(k))
    v[0] += 1
    length = v @ v
    rows = R - np.outer(v, (2 / length) * (v @ R)) if length > 0 else R
    rows = rows * (np.sqrt(k) / r)
    return rows[:, 1:-1], rows[:, -1].copy(), float(r * r / k)
