"""The quadratic model of a smooth loss, on the weights that may move, with the intercept eliminated.

Around a point with gradient g the model is ½ d'Hd + g'd, H = X̃'SX̃/n from the curvatures S of the point where it was built.
It is kept while steps from it make good progress, here and at the next λ, and grows by the columns that join.
"""

from __future__ import annotations

import numpy as np

from shrinkwise.kernels import columns_times
from shrinkwise.linear.problem.column_set import run


class QuadraticModel:
    """H over pairs (class, place of a column), in the order in which they were added, and their coupling with the intercept.

    Parameters
    ----------
    columns : the working columns; the model is on their front.
    curvature : `RowCurvature` or `SoftmaxCurvature`.
    fit_intercept : whether an intercept (one per class) is eliminated.
    exact : H in double precision; else in single precision, which costs half and serves until the last digits count.
    rooted : of a loss that joins rows, the root Z of its Hessian, Z'Z/n, which then takes the place of X̃'SX̃/n; else None.
        Such a loss does not see an intercept.

    H is `store[:m, :m]`, m = len(cls).
    """

    keeps = True  # whether the model is worth keeping while steps from it are good

    def __init__(self, columns, curvature, fit_intercept: bool, exact: bool, rooted=None):
        self.columns, self.exact, self.rooted = columns, exact, rooted
        self.fit_intercept = fit_intercept = fit_intercept and rooted is None
        self.curvature, self.K = curvature, curvature.K
        self.cls = np.zeros(0, dtype=int)
        self.pos = np.zeros(0, dtype=int)
        self.has = np.zeros((self.K, 0), dtype=bool)
        self.store = np.zeros((0, 0), np.float64 if exact else np.float32)
        self.Z = np.zeros(
            (0, columns.n), self.store.dtype
        )  # columns of the root, as long as `store`: the first m count
        self.M = np.zeros((0, self.K))
        self.T_inverse = inverse(curvature.total()) if fit_intercept else None
        self.ordered = None  # H in the order that a solver wants, which sets it; None where H has grown since
        self.fresh = True  # whether built at the present point
        self.fresh_before = False  # and so at the one before

    def grow(self, mask):
        """Add the pairs of `mask` (K, front) that are not in the model yet, and those that come cheaply with them."""
        lacking = self.curvature.whole(mask, self.has).copy()
        lacking[:, : self.has.shape[1]] &= ~self.has
        cls, pos = np.nonzero(lacking)
        if not len(cls):
            return
        self.ordered = None
        grown = np.zeros(mask.shape, dtype=bool)
        grown[:, : self.has.shape[1]] = self.has
        self.has = grown | lacking
        old = len(self.cls)
        self.cls, self.pos = np.concatenate([self.cls, cls]), np.concatenate([self.pos, pos])
        self._reserve(len(self.cls))
        self._fill(old)
        # Rounding may leave H slightly indefinite; a little damping changes the step, not where it ends.
        new = np.arange(old, len(self.cls))
        diagonal = self.store[new, new]
        self.store[new, new] += 1e-12 * diagonal.max() if self.exact else 4e-6 * diagonal

    def _reserve(self, m: int):
        old, size = len(self.M), len(self.store)
        M = np.zeros((m, self.K))
        M[:old] = self.M
        if self.fit_intercept:
            M[old:] = self.curvature.sums(self.columns, self.cls[old:], self.pos[old:])
        self.M = M
        if m > size:
            size = m if old == 0 else max(m, size + size // 2)
            grown = np.empty((size, size), self.store.dtype)
            grown[:old, :old] = self.store[:old, :old]
            self.store = grown
        if self.rooted is not None:
            if len(self.Z) < size:
                grown = np.empty((size, self.columns.n), self.Z.dtype)
                grown[:old] = self.Z[:old]
                self.Z = grown
            self.Z[old:m] = self.rooted.of(self.columns.rows[run(self.pos[old:])], self.Z.dtype)

    def _fill(self, old: int):
        """H between the pairs from the place `old` on and all pairs."""
        m = len(self.cls)
        if self.rooted is not None:
            block = self.Z[old:m] @ self.Z[:m].T  # for old = 0 symmetric: half the work
            block /= self.columns.n
        else:
            block = self.curvature.gram(self.columns, self.cls, self.pos, old, self.store.dtype)
        if self.fit_intercept:
            block -= (self.M[old:] @ self.T_inverse @ self.M.T).astype(block.dtype)
        self.store[old:m, :m] = block
        self.store[:old, old:m] = block[:, :old].T

    def step(self, w, g, gb, inner, tol: float):
        """(d, db): the step that minimises the model plus the penalty `inner`, from w (K, front) with gradients g, gb."""
        flat = w[self.cls, self.pos]
        g = g[self.cls, self.pos]
        if self.fit_intercept:
            g = g - self.M @ (self.T_inverse @ gb)
        change = inner.solve(self, -g, flat, tol) - flat
        d = np.zeros(w.shape)
        d[self.cls, self.pos] = change
        db = self.T_inverse @ -(gb + self.M.T @ change) if self.fit_intercept else np.zeros(self.K)
        return d, db

    def change_of_gradient(self, along, problem):
        """The change of ∇f(η) that the model predicts for a change of η by `along`, in the shape of η."""
        return self.curvature.change_of_gradient(along, problem)

    @property
    def matrix(self):
        """H as it is stored, (m, m)."""
        return self.store[: len(self.cls), : len(self.cls)]

    def times(self, w):
        """H w."""
        support = np.flatnonzero(w)
        return columns_times(self.matrix, support, w[support])

    def hessian(self):
        """H in double precision."""
        return np.ascontiguousarray(self.matrix, dtype=np.float64)


def inverse(T):
    """Pseudo-inverse of the intercepts' curvature (K, K): softmax does not change with a constant added to all classes."""
    return np.linalg.pinv(T, rcond=1e-10, hermitian=True) if len(T) > 1 else 1.0 / np.maximum(T, 1e-300)
