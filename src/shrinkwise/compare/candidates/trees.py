"""The outside reference: gradient-boosted trees, their depth and number chosen by cross-validation inside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkwise.compare.metrics import row_losses
from shrinkwise.compare.options import Options

from .base import Candidate, Fit, Problem, Tuned

DEPTHS = (3, None)  # None: limited by scikit-learn's 31 leaves alone

# Trees are added in rounds, until a round does not lower the loss in its second half; no more than the last.
ROUNDS = (25, 50, 100, 200, 400)
_USUAL = 150  # trees grown in a fold, for the estimate of the time

# Where an inner fold holds out so many rows, one fold is enough to choose by.
_MANY_ROWS = 1000
# From so many values of X on the held-out rows are a tenth that is a view of X: the rows of a fold would be a copy.
_MANY_VALUES = 10_000_000


@dataclass(frozen=True)
class _Trees:
    """A fitted model; `n_classes` is that of the problem, of which the training rows may lack one."""

    model: Any
    n_classes: int

    def output(self, X: np.ndarray) -> np.ndarray:
        X = X.toarray() if hasattr(X, "toarray") else X
        return self._spread(self.model.predict_proba(X)) if self.n_classes else self.model.predict(X)

    def staged(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """The output after one, two, … trees."""
        if not self.n_classes:
            return self.model.staged_predict(X)
        return map(self._spread, self.model.staged_predict_proba(X))

    def _spread(self, found: np.ndarray) -> np.ndarray:
        """Probabilities of all classes of the problem; scikit-learn gives two columns also where it saw one class."""
        seen = self.model.classes_.astype(int)
        output = np.zeros((len(found), self.n_classes))
        output[:, seen] = found[:, : len(seen)]
        return output


def tune_trees(problem: Problem, options: Options) -> Tuned:
    """Histogram gradient boosting at the depth and number of trees with the lowest loss on the held-out rows.

    The loss is the mean over the held-out rows of all inner folds together: the squared error, or −log of the probability
    of the true class. The number of trees is thus chosen for all folds at once, not for each on its own few rows.
    """
    X = problem.dense()
    splits = _splits(problem, X, options)
    curves = [_curve(problem, X, splits, depth) for depth in DEPTHS]
    depth, curve = min(zip(DEPTHS, curves, strict=True), key=lambda pair: pair[1].min())
    n_trees = int(curve.argmin()) + 1
    trees = _Trees(_model(problem, depth), problem.n_classes)
    trees.model.set_params(max_iter=n_trees).fit(X, problem.y, problem.rows.weights)
    note = f"the most trees tried, {n_trees}, were chosen" if n_trees == ROUNDS[-1] else ""
    return Tuned(Fit(trees, {"trees": n_trees, "depth": depth}, note))


def seconds(problem: Problem, options: Options, n_rows: int) -> float:
    """Seconds of the tuning on n_rows rows, were each tree as fast as on those of `problem`."""
    start = time.perf_counter()
    _model(problem, None).set_params(max_iter=ROUNDS[0]).fit(problem.dense(), problem.y)
    n_folds = 1 if n_rows >= _MANY_ROWS * options.inner_folds else options.inner_folds
    return (time.perf_counter() - start) / ROUNDS[0] * _USUAL * (n_folds * len(DEPTHS) + 1)


def _splits(problem: Problem, X: np.ndarray, options: Options) -> list:
    """The inner folds; where they hold out many rows the last alone, in a split by time the one with the longest past.

    Of a very large table, whose rows come in random order, the first tenth of the rows is held out.
    """
    if X.size >= _MANY_VALUES and problem.shuffled:
        tenth = len(problem.y) // 10
        return [(slice(tenth, None), slice(tenth))]
    found = problem.folds(options.inner_folds)
    return found[-1:] if len(found[-1][1]) >= _MANY_ROWS else found


def _curve(problem: Problem, X: np.ndarray, splits: list, depth: int | None) -> np.ndarray:
    """Mean loss over the held-out rows after one, two, … trees, which grow in all folds until it falls no more."""
    grown = [_Trees(_model(problem, depth), problem.n_classes) for _ in splits]
    weights = np.ones(len(problem.y)) if problem.rows.weights is None else problem.rows.weights
    for n_trees in ROUNDS:
        total = np.zeros(n_trees)
        for trees, (train, test) in zip(grown, splits, strict=True):
            trees.model.set_params(max_iter=n_trees).fit(X[train], problem.y[train], weights[train])
            for i, output in enumerate(trees.staged(X[test])):
                total[i] += weights[test] @ row_losses(problem.task, problem.y[test], output)
        if total.argmin() < n_trees // 2:
            break
    return total / sum(weights[test].sum() for _, test in splits)


def _model(problem: Problem, depth: int | None):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    estimator = HistGradientBoostingClassifier if problem.has_classes else HistGradientBoostingRegressor
    return estimator(max_depth=depth, early_stopping=False, warm_start=True, random_state=problem.seed)


TREES = Candidate("boosted trees", "reference", "", "", tune_trees, "trees", worth=4)
