"""Least squares of many rows from the triangular factor of the data, p + 2 rows that replace all of them.

    R'R = [1 X y]' S [1 X y],  R upper triangular, S = diag(s)       ‖√s (y − b − Xw)‖² = ‖R (b, w, −1)'‖²

so that the loss, its gradient, the duality gap and every held-out squared error are those of the rows themselves. R comes
from Householder reflections of one block of rows after the other, which squares no condition number and copies no more of X
than a block; the factor of several blocks is the factor of their factors, so that all folds of a cross-validation cost one
pass over X, whatever the penalty.

Reference: Demmel, Grigori, Hoemmen, Langou, Communication-optimal parallel and sequential QR and LU factorizations, SIAM J.
Sci. Comput. 2012.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from .problem import Problem

# From so many rows a column, and so many values of X, a pass over the rows costs more than all that is solved.
_TALL, _LARGE = 20, 100_000
_BLOCK_ROWS = 4096


def one_thread():
    """A block in which BLAS uses one thread, because on such small blocks of rows several threads are slower.

    It sets a limit for the whole process, so it is entered where the work is distributed.
    """
    return threadpool_limits(limits=1, user_api="blas")


class Triangle:
    """R of n rows, and the sum of their weights.

    Parameters
    ----------
    R : (k, p + 2), k ≤ p + 2, columns for the intercept, X and y.
    n : number of rows.
    weight : Σ s > 0.
    """

    def __init__(self, R, n: int, weight: float):
        self.R, self.n, self.weight = R, n, float(weight)

    @staticmethod
    def pays(problem: Problem, least_values: int = 0) -> bool:
        """Whether a problem is least squares of one target on a large dense X of many more rows than columns."""
        squared = problem.loss.is_quadratic and np.ndim(problem.y) == 1 and not problem.design.sparse
        return squared and problem.n >= _TALL * (problem.p + 2) and problem.n * problem.p >= max(least_values, _LARGE)

    @classmethod
    def of(cls, X, y, s=None, offset=None, rows=None) -> Triangle:
        """Of the rows of dense X numbered `rows` (None: all), with weights s and y less the offset."""
        if rows is not None and np.asarray(rows).dtype == bool:
            rows = np.flatnonzero(rows)
        n = len(y) if rows is None else len(rows)
        step = max(_BLOCK_ROWS, 4 * (X.shape[1] + 2))
        R = np.zeros((0, X.shape[1] + 2))
        for start in range(0, n, step):
            part = slice(start, min(start + step, n)) if rows is None else rows[start : start + step]
            block = np.ones((len(y[part]), X.shape[1] + 2))
            block[:, 1:-1] = X[part]
            block[:, -1] = y[part] if offset is None else y[part] - offset[part]
            if s is not None:
                block *= np.sqrt(s[part])[:, None]
            R = np.asarray(np.linalg.qr(np.concatenate([R, block]), mode="r"))
        part = slice(None) if rows is None else rows
        weight = n if s is None else s[part].sum()
        if not weight > 0:
            raise ValueError("Expected sample weights to be finite, ≥ 0 and not all zero")
        return cls(R, n, weight)

    @classmethod
    def joined(cls, parts: Sequence[Triangle]) -> Triangle:
        """Of the rows of all parts."""
        R = np.asarray(np.linalg.qr(np.concatenate([part.R for part in parts]), mode="r"))
        return cls(R, sum(part.n for part in parts), sum(part.weight for part in parts))

    def standardised(self, mean, scale) -> Triangle:
        """Of the same rows with (x − mean) / scale in the place of x, mean and scale (p,)."""
        R = self.R.copy()
        R[:, 1:-1] = (R[:, 1:-1] - np.outer(R[:, 0], mean)) / scale
        return Triangle(R, self.n, self.weight)

    def with_target_over(self, scale: float) -> Triangle:
        """Of the same rows with y / scale in the place of y."""
        R = self.R.copy()
        R[:, -1] /= scale
        return Triangle(R, self.n, self.weight)

    def problem(self, fit_intercept: bool) -> Problem:
        """The same least squares without intercept on k rows; where one is fitted, X and y are less their means.

        The rounding error that remains of a constant column is replaced by 0.
        """
        data = self.R[:, 1:]
        if fit_intercept:
            whole, data = np.linalg.norm(data, axis=0), self.R[1:, 1:] if len(self.R) > 1 else np.zeros_like(data)
            rounding = np.finfo(float).eps * max(100.0, 0.05 * self.n)
            data = np.where(np.linalg.norm(data, axis=0) > rounding * whole, data, 0.0)
        data = data * np.sqrt(len(data) / self.weight)
        found = Problem(np.ascontiguousarray(data[:, :-1]), data[:, -1].copy(), "squared", None, fit_intercept=False)
        found.stands_for = self.n
        return found

    def stand_in(self, fit_intercept: bool, column_scale=None) -> Problem:
        """A Problem of 2(k − 1) rows x̄ ± r, or of k rows without an intercept, with the loss of the rows at every (w, b)."""
        if fit_intercept:
            inner = self.R[1:, 1:] if len(self.R) > 1 else np.zeros((1, self.R.shape[1] - 1))
            inner = inner * np.sqrt(len(inner) / self.weight)
            data = np.concatenate([self.means + inner, self.means - inner])
        else:
            data = self.R[:, 1:] * np.sqrt(len(self.R) / self.weight)
        X, y = np.ascontiguousarray(data[:, :-1]), data[:, -1].copy()
        found = Problem(X, y, "squared", None, fit_intercept, column_scale=column_scale)
        found.stands_for = self.n
        return found

    def column_scale(self) -> np.ndarray:
        """The standard deviations of the columns of X, (p,); 1 for constant columns."""
        found = self.deviations
        rounding = np.finfo(float).eps * max(100.0, 0.05 * self.n) * np.abs(self.means[:-1])
        return np.where(found > rounding, found, 1.0)

    def divided(self, scale) -> Triangle:
        """Of the same rows with the columns of X divided by `scale` (p,); ∞ makes a column zero."""
        R = self.R.copy()
        R[:, 1:-1] /= scale
        return Triangle(R, self.n, self.weight)

    @cached_property
    def means(self):
        """x̄ (p,) and ȳ, the last entry: (p + 1,)."""
        return self.R[0, 1:] / self.R[0, 0]

    @property
    def deviations(self):
        """The weighted standard deviations of the columns of X, (p,)."""
        return np.linalg.norm(self.R[1:, 1:-1], axis=0) / np.sqrt(self.weight)

    @property
    def target_deviation(self) -> float:
        """The weighted standard deviation of y."""
        return float(np.linalg.norm(self.R[1:, -1]) / np.sqrt(self.weight))

    def intercepts(self, w):
        """ȳ − x̄'w for w (p,) or (L, p)."""
        return self.means[-1] - w @ self.means[:-1]

    def mean_squared_errors(self, w, b) -> np.ndarray:
        """Σ s (y − b − x'w)² / Σ s for w (L, p) and b (L,)."""
        errors = np.outer(b, self.R[:, 0]) + w @ self.R[:, 1:-1].T - self.R[:, -1]
        return np.sum(errors**2, axis=1) / self.weight


class FoldTriangles:
    """The factors of a cross-validation: of the held-out rows of each fold, of its training rows, and of all rows."""

    def __init__(self, held: list[Triangle], known: list[Triangle], whole: Triangle):
        self.held, self.known, self.whole = held, known, whole

    @classmethod
    def of_held(cls, held: list[Triangle]) -> FoldTriangles:
        """Where the folds share no row and hold all of them."""
        with one_thread():
            whole = Triangle.joined(held)
            known = [Triangle.joined([part for part in held if part is not each]) for each in held]
        return cls(held, known, whole)

    @classmethod
    def of(cls, rows, folds) -> FoldTriangles:
        """Of rows with X, y, weight and offset, and folds (train, test)."""

        def part(index):
            return Triangle.of(rows.X, rows.y, rows.weight, rows.offset, index)

        with one_thread():
            held = [part(test) for _, test in folds]
            if _partition(folds, len(rows.y)):
                return cls.of_held(held)
            return cls(held, [part(train) for train, _ in folds], part(None))

    def each(self, change: Callable[[Triangle], Triangle]) -> FoldTriangles:
        """The same with every factor changed."""
        return FoldTriangles([*map(change, self.held)], [*map(change, self.known)], change(self.whole))


def _partition(folds, n: int) -> bool:
    """Whether every row is held out once and is a training row of all other folds."""
    times = np.zeros(n, dtype=int)
    for train, test in folds:
        held = np.zeros(n, dtype=bool)
        held[test] = True
        known = np.zeros(n, dtype=bool)
        known[train] = True
        if (known == held).any() or len(np.atleast_1d(train)) + len(np.atleast_1d(test)) != n:
            return False
        times += held
    return bool((times == 1).all())
