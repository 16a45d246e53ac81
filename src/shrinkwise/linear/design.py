"""The matrix X as the solvers see it: dense or sparse, float32 or float64, centred and weighted without a copy.

X̃ = √s (X − 1x̄')  with x̄ the weighted column means where an intercept is fitted, else 0. Only working columns of X̃ are
ever formed; products with all of X̃ go through X itself and a correction by x̄.
"""

from __future__ import annotations

import numpy as np

# float32 is widened and the Gram matrix summed in row blocks of about this many entries (16 MB of float64).
_BLOCK = 2_000_000


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

    def __init__(self, X, s, centre: bool):
        self.sparse = is_sparse(X)
        self.X = _as_csc(X) if self.sparse else _as_dense(X)
        self.n, self.p = self.X.shape
        self.s = s
        self.weighted = bool((s != 1).any())
        self.root = np.sqrt(s) if self.weighted else None
        self.means = self.transposed(s) / self.n if centre else np.zeros(self.p)
        self.centre = centre

    # --- products with X --------------------------------------------------------------------------------------
    def times(self, w, columns=None):
        """X w' for w (p,) or (K, p); with `columns`, w holds the weights of those columns only. (n,) or (n, K)."""
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
        if self.sparse:
            return self.X.T @ v
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
        """X̃'X̃/n, (p, p), C-contiguous; summed over row blocks, so that no copy of X is made."""
        G = np.zeros((self.p, self.p))
        for rows in self._row_blocks(self.p):
            block = self.X[rows]
            block = block.toarray() if self.sparse else block
            block = block - self.means if self.centre else block.astype(np.float64, copy=False)
            if self.root is not None:
                block = block * self.root[rows, None]
            G += block.T @ block
        G /= self.n
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
