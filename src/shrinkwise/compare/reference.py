"""The outside reference: gradient-boosted trees with scikit-learn's defaults, not tuned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkwise.compare.candidates import Fit, Problem, Tuned
from shrinkwise.compare.options import Options


@dataclass(frozen=True)
class _Trees:
    model: Any

    def output(self, X: np.ndarray) -> np.ndarray:
        X = X.toarray() if hasattr(X, "toarray") else X
        return self.model.predict_proba(X) if hasattr(self.model, "predict_proba") else self.model.predict(X)


def tune_trees(problem: Problem, options: Options) -> Tuned:
    """Fit HistGradientBoosting on the encoded rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    estimator = HistGradientBoostingClassifier if problem.has_classes else HistGradientBoostingRegressor
    model = estimator(random_state=problem.seed).fit(problem.dense(), problem.y, sample_weight=problem.rows.weights)
    return Tuned(Fit(_Trees(model)))
