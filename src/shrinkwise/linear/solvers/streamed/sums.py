"""What one pass over rows in blocks sums at given weights: losses, gradients and Hessians of many λ and folds at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shrinkwise.linear.problem.row_triangles import folds_of, targets, weights
from shrinkwise.linear.problem.triangular_factor import one_thread
from shrinkwise.streaming import Bound, RowBlock, RowBlocks, reduce_rows

_AT_ONCE = 1_000_000  # linear predictors that are in memory at a time


@dataclass(frozen=True)
class Prepared:
    """Rows as the solver sees them: columns (x − centre) · factor, targets as codes, folds.

    labels : (K,) the classes in order, or None.  n_outputs : K, or 1.  per_class : whether η has a column per class.
    """

    rows: RowBlocks
    loss: Any
    centre: np.ndarray
    factor: np.ndarray
    labels: Any
    n_outputs: int
    n_folds: int
    seed: int

    def read(self, block: RowBlock):
        """(X, y, s, fold) of the rows of a block with a weight above 0; fold None without a cross-validation."""
        X = block.matrix(self.rows.inputs)
        X -= self.centre
        X *= self.factor
        y = targets(block, self.rows) if self.labels is None else self.coded(block.values(self.rows.target))  # type: ignore
        s = weights(block, self.rows)
        fold = folds_of(block, self.rows, self.n_folds, self.seed) if self.n_folds > 1 else None
        if s is None:
            return X, y, np.ones(len(y)), fold
        if (s > 0).all():
            return X, y, s, fold
        present = s > 0
        return X[present], y[present], s[present], None if fold is None else fold[present]

    def coded(self, values):
        """Labels as the loss takes them."""
        return coded(self.loss, self.labels, values)


def coded(loss, labels, values):
    """Labels as the loss takes them: 0.0 and 1.0, or integers for a loss per class."""
    codes = np.searchsorted(labels, values)
    return codes if loss.per_class else codes.astype(float)


@dataclass(frozen=True)
class Trial:
    """Weights at which a pass evaluates: w (K, p) and b (K,) of the prepared columns.

    fold : its rows are left out and held out; −1 for none.  columns : those of the Hessian, or None for no Hessian.
    alpha : in (0, 1), where the conjugate is summed at α∇f(η), or None.
    """

    w: np.ndarray
    b: np.ndarray
    fold: int = -1
    columns: np.ndarray | None = None
    alpha: float | None = None


@dataclass
class Sums:
    """Sums over rows at one trial: Σs, Σ s f, Σ s ∇f (K,), X'(s∇f) (K, p), the Hessian, Σ held s · score, max |η|,
    Σ s f*(α∇f)."""

    weight: float
    held_weight: float
    loss: float
    gb: np.ndarray
    g: np.ndarray
    hessian: Any
    held: float
    largest: float
    dual: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        H = None if self.hessian is None or other.hessian is None else self.hessian + other.hessian
        return Sums(
            self.weight + other.weight,
            self.held_weight + other.held_weight,
            self.loss + other.loss,
            self.gb + other.gb,
            self.g + other.g,
            H,
            self.held + other.held,
            max(self.largest, other.largest),
            self.dual + other.dual,
        )


def evaluate(prepared: Prepared, trials: list[Trial], progress=None) -> list[Sums]:
    """The sums of all trials, in one pass."""
    shell = replace(prepared, rows=prepared.rows.shell)
    return reduce_rows(prepared.rows, Bound(_contribution, (shell, trials)), _merged, None, progress)


def _merged(a: list[Sums], b: list[Sums]) -> list[Sums]:
    return b if not a else a if not b else [x + y for x, y in zip(a, b, strict=True)]


def _contribution(blocks: Iterable[RowBlock], prepared: Prepared, trials: list[Trial]) -> list[Sums]:
    found: list[Sums] = []
    W = np.concatenate([trial.w for trial in trials])
    with one_thread():
        for block in blocks:
            X, y, s, fold = prepared.read(block)
            step = max(1, _AT_ONCE // len(W))
            for start in range(0, len(y), step):
                part = slice(start, start + step)
                rows = (X[part], y[part], s[part], None if fold is None else fold[part])
                found = _merged(found, _of_rows(prepared.loss, rows, trials, W))
    return found


def _of_rows(loss, rows, trials: list[Trial], W) -> list[Sums]:
    X, y, s, fold = rows
    K = len(trials[0].w)
    eta, V, found = W @ X.T, np.empty((len(W), len(y))), []
    for m, trial in enumerate(trials):
        at = slice(m * K, (m + 1) * K)
        own = eta[at]
        own += trial.b[:, None]
        z = own.T if loss.per_class else own[0]
        train = s if trial.fold < 0 or fold is None else np.where(fold == trial.fold, 0.0, s)
        held = 0.0
        if trial.fold >= 0:
            out = np.flatnonzero(s - train)
            held = float(s[out] @ loss.score(y[out], z[out])) if len(out) else 0.0
        weight = float(train.sum())
        slope = loss.gradient(y, z)
        V[at] = train * slope.T
        dual = 0.0 if trial.alpha is None else float(train @ loss.conjugate_at(y, trial.alpha, slope, z))
        H = None if trial.columns is None else _hessian(loss, X[:, trial.columns], y, z, train, K)
        value = float(train @ loss.value(y, z))
        largest = float(np.abs(own).max(initial=0.0))
        found.append(Sums(weight, float(s.sum()) - weight, value, V[at].sum(1), np.empty(0), H, held, largest, dual))
    G = V @ X
    for m, sums in enumerate(found):
        sums.g = G[m * K : (m + 1) * K]
    return found


def _hessian(loss, X, y, z, s, K: int):
    """Σ s [X 1]'f''[X 1], (K(m + 1), K(m + 1)), the intercepts last in the block of their class."""
    size = X.shape[1] + 1
    Z = np.ones((size, len(X))).T  # columns are contiguous, as in X
    Z[:, :-1] = X
    if not loss.per_class:
        Z *= np.sqrt(s * loss.model_curvature(y, z))[:, None]
        return Z.T @ Z
    if loss.is_softmax:
        return _softmax_hessian(Z, loss.inverse_link(z), s)
    H, h = np.empty((K * size, K * size)), loss.hessian(y, z)
    for k in range(K):
        for j in range(k, K):
            block = (Z.T * (s * h[:, k, j])) @ Z
            H[k * size : (k + 1) * size, j * size : (j + 1) * size] = block
            H[j * size : (j + 1) * size, k * size : (k + 1) * size] = block.T
    return H


def _softmax_hessian(Z, p, s):
    """Σ s (diag(p) − pp') ⊗ ZZ': between two classes one product of matrices, within a class from p(1 − p), without
    cancellation."""
    K, size = p.shape[1], Z.shape[1]
    H, root = np.zeros((K * size, K * size)), np.sqrt(s)[:, None] * p
    step = max(64, _AT_ONCE // (K * size))
    for start in range(0, len(Z), step):
        part = slice(start, start + step)
        rows = (root[part, :, None] * Z[part, None]).reshape(-1, K * size)
        H -= rows.T @ rows
    for k in range(K):
        own = slice(k * size, (k + 1) * size)
        H[own, own] = (Z.T * (s * p[:, k] * (1.0 - p[:, k]))) @ Z
    return H
