"""Rows of a matrix with other means and scales, which are not copied until they are asked for."""

from __future__ import annotations

import numpy as np


class StandardisedRows:
    """(X[rows] − mean) / scale, for X (n, q) shared by all folds; mean and scale (q,)."""

    def __init__(self, X: np.ndarray, rows: np.ndarray, mean: np.ndarray, scale: np.ndarray):
        self.X, self.rows, self.mean, self.scale = X, rows, mean, scale

    @property
    def shape(self) -> tuple[int, int]:
        """(number of rows, q)."""
        return len(self.rows), self.X.shape[1]

    def __getitem__(self, index) -> np.ndarray:
        """Some of the rows as an array."""
        found = self.X[self.rows[index]]
        found -= self.mean
        found /= self.scale
        return found

    def __matmul__(self, weights: np.ndarray) -> np.ndarray:
        """The product with weights (q,) or (q, k)."""
        weights = (weights.T / self.scale).T
        return (self.X @ weights)[self.rows] - self.mean @ weights

    def toarray(self) -> np.ndarray:
        """All rows as an array."""
        return self[:]
