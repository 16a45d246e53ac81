"""One linear model to be fitted: the data, the loss, the scale of the certificate."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from shrinkwise.linear.losses import LOSSES

from .design import Design, as_columns
from .rounding import check_offset, check_target, constant_columns, fits_single, is_constant, largest_entry, with_zeros


class Problem:
    """(1/n) Σ s_i f(y_i, x_i'w + b + o_i) on given data, everything but the penalty.

    Parameters
    ----------
    X : (n, p) float64 or float32, or scipy sparse CSR/CSC, kept as it comes (CSR as CSC).
    y : (n,) targets, or (n, K) for several targets with the squared loss; for "logistic" 0/1, for "multinomial" 0..K−1.
    loss : one of `losses.LOSSES`, or a loss object.
    sample_weight : (n,) ≥ 0 or None; normalised to mean 1. Rows of weight 0 are left out.
    fit_intercept : whether b is fitted (never penalised) or 0.
    offset : (n,), or (n, K), a known part o of the linear predictor, or None.
    column_scale : (p,) by which the columns of X were divided before, or None: `Path` reports the weights of the columns as
        they were.
    keep_zeros : whether rows of weight 0 stay, for a smooth loss on a dense X of which a copy without them is too large.

    w has shape (p,), or (K, p) for several classes or targets; b is a scalar array or (K,).
    """

    has_rows = True

    def __init__(
        self,
        X,
        y,
        loss,
        sample_weight=None,
        fit_intercept: bool = True,
        offset=None,
        *,
        column_scale=None,
        keep_zeros=False,
    ):
        if isinstance(loss, str) and loss not in LOSSES:
            raise ValueError(f"Expected loss to be one of {sorted(LOSSES)}, got {loss!r}")
        self.loss = LOSSES[loss] if isinstance(loss, str) else loss
        self.column_scale = column_scale
        s = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        if not (np.isfinite(s).all() and (s >= 0).all() and s.any()):
            raise ValueError("Expected sample weights to be finite, ≥ 0 and not all zero")
        offset = None if offset is None else np.asarray(offset, dtype=float)
        if (s == 0).any() and not keep_zeros:
            present = np.flatnonzero(s)
            X, y, s = X[present], y[present], s[present]
            offset = None if offset is None else offset[present]
        self.loss.check(y)
        if not (self.loss.coded or self.loss.is_partial):
            check_target(y)
        if offset is not None:
            check_offset(offset)
        # A shift of η that changes nothing is fitted too: it centres the columns.
        fit_intercept = fit_intercept or self.loss.is_partial
        s = s / s.max()  # so that the sum of very large weights is finite
        self.y, self.s, self.offset = y, s / s.mean(), offset
        self.loss = self.loss.scaled_to(y if offset is None or not self.loss.location else y - offset, self.s)
        self.fit_intercept = fit_intercept
        self.largest, self.design = self._matrix(X, s > 0)
        self.n, self.p = self.design.n, self.design.p
        self.stands_for = self.n  # rows whose rounding is in X: more than n where these are their triangular factor
        self.n_outputs = self._count_outputs()
        self.weights_shape = (self.p,) if self.n_outputs is None else (self.n_outputs, self.p)

    def _matrix(self, X, present):
        """(max |x|, the Design of X); `present` are the rows with a weight."""
        X = as_columns(X)
        largest = largest_entry(X)
        constant = constant_columns(X if present.all() else X[present])
        return largest, Design(with_zeros(X, constant) if self.fit_intercept else X, self.s, self.fit_intercept)

    def _count_outputs(self) -> int | None:
        if self.loss.per_class:
            return int(np.max(self.y)) + 1
        return None if np.ndim(self.y) == 1 else self.y.shape[1]

    @property
    def X(self):
        """The matrix as it came (sparse: as CSC)."""
        return self.design.X

    @property
    def fits_single(self) -> bool:
        """Whether products of columns stay in the range of single precision."""
        return fits_single(self.X)

    def column_squares(self):
        """Σ x² of every column, (p,)."""
        squares = (
            self.X.multiply(self.X).sum(axis=0)
            if self.design.sparse
            else np.einsum("ij,ij->j", self.X, self.X, dtype=float)
        )
        return np.asarray(squares, dtype=float).ravel()

    def eta(self, w, b, columns=None):
        """Linear predictor (n,) or (n, K), offset included; `columns` restricts X to the columns of w."""
        eta = self.design.times(w, columns) + b
        return eta if self.offset is None else eta + self.offset

    def correlate(self, v):
        """X'v/n in the shape of w, v of the shape of η (weights already in it)."""
        return (self.design.transposed(v) / self.n).T

    def loss_at(self, eta) -> float:
        """(1/n) Σ s f(y, η)."""
        return float(np.sum((self.s * self.loss.value(self.y, eta).T).T) / self.n)

    def zero(self):
        """w = 0 and the intercept fitted to it."""
        b = self.null_intercept if self.fit_intercept else np.zeros(self.weights_shape[:-1])
        return np.zeros(self.weights_shape), b

    @property
    def intercept_unit(self) -> float:
        """A gradient of the intercept of 1 counts as much as this of a weight: the largest |x|, at most 1."""
        return min(1.0, self.largest)

    @cached_property
    def null_intercept(self):
        """The intercept of the model without inputs."""
        if self.offset is None:
            return self.loss.null_intercept(self.y, self.s)
        if self.loss.location:
            return self.loss.null_intercept(self.y - self.offset, self.s)
        return fitted_intercept(self)

    @cached_property
    def is_flat(self) -> bool:
        """Whether the intercept alone fits every row: y is constant up to rounding."""
        if not self.fit_intercept or self.loss.coded or self.loss.is_partial:
            return False
        if self.offset is not None and not self.loss.location:
            return False
        return is_constant(self.y if self.offset is None else self.y - self.offset)

    @cached_property
    def null_loss(self) -> float:
        """Loss with w = 0 and the intercept fitted, above that of the saturated model: the scale of the relative gap."""
        if self.is_flat:
            return 0.0
        b = self.zero()[1]
        eta = np.broadcast_to(b, (self.n, *b.shape)).copy()
        eta = eta if self.offset is None else eta + self.offset
        above = self.loss.value(self.y, eta) - (self.loss.lowest(self.y) if np.ndim(self.y) == 1 else 0.0)
        return max(float(np.sum((self.s * above.T).T) / self.n), 0.0)

    @property
    def saturated_loss(self) -> float:
        """Mean loss of the saturated model."""
        return float(np.sum(self.s * self.loss.lowest(self.y))) / self.n

    @cached_property
    def top_curvature(self) -> float:
        """Largest eigenvalue of X̃'X̃/n (X̃ = √s(X − x̄)) times the bound of f'' (where there is none, its mean in the
        null model): the scale of a ridge grid.
        """
        gram = self.design.gram() if self.p <= self.n else self.design.row_gram()
        curvature = self.loss.curvature
        if not np.isfinite(curvature):
            eta = np.full(self.n, self.zero()[1]) + (0.0 if self.offset is None else self.offset)
            curvature = float(np.mean(self.s * self.loss.hessian(self.y, eta)))
        return curvature * float(np.linalg.eigvalsh(gram)[-1])


def fitted_intercept(problem: Problem):
    """argmin_b (1/n) Σ s f(y, o + b) by damped Newton, where an offset leaves no closed form.

    It starts where o + b is near its value without an offset: far from there, losses of an exponential are flat or overflow.
    """
    loss, s, offset = problem.loss, problem.s, problem.offset
    null = np.asarray(loss.null_intercept(problem.y, s), dtype=float)
    b = null - (s * offset.T).T.sum(0) / problem.n
    with np.errstate(over="ignore", invalid="ignore"):
        value = problem.loss_at(offset + b)
        for start in (null - offset.max(0), null - offset.min(0)):
            if not value <= (other := problem.loss_at(offset + start)):
                b, value = start, other
    for _ in range(100):
        g = (s * loss.gradient(problem.y, offset + b).T).T.sum(0)
        H = _total_curvature(loss, s, problem.y, offset + b)
        step = -np.linalg.lstsq(H, g, rcond=1e-12)[0] if np.ndim(H) == 2 else -g / np.maximum(H, 1e-300)
        t = 1.0
        while t > 1e-10 and problem.loss_at(offset + b + t * step) > value:
            t *= 0.5
        new = problem.loss_at(offset + b + t * step)
        if not new < value:
            break
        b, value = b + t * step, new
    return b


def _total_curvature(loss, s, y, eta):
    """Σ s f'' over the rows: a number, or (K, K) for K classes."""
    if loss.is_softmax:
        p = loss.inverse_link(eta)
        weighted = s[:, None] * p
        return np.diag(weighted.sum(0)) - weighted.T @ p
    return (s * loss.hessian(y, eta).T).T.sum(0)
