"""The quadratic model of the softmax loss for many classes, without its Hessian.

The Hessian has K²m² entries, but its product with a step d costs no more than a gradient: two products with X. So the model
is minimised by conjugate gradients on the weights that are not zero or should not be, with the signs they have; a weight that
would change its sign stops at zero, and the next round starts from there. They are preconditioned by the inverses of the K
blocks on the diagonal, which change slowly and serve for many steps and several λ.

References: Schmidt, Fung, Rosales, Optimization methods for L1-regularization, UBC TR-2009-19. Byrd, Chin, Nocedal, Oztoprak,
A family of second-order methods for convex ℓ1-regularized optimization, Math. Program. 2016, doi:10.1007/s10107-015-0965-3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkwise import kernels

from .class_metric import ClassMetric, Correlations

_ROUNDS = 15  # most in one step
# A round ends when the residual is this share of the first, after so many products, or when it has halved its step so often.
_SHARE, _PRODUCTS, _HALVINGS = 0.01, 100, 8
_PRODUCTS_A_COLUMN = 2.0  # columns of the blocks that cost as much to form as one product with the Hessian
_STRANGERS = 0.2  # share of the weights without a place in the blocks at which they are not used any more
_MOST_ENTRIES = 50_000_000  # of the blocks; beyond it their diagonals serve
_DAMPING = 1e-5  # of the diagonal of a block in single precision


class ClassModel:
    """The quadratic model around probabilities p (n, K), with the members of `QuadraticModel` that a separable penalty needs.

    Parameters
    ----------
    columns : the working columns; the model is on their front.
    curvature : `SoftmaxCurvature`.
    fit_intercept : whether every class has an intercept.
    exact : products in double precision; else in single precision.
    blocks : `ClassBlocks` of an earlier model on these columns, which serve again.
    """

    keeps = False  # whether the model is worth keeping: a new one costs nothing

    def __init__(self, columns, curvature, fit_intercept: bool, exact: bool, blocks: ClassBlocks):
        self.columns, self.curvature, self.fit_intercept, self.exact = columns, curvature, fit_intercept, exact
        self.K, self.blocks = curvature.K, blocks
        dtype = np.float64 if exact else np.float32
        self.dtype, self.slices = dtype, columns.slices(self.K, np.dtype(dtype).itemsize)
        self.p = [np.ascontiguousarray(curvature.p[:, rows], dtype=dtype) for rows in self.slices]
        self.weights = curvature.weights.astype(dtype, copy=False)
        self.has = np.zeros((self.K, 0), dtype=bool)
        self.fresh = self.fresh_before = True  # always built at the present point

    def grow(self, mask):
        """Let in the pairs of `mask` (K, front)."""
        self.has = mask

    def change_of_gradient(self, along, problem):
        """See `SoftmaxCurvature.change_of_gradient`."""
        return self.curvature.change_of_gradient(along, problem)

    def step(self, w, g, gb, inner, tol: float):
        """(d, db): the step that minimises the model plus the penalty `inner`, from w (K, front) with gradients g, gb."""
        ids = self.columns.ids[: w.shape[1]]
        face = _Face(inner, ids, self.has, self.fit_intercept)
        u = np.concatenate([w, np.zeros((self.K, 1))], axis=1)  # intercepts last, counted from where they are
        slope = np.concatenate([g, gb[:, None] * self.fit_intercept], axis=1)
        for _ in range(_ROUNDS):
            if face.look(u, slope) <= tol:
                break
            direction, change = self._conjugate_gradients(face, 0.8 * tol)
            u, change = self._along(face, u, slope, direction, change)
            if change is None:
                break
            slope = slope + change
        return u[:, :-1] - w, u[:, -1].copy()

    def _conjugate_gradients(self, face: _Face, tol: float):
        """(direction on the face, H times it)."""
        residual, free, ridge = face.residual, face.free.astype(float), face.b if face.b.any() else None
        self.blocks.cover(self, face)
        x, Hx = np.zeros_like(residual), np.zeros_like(residual)
        enough = max(tol, _SHARE * float(np.abs(residual).max()))
        along = self.blocks.solve(residual) * free
        product = np.vdot(residual, along)
        for _ in range(_PRODUCTS):
            Ha = self._times(along)
            self.blocks.products += 1
            pull = (Ha if ridge is None else Ha + ridge * along) * free
            curvature = np.vdot(along, pull)
            if not curvature > 0:
                break
            length = product / curvature
            x += length * along
            Hx += length * Ha
            residual = residual - length * pull
            if np.abs(residual).max() <= enough:
                break
            ahead = self.blocks.solve(residual) * free
            product, before = np.vdot(residual, ahead), product
            along = ahead + (product / before) * along
        return x, Hx

    def _along(self, face: _Face, u, slope, direction, change):
        """(u after a step along `direction`, the change of the slope), or (u, None) if no step decreases the model."""
        at, t = face.value(u), 1.0
        for _ in range(_HALVINGS):
            new, stopped = face.held(u, u + t * direction)
            d = new - u
            Hd = self._times(d) if stopped else t * change
            if float((slope * d).sum() + 0.5 * (d * Hd).sum()) + face.value(new) < at:
                return face.recentred(new), Hd
            t *= 0.5
        return u, None

    def _times(self, d):
        """H d, (K, m + 1), the intercepts last."""
        d, Hd = d.astype(self.dtype, copy=False), np.zeros(d.shape)
        for rows, p in zip(self.slices, self.p, strict=True):
            moved = self.columns.times_slice(d[:, :-1], rows)
            if self.fit_intercept:
                moved += d[:, -1:]
            kernels.softmax_curvature(p, self.weights[rows], moved)
            Hd[:, :-1] += self.columns.transposed_slice(moved, rows, d.shape[1] - 1)
            if self.fit_intercept:
                Hd[:, -1] += moved.sum(1)
        return Hd


class _Face:
    """The weights that may move and the signs that they keep, at the point that `look` saw; arrays (K, m + 1)."""

    def __init__(self, inner, ids, has, fit_intercept: bool):
        def wider(part, last):
            return np.concatenate([part, np.full((len(part), 1), last, dtype=part.dtype)], axis=1)

        self.inner, self.ids = inner, ids
        self.a, self.b = wider(inner.a[:, ids], 0.0), wider(inner.b[:, ids], 0.0)
        self.has, self.whole = wider(has, fit_intercept), np.flatnonzero(has.all(0))

    def look(self, u, slope) -> float:
        """Set `free`, `signs` and `residual`, minus the gradient on the face; the largest violation of stationarity."""
        pull = slope + self.b * u
        off = np.where(u != 0, np.abs(pull + self.a * np.sign(u)), np.abs(pull) - self.a)
        self.free = self.has & ((u != 0) | (off > 0) | (self.a == 0))
        # Softmax does not see a shift of all classes, and `recentred` finds the best: one weight of a column holds still.
        held = np.flatnonzero(self.free.all(0) & (self.a > 0).all(0))
        self.free[np.abs(u[:, held]).argmin(0), held] = False
        self.signs = np.where(u != 0, np.sign(u), -np.sign(pull))
        self.residual = np.where(self.free, -(pull + self.a * self.signs), 0.0)
        return float(np.where(self.has, off, 0.0).max(initial=0.0))

    def held(self, u, new):
        """(new with zeros where the sign would change, whether there are any)."""
        lost = (self.a > 0) & (new * self.signs < 0)
        return np.where(lost, 0.0, new), bool(lost.any())

    def value(self, u) -> float:
        """The penalty."""
        return self.inner.value(u[:, :-1], self.ids)

    def recentred(self, u):
        """u with the columns of all classes shifted to the least penalty, if there is an L1 part."""
        if len(self.whole) and self.a.any():
            u[:, self.whole] = self.inner.recentred(u[:, self.whole], self.ids[self.whole])
        return u


class ClassBlocks:
    """The preconditioner: a `ClassMetric`, and where that takes many products the inverses of the blocks of the Hessian on
    the diagonal, one a class.

    The blocks are formed when as much has been spent on products as they cost. A weight that has joined since then gets the
    inverse of its own curvature.
    """

    def __init__(self, correlations: Correlations):
        self.correlations = correlations
        self.restart()

    def restart(self):
        """Forget the blocks, as far from where they were formed."""
        self.products, self.inverses = 0, []
        self.metric: Any = None  # a ClassMetric once it has covered a face
        self.inside = np.zeros((0, 0), dtype=bool)  # the pairs in the blocks

    def cover(self, model: ClassModel, face: _Face):
        """Form what is missing for the weights of the face."""
        m = face.free.shape[1]
        lacking = self.inside.shape != face.free.shape or (
            (face.free & ~self.inside).sum() > _STRANGERS * face.free.sum()
        )
        price = m / _PRODUCTS_A_COLUMN + m * m / model.columns.n
        if self.products > price and (face.free.sum(1) ** 2).sum() <= _MOST_ENTRIES:
            self.products = 0
            self._form(model, face)
        elif self.inverses and not lacking:
            return
        elif self.metric is None or self.metric.diagonal.shape != face.free.shape:
            p, weights = model.curvature.p, model.curvature.weights
            self.inverses, self.metric = [], ClassMetric(model.columns, p, weights, face.b, self.correlations)

    def _form(self, model: ClassModel, face: _Face):
        self.inside = face.free.copy()
        columns, p = model.columns, model.curvature.p
        curvatures = model.curvature.weights * p * (1.0 - p)
        self.places = np.flatnonzero(self.inside)
        squares = columns.squares(curvatures.T, self.inside.shape[1] - 1)
        self.diagonal = np.concatenate([squares.T, curvatures.sum(1)[:, None]], axis=1)
        self.inverses = [self._inverse(columns, *each) for each in zip(curvatures, self.inside, face.b, strict=True)]
        self.diagonal = np.maximum(self.diagonal + face.b, 1e-300)

    def _inverse(self, columns, curvature, inside, ridge):
        pos = np.flatnonzero(inside[:-1])
        H = np.empty((len(pos) + inside[-1],) * 2)
        H[: len(pos), : len(pos)] = columns.gram(pos, [pos], [curvature], np.float32)[0]
        if inside[-1]:
            H[: len(pos), -1] = H[-1, : len(pos)] = columns.sums(pos, curvature[:, None])[:, 0]
            H[-1, -1] = curvature.sum()
        diagonal = np.diagonal(H).copy()
        # A block of a class that no row is near is zero, and its damping must not be.
        H.flat[:: len(H) + 1] += ridge[inside] + _DAMPING * np.maximum(diagonal, 1e-12 * diagonal.max(initial=1e-300))
        return np.linalg.inv(H).astype(np.float32)

    def solve(self, residual):
        """The preconditioned residual."""
        if not self.inverses:
            return self.metric.solve(residual)
        ahead = residual / self.diagonal
        at, r = 0, residual.ravel()[self.places].astype(np.float32)
        for inverse in self.inverses:
            end = at + len(inverse)
            r[at:end] = inverse @ r[at:end]
            at = end
        ahead.ravel()[self.places] = r
        return ahead
