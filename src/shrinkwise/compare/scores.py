"""The score of a held-out fold. Lower is better, always."""

from __future__ import annotations

import numpy as np

REGRESSION = "regression"


def score_name(task: str) -> str:
    """RMSE (root-mean-square error) for regression, log loss for classes: the losses the models are fitted by."""
    return "RMSE" if task == REGRESSION else "log loss"


def held_out_score(task: str, truth: np.ndarray, output: np.ndarray) -> float:
    """Root-mean-square error of predictions (n,), or log loss of class probabilities (n, K) with codes as truth.

    A probability below 1e-15 counts as 1e-15, so that one sure mistake costs 34.5 and not infinity.
    """
    if task == REGRESSION:
        return float(np.sqrt(np.mean((truth - output) ** 2)))
    return float(-np.mean(np.log(np.maximum(output[np.arange(len(truth)), truth.astype(int)], 1e-15))))


def accuracy(task: str, truth: np.ndarray, output: np.ndarray) -> float | None:
    """Share of rows whose most probable class is the true one; None for regression."""
    return None if task == REGRESSION else float(np.mean(output.argmax(axis=1) == truth))


def guess(task: str, truth: np.ndarray, n_rows: int, n_classes: int) -> np.ndarray:
    """The output of a model that looks at no input: the mean, or the shares of the classes, of the training rows."""
    if task == REGRESSION:
        return np.full(n_rows, truth.mean())
    shares = np.bincount(truth.astype(int), minlength=n_classes) / len(truth)
    return np.tile(shares, (n_rows, 1))
