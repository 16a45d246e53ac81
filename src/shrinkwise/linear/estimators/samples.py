"""The rows that an estimator is fitted on, and what comes with each of them: weight, offset, group, fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkwise.linear.problem.checks import checked_weights, checked_y
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.rounding import may_overflow
from shrinkwise.linear.problem.scaling import column_scale, divided


@dataclass
class Samples:
    """Rows of data that go together; `column_scale` (p,) is by what the columns of X were divided, or None."""

    X: Any
    y: np.ndarray
    weight: np.ndarray | None = None
    offset: np.ndarray | None = None
    column_scale: np.ndarray | None = None

    @property
    def p(self) -> int:
        """Number of columns."""
        return self.X.shape[1]

    def standardized(self) -> Samples:
        """The same rows with each column divided by its weighted standard deviation."""
        scale = column_scale(self.X, self.weight)
        return Samples(divided(self.X, scale), self.y, self.weight, self.offset, scale)

    def take(self, index) -> Samples:
        """Some of the rows, in the units of X as it is here."""
        weight, offset = (None if v is None else v[index] for v in (self.weight, self.offset))
        return Samples(self.X[index], self.y[index], weight, offset)

    def problem(self, loss, fit_intercept: bool) -> Problem:
        """The Problem of these rows."""
        return Problem(self.X, self.y, loss, self.weight, fit_intercept, self.offset, column_scale=self.column_scale)


def present_groups(groups, sample_weight, y):
    """The groups (n,) of the rows with weight above 0, checked; y has one entry, or row, for each of them."""
    if groups is None or y is None:  # `fit` refuses that y with its own sentence
        return None
    groups, n = np.asarray(groups), y.shape[0] if hasattr(y, "shape") else len(y)
    if groups.shape != (n,):
        raise ValueError(f"Expected groups of shape ({n},), one label per row, got {groups.shape}")
    if any(label is None or label != label for label in groups.tolist()):
        raise ValueError("Expected a label in groups for every row, got missing entries; assign a group to these rows")
    return groups if sample_weight is None or np.ndim(sample_weight) == 0 else groups[np.asarray(sample_weight) > 0]


def present_folds(cv, sample_weight):
    """`cv`; if it lists row numbers, they are converted to positions among the rows with weight above 0."""
    if cv is None or isinstance(cv, (int, np.integer)) or hasattr(cv, "split"):
        return cv
    if sample_weight is None or np.ndim(sample_weight) == 0:
        return cv
    present = np.asarray(sample_weight) > 0
    number = np.cumsum(present) - 1
    folds = [tuple(_row_numbers(part, len(present)) for part in fold) for fold in cv]
    return [tuple(number[part[present[part]]] for part in fold) for fold in folds]


def _row_numbers(part, n: int) -> np.ndarray:
    """The numbers of the rows that one part of a fold lists, negative ones from the end, or marks in a mask (n,)."""
    part = np.asarray(part)
    try:
        return np.arange(n)[part if part.size else part.astype(int)]
    except IndexError as error:
        raise ValueError(
            f"Expected the parts of each fold of cv to be row numbers below {n}, or masks: {error}"
        ) from None


def folds_of(splitter, X, y, groups) -> list:
    """The (train, test) row numbers of a splitter; ValueError if one of these parts is empty, also as all its weights are 0."""
    folds = [tuple(_row_numbers(part, X.shape[0]) for part in fold) for fold in splitter.split(X, y, groups)]
    for number, fold in enumerate(folds):
        for name, part in zip(("training", "test"), fold, strict=True):
            if not len(part):
                raise ValueError(f"Fold {number} of cv has no {name} rows of weight above 0; use other folds")
    return folds


def without_columns(X, excluded):
    """A copy of X whose excluded columns (p,) are zero, so that they have no effect on the fit."""
    if hasattr(X, "tocsc"):
        from scipy.sparse import diags_array

        X = (X @ diags_array((~excluded).astype(X.dtype))).tocsc()
        X.eliminate_zeros()
        return X
    X = X.copy()
    X[:, excluded] = 0.0
    return X


def weighted_rows(X, y, sample_weight, offset=None):
    """(X, y, sample_weight, offset) with the weights checked and the rows of weight 0 removed."""
    if sample_weight is None:
        return X, y, None, offset
    sample_weight = checked_weights(sample_weight, X.shape[0])
    if may_overflow(sample_weight):
        sample_weight = sample_weight / sample_weight.max()  # losses are weighted means, so their scale is free
    present = sample_weight > 0
    if present.all():
        return X, y, sample_weight, offset
    return X[present], y[present], sample_weight[present], offset if offset is None else offset[present]


def regression_target(y, n: int, loss):
    """y (n,), or (n, K); a single column counts as (n,)."""
    y = checked_y(y, n, loss)
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def class_weighted(class_weight, labels, sample_weight):
    """Sample weights times class weights; "balanced" gives every class the same sum."""
    weight = np.ones(len(labels)) if sample_weight is None else sample_weight
    if class_weight is None:
        return weight
    if isinstance(class_weight, str) and class_weight == "balanced":
        classes, codes = np.unique(labels, return_inverse=True)
        sums = np.bincount(codes, weights=weight)
        return weight * (sums.sum() / (len(classes) * sums))[codes]
    from sklearn.utils.class_weight import compute_sample_weight  # slow to load, and not needed for squares

    factors = compute_sample_weight(class_weight, labels)
    if not (factors > 0).all():  # a class without weight has an intercept of −∞
        raise ValueError(f"Expected class_weight with factors > 0, got {class_weight!r}; drop such rows")
    return weight * factors
