"""The solution between two λ of a path.

For L1 + L2 the signs decide: on the support A, (G_A + diag b) w = c_A − a·sign(w), and if then |∇| ≤ a on all other
columns, this is the solution. Candidate supports are those of the neighbouring λ and those between them; if none is
confirmed, the problem is solved iteratively.

Reference: Osborne, Presnell, Turlach, A new approach to variable selection in least squares problems, IMA J. Numer. Anal.
2000 (the lasso path is piecewise linear). Rosset and Zhu, Ann. Statist. 2007.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from shrinkwise.linear.certificates import Solutions, certify
from shrinkwise.linear.solvers.choose import solver_for
from shrinkwise.penalties.contract import check_lam

from .coefficients import Coefficients
from .existence import reasons_against
from .grid import targets_apart
from .path import Path
from .relaxed import relax
from .solve import solve_all

_ROUNDS = 20


def at(path: Path, lam: float) -> Path:
    """The solution at any λ ≥ 0, with its certificate.

    Between two λ of a lasso or elastic-net path it is exact and costs one solve on the support, because the signs
    determine the solution and stationarity on all columns confirms it. Otherwise the solver starts from the nearest
    stored solution. Of a path with relaxed fits the solution has one too: ``path.at(lam).relaxed(gamma)``.
    """
    path, lam = path.path, float(check_lam(lam))
    on_grid = np.flatnonzero(path.lambdas == lam)
    if len(on_grid):
        return path[int(on_grid[0])]
    if np.isnan(path.kkt).all():  # a blend minimises nothing
        raise ValueError("A relaxed fit has no solution between its λ; use path.at(lam).relaxed(gamma)")
    found = _between(path, lam)
    return found if path.refit is None else replace(found, refit=relax(found.path)[0])


def _between(path: Path, lam: float) -> Path:
    problem = path.data
    before = int(np.sum(path.lambdas > lam)) - 1
    guess = _on_support(path, lam, before) if _signs_decide(path) else None
    if guess is not None:
        return guess
    if targets_apart(problem, path.penalty) is not None:
        one = solve_all(problem, path.penalty, np.array([lam]), path.tol, path.max_iter)
        return replace(one, column_names=path.column_names)[0]
    nearest = max(before, 0)
    solver = solver_for(problem, (path.coefficients[nearest], path.intercepts[nearest]))
    return _point(path, lam, solver.solve(path.penalty.with_lam(lam), path.tol, path.max_iter))


def _point(path: Path, lam: float, solution: Solutions) -> Path:
    coefs = Coefficients(path.coefficients.shape)
    coefs.extend(solution.w)
    intercepts = np.asarray(solution.b, dtype=float)
    against = reasons_against(path.data, path.penalty, [lam], coefs, intercepts)
    return replace(
        path,
        lambdas=np.array([lam]),
        coefficients=coefs,
        intercepts=intercepts,
        gaps=solution.gap,
        kkt=solution.kkt,
        objectives=solution.objective,
        solved=solution.solved & (against == ""),
        against=against,
        n_iter=solution.n_iter,
        ridge=None,
        refit=None,
    )[0]


def _signs_decide(path) -> bool:
    parts = path.penalty.with_lam(1.0).l1_l2(path.data.weights_shape)
    return path.data.loss.is_quadratic and parts is not None and bool(parts[0].any()) and len(parts[0].shape) == 1


def _on_support(path: Path, lam: float, before: int) -> Path | None:
    problem, penalty = path.data, path.penalty.with_lam(lam)
    parts = penalty.l1_l2((problem.p,))
    if parts is None:
        return None
    a, b = parts
    ends = [path.coefficients[i] for i in (before, before + 1) if 0 <= i < len(path)]
    # The path is nearly linear in between, so its point there shows the signs; the two ends are the other guesses.
    guesses = list(ends)
    if len(ends) == 2:
        t = (path.lambdas[before] - lam) / (path.lambdas[before] - path.lambdas[before + 1])
        guesses.insert(0, (1.0 - t) * ends[0] + t * ends[1])
    for guess in guesses:
        w = _settle(problem, a, b, np.sign(guess))
        if w is None:
            continue
        intercept = _intercept(problem, w)
        certificate = certify(problem, penalty, w, problem.eta(w, intercept))
        if certificate.gap <= path.tol:
            return _point(path, lam, Solutions.one(w, intercept, certificate, True, 0))
    return None


def _settle(problem, a, b, signs):
    """Solve on the support, drop weights that changed sign and add columns that violate stationarity, until there are
    none."""
    design = problem.design
    y = design.rooted(problem.y - (0.0 if problem.offset is None else problem.offset) - _target_mean(problem))
    for _ in range(_ROUNDS):
        support = np.flatnonzero((signs != 0) | (a == 0))
        X = design.centred_columns(support)
        A = X.T @ X / problem.n
        A.flat[:: len(support) + 1] += b[support]
        right = X.T @ y / problem.n - a[support] * signs[support]
        try:
            # scipy before 1.14 refuses a matrix without rows.
            solved = cho_solve(cho_factor(A, check_finite=False), right) if len(support) else right
        except (LinAlgError, ValueError):
            return None
        wrong = (np.sign(solved) != signs[support]) & (a[support] > 0)
        if wrong.any():
            signs = signs.copy()
            signs[support[wrong]] = 0.0
            continue
        u = design.centred_transposed(y - X @ solved) / problem.n
        missed = (np.abs(u) > a * (1.0 + 1e-9) + 1e-15 * np.abs(u).max()) & (signs == 0) & (a > 0)
        if not missed.any():
            w = np.zeros(problem.p)
            w[support] = solved
            return w
        signs = np.where(missed, np.sign(u), signs)
    return None


def _target_mean(problem):
    y = problem.y if problem.offset is None else problem.y - problem.offset
    return problem.s @ y / problem.n if problem.fit_intercept else 0.0


def _intercept(problem, w):
    return np.array(_target_mean(problem) - problem.design.means @ w if problem.fit_intercept else 0.0)
