"""Losses L(θ) = (1/n) Σ_i s_i f(y_i, η_i) of the linear predictor η = Xw + b; s are sample weights of mean 1.

Each loss gives f, its derivatives in η, its conjugate at −θ for the dual objective, its least value over η (what the
saturated model reaches: the scale of a gap is counted from there) and the unpenalised intercept. η has shape (n,), or
(n, K) for the multinomial loss. The gradient at any η, times any α in [0, 1], lies where the conjugate is finite.
"""

from __future__ import annotations

import numbers

import numpy as np
from scipy.special import expit, xlogy


class Loss:
    """What the losses share."""

    location = False  # whether f depends on y − η alone

    def model_curvature(self, y, eta):
        """The curvature a quadratic model of the loss takes: `hessian`, kept away from 0 where that may vanish."""
        return self.hessian(y, eta)

    def lowest(self, y):
        """min_η f(y, η), (n,)."""
        return np.zeros(len(y))

    def dual_feasible(self, y, v):
        """v moved to where the conjugate is finite, (n,) or (n, K)."""
        return v

    def check(self, y):
        """Raise ValueError where y is no target for this loss."""

    def score(self, y, eta):
        """What cross-validation reports, (n,) or with leading axes of η: the loss itself."""
        return self.value(y, eta)


class Squared(Loss):
    """½ (y − η)²: least squares, 1/(2n) ‖y − Xw − b‖²."""

    name = "squared"
    location = True
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
        return np.array(np.average(y, weights=s, axis=0))

    def score(self, y, eta):
        """What cross-validation reports: (y − η)²."""
        return (y - eta) ** 2


class Huber(Loss):
    """½ r² for |r| ≤ δ, δ|r| − ½δ² beyond, r = y − η: least squares where the fit is good, absolute error for outliers.

    Parameters
    ----------
    delta : δ > 0, in the units of y; the default 1.35 is 95 % efficient for normal errors of standard deviation 1.

    Reference: Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 1964.
    """

    name = "huber"
    location = True
    curvature = 1.0

    def __init__(self, delta: float = 1.35):
        if not (isinstance(delta, numbers.Real) and 0 < float(delta) < np.inf):
            raise ValueError(f"expected delta (from where errors count linearly, in the units of y) > 0, got {delta!r}")
        self.delta = float(delta)

    def value(self, y, eta):
        """c|r| − ½c² with c = min(|r|, δ)."""
        r = np.abs(y - eta)
        c = np.minimum(r, self.delta)
        return c * (r - 0.5 * c)

    def gradient(self, y, eta):
        """η − y clipped to [−δ, δ]."""
        return np.clip(eta - y, -self.delta, self.delta)

    def hessian(self, y, eta):
        """1 where |r| ≤ δ, else 0."""
        return (np.abs(eta - y) <= self.delta).astype(float)

    def model_curvature(self, y, eta):
        """1 where |r| ≤ δ, else δ/|r|, the curvature of the parabola that touches f there and lies above it, at most 1/10."""
        r = np.abs(eta - y)
        return np.where(r <= self.delta, 1.0, np.minimum(0.1, self.delta / np.maximum(r, self.delta)))

    def conjugate(self, y, v):
        """½v² + yv for |v| ≤ δ."""
        return 0.5 * v * v + y * v

    def dual_feasible(self, y, v):
        """Clipped to [−δ, δ]."""
        return np.clip(v, -self.delta, self.delta)

    def null_intercept(self, y, s):
        """The root of Σ s clip(b − y, ±δ): piecewise linear in b, found between two of its 2n kinks."""
        kinks = np.concatenate([y - self.delta, y + self.delta])
        order = np.argsort(kinks, kind="stable")
        kinks = kinks[order]
        slopes = np.cumsum(np.concatenate([s, -s])[order])  # behind each kink
        sums = np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(kinks))]) - self.delta * s.sum()
        k = min(int(np.searchsorted(sums, 0.0)), len(kinks) - 1)
        if k == 0 or sums[k] == sums[k - 1]:
            return np.array(kinks[k])
        part = min(-sums[k - 1] / (sums[k] - sums[k - 1]), 1.0)
        return np.array(kinks[k - 1] + part * (kinks[k] - kinks[k - 1]))


class Poisson(Loss):
    """e^η − yη, y ≥ 0 counts or rates: negative log-likelihood with the log link, its constant log y! left out.

    The curvature e^η has no bound, so steps need a line search.
    """

    name = "poisson"
    curvature = np.inf

    def value(self, y, eta):
        """e^η − yη."""
        return _exp(eta) - y * eta

    def gradient(self, y, eta):
        """e^η − y."""
        return _exp(eta) - y

    def hessian(self, y, eta):
        """e^η."""
        return _exp(eta)

    def conjugate(self, y, v):
        """q log q − q with q = y + v ≥ 0."""
        q = np.maximum(y + v, 0.0)
        return xlogy(q, q) - q

    def dual_feasible(self, y, v):
        """v ≥ −y."""
        return np.maximum(v, -y)

    def lowest(self, y):
        """y − y log y, at η = log y."""
        return y - xlogy(y, y)

    def check(self, y):
        """Counts are ≥ 0, and one is above 0: else the intercept runs to −∞."""
        if not (np.asarray(y) >= 0).all():
            raise ValueError("expected y ≥ 0 for the poisson loss (counts or rates), got a negative entry")
        if not np.any(y):
            raise ValueError("expected at least one count above 0 for the poisson loss, got none: no finite intercept")

    def null_intercept(self, y, s):
        """Logarithm of the weighted mean of y."""
        return np.array(np.log(np.average(y, weights=s)))

    def score(self, y, eta):
        """Unit deviance 2 (y log(y/μ) − y + μ), μ = e^η: twice the loss above that of the saturated model."""
        return 2.0 * (self.value(y, eta) - self.lowest(y))


def _exp(eta):
    """e^η, finite where it would overflow: a trial step that far out is refused by its value, without a warning."""
    return np.exp(np.minimum(eta, 690.0))


class Logistic(Loss):
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

    def dual_feasible(self, y, v):
        """y + v clipped to [0, 1]."""
        return np.clip(y + v, 0.0, 1.0) - y

    def null_intercept(self, y, s):
        """log-odds of the weighted mean of y."""
        p = np.average(y, weights=s)
        return np.array(np.log(p) - np.log1p(-p))


class Multinomial(Loss):
    """log Σ_k e^{η_k} − η_y, y in {0, …, K−1}: negative log-likelihood of K classes, symmetric parametrisation."""

    name = "multinomial"
    curvature = 0.5

    def value(self, y, eta):
        """log Σ e^η − η_y."""
        by_class = np.moveaxis(eta, -1, 0)  # K rows: NumPy reduces over a short last axis slowly
        top = by_class.max(0)
        own = np.choose(y, by_class) if by_class.ndim == 2 and len(by_class) < 32 else self._own(y, eta)
        return np.log(np.exp(by_class - top).sum(0)) + (top - own)

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

    def conjugate(self, y, v):
        """Σ_k q_k log q_k with q = onehot(y) + v on the simplex."""
        q = v.T.copy()
        q[y, np.arange(len(y))] += 1.0
        q = np.clip(q, 0.0, 1.0)
        return xlogy(q, q).sum(0)

    def dual_feasible(self, y, v):
        """onehot(y) + v brought back to the simplex: clipped at 0 and divided by its sum."""
        rows, q = np.arange(len(y)), v.T.copy()
        q[y, rows] += 1.0
        q = np.maximum(q, 0.0)
        q[y, rows] += q.sum(0) == 0.0
        q /= q.sum(0)
        q[y, rows] -= 1.0
        return q.T

    def null_intercept(self, y, s):
        """Logarithms of the weighted class frequencies, centred."""
        log = np.log(np.bincount(y, weights=s) / s.sum())
        return log - log.mean()

    @staticmethod
    def _own(y, eta):
        index = np.broadcast_to(y.reshape((1,) * (eta.ndim - 2) + (-1, 1)), (*eta.shape[:-1], 1))
        return np.take_along_axis(eta, index, -1)[..., 0]


def _softmax(eta):
    """Probabilities, (K, n): transposed, since NumPy reduces over a short last axis slowly."""
    by_class = np.ascontiguousarray(eta.T)
    e = np.exp(by_class - by_class.max(0))
    e /= e.sum(0)
    return e


LOSSES = {loss.name: loss for loss in (Squared(), Huber(), Poisson(), Logistic(), Multinomial())}
