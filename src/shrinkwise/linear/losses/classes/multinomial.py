"""Several classes."""

from __future__ import annotations

import numpy as np

from shrinkwise import kernels

from ..base import Loss
from .codes import class_codes


class Multinomial(Loss):
    """log Σ_k e^{η_k} − η_y, y in {0, …, K−1}: negative log-likelihood of K classes, symmetric parametrisation."""

    name = "multinomial"
    is_likelihood = coded = per_class = is_softmax = True
    curvature = 0.5

    def value(self, y, eta):
        """log Σ e^η − η_y."""
        by_class = np.moveaxis(eta, -1, 0)  # K rows: NumPy reduces over a short last axis slowly
        top = by_class.max(0)
        return np.log(np.exp(by_class - top).sum(0)) + (top - self._own(y, eta))

    def value_and_gradient(self, y, eta):
        """(log Σ e^η − η_y, softmax(η) − onehot(y)) by one exponential."""
        value, g = kernels.softmax(eta.T, y)
        return value, g.T

    def gradient(self, y, eta):
        """softmax(η) − onehot(y)."""
        g = _softmax(eta)
        g[y, np.arange(len(y))] -= 1.0
        return g.T

    def hessian(self, y, eta):
        """diag(p) − pp', shape (n, K, K)."""
        p = _softmax(eta)
        H = -p[:, None] * p
        H.reshape(-1, p.shape[1])[:: len(p) + 1] += p
        return H.transpose(2, 0, 1)

    def summed_curvature(self, y, eta, weights):
        """diag(p'weights) − p' diag(weights) p, without a matrix for every row."""
        p = _softmax(eta)
        return np.diag(p @ weights) - (p * weights) @ p.T

    def conjugate(self, y, v):
        """Σ_k q_k log q_k with q = onehot(y) + v on the simplex."""
        return kernels.softmax_conjugate(y, 1.0, v.T)

    def conjugate_at(self, y, alpha, v, eta):
        """As `conjugate`, at αv."""
        return kernels.softmax_conjugate(y, alpha, v.T)

    def dual_feasible(self, y, v):
        """onehot(y) + v moved to the simplex: clipped at 0 and divided by its sum."""
        return kernels.to_simplex(y, v.T).T

    def checked(self, y):
        """0, …, K−1, as integers."""
        return class_codes(y, self.name, "0, 1, …, K−1, each present").astype(int)

    def inverse_link(self, eta):
        """softmax(η), (n, K)."""
        return _softmax(eta).T

    def recession(self, y):
        """All classes but the own one may fall behind it."""
        signs = np.full((len(y), int(np.max(y)) + 1), -1)
        signs[np.arange(len(y)), y] = 0
        return signs

    def null_intercept(self, y, s):
        """Logarithms of the weighted class frequencies, centred."""
        log = np.log(np.bincount(y, weights=s) / s.sum())
        return log - log.mean()

    @staticmethod
    def _own(y, eta):
        index = np.broadcast_to(y.reshape((1,) * (eta.ndim - 2) + (-1, 1)), (*eta.shape[:-1], 1))
        return np.take_along_axis(eta, index, -1)[..., 0]


def _softmax(eta):
    """Probabilities, (K, n) for η (n, K): transposed, since the kernel goes class by class."""
    by_class = np.asarray(eta, dtype=float).T
    return kernels.softmax(by_class.reshape(len(by_class), -1))[1].reshape(by_class.shape)
