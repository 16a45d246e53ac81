"""scikit-learn scorers along a path: minus the score of held-out rows at every λ."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import check_scoring

from shrinkwise.linear.estimators.samples import Samples
from shrinkwise.linear.paths.path import Path


class HeldOutScore:
    """Minus the score of each solution of a path on held-out rows.

    Parameters
    ----------
    model : the estimator, of which a copy without data takes one solution after the other.
    scoring : name of a scikit-learn scorer or a callable (estimator, X, y), which also takes `sample_weight` where the rows
        have weights.
    """

    def __init__(self, model, scoring):
        self.model: Any = clone(model)
        for name in ("n_features_in_", "classes_"):
            if hasattr(model, name):
                setattr(self.model, name, getattr(model, name))
        self.scorer = check_scoring(self.model, scoring)

    def __call__(self, fitted: Path, held: Samples) -> np.ndarray:
        """(L,)."""
        # A copy: calls of several threads must not set the coefficients of one model.
        model, weights = copy(self.model), {} if held.weight is None else {"sample_weight": held.weight}
        y, scores = model._as_given(held.y), []
        for point in fitted:
            model._set_coef(point.coef, point.intercept)
            scores.append(float(self.scorer(model, held.X, y, **weights)))
        if not np.isfinite(scores).all():
            raise ValueError("Expected finite scores of the held-out rows, got NaN or infinite ones; use fewer folds")
        return -np.array(scores)
