"""The proofs in the order of their cost: the residuals and weights of a fit, then the linear program."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.solvers.choose import solver_for
from shrinkwise.penalties import L2

from .overlap import LARGEST, null_space, overlap
from .program import Undecided, peeled
from .result import Separation
from .rows import MovableRows

# Residuals below which entries of η are left out of the proof that the others overlap, one after the other.
_LEAST = (0.0, 1e-9, 1e-7, 1e-5, 1e-3)


def is_separable(X, y, *, fit_intercept: bool = True) -> bool:
    """True when some linear rule separates the classes (also if only in part), so that no finite optimum exists.

    Parameters
    ----------
    X : (n, p), dense or scipy sparse;  y : (n,) class labels.

    Raises
    ------
    RuntimeError : where the linear program that decides it could not be solved.

    See `find_separation` for the rows and columns, and `shrinkwise.linear.separation` for the method.

    >>> is_separable([[1.0], [2.0], [3.0]], [0, 0, 1])
    True
    """
    found = find_separation(X, y, fit_intercept=fit_intercept)
    if found.undecided:
        raise RuntimeError(found.undecided)
    return bool(found)


def find_separation(X, y, *, sample_weight=None, fit_intercept: bool = True) -> Separation:
    """Which rows a linear rule separates from the other classes, and by which columns.

    Parameters as for `is_separable`; rows with the `sample_weight` (n,) 0 count as absent.
    """
    from shrinkwise.linear.problem.checks import checked_weights, checked_X

    X, y = checked_X(X), np.asarray(y)
    if sample_weight is not None:
        present = np.flatnonzero(checked_weights(sample_weight, X.shape[0]))
        found = find_separation(
            (X.tocsr() if hasattr(X, "tocsr") else X)[present], y[present], fit_intercept=fit_intercept
        )
        return replace(found, rows=present[found.rows])
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:  # the intercept alone
        return Separation(np.arange(X.shape[0]), np.zeros(0, dtype=int), True, X.shape[0], True)
    loss, codes = ("logistic", codes.astype(float)) if len(classes) == 2 else ("multinomial", codes)
    return separation_of(Problem(X, codes, loss, None, fit_intercept))


def separation_of(problem: Problem, falls: Any = True, rises: Any = True, eta=None) -> Separation:
    """The Separation of a problem of which some weights, and the intercept, may grow without bound.

    `falls` and `rises` are masks in the shape of the weights, of those that may grow to −∞ and to ∞ (True: all). `eta` is
    the linear predictor of a solution, whose residuals often prove at once that a minimum exists.
    """
    if problem.loss.one_target is not None:
        return _of_some_target(problem, falls, rises, eta)
    signs, none = problem.loss.recession(problem.y), np.zeros(0, dtype=int)
    nothing = Separation(none, none, False, problem.n, problem.loss.coded)
    if signs is None or not signs.any():
        return nothing
    rows = MovableRows(problem, signs, falls, rises)
    if not rows.dim:
        return nothing
    bound = (signs != 0).reshape(problem.n, -1).any(1)
    all_apart = Separation(np.flatnonzero(bound & (problem.s > 0)), none, True, problem.n, problem.loss.coded)
    core = moves = None
    still: Any = None
    for fitted, moves in _fits(rows, problem, eta):
        if moves is not None and _all_apart(rows, moves):
            return all_apart
        core = next((found for least in _LEAST if (found := overlap(rows, fitted, least)) is not None), None)
        if core is not None:
            still = null_space(rows, core) if not core.all() else None
            break
    if core is not None and (core.all() or not still.shape[1]):
        return nothing
    if moves is None and core is None:
        moves = _least_squares(rows)
        if _all_apart(rows, moves):
            return all_apart
    try:
        order = rows.margins(fitted.reshape(rows.n, -1) if moves is None else moves)
        gone, used, complete = peeled(rows, order, core, still)
    except Undecided as reason:
        return Separation(none, none, False, problem.n, problem.loss.coded, str(reason))
    return Separation(rows.present[gone], rows.columns[used], complete, problem.n, problem.loss.coded)


def _of_some_target(problem: Problem, falls, rises, eta) -> Separation:
    """The Separation of the first target that has one, or is undecided; of the last where none has."""
    masks = [np.broadcast_to(mask, problem.weights_shape) for mask in (falls, rises)]
    for k, y in enumerate(problem.y.T):
        offset = None if problem.offset is None else problem.offset[:, k]
        one = Problem(problem.X, y, problem.loss.one_target, problem.s, problem.fit_intercept, offset, keep_zeros=True)
        found = separation_of(one, masks[0][k], masks[1][k], None if eta is None else eta[:, k])
        if found or found.undecided:
            break
    return found


def _fits(rows: MovableRows, problem: Problem, eta):
    """(η, the part of it that is some B v, or None) of the given solution, then of unpenalised fits, (n, K) each."""
    if eta is not None:
        moves = eta if problem.offset is None else eta - problem.offset
        yield eta[rows.present], moves[rows.present].reshape(rows.n, -1) if len(rows.columns) == problem.p else None
    if not rows.p or rows.dim > rows.n or rows.dim * rows.K > LARGEST:
        return
    part = Problem(rows.X, rows.y, rows.loss, rows.s, rows.intercept)
    if part.n_outputs not in (None, rows.K):  # the last class has no row of weight above 0
        return
    for tol in (1e-14,) if eta is not None else (1e-6, 1e-14):
        found = solver_for(part).solve(L2(0.0), tol, 40)
        fitted = part.eta(found.w[0], found.b[0])
        yield fitted, fitted.reshape(rows.n, -1)


def _all_apart(rows: MovableRows, moves) -> bool:
    """Whether a direction, given by its moves, is allowed and moves all rows to their side."""
    if not rows.all_free:
        return False
    margins, bound, size = rows.margins(moves), rows.signs != 0, np.abs(moves).max()
    rest = 0.0 if rows.loss.per_class else np.abs(margins[~bound]).max(initial=0.0)
    return bool(margins[bound].min() > 1e-6 * size and rest <= 1e-9 * size)


def _least_squares(rows: MovableRows):
    """Moves of the least-squares fit to the signs."""
    own = np.arange(rows.K)[None] == rows.y[:, None] if rows.loss.per_class else rows.signs[:, None]
    if rows.sparse:
        from scipy.sparse.linalg import LinearOperator, lsmr

        B = LinearOperator(
            (rows.n, rows.dim),
            lambda v: rows.moves(v.reshape(-1, 1))[:, 0],
            lambda v: rows.back(v.reshape(-1, 1))[:, 0],
        )
        V = np.column_stack([lsmr(B, target, atol=1e-12, btol=1e-12)[0] for target in own.T.astype(float)])
    else:
        V = np.linalg.lstsq(rows.block(slice(None)), own.astype(float), rcond=None)[0]
    return rows.moves(V)
