"""The grid of λ of a path: its largest value and its spacing."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.rounding import zero_rounding
from shrinkwise.linear.solvers.choose import several_targets, solver_for
from shrinkwise.penalties import L2, Penalty

_LEAST = 1e-16  # of λ_max: below it a solution differs from that of λ = 0 by rounding


def lambda_max(problem: Problem, penalty: Penalty) -> float:
    """Smallest λ at which every penalised weight is zero: at the fitted intercept and unpenalised columns; may be ∞."""
    parts = targets_apart(problem, penalty)
    if parts is not None:
        return max(lambda_max(part, penalty) for part in parts)
    return penalty.lambda_max(null_gradient(problem, penalty)) * (1.0 + 8 * np.finfo(float).eps)


def lambda_grid(problem: Problem, penalty: Penalty, n_lambdas: int, ratio: float | None) -> np.ndarray:
    """`n_lambdas` values down from λ_max, or the ridge grid where λ_max is infinite (see `path`)."""
    check_grid(penalty, n_lambdas, ratio)
    top = lambda_max(problem, penalty)
    curvature = 1.0 if np.isfinite(top) else problem.top_curvature
    return spaced(top, curvature, penalty.with_lam(1.0).l1_l2(problem.weights_shape), problem, n_lambdas, ratio)


def spaced(top: float, top_curvature: float, parts, problem, n_lambdas: int, ratio: float | None) -> np.ndarray:
    """The grid from λ_max; where that is infinite, from `top_curvature` and the `parts` (a, b) of the penalty at λ = 1."""
    if top == 0:  # a constant target, or no penalised column
        return np.array([1.0])
    if not np.isfinite(top):
        curvature = float(parts[1].max()) if parts is not None else 1.0
        top, ratio = 100.0 * top_curvature / curvature, 1e-8 if ratio is None else ratio
        if top == 0:  # every column is constant
            return np.array([1.0])
    elif ratio is None:
        ratio = 1e-3 if problem.stands_for > problem.p else 1e-2
    return top * ratio ** (np.arange(n_lambdas) / max(n_lambdas - 1, 1))


def check_grid(penalty: Penalty, n_lambdas: int, ratio: float | None) -> None:
    """Raise ValueError for settings that give no grid."""
    if not isinstance(n_lambdas, (int, np.integer)) or n_lambdas < 1:
        raise ValueError(f"Expected n_lambdas to be an integer ≥ 1, got {n_lambdas!r}")
    if ratio is not None and not 0 < ratio < 1:
        raise ValueError(
            "Expected lambda_min_ratio (the ratio of the smallest λ to the largest) to be between 0 and 1, got "
            f"{ratio!r}"
        )
    if n_lambdas > 1:
        check_depends_on_lambda(penalty)


def check_depends_on_lambda(penalty: Penalty) -> None:
    """Raise ValueError for a penalty that does not depend on λ: constraints alone, or fixed terms alone."""
    if penalty.with_lam(1.0).summands() == penalty.with_lam(2.0).summands():
        raise ValueError(
            f"{penalty!r} does not depend on λ, so there is no grid and no λ to select; fit it with "
            "PenalizedRegressor, or tune its own parameter with GridSearchCV, e.g. over penalty=[TopK(1), "
            "TopK(2), TopK(3)]"
        )


def short_grid(problem: Problem, penalty: Penalty) -> np.ndarray:
    """A short path from λ_max to the penalty's own λ, along which every start is close to the solution."""
    lam = penalty.lam
    top = lambda_max(problem, penalty)
    if not (np.isfinite(top) and 0 < lam < 0.3 * top):
        return np.array([lam], dtype=float)
    least = max(lam, top * _LEAST)
    lambdas = np.geomspace(top, least, 2 + int(np.log2(top / least)))
    return np.append(lambdas if least > lam else lambdas[:-1], lam)


def null_fit(problem: Problem, penalty: Penalty):
    """(w, b) with every penalised weight zero: only the intercept and the unpenalised columns are fitted."""
    free = penalty.with_lam(1.0).unpenalised(problem.weights_shape)
    w, b = problem.zero()
    columns = np.flatnonzero(free.reshape(-1, problem.p).any(0))
    if len(columns):
        problem.design.gather(columns)
        X = problem.X if len(columns) == problem.p else problem.X[:, columns]
        kept = bool((problem.s == 0).any())  # by a problem that has kept them
        part = Problem(X, problem.y, problem.loss, problem.s, problem.fit_intercept, problem.offset, keep_zeros=kept)
        parts = _one_by_one(part) if several_targets(part) else [part]
        fits = [solver_for(one).solve(L2(0.0), 1e-14, 1000) for one in parts]
        w[..., columns] = np.reshape([fit.w for fit in fits], (*w.shape[:-1], len(columns)))
        b = np.reshape([fit.b for fit in fits], np.shape(b))
    return w, b


def null_gradient(problem: Problem, penalty: Penalty):
    """Gradient in w of the loss at the null fit."""
    if problem.is_flat:
        return np.zeros(problem.weights_shape)
    eta = problem.eta(*null_fit(problem, penalty))
    v = (problem.s * problem.loss.gradient(problem.y, eta).T).T
    return zero_rounding(problem.correlate(v), problem.column_squares, v, problem.largest)


def targets_apart(problem: Problem, penalty: Penalty) -> list[Problem] | None:
    """The targets one by one, if there are several and the penalty is the same for all and on single weights; else
    None."""
    if not several_targets(problem) or not penalty.separable or np.ndim(getattr(penalty, "weights", 1.0)) > 1:
        return None
    return _one_by_one(problem)


def _one_by_one(problem: Problem) -> list[Problem]:
    offsets = [None] * problem.y.shape[1] if problem.offset is None else problem.offset.T
    return [
        Problem(problem.X, y, problem.loss, problem.s, problem.fit_intercept, offset)
        for y, offset in zip(problem.y.T, offsets, strict=True)
    ]
