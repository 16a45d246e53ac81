"""Least squares on rows in blocks: one pass gives the triangular factor of every fold, and all solutions come from these."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from shrinkwise.linear.paths.grid import lambda_grid, lambda_max, short_grid
from shrinkwise.linear.paths.path import Path
from shrinkwise.linear.paths.relaxed import relax
from shrinkwise.linear.paths.solve import solve_all
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.row_triangles import triangles_of_rows
from shrinkwise.linear.problem.triangular_factor import FoldTriangles


class SquaredRows:
    """The factors of the rows of a source, by fold.

    Parameters
    ----------
    rows : RowBlocks with a target.
    fit_intercept, standardize : as for `path`.
    n_folds, seed : folds of a cross-validation, by a hash of the row's number or its group; 1 without one.
    excluded : (p,) columns that count as zero, or None.
    """

    passes = 1

    def __init__(
        self, rows, fit_intercept: bool, standardize: bool, *, n_folds=1, seed=0, excluded=None, progress=None
    ):
        self.fit_intercept, self.names = fit_intercept, rows.inputs
        held = triangles_of_rows(rows, n_folds, seed, progress)
        scale = np.ones(len(self.names))
        if excluded is not None:
            scale[excluded] = np.inf
            held = [part.divided(scale) for part in held]
        self.folds: Any = FoldTriangles.of_held(held) if n_folds > 1 else None
        self.whole = held[0] if self.folds is None else self.folds.whole
        self.column_scale = None
        if standardize:
            self.column_scale = scale = self.whole.column_scale()
            self.whole = self.whole.divided(scale)
            if n_folds > 1:
                self.folds = FoldTriangles.of_held([part.divided(scale) for part in held])

    @property
    def p(self) -> int:
        """Number of inputs."""
        return len(self.names)

    @cached_property
    def problem(self) -> Problem:
        """A problem of few rows with the same loss everywhere; `stands_for` is the number of rows."""
        return self.whole.stand_in(self.fit_intercept, self.column_scale)

    @cached_property
    def reduced(self) -> Problem:
        """The problem that is solved."""
        found = self.whole.problem(self.fit_intercept)
        found.column_scale = self.column_scale
        return found

    def lambda_max(self, penalty) -> float:
        """The smallest λ whose solution is zero."""
        return lambda_max(self.reduced, penalty)

    def grid(self, penalty, n_lambdas: int, ratio: float | None) -> np.ndarray:
        """The default λ of a path."""
        return lambda_grid(self.reduced, penalty, n_lambdas, ratio)

    def path(
        self, penalty, lambdas, tol: float, max_iter: int, dfmax: int | None = None, relaxed: bool = False
    ) -> Path:
        """The Path over decreasing λ; with `relaxed` also the refits of its supports."""
        found = solve_all(self.problem, penalty, lambdas, tol, max_iter, triangle=self.whole, dfmax=dfmax)
        found.column_names = self.names
        if relaxed:
            found.refit = relax(found)
        return found

    def one(self, penalty, tol: float, max_iter: int) -> Path:
        """The solution at the penalty's own λ, as a path of length one."""
        lambdas = short_grid(self.reduced, penalty)
        return solve_all(self.problem, penalty, lambdas, tol, max_iter, triangle=self.whole, keep_last=True)

    def held_out(self, path: Path, gammas=(1.0,)) -> np.ndarray:
        """Mean squared errors of the held-out rows, (G, L, folds), of paths fitted on the other rows and their blends."""
        losses: list = []
        for known, held in zip(self.folds.known, self.folds.held, strict=True):
            problem = known.stand_in(self.fit_intercept)
            fitted = solve_all(problem, path.penalty, path.lambdas, path.tol, path.max_iter, triangle=known)
            if gammas != (1.0,):
                fitted.refit = relax(fitted)
            blends = [fitted.relaxed(gamma) if gamma < 1 else fitted for gamma in gammas]
            losses.append([held.mean_squared_errors(each.coefs, each.intercepts) for each in blends])
        return np.moveaxis(np.array(losses), 0, -1)
