"""Several classes."""

from __future__ import annotations

import numpy as np

from ..base import Loss
from .codes import class_codes

_AT_ONCE = 30_000  # entries of η in one pass of several operations


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
        by_class, value = eta.T, np.empty(len(y))
        g = np.empty(by_class.shape)
        for rows in _pieces(by_class):
            part, here = by_class[:, rows], g[:, rows]
            own = y[rows], np.arange(here.shape[1])
            top = part.max(0)
            np.exp(np.subtract(part, top, out=here), out=here)
            total = here.sum(0)
            here /= total
            value[rows] = np.log(total) + (top - part[own])
            here[own] -= 1.0
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
        by_class, total = v.T, np.empty(len(y))
        for rows in _pieces(by_class):
            q = by_class[:, rows].copy()
            q[y[rows], np.arange(q.shape[1])] += 1.0
            # 0 log 0 = 0, and the smallest number in its place makes no other term.
            total[rows] = (q * np.log(np.maximum(q, 1e-300, out=q))).sum(0)
        return total

    def dual_feasible(self, y, v):
        """onehot(y) + v moved to the simplex: clipped at 0 and divided by its sum."""
        q = np.array(v.T, order="C")
        for rows in _pieces(q):
            part = q[:, rows]
            own = y[rows], np.arange(part.shape[1])
            part[own] += 1.0
            np.maximum(part, 0.0, out=part)
            total = part.sum(0)
            part[own] += total == 0.0
            part /= total + (total == 0.0)
            part[own] -= 1.0
        return q.T

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


def _pieces(by_class):
    """Slices of the rows, which are the last axis of (K, n): few enough at a time to stay in the cache."""
    K, n = by_class.shape
    step = max(64, _AT_ONCE // K)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def _softmax(eta):
    """Probabilities, (K, n): transposed, since NumPy reduces over a short last axis slowly."""
    by_class = np.ascontiguousarray(eta.T)
    e = np.exp(by_class - by_class.max(0))
    e /= e.sum(0)
    return e
