"""Cross-validation and half-samples of least squares from triangular factors alone, without the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkwise.linear.paths.grid import lambda_grid, short_grid
from shrinkwise.linear.paths.path import Path
from shrinkwise.linear.paths.solve import solve_all
from shrinkwise.linear.problem.triangular_factor import FoldTriangles, Triangle, one_thread
from shrinkwise.penalties import Penalty
from shrinkwise.selection import complementary_halves

from .curve import ValidationCurve
from .folds import FoldTask, triangle_losses

_TOL, _SWEEPS = 1e-6, 10_000  # as the estimators


def triangle_path(
    triangle: Triangle, penalty: Penalty, lambdas, tol: float = _TOL, max_iter: int = _SWEEPS, keep_last: bool = False
) -> Path:
    """The Path of ½ mean squared error + penalty, with an intercept, over decreasing λ."""
    problem = triangle.problem(True)
    found = solve_all(problem, penalty, lambdas, tol, max_iter, keep_last=keep_last)
    return replace(found, intercepts=triangle.intercepts(found.coefs))


def triangle_curve(
    triangles: FoldTriangles,
    penalty: Penalty,
    n_lambdas: int,
    lambda_min_ratio: float | None = None,
    tol: float = _TOL,
    max_iter: int = _SWEEPS,
    patience: int | None = None,
) -> ValidationCurve:
    """The path on all rows and its held-out losses, those of `PenalizedRegressorCV` on the rows themselves."""
    whole = triangles.whole.problem(True)
    path = triangle_path(
        triangles.whole, penalty, lambda_grid(whole, penalty, n_lambdas, lambda_min_ratio), tol, max_iter
    )
    task = FoldTask(penalty, whole.loss, True, tol, max_iter, patience=patience)
    losses = triangle_losses(triangles, task, path.lambdas)
    return ValidationCurve(path[: len(losses)], losses, len(triangles.held))


def triangle_at(triangle: Triangle, penalty: Penalty, tol: float = _TOL, max_iter: int = _SWEEPS) -> Path:
    """The solution at the penalty's own λ, as ``path[i]``."""
    return triangle_path(triangle, penalty, short_grid(triangle.problem(True), penalty), tol, max_iter, True)[0]


def selected_on_halves(parts: list[Triangle], penalty: Penalty, pairs: int, random_state=0) -> np.ndarray:
    """The inputs with a non-zero weight on complementary halves of the parts of the rows, (2 · pairs, p) of bool.

    Each part holds rows drawn at random, so that the halves are random halves of the rows.
    """
    halves = [half for pair in complementary_halves(len(parts), pairs, random_state) for half in pair]
    with one_thread():
        fits = [triangle_at(Triangle.joined([parts[i] for i in half]), penalty) for half in halves]
    return np.array([fit.coef != 0 for fit in fits])
