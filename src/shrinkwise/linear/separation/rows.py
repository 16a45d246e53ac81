"""The rows a_i, one for every entry of η that may move to one side only, and the moves B v of the linear predictor."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.problem import Problem

BLOCK = 2_000_000  # values of X that are written out at a time
SMALLEST_MOVE = 1e-6  # of ‖v‖₁: the least move of a row that a proof can exclude


class MovableRows:
    """Products with B: the columns in use, centred beside an intercept and scaled to max |B_ij| = 1, and the intercept.

    Parameters
    ----------
    problem : the data.  signs : its loss's `recession`.
    falls, rises : masks in the shape of the weights, of those that may fall and rise without bound.
    """

    def __init__(self, problem: Problem, signs, falls, rises):
        K = signs.shape[1] if signs.ndim == 2 else 1
        falls, rises = (np.broadcast_to(mask, problem.weights_shape).reshape(K, -1) for mask in (falls, rises))
        self.columns = np.flatnonzero((falls | rises).any(0))
        self.sparse, self.loss, self.K = problem.design.sparse, problem.loss, K
        self.present = np.flatnonzero(problem.s > 0)
        X = problem.X if len(self.columns) == problem.p else problem.X[:, self.columns]
        if len(self.present) < problem.n:
            X = (X.tocsr() if self.sparse else X)[self.present]
        self.X, self.y, self.s = X, problem.y[self.present], problem.s[self.present]
        self.signs = signs[self.present]
        self.n, self.p = X.shape
        self.intercept = bool(problem.fit_intercept)
        self.dim = self.p + self.intercept
        self.means = problem.design.means[self.columns] if self.intercept else np.zeros(self.p)
        self.scale = self._scale()
        both = np.ones((K, 1), dtype=bool)[:, : self.intercept]
        self.falls, self.rises = (np.column_stack([mask[:, self.columns], both]).ravel() for mask in (falls, rises))
        self.all_free = bool((self.falls & self.rises).all())  # whether every v is allowed

    def _scale(self):
        low, high = (_flat(extreme) for extreme in (self.X.min(axis=0), self.X.max(axis=0)))
        size = np.maximum(high - self.means, self.means - low)
        rounding = 16 * np.finfo(float).eps * np.maximum(np.abs(low), np.abs(high))
        # A constant column moves nothing.
        return np.where(size > (rounding if self.intercept else 0.0), size, np.inf)

    def moves(self, V):
        """B V for V (dim, K): (n, K)."""
        W = V[: self.p] / self.scale[:, None]
        return self.X @ W - self.means @ W + (V[self.p] if self.intercept else 0.0)

    def back(self, W):
        """B'W for W (n, K): (dim, K)."""
        found = (self.X.T @ W - np.outer(self.means, W.sum(0))) / self.scale[:, None]
        return np.concatenate([found, W.sum(0)[None]]) if self.intercept else found

    def block(self, rows):
        """Some rows of B, dense."""
        X = self.X.tocsr()[rows].toarray() if self.sparse else self.X[rows]
        B = (X - self.means) / self.scale
        return np.column_stack([B, np.ones(len(B))]) if self.intercept else B

    def blocks(self):
        """(slice, those rows of B) of all rows, a few at a time."""
        X = self.X.tocsr() if self.sparse else self.X
        step = max(256, BLOCK // max(self.dim, 1))
        for start in range(0, self.n, step):
            part = slice(start, start + step)
            B = ((X[part].toarray() if self.sparse else X[part]) - self.means) / self.scale
            yield part, np.column_stack([B, np.ones(len(B))]) if self.intercept else B

    def margins(self, moves):
        """a_i'v from B v (n, K): in the shape of the signs; of entries that may not move, the move itself."""
        if self.loss.per_class:
            return moves[np.arange(self.n), self.y][:, None] - moves
        return np.where(self.signs == 0, 1.0, self.signs) * moves[:, 0]


def _flat(extreme):
    """A column-wise extreme of a dense or a sparse X as an array."""
    return np.asarray(extreme.toarray() if hasattr(extreme, "toarray") else extreme, dtype=float).ravel()
