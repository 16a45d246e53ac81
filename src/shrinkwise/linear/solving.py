"""The loop over λ: each solution started from the one before it, each with its certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import svd

from ..penalties import Penalty
from .coefficients import Coefficients
from .duality import Certificate, Solution
from .grid import null_fit, several_targets, target_problems
from .problem import Problem
from .ridge import ridge_of
from .solutions import Path
from .solvers import along, solver_for


def solve_all(
    problem: Problem, penalty: Penalty, lambdas, tol: float, max_iter: int, *, keep_last: bool = False, gram=None
) -> Path:
    """The Path over decreasing `lambdas`; with `keep_last` only the last solution is kept. `gram` is X̃'X̃/n where known."""
    kept = lambdas[-1:] if keep_last else lambdas
    ridge = ridge_of(problem, penalty, lambdas)
    solutions = ridge.solutions(lambdas, tol) if ridge else _solutions(problem, penalty, lambdas, tol, max_iter, gram)
    coefs, rest = Coefficients(problem.weights_shape), []
    for i, solution in enumerate(solutions):
        if i < len(lambdas) - len(kept):
            continue
        coefs.append(solution.w)
        rest.append((solution.b, solution.certificate, solution.solved, solution.n_iter))
    intercepts, certificates, solved, n_iter = zip(*rest, strict=True)
    return Path(
        penalty=penalty,
        loss=problem.loss.name,
        lambdas=np.asarray(kept, dtype=float),
        coefficients=coefs,
        intercepts=np.array(intercepts, dtype=float),
        gaps=np.array([c.gap for c in certificates]),
        kkt=np.array([c.kkt for c in certificates]),
        objectives=np.array([c.objective for c in certificates]),
        solved=np.array(solved),
        n_iter=np.array(n_iter),
        status=[
            sentence(c, ok, tol, max_iter) + _not_unique(problem, penalty, lam)
            for c, ok, lam in zip(certificates, solved, kept, strict=True)
        ],
        tol=tol,
        max_iter=max_iter,
        problem=problem,
        ridge=ridge,
    )


def _solutions(problem: Problem, penalty: Penalty, lambdas, tol, max_iter, gram):
    if several_targets(problem):
        return _targets(problem, penalty, lambdas, tol, max_iter)
    return _one_after_the_other(problem, penalty, lambdas, tol, max_iter, gram)


def _one_after_the_other(problem: Problem, penalty: Penalty, lambdas, tol, max_iter, gram=None):
    rotation = _row_space(problem, penalty)
    inner = problem if rotation is None else rotation.problem
    solver = solver_for(inner, null_fit(inner, penalty) if rotation is None else None, gram)
    for solution in along(solver, penalty, lambdas, tol, max_iter):
        if rotation is not None:
            solution.w = solution.w @ rotation.V.T
        yield solution


def sentence(certificate: Certificate, solved: bool, tol: float, max_iter: int) -> str:
    """What became of one fit."""
    if np.isnan(certificate.gap):
        state = "solved to a stationary point" if solved else f"stopped at max_iter={max_iter}"
        return f"{state}: KKT violation {certificate.kkt:.1e} (the penalty is not convex, so there is no duality gap)"
    if solved:
        return f"solved: relative gap {certificate.gap:.1e}"
    return f"stopped at max_iter={max_iter}: relative gap {certificate.gap:.1e} > tol={tol:g}, raise max_iter or tol"


def _not_unique(problem: Problem, penalty: Penalty, lam: float) -> str:
    if lam > 0 or problem.p + problem.fit_intercept <= problem.n or problem.loss.name != "squared":
        return ""
    if not penalty.with_lam(lam).unpenalised(problem.weights_shape).all():
        return ""
    return f" (λ = 0 with {problem.p} columns and {problem.n} rows: of many solutions the one of minimum norm)"


# --- several targets -----------------------------------------------------------------------------------------
def _targets(problem: Problem, penalty: Penalty, lambdas, tol, max_iter):
    """Solutions with the targets solved one by one: gaps add up, relative to the null losses' sum."""
    parts = target_problems(problem, penalty)
    null = np.array([part.null_loss for part in parts])
    runs = [_one_after_the_other(part, penalty, lambdas, tol, max_iter) for part in parts]
    for together in zip(*runs, strict=True):
        certificates = [solution.certificate for solution in together]
        gap = float(np.dot([c.gap for c in certificates], null) / null.sum()) if null.sum() > 0 else 0.0
        certificate = Certificate(sum(c.objective for c in certificates), gap, max(c.kkt for c in certificates))
        yield Solution(
            np.array([solution.w for solution in together]),
            np.array([solution.b for solution in together]),
            certificate,
            all(solution.solved for solution in together),
            max(solution.n_iter for solution in together),
        )


# --- a uniform ridge with more columns than rows ----------------------------------------------------------------
@dataclass
class _RowSpace:
    problem: Problem
    V: np.ndarray


def _row_space(problem: Problem, penalty: Penalty) -> _RowSpace | None:
    # A uniform ridge solution lies in the span of the rows: with p > n solve for v in w = Vv, V an orthonormal basis of it.
    if problem.loss.name == "squared" or problem.p <= problem.n or problem.design.sparse:
        return None
    parts = penalty.with_lam(1.0).l1_l2(problem.weights_shape)
    if parts is None or parts[0].any() or np.ptp(parts[1]) > 0 or getattr(penalty, "weights", None) is not None:
        return None
    U, singular, Vt = svd(problem.X, full_matrices=False, check_finite=False)
    keep = singular > singular[0] * max(problem.X.shape) * np.finfo(float).eps if len(singular) else slice(None)
    scores = U[:, keep] * singular[keep]
    reduced = Problem(scores, problem.y, problem.loss, problem.s, problem.fit_intercept, problem.offset)
    return _RowSpace(reduced, Vt[keep].T)
