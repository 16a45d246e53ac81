"""Splitting rows into folds."""

from __future__ import annotations

import warnings

import numpy as np


def folds(y, n_splits: int, *, task: str, random_state=None) -> list[tuple[np.ndarray, np.ndarray]]:
    """K-fold splits of the rows of `y`, shuffled; stratified when the task has classes.

    scikit-learn's `KFold` and `StratifiedKFold` do the folding. A class with fewer members than folds is missing from
    some test folds; a class with a single member would be missing from a training fold, so it is refused.

    Parameters
    ----------
    y : array (n,)
        The target: numbers for regression, labels or codes for classes.
    n_splits : int
        Number of folds, at least 2 and at most n.
    task : "regression" or a task with classes ("binary", "multiclass")
    random_state : int, RandomState or None
        The same integer gives the same folds.

    Returns
    -------
    list of (train, test) arrays of row numbers; the test arrays partition 0 … n−1.
    """
    y = np.asarray(y)
    if not 2 <= n_splits <= len(y):
        raise ValueError(
            f"the number of folds must lie between 2 and the number of rows: got n_splits = {n_splits}, "
            f"n_samples = {len(y)}"
        )
    if task == "regression":
        from sklearn.model_selection import KFold

        return list(KFold(n_splits, shuffle=True, random_state=random_state).split(y))
    return _stratified(y, n_splits, random_state)


def _stratified(y: np.ndarray, n_splits: int, random_state) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import StratifiedKFold

    labels, counts = np.unique(y, return_counts=True)
    if counts.min() < 2:
        raise ValueError(
            f"class {labels[counts.argmin()].item()!r} has one member, so the fold that tests it would train without "
            "it: at least 2 members of every class are needed"
        )
    if counts.max() < n_splits:
        raise ValueError(
            f"no class has {n_splits} members, as many as folds: the largest has {counts.max()}; use fewer folds"
        )
    with warnings.catch_warnings():
        # A rare class that some test folds lack is allowed here (see the docstring); scikit-learn only warns of it.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(StratifiedKFold(n_splits, shuffle=True, random_state=random_state).split(y[:, None], y))
