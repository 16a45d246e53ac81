"""The curvatures S of the rows, from which a quadratic model has its Hessian X̃'SX̃."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from shrinkwise import kernels
from shrinkwise.linear.problem.column_set import run

# A pass over the rows takes so many entries of X̃ ⊗ p at a time: few enough to stay in the cache.
_AT_ONCE = 1_000_000
# From this share of the pairs of classes and columns on, all of them cost no more (`pair_grams`), and none joins later.
_WHOLE = 0.7
# So many products of X with a vector take as long as making the entries of X̃ ⊗ p, which more pairs need again.
_ROW_BY_ROW = 10


class RowCurvature:
    """A number or a (K, K) matrix for every row.

    Parameters
    ----------
    curvature : (n,), or (n, K, K), sample weights and 1/n in it.
    """

    def __init__(self, curvature):
        S = curvature[:, None, None] if curvature.ndim == 1 else curvature
        self.K = S.shape[1]
        self.S = np.ascontiguousarray(S.transpose(1, 2, 0))

    def total(self):
        """Σ_i S_i, (K, K)."""
        return self.S.sum(2)

    def sums(self, columns, cls, pos):
        """X̃'S between the pairs (cls, pos) and the intercepts of all classes, (m, K)."""
        if self.K == 1:
            return columns.sums(pos, self.S[0].T)
        M = np.empty((len(cls), self.K))
        for k in np.unique(cls):
            new = np.flatnonzero(cls == k)
            M[new] = columns.sums(pos[new], self.S[k].T)
        return M

    def gram(self, columns, cls, pos, old: int, dtype):
        """X̃'SX̃ between the pairs (cls, pos) from the place `old` on and all of them, (m − old, m)."""
        if self.K == 1:
            return columns.gram(pos[old:] if old else pos, [pos], [self.S[0, 0]], dtype)[0]
        H = np.empty((len(cls) - old, len(cls)), dtype)
        for k in np.unique(cls[old:]):
            new = np.flatnonzero(cls[old:] == k) + old
            left, rights, classes = pos[new], [], []
            for j in range(k if old == 0 else 0, self.K):
                there = np.flatnonzero(cls == j)
                if len(there):
                    classes.append((j, there))
                    rights.append(left if len(there) == len(new) and j == k else pos[there])
            blocks = columns.gram(left, rights, [self.S[k, j] for j, _ in classes], dtype)
            for (j, there), block in zip(classes, blocks, strict=True):
                _put(H, new - old, there, block)
                if old == 0 and j > k:
                    _put(H, there, new, block.T)
        return H

    def whole(self, mask, there):
        """As `SoftmaxCurvature.whole`: no others."""
        return mask

    def change_of_gradient(self, along, problem):
        """The change of ∇f(η) that these curvatures predict for a change of η by `along`, in the shape of η."""
        step = along.reshape(problem.n, -1).T
        change = np.stack([(rows * step).sum(0) for rows in self.S])
        back = np.divide(problem.n, problem.s, out=np.zeros(problem.n), where=problem.s > 0)
        return (change * back).T.reshape(along.shape)


class SoftmaxCurvature:
    """diag(p) − pp' for every row, from the probabilities alone.

    Between two classes X̃'SX̃ is −(X̃ ⊗ p)'(X̃ ⊗ p), one product of matrices for all of them. Within a class it is taken from
    p(1 − p), which does not cancel; where every column is there for all classes, as minus the sum of the blocks between the
    classes, which have one sign: Σ_k p_k = 1.

    Parameters
    ----------
    probabilities : (n, K).
    weights : (n,), sample weights and 1/n in it.
    """

    def __init__(self, probabilities, weights):
        self.p = np.ascontiguousarray(probabilities.T)
        self.weights = weights
        self.K = len(self.p)

    def total(self):
        """Σ_i S_i, (K, K)."""
        weighted = self.weights * self.p
        return np.diag(weighted.sum(1)) - weighted @ self.p.T

    def sums(self, columns, cls, pos):
        """As `RowCurvature.sums`."""
        weighted = self.weights * self.p
        M = -columns.paired_sums(cls, pos, weighted, self.p, _AT_ONCE)
        for k in np.unique(cls):  # p(1 − p) without cancellation
            new = np.flatnonzero(cls == k)
            M[new, k] = columns.sums(pos[new], (weighted[k] * (1.0 - self.p[k]))[:, None])[:, 0]
        return M

    def gram(self, columns, cls, pos, old: int, dtype):
        """As `RowCurvature.gram`."""
        new, every = np.unique(pos[old:]), np.unique(pos)
        if len(cls) - old == self.K * len(new) and len(cls) == self.K * len(every):
            return self._gram_of_whole_columns(columns, cls, pos, old, new, every, dtype)
        if (len(cls) - old) * (self.K + 2) * columns.front < _ROW_BY_ROW * len(cls):
            return self._rows_of_gram(columns, cls, pos, old, dtype)
        H = -columns.paired_gram(cls, pos, old, np.sqrt(self.weights) * self.p, _AT_ONCE, dtype)
        for k in np.unique(cls[old:]):
            own, there = np.flatnonzero(cls[old:] == k) + old, np.flatnonzero(cls == k)
            left = pos[own]
            right = left if len(there) == len(own) else pos[there]
            weights = self.weights * self.p[k] * (1.0 - self.p[k])
            _put(H, own - old, there, columns.gram(left, [right], [weights], dtype)[0])
        return H

    def _gram_of_whole_columns(self, columns, cls, pos, old, new, every, dtype):
        """`gram` where the columns `new`, as all `every`, are there for all classes: from the blocks between two classes."""
        right = new if old == 0 else every
        H = np.zeros((self.K, len(new), self.K, len(every)), dtype)
        blocks = columns.pair_grams(new, right, np.sqrt(self.weights) * self.p, _AT_ONCE, dtype)
        for (k, j), block in zip(combinations(range(self.K), 2), blocks, strict=True):
            H[k, :, k] += block
            H[j, :, j] += block
            H[k, :, j] = H[j, :, k] = -block
        H = H.reshape(self.K * len(new), self.K * len(every))
        rows = cls[old:] * len(new) + np.searchsorted(new, pos[old:])
        places = cls * len(every) + np.searchsorted(every, pos)
        return H[run(rows)][:, run(places)]

    def _rows_of_gram(self, columns, cls, pos, old, dtype):
        """`gram` for few new pairs: a product with X for each."""
        H = np.empty((len(cls) - old, len(cls)), dtype)
        for row, k, place in zip(H, cls[old:], pos[old:], strict=True):
            unit = np.zeros((1, columns.front), dtype)
            unit[0, place] = 1.0
            v = (self.p[k] * self.weights * columns.times(unit)[:, 0]) * self.p
            v[k] = 0.0
            block = -columns.transposed(v.astype(dtype, copy=False).T, columns.front)
            block[k] = -block.sum(0)
            row[:] = block[cls, pos]
        return H

    def whole(self, mask, there):
        """Of the pairs that may move, `mask` (K, m), those that a model with the pairs `there` should have."""
        used = mask.any(0)
        if there.any():
            is_whole = bool((there.all(0) == there.any(0)).all())
        else:
            is_whole = mask.sum() > _WHOLE * self.K * used.sum()
        return mask | used if is_whole else mask

    def change_of_gradient(self, along, problem):
        """p ∘ (along − Σ_k p_k along_k), (n, K)."""
        change = np.array(along.T, dtype=np.float64, order="C")
        kernels.softmax_curvature(self.p, np.ones(problem.n), change)
        return change.T


def _put(H, rows, columns, block):
    """H[rows, columns] = block, without a copy of indices where both are runs."""
    rows, columns = run(rows), run(columns)
    whole = isinstance(rows, slice) or isinstance(columns, slice)
    H[rows if whole else rows[:, None], columns] = block
