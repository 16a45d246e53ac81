"""The estimators on rows in blocks, `shrinkwise.rows`: what they fit, select and refuse there."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkwise.linear.paths.grid import check_depends_on_lambda
from shrinkwise.linear.paths.streamed import read_rows
from shrinkwise.linear.problem.checks import check_dfmax, check_patience, check_switches, checked_grid
from shrinkwise.selection import check_select

from .progress import rows_read
from .validation.curve import ValidationCurve, checked_gammas, turned


def fit_rows(model: Any, rows, loss) -> Any:
    """The estimator, fitted at its own λ."""
    data = _read(model, rows, loss)
    penalty = model._penalty_of(model.penalty, data)
    if model._has_default_penalty():
        penalty = penalty.with_lam(data.lambda_max(penalty) / 100.0)
    model.penalty_ = penalty
    model._keep(data.one(penalty, model.tol, model.max_iter)[0], data.problem)
    model.n_passes_ = data.passes
    return model


def choose_on_rows(model: Any, rows, loss) -> Any:
    """The estimator with λ selected by cross-validation, the folds by a hash of the rows' numbers or groups."""
    _check(model)
    n_folds = int(model.cv)
    data = _read(model, rows, loss, n_folds=n_folds, seed=0 if model.random_state is None else int(model.random_state))
    penalties = [model._penalty_of(each, data) for each in model._penalties()]
    gammas = checked_gammas(model.relaxed)
    curves = []
    for penalty in penalties:
        check_depends_on_lambda(penalty)
        given = model.lambdas
        lambdas = data.grid(penalty, model.n_lambdas, model.lambda_min_ratio) if given is None else checked_grid(given)
        path = data.path(penalty, lambdas, model.tol, model.max_iter, model.dfmax, gammas != (1.0,))
        losses = np.asarray(data.held_out(path, gammas))
        end = turned(losses, model.patience)
        path, losses = path[:end], losses[:, :end]
        curves += [
            ValidationCurve(path.relaxed(gamma) if gamma < 1 else path, held, float(n_folds), model.select, gamma)
            for gamma, held in zip(gammas, losses, strict=True)
        ]
    model.curves_ = curves
    model._keep_curve(min(curves, key=lambda curve: curve.mean[curve.index_best]))
    model.n_passes_ = data.passes
    return model


def _read(model, rows, loss, **folds):
    check_switches(model.get_params(deep=False))
    if model.interactions is not None:
        raise ValueError(
            "Interactions need the rows in memory; use interactions=None, or columns of products in the rows"
        )
    model._pairs = None
    excluded = _take_columns(model, rows)
    if loss.coded:
        if model.class_weight is not None:
            raise ValueError(
                "Rows in blocks take no class_weight; use a column of weights, shrinkwise.rows(..., weight=...)"
            )
        folds["any_labels"] = True
    data = read_rows(
        rows,
        loss,
        model.fit_intercept,
        model.standardize,
        excluded=excluded if excluded.any() else None,
        progress=rows_read(rows.n) if getattr(model, "verbose", False) else None,
        **folds,
    )
    if loss.coded:
        model.classes_ = data.labels
    return data


def _take_columns(model, rows):
    """Keep the names and the number of the inputs, as `_read` keeps those of X; (p,) which are excluded."""
    names = rows.inputs
    model._names, model.n_features_in_ = names if rows.named else None, len(names)
    if rows.named:
        model.feature_names_in_ = np.array(names, dtype=object)
    elif hasattr(model, "feature_names_in_"):
        del model.feature_names_in_
    return model._factors(len(names)) == np.inf


def _check(model) -> None:
    """ValueError for settings of a cross-validation that need the rows in memory."""
    check_select(model.select)
    check_dfmax(model.dfmax)
    check_patience(model.patience)
    if isinstance(model.cv, bool) or not isinstance(model.cv, (int, np.integer)) or model.cv < 2:
        raise ValueError(
            f"Expected cv to be a number of folds ≥ 2 for rows in blocks, whose folds come from a hash, got {model.cv!r}"
        )
    if not (model.random_state is None or isinstance(model.random_state, (int, np.integer))):
        raise ValueError(f"Expected random_state to be an integer for rows in blocks, got {model.random_state!r}")
    if model.scoring is not None:
        raise ValueError("Rows in blocks are scored by the loss; use scoring=None, or fit a frame in memory")
    if model.stability:
        raise ValueError("Stability selection needs the rows in memory; use stability=False, or fit a sample of them")
