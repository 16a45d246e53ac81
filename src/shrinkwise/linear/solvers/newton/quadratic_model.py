"""The quadratic model of a smooth loss, on the weights that may move, with the intercept eliminated.

Around a point with gradient g the model is ½ d'Hd + g'd, H = X̃'SX̃/n from the curvatures S of the point where it was built.
It is kept while steps from it make good progress, here and at the next λ, and grows by the columns that join.
"""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.working_columns import run


class QuadraticModel:
    """H over pairs (class, place of a column), in the order in which they were added, and their coupling with the intercept.

    Parameters
    ----------
    columns : the working columns; the model is on their front.
    curvature : (n,), or (n, K, K), sample weights and 1/n in it.
    fit_intercept : whether an intercept (one per class) is eliminated.
    exact : H in double precision; else in single precision, which costs half and serves until the last digits count.
    shared : for a loss that joins rows, the function of columns (n, m) whose R'R/n is subtracted from X̃'SX̃/n; None otherwise.
        Such a loss does not see an intercept.

    H is `store[:m, :m]`, m = len(cls).
    """

    lasts = True  # whether it serves for further steps, from other points

    def __init__(self, columns, curvature, fit_intercept: bool, exact: bool, shared=None):
        self.columns, self.exact, self.shared = columns, exact, shared
        self.fit_intercept = fit_intercept = fit_intercept and shared is None
        self.R = np.zeros((0, 0))
        S = curvature[:, None, None] if curvature.ndim == 1 else curvature
        self.K = S.shape[1]
        self.S = np.ascontiguousarray(S.transpose(1, 2, 0))
        self.cls = np.zeros(0, dtype=int)
        self.pos = np.zeros(0, dtype=int)
        self.has = np.zeros((self.K, 0), dtype=bool)
        self.store = np.zeros((0, 0), np.float64 if exact else np.float32)
        self.M = np.zeros((0, self.K))
        self.T_inverse = inverse(S.sum(0)) if fit_intercept else None
        self.ordered = None  # H in the order that a solver wants, which sets it; None where H has grown since
        self.fresh = True  # whether built at the present point
        self.fresh_before = False  # and so at the one before

    def grow(self, mask):
        """Add the pairs of `mask` (K, front) that are not in the model yet."""
        lacking = mask.copy()
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
        for k in np.unique(cls):
            self._fill(k, np.flatnonzero(self.cls[old:] == k) + old, whole=old == 0)
        # Rounding may leave H slightly indefinite; a little damping changes the step, not where it ends.
        new = np.arange(old, len(self.cls))
        diagonal = self.store[new, new]
        self.store[new, new] += 1e-12 * diagonal.max() if self.exact else 4e-6 * diagonal

    def _reserve(self, m: int):
        M = np.empty((m, self.K))
        M[: len(self.M)] = self.M
        if self.shared is not None:
            new = self.shared(self.columns.rows[self.pos[len(self.R) :]].T).T / np.sqrt(self.columns.n)
            self.R = np.vstack([self.R, new]) if len(self.R) else new
        for k in range(self.K):
            new = np.flatnonzero(self.cls[len(self.M) :] == k) + len(self.M)
            if len(new):
                M[new] = self.columns.sums(self.pos[new], self.S[k].T)
        old, self.M = len(self.M), M
        if m > len(self.store):
            size = m if old == 0 else max(m, len(self.store) + len(self.store) // 2)
            grown = np.empty((size, size), self.store.dtype)
            grown[:old, :old] = self.store[:old, :old]
            self.store = grown

    def _fill(self, k: int, new, whole: bool):
        """H between the new pairs of class k and all pairs (of the classes from k on, where the others follow)."""
        left, rights, classes = self.pos[new], [], []
        for j in range(k if whole else 0, self.K):
            there = np.flatnonzero(self.cls == j)
            if len(there):
                classes.append((j, there))
                rights.append(left if len(there) == len(new) and j == k else self.pos[there])
        blocks = self.columns.gram(left, rights, [self.S[k, j] for j, _ in classes], self.store.dtype)
        here = run(new)
        projected = self.M[new] @ self.T_inverse if self.fit_intercept else None
        for (_, there), block in zip(classes, blocks, strict=True):
            if self.fit_intercept:
                block -= (projected @ self.M[there].T).astype(block.dtype)
            if self.shared is not None:
                block -= (self.R[new] @ self.R[there].T).astype(block.dtype)
            there = run(there)
            one = here if isinstance(here, slice) or isinstance(there, slice) else here[:, None]
            self.store[one, there] = block
            other = there if isinstance(here, slice) or isinstance(there, slice) else there[:, None]
            self.store[other, here] = block.T

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
        per_row = along.reshape(problem.n, -1)
        change = np.stack([(self.S[k] * per_row.T).sum(0) for k in range(self.K)], axis=1)
        back = np.divide(problem.n, problem.s, out=np.zeros(problem.n), where=problem.s > 0)
        return (change.T * back).T.reshape(along.shape)

    def times(self, w):
        """H w."""
        m = len(self.cls)
        return self.store[:m, :m] @ w

    def hessian(self):
        """H in double precision, (m, m)."""
        m = len(self.cls)
        return np.ascontiguousarray(self.store[:m, :m], dtype=np.float64)


def inverse(T):
    """Pseudo-inverse of the intercepts' curvature (K, K): softmax does not change with a constant added to all classes."""
    return np.linalg.pinv(T, rcond=1e-10, hermitian=True) if len(T) > 1 else 1.0 / np.maximum(T, 1e-300)
