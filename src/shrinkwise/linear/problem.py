"""One linear model to be fitted: the data, the loss, the scale of the certificate."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .losses import LOSSES


class Problem:
    """(1/n) Σ s_i f(y_i, x_i'w + b) on given data, everything but the penalty.

    Parameters
    ----------
    X : (n, p) float64.
    y : (n,) targets; for "logistic" 0/1, for "multinomial" integers 0..K−1.
    loss : "squared", "logistic" or "multinomial".
    sample_weight : (n,) ≥ 0 or None; normalised to mean 1. Rows of weight 0 are left out.
    fit_intercept : whether b is fitted (never penalised) or 0.

    w has shape (p,), or (K, p) for the multinomial loss; b is a scalar array or (K,).
    """

    def __init__(self, X, y, loss: str, sample_weight=None, fit_intercept: bool = True):
        if loss not in LOSSES:
            raise ValueError(f"expected loss in {sorted(LOSSES)}, got {loss!r}")
        self.loss = LOSSES[loss]
        s = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        if not (np.isfinite(s).all() and (s >= 0).all() and s.sum() > 0):
            raise ValueError("expected sample weights finite, ≥ 0 and not all zero")
        if (s == 0).any():
            X, y, s = X[s > 0], y[s > 0], s[s > 0]
        self.X, self.y, self.s = np.asfortranarray(X), y, s / s.mean()
        self.n, self.p = X.shape
        self.fit_intercept = fit_intercept
        self.n_classes = int(np.max(y)) + 1 if loss == "multinomial" else None
        self.weights_shape = (self.p,) if self.n_classes is None else (self.n_classes, self.p)

    def eta(self, w, b, columns=None):
        """Linear predictor (n,) or (n, K); `columns` restricts X to the columns of w."""
        X = self.X if columns is None else self.X[:, columns]
        return X @ w.T + b

    def correlate(self, v):
        """X'v/n in the shape of w, v of the shape of η (weights already in it)."""
        return (self.X.T @ v / self.n).T

    def loss_at(self, eta) -> float:
        """(1/n) Σ s f(y, η)."""
        return float(np.sum(self.s * self.loss.value(self.y, eta)) / self.n)

    def zero(self):
        """w = 0 and the intercept fitted to it."""
        b = self.loss.null_intercept(self.y, self.s) if self.fit_intercept else np.zeros(self.weights_shape[:-1])
        return np.zeros(self.weights_shape), b

    @cached_property
    def null_loss(self) -> float:
        """Loss with w = 0 and the intercept fitted; the scale of the relative duality gap."""
        b = self.zero()[1]
        return self.loss_at(np.broadcast_to(b, (self.n, *b.shape)).copy())

    @cached_property
    def column_means(self):
        """Weighted means of the columns."""
        return self.s @ self.X / self.n

    @cached_property
    def centred(self):
        """√s (X − x̄) and √s (y − ȳ) when an intercept is fitted: the same least-squares problem without intercept."""
        root = np.sqrt(self.s)
        shift, y_mean = (self.column_means, self.s @ self.y / self.n) if self.fit_intercept else (0.0, 0.0)
        X = np.asfortranarray(self.X - shift)
        if (self.s != 1).any():
            X *= root[:, None]
        return X, root * (self.y - y_mean)

    @cached_property
    def top_curvature(self) -> float:
        """Largest eigenvalue of X̃'X̃/n (X̃ = √s(X − x̄)) times the bound of f'': the scale of a ridge grid."""
        X, _ = self.centred if self.loss.name == "squared" else Problem._centre_only(self)
        gram = X.T @ X if self.p <= self.n else X @ X.T
        return self.loss.curvature * float(np.linalg.eigvalsh(gram)[-1]) / self.n

    def _centre_only(self):
        shift = self.column_means if self.fit_intercept else 0.0
        return np.sqrt(self.s)[:, None] * (self.X - shift), None
