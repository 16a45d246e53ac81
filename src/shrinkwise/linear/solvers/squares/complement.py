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
        return self._reflected("T", A)[self.k :] if self.k else A

    def out_of(self, A):
        """N A for A (n − k, m)."""
        if not self.k:
            return A
        return self._reflected("N", np.concatenate([np.zeros((self.k, A.shape[1])), A]))

    def _reflected(self, which: str, A):
        if not A.shape[1]:
            return A
        work = _BLOCK * (A.shape[1] + _BLOCK + 1)
        return dormqr("L", which, self._reflections, self._tau, A, work)[0]
