"""The orthogonal complement of a few directions, as Householder reflections: coordinates in it without a matrix of it."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr
from scipy.linalg.lapack import dormqr

_BLOCK = 64  # LAPACK applies reflections in blocks of this many at most


class Complement:
    """N (n, n − k) with orthonormal columns and N'B = 0, for B (n, k) with orthonormal columns."""

    def __init__(self, B):
        self.n, self.k = B.shape
        self.size = self.n - self.k
        if self.k:
            (self._reflections, self._tau), _ = qr(B, mode="raw", check_finite=False)

    def into(self, A):
        """N'A for A (n, m)."""
        return self._reflected("L", "T", np.array(A, order="F"))[self.k :] if self.k else A

    def within(self, K):
        """N'KN for K (n, n)."""
        if not self.k:
            return K
        left = self._reflected("L", "T", np.array(K, order="F"))
        return self._reflected("R", "N", left)[self.k :, self.k :]

    def out_of(self, A):
        """N A for A (n − k, m)."""
        if not self.k:
            return A
        whole = np.zeros((self.n, A.shape[1]), order="F")
        whole[self.k :] = A
        return self._reflected("L", "N", whole)

    def _reflected(self, side: str, which: str, A):
        """Reflections from one side of A, in Fortran order, in its place."""
        if not A.size:
            return A
        work = _BLOCK * (max(A.shape) + _BLOCK + 1)
        return dormqr(side, which, self._reflections, self._tau, A, work, overwrite_c=1)[0]
