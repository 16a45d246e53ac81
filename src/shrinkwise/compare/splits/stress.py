"""How a model's score changes with noisy and with missing inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkwise.compare.metrics import held_out_score
from shrinkwise.models.predictors import Predictor
from shrinkwise.tables import Encoder

NOISES = (0.0, 0.25, 0.5, 1.0, 2.0)
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75)

# The held-out rows of one draw, and the draws that are averaged where rows are few.
_ROWS, _VALUES, _DRAWS = 2000, 4_000_000, 5


@dataclass(frozen=True)
class Disturbance:
    """How encoded rows are disturbed.

    blank (q,): the features of a row in which every value is missing, as imputed by the encoder. measures (q,): which
    features are numbers (levels, dates and missingness indicators get no noise). inputs (q,): the input of each
    feature.
    """

    blank: np.ndarray
    measures: np.ndarray
    inputs: np.ndarray

    @classmethod
    def of(cls, encoder: Encoder) -> Disturbance:
        """The disturbances for rows encoded by `encoder`."""
        kept = encoder.plan.kept
        measures = [
            (name == column.name) and column.kind == "number"
            for column, rule in zip(kept, encoder.rules, strict=True)
            for name in rule["features"]
        ]
        return cls(encoder.blank(), np.array(measures)[encoder.varies], np.array(encoder.inputs))

    def curves(self, predictor: Predictor, held: tuple, task: str, seed: int) -> dict[str, list[float]]:
        """Held-out scores {"noise": one per NOISES, "missing": one per SHARES}; every model gets the same disturbances.

        held: the held-out rows encoded, their target, and their weights or None.
        Noise is normal, its standard deviation a multiple of the input's. A missing value is missing for all features of
        its input. At most 2000 rows are used; with few rows the scores of several draws are averaged.
        """
        X, y, weights = held
        rng = np.random.default_rng([seed, 1])
        most = min(_ROWS, max(50, _VALUES // max(1, X.shape[1])))
        rows = np.sort(rng.permutation(X.shape[0])[:most])
        X, y, draws = _dense(X[rows]), y[rows], int(np.clip(_ROWS // len(rows), 1, _DRAWS))
        weights = None if weights is None else weights[rows]

        def scored(disturbed: list[np.ndarray]) -> float:
            return float(np.mean([held_out_score(task, y, predictor.output(each), weights) for each in disturbed]))

        noise = [rng.standard_normal(X.shape) * self.measures for _ in range(draws)]
        chance = [rng.random((len(X), int(self.inputs.max(initial=-1)) + 1))[:, self.inputs] for _ in range(draws)]
        return {
            "noise": [scored([X + size * each for each in noise] if size else [X]) for size in NOISES],
            "missing": [
                scored([np.where(each < share, self.blank, X) for each in chance] if share else [X]) for share in SHARES
            ],
        }


def _dense(X: Any) -> np.ndarray:
    return X.toarray() if hasattr(X, "toarray") else X
