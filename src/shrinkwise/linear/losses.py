"""Losses L(θ) = (1/n) Σ_i s_i f(y_i, η_i) of the linear predictor η = Xw + b; s are sample weights of mean 1.

Each loss gives f, its derivatives in η, its conjugate at −θ for the dual objective, and the unpenalised intercept.
η has shape (n,), or (n, K) for the multinomial loss.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logsumexp, softmax, xlogy


class Squared:
    """½ (y − η)²: least squares, 1/(2n) ‖y − Xw − b‖²."""

    name = "squared"
    curvature = 1.0  # bound of f'' in η

    def value(self, y, eta):
        """½ (y − η)²."""
        return 0.5 * (y - eta) ** 2

    def gradient(self, y, eta):
        """η − y."""
        return eta - y

    def hessian(self, y, eta):
        """1."""
        return np.ones_like(eta)

    def conjugate(self, y, v):
        """sup_η vη − ½(y−η)² = ½v² + yv."""
        return 0.5 * v * v + y * v

    def null_intercept(self, y, s):
        """Weighted mean of y."""
        return np.array(np.average(y, weights=s))

    def score(self, y, eta):
        """What cross-validation reports: (y − η)²."""
        return (y - eta) ** 2


class Logistic:
    """log(1 + e^η) − yη, y in {0, 1}: negative log-likelihood of two classes."""

    name = "logistic"
    curvature = 0.25

    def value(self, y, eta):
        """log(1 + e^η) − yη."""
        return np.logaddexp(0.0, eta) - y * eta

    def gradient(self, y, eta):
        """P(y=1) − y."""
        return expit(eta) - y

    def hessian(self, y, eta):
        """p(1 − p)."""
        p = expit(eta)
        return p * (1.0 - p)

    def conjugate(self, y, v):
        """q log q + (1−q) log(1−q) with q = y + v in [0, 1]."""
        q = np.clip(y + v, 0.0, 1.0)
        return xlogy(q, q) + xlogy(1.0 - q, 1.0 - q)

    def null_intercept(self, y, s):
        """log-odds of the weighted mean of y."""
        p = np.average(y, weights=s)
        return np.array(np.log(p) - np.log1p(-p))

    def score(self, y, eta):
        """Log loss."""
        return self.value(y, eta)


class Multinomial:
    """log Σ_k e^{η_k} − η_y, y in {0, …, K−1}: negative log-likelihood of K classes, symmetric parametrisation."""

    name = "multinomial"
    curvature = 0.5

    def value(self, y, eta):
        """log Σ e^η − η_y."""
        return logsumexp(eta, axis=-1) - np.take_along_axis(eta, self._index(y, eta), -1)[..., 0]

    def gradient(self, y, eta):
        """softmax(η) − onehot(y)."""
        g = softmax(eta, axis=-1)
        g[np.arange(len(y)), y] -= 1.0
        return g

    def hessian(self, y, eta):
        """diag(p) − pp', shape (n, K, K)."""
        p = softmax(eta, axis=-1)
        return p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]

    def conjugate(self, y, v):
        """Σ_k q_k log q_k with q = onehot(y) + v on the simplex."""
        q = v.copy()
        q[np.arange(len(y)), y] += 1.0
        q = np.clip(q, 0.0, 1.0)
        return xlogy(q, q).sum(-1)

    def null_intercept(self, y, s):
        """Logarithms of the weighted class frequencies, centred."""
        log = np.log(np.bincount(y, weights=s) / s.sum())
        return log - log.mean()

    def score(self, y, eta):
        """Log loss."""
        return self.value(y, eta)

    @staticmethod
    def _index(y, eta):
        return np.broadcast_to(y.reshape((1,) * (eta.ndim - 2) + (-1, 1)), (*eta.shape[:-1], 1))


LOSSES = {loss.name: loss for loss in (Squared(), Logistic(), Multinomial())}
