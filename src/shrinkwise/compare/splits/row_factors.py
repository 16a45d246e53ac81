"""The triangular factors of the training rows of a fold, standardised by these rows themselves."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from shrinkwise.compare.candidates.base import RowFactors
from shrinkwise.linear.problem.triangular_factor import FoldTriangles, Triangle
from shrinkwise.tables import Encoder


@dataclass(frozen=True)
class StandardisedFactors:
    """The factors of training rows by inner fold, and the means and deviations (q,) that they were standardised by.

    encoder gives features so standardised.
    """

    factors: RowFactors
    encoder: Encoder
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, held: Sequence[Triangle], encoder: Encoder) -> StandardisedFactors:
        """From the factors of the rows of each inner fold, which `encoder` has encoded."""
        folds = FoldTriangles.of_held([*held])
        mean, deviations = folds.whole.means[:-1], folds.whole.deviations
        tiny = np.finfo(float).eps * np.maximum(1.0, np.abs(mean)) * 8
        scale = np.where(deviations > tiny, deviations, 1.0)
        own = copy(encoder)
        own.mean, own.scale = encoder.mean + encoder.scale * mean, encoder.scale * scale
        return cls(RowFactors(folds.each(lambda part: part.standardised(mean, scale))), own, mean, scale)
