"""The matrix X as the solvers see it: dense or sparse, float32 or float64, centred and weighted without a copy.

X̃ = √s (X − 1x̄')  with x̄ the weighted column means where an intercept is fitted, else 0. Only working columns of X̃ are
ever formed; products with all of X̃ go through X itself and a correction by x̄.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dger

from shrinkwise.kernels import WeightedColumns, columns_transposed

# float32 is widened and the Gram matrix summed in row blocks of about this many entries (16 MB of float64).
_BLOCK = 2_000_000
# Of so many vectors or fewer, a kernel that reads the columns once is faster than a product of matrices.
VECTORS = 8


def is_sparse(X) -> bool:
    """Whether X is a scipy sparse array or matrix (asked without importing scipy)."""
    return hasattr(X, "tocsc") and hasattr(X, "nnz")


class Design:
    """Products with X and with X̃ = √s (X − 1x̄').

    Parameters
    ----------
    X : (n, p) float64 or float32, in C or Fortran order, or scipy sparse CSR/CSC (kept as CSC). Not copied where it is
        contiguous.
    s : (n,) weights of mean 1.
    centre : whether x̄ is subtracted.
    """

    streams = False  # whether products with all of X are passes over rows that are not in memory

    def __init__(self, X, s, centre: bool):
        self.sparse = is_sparse(X)
        self.X = as_columns(X)
        self.n, self.p = self.X.shape
        self.s = s
        self.weighted = bool((s != 1).any())
        self.root = np.sqrt(s) if self.weighted else None
        if self.sparse:
            self.columns = WeightedColumns(self.X, s if self.weighted else None, centre)
            self.means = self.columns.means
        else:
            self.means = self.transposed(s) / self.n if centre else np.zeros(self.p)
        self.centre = centre

    def gather(self, ids) -> None:
        """Have the columns `ids` in memory, where all of them are."""

    # --- products with X --------------------------------------------------------------------------------------
    def times(self, w, columns=None):
        """X w' for w (p,) or (K, p); with `columns`, w holds the weights of those columns only. (n,) or (n, K)."""
        if self.sparse and (w.ndim == 1 or self.X.dtype == np.float32):  # SciPy would widen float32 in a copy
            out = [self.columns.times(row, columns) for row in np.atleast_2d(w)]
            return out[0] if w.ndim == 1 else np.stack(out, axis=1)
        if columns is not None and len(columns) > 0.4 * self.p and not self.sparse:
            full = np.zeros((*w.shape[:-1], self.p))
            full[..., columns] = w
            w, columns = full, None
        X = self.X if columns is None else self.X[:, columns]
        if self.sparse or X.dtype == np.float64:
            return X @ w.T
        return np.concatenate([X[rows].astype(np.float64) @ w.T for rows in self._row_blocks(X.shape[1])])

    def transposed(self, v):
        """X'v for v (n,) or (n, K): (p,) or (p, K)."""
        if self.sparse and (v.ndim == 1 or self.X.dtype == np.float32):
            out = [self.columns.transposed(row) for row in np.atleast_2d(v.T)]
            return out[0] if v.ndim == 1 else np.stack(out, axis=1)
        if self.sparse:
            return self.X.T @ v
        if self.X.flags.f_contiguous and (self.X.dtype == np.float32 or v.ndim == 2) and v.size <= VECTORS * self.n:
            V = np.ascontiguousarray(np.atleast_2d(v.T), dtype=np.float64)
            return columns_transposed(self.X.T, np.arange(self.p), V).T.reshape(self.p, *v.shape[1:])
        if self.X.dtype == np.float64:
            return (v.T @ self.X).T  # for several v about twice as fast as X'v where X is in C order
        total = np.zeros((self.p, *v.shape[1:]))
        for rows in self._row_blocks(self.p):
            total += self.X[rows].astype(np.float64).T @ v[rows]
        return total

    # --- products with X̃ ---------------------------------------------------------------------------------------
    def rooted(self, v):
        """√s v."""
        return v if self.root is None else (v.T * self.root).T

    def centred_transposed(self, v):
        """X̃'v."""
        v = self.rooted(v)
        product = self.transposed(v)
        return product - np.multiply.outer(self.means, v.sum(0)) if self.centre else product

    def centred_times(self, w, columns=None):
        """X̃ w'."""
        means = self.means if columns is None else self.means[columns]
        return self.rooted(self.times(w, columns) - w @ means)

    def centred_columns(self, columns):
        """The columns of X̃ as a dense float64 array in Fortran order, (n, len(columns))."""
        block = self.X[:, columns]
        out = np.asfortranarray(block.toarray() if self.sparse else block, dtype=np.float64)
        if self.centre:
            out -= self.means[columns]
        if self.root is not None:
            out *= self.root[:, None]
        return out

    def gram(self):
        """X̃'X̃/n, (p, p), C-contiguous; no copy of X is made."""
        if self.sparse:
            return self._sparse_gram()
        if self.root is None and self.X.dtype == np.float64:
            G = self.X.T @ self.X
            G /= self.n
            if not self.centre:
                return G
            dger(-1.0, self.means, self.means, a=G.T, overwrite_a=True)  # G −= x̄x̄', without a matrix beside G
            # Where the mean is large beside the spread the difference has lost digits: those columns are centred first.
            lost = np.flatnonzero(np.diagonal(G) < 1e-3 * self.means**2)
            if len(lost) <= self.p // 4:
                G[lost] = self.centred_transposed(self.centred_columns(lost)).T / self.n
                G[:, lost] = G[lost].T
                return G
        return self._blockwise_gram()

    def _blockwise_gram(self):
        G = np.zeros((self.p, self.p))
        for rows in self._row_blocks(self.p):
            block = self.X[rows]
            block = block - self.means if self.centre else block.astype(np.float64, copy=False)
            if self.root is not None:
                block = block * self.root[rows, None]
            G += block.T @ block
        G /= self.n
        return G

    def _sparse_gram(self):
        counts = np.diff(self.X.indptr)
        # Products of sparse columns cost their stored pairs: from an eighth of X on, products of dense blocks cost less.
        if 8 * counts.sum() > self.n * self.p:
            return self._gram_of_dense_blocks()
        G = np.empty((self.p, self.p))
        for columns in _blocks(np.arange(self.p), max(64, self.p // 8)):
            G[:, columns] = self.sparse_gram_between(None, columns)
        return G

    def sparse_gram_between(self, left, right):
        """X̃_left'X̃_right/n of sparse columns, from products of stored entries; left None: all columns."""
        at = slice(None) if left is None else left
        X = self.X if left is None else self.X[:, left]
        weighted = self.X[:, right].astype(np.float64)
        if self.root is not None:
            weighted.data *= self.s[weighted.indices]
        G = (X.T @ weighted).toarray() / self.n - np.outer(self.means[at], self.means[right])
        # That cancels by at most 1/(1 − d) in a column of which the share d is stored: full ones are centred first.
        full = np.diff(self.X.indptr) > 0.9 * self.n
        for k in np.flatnonzero(full[right]):
            G[:, k] = self.centred_transposed(self.centred_columns(right[k : k + 1])[:, 0])[at] / self.n
        for k in np.flatnonzero(full[at]):
            column = np.arange(self.p)[at][k : k + 1]
            G[k] = self.centred_transposed(self.centred_columns(column)[:, 0])[right] / self.n
        return G

    def _gram_of_dense_blocks(self):
        G = np.empty((self.p, self.p))
        parts = _blocks(np.arange(self.p), max(1, self.p // 32, _BLOCK // max(self.n, 1)))
        for k, left in enumerate(parts):
            block = self.centred_columns(left)
            for right in parts[: k + 1]:
                other = block if right is left else self.centred_columns(right)
                G[np.ix_(left, right)] = block.T @ other / self.n
                G[np.ix_(right, left)] = G[np.ix_(left, right)].T
        return G

    def row_gram(self):
        """X̃X̃'/n, (n, n): the rows' side of the Gram matrix, summed over column blocks."""
        K = np.zeros((self.n, self.n))
        step = max(1, _BLOCK // max(self.n, 1))
        for start in range(0, self.p, step):
            block = self.centred_columns(np.arange(start, min(start + step, self.p)))
            K += block @ block.T
        K /= self.n
        return K

    def _row_blocks(self, width: int):
        step = max(256, _BLOCK // max(width, 1))
        return [slice(start, min(start + step, self.n)) for start in range(0, self.n, step)]


def _blocks(columns, size: int):
    return [columns[start : start + size] for start in range(0, len(columns), size)]


def as_columns(X):
    """X as the solvers read it: contiguous float64 or float32, sparse as canonical CSC; not copied where it is that."""
    return _as_csc(X) if is_sparse(X) else _as_dense(X)


def _as_csc(X):
    X = X.tocsc()
    if X.dtype not in (np.float64, np.float32):
        X = X.astype(np.float64)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def _as_dense(X):
    X = np.asarray(X)
    if X.dtype not in (np.float64, np.float32):
        X = X.astype(np.float64)
    return X if X.flags.c_contiguous or X.flags.f_contiguous else np.ascontiguousarray(X)
