"""The outside reference: gradient-boosted trees, their depth and number chosen by cross-validation inside."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkwise.compare.options import Options

from .base import Candidate, Fit, TrainingRows, Tuned

DEPTHS = (3, None)  # None: limited by scikit-learn's 31 leaves alone
# With fewer rows depth 3 is the only one tried: of leaves of at least 20 rows each a tree has then hardly more than the 8 that
# fit into it, and on ten folds of four such tables it was the depth chosen.
_ONE_DEPTH = 320
PATIENCE = 10  # trees without a lower held-out loss after which a fold stops
# For the estimate of the time: trees that are timed, trees usually grown in a fold (with many classes most of those that are
# tried), and how their time grows with the rows.
_TRIED, _USUAL, _GROWTH = (3, 13), 80, 0.7

# More inner folds cost time and were not better: on small tables depth and number hardly depend on a sixth of the rows.
_FOLDS, _TENTHS = 3, 10
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

    def _spread(self, found: np.ndarray) -> np.ndarray:
        """Probabilities of all classes of the problem; scikit-learn gives two columns also where it saw one class."""
        seen = self.model.classes_.astype(int)
        output = np.zeros((len(found), self.n_classes))
        output[:, seen] = found[:, : len(seen)]
        return output


def tune_trees(problem: TrainingRows, options: Options) -> Tuned:
    """Histogram gradient boosting at the depth and number of trees with the lowest loss on the held-out rows.

    The loss is the mean over the held-out rows of all inner folds together: the squared error, or −log of the probability
    of the true class. The number of trees is thus chosen for all folds at once, not for each on its own few rows.
    """
    X = problem.dense()
    if options.trees_fitted_once:
        return _fitted_once(problem, X, options)
    splits, depths = _splits(problem, X, options), _depths(len(problem.y))
    curves = [_curve(problem, X, splits, depth, options.most_trees) for depth in depths]
    depth, curve = min(zip(depths, curves, strict=True), key=lambda pair: pair[1].min())
    n_trees = max(int(curve.argmin()), 1)
    model = _model(problem, depth, max_iter=n_trees, early_stopping=False)
    model.fit(X, problem.y, problem.rows.weights)
    return _tuned(model, problem, {"trees": n_trees, "depth": depth}, options)


def _fitted_once(problem: TrainingRows, X: np.ndarray, options: Options) -> Tuned:
    """One model of 31 leaves a tree on nine tenths of the rows, whose number of trees the other tenth chooses.

    It takes 40 % of the time of an inner fold at two depths and a fit to all rows. On 20,000 rows of 26 classes its loss on
    fresh rows was 3 % higher.
    """
    train, test = problem.folds(_TENTHS)[-1]
    model, _ = _stopped(problem, X, (train, test), None, options.most_trees)
    return _tuned(model, problem, {"trees": model.n_iter_, "depth": None}, options)


def _tuned(model: Any, problem: TrainingRows, settings: dict, options: Options) -> Tuned:
    most = settings["trees"] == options.most_trees
    note = f"the largest number of trees tried, {options.most_trees}, was chosen" if most else ""
    return Tuned(Fit(_Trees(model, problem.n_classes), settings, note))


def seconds(problem: TrainingRows, options: Options, n_rows: int) -> float:
    """Processor seconds of the tuning on n_rows rows, were each tree as fast as on those of `problem`."""
    X, taken = problem.dense(), []
    for n_trees in (1, *_TRIED):  # the first loads code
        start = time.process_time()
        _model(problem, None, max_iter=n_trees, early_stopping=False).fit(X, problem.y)
        taken.append(time.process_time() - start)
    one_tree = max(taken[2] - taken[1], 0.0) / (_TRIED[1] - _TRIED[0])
    n_folds = min(_FOLDS, options.inner_folds)
    n_folds = 1 if n_rows >= _MANY_ROWS * n_folds else n_folds
    n_fits = 1 if options.trees_fitted_once else n_folds * len(_depths(n_rows)) + 1
    return (taken[1] + one_tree * (_USUAL - _TRIED[0])) * n_fits * max(1.0, n_rows / len(problem.y)) ** _GROWTH


def _depths(n_rows: int) -> tuple[int | None, ...]:
    return DEPTHS[:1] if n_rows < _ONE_DEPTH else DEPTHS


def _splits(problem: TrainingRows, X: np.ndarray, options: Options) -> list:
    """The inner folds; where they hold out many rows the last alone, in a split by time the one with the longest past.

    Of a very large table, whose rows come in random order, the first tenth of the rows is held out.
    """
    if X.size >= _MANY_VALUES and problem.shuffled:
        tenth = len(problem.y) // 10
        return [(slice(tenth, None), slice(tenth))]
    found = problem.folds(min(_FOLDS, options.inner_folds))
    return found[-1:] if len(found[-1][1]) >= _MANY_ROWS else found


def _curve(problem: TrainingRows, X: np.ndarray, splits: list, depth: int | None, most: int) -> np.ndarray:
    """Mean loss over the held-out rows of all folds after 0, 1, 2, … trees.

    A fold stops after `PATIENCE` trees without a lower loss; from there on its last loss stands for it. Held-out rows of a
    class that the training rows lack have no finite loss, whatever the trees: they take no part.
    """
    found = [_stopped(problem, X, split, depth, most) for split in splits]
    curves, counts = [-model.validation_score_ for model, _ in found], [count for _, count in found]
    length = max(map(len, curves))
    return np.average([np.pad(curve, (0, length - len(curve)), "edge") for curve in curves], axis=0, weights=counts)


def _stopped(problem: TrainingRows, X: np.ndarray, split: Any, depth: int | None, most: int) -> tuple[Any, float]:
    """A model of the training rows of a split, stopped early by the held-out ones, and the weight of those."""
    (train, test), y, weights = split, problem.y, problem.rows.weights
    known = np.isin(y[test], y[train]) if problem.has_classes else np.ones(len(y[test]), dtype=bool)
    held = test if known.all() else np.arange(len(y))[test][known]  # a slice stays a view
    model = _model(problem, depth, max_iter=most, early_stopping=True, n_iter_no_change=PATIENCE, tol=0.0)
    if weights is None:  # weights of 1 would find the same bins, in up to four fifths of the time of the whole fit
        model.fit(X[train], y[train], X_val=X[held], y_val=y[held])
        return model, float(len(y[held]))
    model.fit(X[train], y[train], weights[train], X_val=X[held], y_val=y[held], sample_weight_val=weights[held])
    return model, weights[held].sum()


def _model(problem: TrainingRows, depth: int | None, **asked):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    estimator = HistGradientBoostingClassifier if problem.has_classes else HistGradientBoostingRegressor
    asked |= {"loss": "poisson"} if problem.has_counts else {}
    return estimator(max_depth=depth, random_state=problem.seed, **asked)


TREES = Candidate("boosted trees", "reference", "", "", tune_trees, "trees", worth=4, seconds=seconds)
