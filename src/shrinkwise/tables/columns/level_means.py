"""Means of the target by level: a category of many levels as one number per row (or one per class but the first).

The difference of a level's mean over n rows to the mean of all rows is multiplied by n/(n + s²/t²): s² is the variance of
the target within levels, t² that of the true means of levels (both by the analysis of variance). It is the best linear
prediction of the true difference; where levels do not differ, t² = 0 and every level has 0.

A row that takes part in its own mean tells its target. The means of training rows are therefore those of the rows in other
parts, where the parts are the inner folds: the features of rows that an inner fold holds out do not depend on their targets.

References
----------
Micci-Barreca, A preprocessing scheme for high-cardinality categorical attributes in classification and prediction problems,
SIGKDD Explorations 3, 2001, doi:10.1145/507533.507538.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

LEVEL_MEANS = "level means"


@dataclass(frozen=True)
class Outcome:
    """What is averaged: values (n, k) and weights (n,) of rows, the names of the k means, and the scale they are used on.

    scale is "" (as they are), "log" (of rates of counts) or "log-odds" (of shares of classes).
    """

    values: np.ndarray
    weights: np.ndarray
    names: list[str]
    scale: str = ""

    def take(self, rows: np.ndarray | None) -> Outcome:
        """That of some of the rows."""
        return self if rows is None else replace(self, values=self.values[rows], weights=self.weights[rows])

    def scaled(self, means: np.ndarray) -> np.ndarray:
        """Means on the scale."""
        if self.scale == "log-odds":
            return np.log(means) - np.log1p(-means)
        return np.log(means) if self.scale == "log" else means


@dataclass(frozen=True)
class Parts:
    """The part of each training row, (n,); in_order: means are those of rows in earlier parts, not in all other parts."""

    numbers: np.ndarray
    in_order: bool = False


def level_means(codes: np.ndarray, n_levels: int, outcome: Outcome) -> np.ndarray:
    """The shrunk means of the levels minus the mean of all rows, (n_levels, k), both on the scale of the outcome.

    codes (n,) are the numbers of the rows' levels; those of other numbers are missing and count for the mean of all alone.
    """
    shrinkage, mean = _shrinkage(codes, n_levels, outcome), _mean(outcome)
    sums, weights = _sums(codes, n_levels, outcome)
    weights = weights[:, None]
    means = np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)
    share = weights / np.maximum(weights + shrinkage, np.finfo(float).tiny)
    return outcome.scaled(mean + share * (means - mean)) - outcome.scaled(mean)


def crossed_means(codes: np.ndarray, n_levels: int, outcome: Outcome, parts: Parts) -> np.ndarray:
    """For each row the `level_means` of its level over the rows of other parts, (n, k); 0 where there are none."""
    found = np.zeros(outcome.values.shape)
    for part in np.unique(parts.numbers):
        own = parts.numbers == part
        others = parts.numbers < part if parts.in_order else ~own
        if others.any():
            means = level_means(codes[others], n_levels, outcome.take(others))
            found[own] = np.vstack([means, np.zeros(means.shape[1])])[np.minimum(codes[own], n_levels)]
    return found


def _mean(outcome: Outcome) -> np.ndarray:
    """The mean of the rows, (k,), kept from the ends of the scale by half a count or row."""
    mean = np.average(outcome.values, axis=0, weights=outcome.weights)
    if not outcome.scale:
        return mean
    least = 0.5 / (outcome.weights.sum() if outcome.scale == "log" else len(outcome.values))
    return np.maximum(mean, least) if outcome.scale == "log" else np.clip(mean, least, 1 - least)


def _sums(codes: np.ndarray, n_levels: int, outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Weighted sums (n_levels, k) and sums of weights (n_levels,) by level."""
    weighted = (outcome.values * outcome.weights[:, None]).T
    sums = [np.bincount(codes, weights=column, minlength=n_levels + 1)[:n_levels] for column in weighted]
    return np.column_stack(sums), np.bincount(codes, weights=outcome.weights, minlength=n_levels + 1)[:n_levels]


def _shrinkage(codes: np.ndarray, n_levels: int, outcome: Outcome) -> np.ndarray:
    """s²/t² (k,) in units of weight: 0 where levels have no spread within, ∞ where they do not differ.

    On a scale that ends where a mean is 0 or 1 it is at least the weight of one row.
    """
    outcome = outcome.take(codes < n_levels)
    codes = codes[codes < n_levels]
    if not len(codes):
        return np.full(outcome.values.shape[1], np.inf)
    one = outcome.weights.mean()
    outcome = replace(outcome, weights=outcome.weights / one)
    sums, sizes = _sums(codes, n_levels, outcome)
    sums, sizes, n = sums[sizes > 0], sizes[sizes > 0], len(codes)
    means, mean = sums / sizes[:, None], sums.sum(axis=0) / n
    squares = outcome.weights @ np.square(outcome.values - mean)
    between = sizes @ np.square(means - mean)
    within = np.maximum(squares - between, 0.0) / max(n - len(sizes), 1)
    spread = (between - (len(sizes) - 1) * within) / max(n - np.square(sizes).sum() / n, np.finfo(float).eps)
    differ = (spread > 0) & (len(sizes) < n)
    found = np.where(differ, within / np.where(differ, spread, 1.0), np.inf)
    return one * (np.maximum(found, 1.0) if outcome.scale else found)
