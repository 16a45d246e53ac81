"""Splitting rows into folds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

Fold = tuple[np.ndarray, np.ndarray]
NUMERIC = ("regression", "counts")  # the tasks without classes


@dataclass(frozen=True)
class Rows:
    """Information on rows besides inputs and target, each (n,) or None.

    groups: codes; rows of the same group stay in the same fold. time: numbers; rows are scored by models of earlier
    rows. weights: > 0, the weights of rows in losses and scores.
    """

    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    weights: np.ndarray | None = None

    def take(self, rows) -> Rows:
        """The same information for some of the rows."""
        return Rows(*(None if v is None else v[rows] for v in (self.groups, self.time, self.weights)))


def folds(y, n_splits: int, *, task: str, random_state=None, rows: Rows | None = None) -> list[Fold]:
    """K-fold splits of the rows of `y`, shuffled; stratified if the task has classes.

    The folds are those of scikit-learn's `KFold`, `StratifiedKFold` and their versions for groups. A class with fewer
    members than folds is missing from some test folds; a class with a single member would be missing from a training
    fold and is an error. If rows have times, the folds are those of `time_folds`.

    Parameters
    ----------
    y : array (n,)
        The target: numbers for regression, labels or codes for classes.
    n_splits : int
        Number of folds, at least 2 and at most n.
    task : "regression", "counts" or a task with classes ("binary", "multiclass")
    random_state : int, RandomState or None
        The same integer gives the same folds.
    rows : Rows, optional
        Groups of rows that stay in the same fold, or the time of each row.

    Returns
    -------
    list of (train, test) arrays of row numbers; the test arrays partition 0 … n−1 (with time: all but the first part).
    """
    y, rows = np.asarray(y), rows or Rows()
    if not 2 <= n_splits <= len(y):
        raise ValueError(
            f"Expected the number of folds to be between 2 and the number of rows, got n_splits = {n_splits} and "
            f"n_samples = {len(y)}"
        )
    if rows.time is not None:
        return _learnable(time_folds(rows.time, n_splits), y, task)
    if rows.groups is not None:
        return _learnable(_grouped(y, n_splits, task, random_state, rows.groups), y, task)
    if task in NUMERIC:
        return _shuffled(len(y), n_splits, random_state)
    return _stratified(y, n_splits, random_state)


def _shuffled(n: int, n_splits: int, random_state) -> list[Fold]:
    """The splits of scikit-learn's `KFold(n_splits, shuffle=True, random_state=random_state)`, whose import takes a second."""
    order = np.arange(n)
    np.random.RandomState(random_state).shuffle(order)
    tests = np.array_split(order, n_splits)
    outside = np.ones((n_splits, n), dtype=bool)
    for mask, test in zip(outside, tests, strict=True):
        mask[test] = False
    return [(np.flatnonzero(mask), np.flatnonzero(~mask)) for mask in outside]


def time_folds(time, n_splits: int) -> list[Fold]:
    """Splits by time: n_splits + 1 consecutive parts of about equal size; each part but the first is predicted from all
    earlier parts.

    Rows with the same time stay in the same part, so there may be fewer splits if there are few distinct times.

    Examples
    --------
    >>> [(train.tolist(), test.tolist()) for train, test in time_folds([3, 1, 2, 2, 5, 4], 2)]
    [([1, 2, 3], [0]), ([0, 1, 2, 3], [4, 5])]
    """
    time = np.asarray(time)
    order = np.argsort(time, kind="stable")
    ordered = time[order]
    wanted = np.linspace(0, len(time), n_splits + 2)[1:-1].round().astype(int)
    # A cut inside one moment moves to the moment's end.
    cuts = np.unique(np.searchsorted(ordered, ordered[np.minimum(wanted, len(time)) - 1], side="right"))
    cuts = cuts[(cuts > 0) & (cuts < len(time))]
    ends = [*cuts[1:], len(time)]
    return [(np.sort(order[:cut]), np.sort(order[cut:end])) for cut, end in zip(cuts, ends, strict=True)]


def _grouped(y: np.ndarray, n_splits: int, task: str, random_state, groups: np.ndarray) -> list[Fold]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    n_groups = len(np.unique(groups))
    if n_groups < n_splits:
        raise ValueError(f"Expected at least as many groups as folds ({n_splits}), got {n_groups}; use fewer folds")
    kind = GroupKFold if task in NUMERIC else StratifiedGroupKFold
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        splitter = kind(n_splits, shuffle=True, random_state=random_state)
        return [fold for fold in splitter.split(y[:, None], y, groups) if len(fold[1])]


def _learnable(splits: list[Fold], y: np.ndarray, task: str) -> list[Fold]:
    """The splits whose training part has at least two members of every class; ValueError if there are fewer than
    two."""
    if task not in NUMERIC:
        n_classes = len(np.unique(y))
        counted = [np.unique(y[train], return_counts=True)[1] for train, _ in splits]
        splits = [s for s, counts in zip(splits, counted, strict=True) if len(counts) == n_classes and counts.min() > 1]
    splits = [(train, test) for train, test in splits if len(train) > 1]
    if len(splits) < 2:
        raise ValueError(
            "Fewer than 2 splits have two training rows of every class; use other folds, or drop the rare class"
        )
    return splits


def _stratified(y: np.ndarray, n_splits: int, random_state) -> list[Fold]:
    from sklearn.model_selection import StratifiedKFold

    labels, counts = np.unique(y, return_counts=True)
    if counts.min() < 2:
        raise ValueError(
            f"Class {labels[counts.argmin()].item()!r} has one member, but every class needs at least 2, so that "
            "each training fold has all classes"
        )
    if counts.max() < n_splits:
        raise ValueError(
            f"Every class has fewer members than the {n_splits} folds (the largest has {counts.max()}); use fewer folds"
        )
    with warnings.catch_warnings():
        # A rare class that some test folds lack is allowed here (see the docstring); scikit-learn only warns of it.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(StratifiedKFold(n_splits, shuffle=True, random_state=random_state).split(y[:, None], y))
