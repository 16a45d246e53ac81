"""The score of a held-out fold. Lower is better, always."""

from __future__ import annotations

import numpy as np

from shrinkwise.selection.splits import NUMERIC

REGRESSION, COUNTS = "regression", "counts"
_SCORES = {REGRESSION: "RMSE", COUNTS: "deviance"}


def score_name(task: str) -> str:
    """RMSE (root-mean-square error) for regression, Poisson deviance for counts, log loss for classes: the losses that the
    models minimise."""
    return _SCORES.get(task, "log loss")


def row_losses(task: str, truth: np.ndarray, output: np.ndarray) -> np.ndarray:
    """Squared error of predictions (n,), deviance 2 (y log(y/μ) − y + μ) of predicted counts μ, or −log of the probability
    given to the true class (n, K), for each row.

    A probability or count below 1e-15 counts as 1e-15, so that one overconfident error costs 34.5 and not infinity.
    """
    if task == REGRESSION:
        return (truth - output) ** 2
    if task == COUNTS:
        mean = np.maximum(output, 1e-15)
        return 2 * (truth * np.log(np.where(truth > 0, truth, 1.0) / mean) * (truth > 0) - truth + mean)
    return -np.log(np.maximum(output[np.arange(len(truth)), truth.astype(int)], 1e-15))


def held_out_score(task: str, truth: np.ndarray, output: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Root-mean-square error or mean deviance of predictions (n,), or log loss of class probabilities (n, K) of codes."""
    mean = np.average(row_losses(task, truth, output), weights=weights)
    return float(np.sqrt(mean)) if task == REGRESSION else float(mean)


def accuracy(task: str, truth: np.ndarray, output: np.ndarray) -> float | None:
    """Fraction of rows whose most probable class is the true one; None for numbers."""
    return None if task in NUMERIC else float(np.mean(output.argmax(axis=1) == truth))


def balanced_accuracy(task: str, truth: np.ndarray, output: np.ndarray) -> float | None:
    """Mean recall over the classes present; None for numbers.

    Chance is 1/K however unequal the classes are.
    """
    if task in NUMERIC:
        return None
    right = output.argmax(axis=1) == truth
    return float(np.mean([right[truth == k].mean() for k in np.unique(truth)]))


def guess(task: str, truth: np.ndarray, n_rows: int, n_classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """The output of a model without inputs: the mean, or the class frequencies, of the training rows."""
    if task in NUMERIC:
        return np.full(n_rows, np.average(truth, weights=weights))
    shares = np.bincount(truth.astype(int), weights=weights, minlength=n_classes)
    return np.tile(shares / shares.sum(), (n_rows, 1))
