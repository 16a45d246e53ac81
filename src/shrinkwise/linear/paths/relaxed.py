"""Relaxed fits: the penalty selects the inputs, and an unpenalised refit on them removes the shrinkage.

References: Meinshausen, Relaxed lasso, Comput. Stat. Data Anal. 2007. Hastie, Tibshirani, Tibshirani, Best subset, forward
stepwise or lasso?, Statist. Sci. 2020 (the blend).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.separation import separation_of
from shrinkwise.linear.solvers.choose import solver_for
from shrinkwise.penalties import L2

from .coefficients import Coefficients
from .path import Path


def relax(path: Path) -> Path:
    """Every support of `path` refitted without the penalty; the minimum-norm least-squares solution if it is not
    unique.

    Its objectives, gaps and violations are NaN because it does not minimise the penalised objective.
    """
    problem, coefs, intercepts, solved, reasons = path.data, Coefficients(path.data.weights_shape), [], [], []
    if np.ndim(problem.y) == 2:
        raise ValueError("A relaxed fit supports only one target; fit each target separately")
    last = None
    for i in range(len(path)):
        support = path.coefficients.used(i)
        if last is None or not np.array_equal(support, last[0]):
            last = (support, *_refit(problem, support, path.tol, path.max_iter))
        _, w, b, reached, reason = last
        coefs.append(w)
        intercepts.append(b)
        solved.append(reached)
        reasons.append(reason)
    against = np.array(reasons, dtype=object)
    return _without_certificate(path, coefs, np.array(intercepts, dtype=float), np.array(solved), against)


def _without_certificate(path: Path, coefs: Coefficients, intercepts, solved, against) -> Path:
    nothing = np.full(len(path), np.nan)
    return replace(
        path,
        coefficients=coefs,
        intercepts=intercepts,
        gaps=nothing,
        kkt=nothing,
        objectives=nothing,
        solved=solved & (against == ""),
        against=against,
        ridge=None,
        refit=None,
    )


def _refit(problem: Problem, support, tol: float, max_iter: int):
    w, b = problem.zero()
    if not len(support):
        return w, b, True, ""
    part = Problem(problem.X[:, support], problem.y, problem.loss, problem.s, problem.fit_intercept, problem.offset)
    fitted = solver_for(part).solve(L2(0.0), tol, max_iter)
    w[..., support], b = fitted.w[0], fitted.b[0]
    inside = np.zeros(w.shape, dtype=bool)
    inside[..., support] = True
    separation = separation_of(problem, inside, inside, problem.eta(w, b))
    against = str(separation) if separation or separation.undecided else ""
    return w, b, bool(fitted.solved[0]), against


def relaxed(path: Path, gamma: float = 0.0) -> Path:
    """γ · the penalised solution + (1 − γ) · the unpenalised refit on its support, at every λ (glmnet's relaxed fit).

    Needs ``path(..., relaxed=True)``. γ = 1 is the path itself, γ = 0 the refit. Objectives, gaps and violations are NaN for
    γ < 1: such a blend does not minimise an objective.
    """
    if not 0 <= gamma <= 1:
        raise ValueError(f"Expected gamma (the share of the penalised fit) to be in [0, 1], got {gamma}")
    if path.refit is None:
        raise ValueError("This path has no relaxed fits; fit it with relaxed=True")
    if gamma == 1:
        return path
    refit, coefs = path.refit, Coefficients(path.coefficients.shape)
    for i in range(len(path)):
        coefs.append(gamma * path.coefficients[i] + (1.0 - gamma) * refit.coefficients[i])
    intercepts = gamma * path.intercepts + (1.0 - gamma) * refit.intercepts
    against = np.where(path.against == "", refit.against, path.against)
    return _without_certificate(path, coefs, intercepts, refit.solved & path.solved, against)
