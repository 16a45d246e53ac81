"""The quadratic model of a smooth loss on sparse columns, without a matrix: coordinate descent on the rows.

Around η with v = s∇f(η) and curvatures c the model is  (1/2n) Σ c_i (X̃d + δ)_i² + g'd + ḡδ,  a weighted least-squares problem
whose weighted residual at d = 0 is −v. A sweep reads the stored entries of the columns twice, and building the model costs two.

Reference: Friedman, Hastie, Tibshirani, Regularization paths for generalized linear models via coordinate descent, JSS 2010.
"""

from __future__ import annotations

import numpy as np

from shrinkwise.kernels import WeightedColumns, sparse_cd

_SWEEPS = 100


class ResidualModel:
    """The model around a linear predictor (n,), with the members of `QuadraticModel` that a separable penalty needs.

    Parameters
    ----------
    columns : the working columns, sparse; the model is on their front.
    curvature : (n,), sample weights in it, not divided by n.
    v : (n,) s∇f(η) at the point of the curvature.
    fit_intercept : whether an intercept is eliminated.
    """

    exact = False  # so that a matrix that takes its place may be in single precision
    keeps = False  # whether the model is worth keeping: a new one costs no more than two sweeps

    def __init__(self, columns, curvature, v, fit_intercept: bool):
        self.columns, self.fit_intercept = columns, fit_intercept
        self.curvature, self.v = np.maximum(curvature, 0.0), v
        self.fresh = True  # whether built at the present point
        self.fresh_before = False  # and so at the one before

    def grow(self, mask):
        """Nothing to do: every column in front may move."""

    def step(self, w, g, gb, inner, tol: float):
        """(d, db): the step that minimises the model plus the penalty `inner`, from w (1, front) at the point of the model."""
        design, ids = self.columns.design, self.columns.ids[: self.columns.front]
        matrix = WeightedColumns(design.X, self.curvature, self.fit_intercept, ids)
        residual = matrix.residual(np.zeros(matrix.n))
        residual[:-1] = -self.v
        if self.fit_intercept:
            residual[:-1] += self.curvature * (self.v.sum() / matrix.total)
        full = np.zeros(matrix.p)
        full[ids] = w[0]
        sparse_cd(matrix, ids, inner.a[0], inner.b[0], full, residual, tol, _SWEEPS)
        d = full[ids] - w[0]
        if not self.fit_intercept:
            return d[None], np.zeros(1)
        away = (
            matrix.means[ids] - design.means[ids]
        )  # the columns of X̃ are centred by other weights than the curvatures
        return d[None], -gb * (matrix.n / matrix.total) - away @ d

    def change_of_gradient(self, along, problem):
        """The change of ∇f(η) that the model predicts for a change of η by `along`, (n,)."""
        return np.divide(self.curvature * along, problem.s, out=np.zeros(problem.n), where=problem.s > 0)
