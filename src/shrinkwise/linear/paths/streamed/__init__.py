"""Paths of rows in blocks (`shrinkwise.rows`): least squares from triangular factors, other losses by passes over the rows."""

from __future__ import annotations

from shrinkwise.linear.paths.path import Path
from shrinkwise.linear.problem.checks import checked_grid
from shrinkwise.penalties import with_bounds_scaled
from shrinkwise.streaming import are_rows

from .smooth import SmoothRows
from .sparse import SparseSmoothRows
from .squares import SquaredRows

__all__ = [
    "SmoothRows",
    "SparseSmoothRows",
    "SquaredRows",
    "path_of_rows",
    "read_rows",
    "refuse_beside_rows",
    "refuse_rows",
]


def read_rows(rows, loss, fit_intercept: bool, standardize: bool, **folds):
    """What a fit keeps of the rows after a first pass: `SquaredRows` or `SmoothRows` by the loss, `SparseSmoothRows` of sparse
    blocks."""
    if rows.sparse:
        return SparseSmoothRows(rows, loss, fit_intercept, standardize, **folds)
    if loss.is_quadratic:
        return SquaredRows(rows, fit_intercept, standardize, **folds)
    return SmoothRows(rows, loss, fit_intercept, standardize, **folds)


def path_of_rows(data, penalty, lambdas, grid, tol: float, max_iter: int, dfmax=None, relaxed=False) -> Path:
    """The Path of rows that `read_rows` has read; grid = (n_lambdas, lambda_min_ratio) where lambdas are None."""
    if data.column_scale is not None:
        penalty = with_bounds_scaled(penalty, data.column_scale)
    lambdas = data.grid(penalty, *grid) if lambdas is None else checked_grid(lambdas)
    return data.path(penalty, lambdas, tol, max_iter, dfmax, relaxed)


def refuse_beside_rows(**given) -> None:
    """ValueError for data given beside rows in blocks, which have them as columns."""
    for name, value in given.items():
        if value is not None:
            role = {"y": "target", "sample_weight": "weight", "groups": "group"}.get(name)
            hint = f"use shrinkwise.rows(source, {role}=...)" if role else "fit arrays or a frame with it instead"
            raise ValueError(f"Rows in blocks do not take {name} beside them; {hint}")


def refuse_rows(X, name: str, instead: str) -> None:
    """ValueError if X are rows in blocks, for what needs the rows in memory."""
    if are_rows(X):
        raise ValueError(f"{name[0].upper()}{name[1:]} needs the rows in memory and takes no rows in blocks; {instead}")
