"""The outside reference: gradient-boosted trees with scikit-learn's defaults, not tuned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkwise.compare.options import Options

from .base import Candidate, Fit, TrainingRows, Tuned

# From so many values of X on the rows on which the trees see when to stop are a view: scikit-learn would copy the others.
_MANY_VALUES = 10_000_000


@dataclass(frozen=True)
class _Trees:
    model: Any

    def output(self, X: np.ndarray) -> np.ndarray:
        X = X.toarray() if hasattr(X, "toarray") else X
        return self.model.predict_proba(X) if hasattr(self.model, "predict_proba") else self.model.predict(X)


def tune_trees(problem: TrainingRows, options: Options) -> Tuned:
    """Fit HistGradientBoosting on the encoded rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    estimator = HistGradientBoostingClassifier if problem.has_classes else HistGradientBoostingRegressor
    model = estimator(random_state=problem.seed)
    X, y, weights = problem.dense(), problem.y, problem.rows.weights
    tenth = len(y) // 10
    few = X.size < _MANY_VALUES or len(np.unique(y[:tenth])) < problem.n_classes
    if few or not problem.shuffled:
        return Tuned(Fit(_Trees(model.fit(X, y, sample_weight=weights))))
    held, known = slice(tenth), slice(tenth, None)
    held_weights, weights = (None, None) if weights is None else (weights[held], weights[known])
    model.fit(X[known], y[known], weights, X_val=X[held], y_val=y[held], sample_weight_val=held_weights)
    return Tuned(Fit(_Trees(model)))


TREES = Candidate("boosted trees", "reference", "", "", tune_trees, "trees", worth=4)
