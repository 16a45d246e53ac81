"""The loop over λ: each solution started from the one before it, each with its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import svd

from shrinkwise.linear.certificates import Solutions
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.triangular_factor import Triangle, one_thread
from shrinkwise.linear.solvers.choose import solver_for
from shrinkwise.linear.solvers.squares.ridge import ridge_of
from shrinkwise.penalties import Penalty

from .coefficients import Coefficients
from .existence import reasons_against
from .grid import null_fit, targets_apart
from .path import Path

# Values of X from which what has no L1 is solved on the triangular factor: its decomposition would copy X twice.
_MANY_VALUES = 10_000_000


def solve_all(
    problem: Problem,
    penalty: Penalty,
    lambdas,
    tol: float,
    max_iter: int,
    *,
    keep_last: bool = False,
    gram=None,
    triangle: Triangle | None = None,
    dfmax: int | None = None,
    judged: bool = True,
) -> Path:
    """The Path over decreasing `lambdas`; with `keep_last` only the last solution is kept.

    `gram` is X̃'X̃/n and `triangle` the triangular factor of the rows, if they are known; the factor is sufficient to
    solve. With `dfmax` the path ends before the first solution with more inputs. Where only predictions are asked of it,
    it is not `judged` whether the objective has a finite minimum.
    """
    lambdas = np.asarray(lambdas, dtype=float)
    grid = _Grid.of(problem, penalty, lambdas, tol, max_iter, gram, triangle)
    stacks = grid.stacks
    if keep_last:
        *_, last = stacks
        stacks, lambdas = iter([last[-1:]]), lambdas[-1:]
    return grid.path(stacks, lambdas, dfmax, judged)


def paths_along(problem: Problem, penalty: Penalty, lambdas, tol: float, max_iter: int, *, gram=None) -> Iterator[Path]:
    """The Path over decreasing `lambdas` in parts, none solved before its turn; not judged (see `solve_all`)."""
    lambdas, done = np.asarray(lambdas, dtype=float), 0
    grid = _Grid.of(problem, penalty, lambdas, tol, max_iter, gram)
    for stack in grid.stacks:
        yield grid.path([stack], lambdas[done : done + len(stack)], judged=False)
        done += len(stack)


@dataclass
class _Grid:
    """What the solutions over a grid are computed from, and their iterator: several λ at a time, as the solver finds them."""

    problem: Problem
    penalty: Penalty
    tol: float
    max_iter: int
    triangle: Triangle | None
    ridge: Any
    stacks: Iterator[Solutions]

    @classmethod
    def of(cls, problem, penalty, lambdas, tol, max_iter, gram=None, triangle=None) -> _Grid:
        if triangle is None and _decomposes(problem, penalty):
            with one_thread():
                triangle = Triangle.of(problem.X, problem.y, problem.s, problem.offset)
        solved_on = problem if triangle is None else triangle.problem(problem.fit_intercept)
        ridge = ridge_of(solved_on, penalty, lambdas)
        found = ridge.solutions(lambdas, tol) if ridge else _solutions(solved_on, penalty, lambdas, tol, max_iter, gram)
        return cls(problem, penalty, tol, max_iter, triangle, ridge, found)

    def path(self, stacks, lambdas, dfmax: int | None = None, judged: bool = True) -> Path:
        """The Path of some of the solutions."""
        problem, penalty, triangle = self.problem, self.penalty, self.triangle
        coefs, rest = Coefficients(problem.weights_shape), []
        for stack in stacks:
            count = len(stack.w) if dfmax is None else _within(stack.w, dfmax)
            whole, stack = count == len(stack.w), stack[:count]
            coefs.extend(stack.w)
            b = triangle.intercepts(stack.w) if triangle is not None and problem.fit_intercept else stack.b
            rest.append((b, stack.objective, stack.gap, stack.kkt, stack.solved, stack.n_iter))
            if not whole:
                break
        intercepts, objectives, gaps, kkt, solved, n_iter = (np.concatenate(parts) for parts in zip(*rest, strict=True))
        lambdas = lambdas[: len(gaps)]
        if not len(lambdas):
            raise ValueError(
                f"Expected a first λ with at most dfmax={dfmax} non-zero inputs, got more; start at a larger λ"
            )
        against = (
            reasons_against(problem, penalty, lambdas, coefs, intercepts)
            if judged
            else np.full(len(lambdas), "", dtype=object)
        )
        return Path(
            penalty=penalty,
            loss=problem.loss.name,
            lambdas=lambdas,
            coefficients=coefs,
            intercepts=intercepts,
            gaps=gaps,
            kkt=kkt,
            objectives=objectives,
            solved=solved & (against == ""),
            against=against,
            n_iter=n_iter,
            remark="" if _unique(problem, penalty, lambdas[-1]) else _not_unique(problem),
            tol=self.tol,
            max_iter=self.max_iter,
            problem=problem,
            column_scale=problem.column_scale,
            ridge=self.ridge if triangle is None else None,
            has_offset=problem.offset is not None,
        )


def _within(stack, dfmax: int) -> int:
    """How many solutions (L, …, p) come before the first with more than `dfmax` non-zero inputs."""
    used = (stack != 0).reshape(len(stack), -1, stack.shape[-1]).any(1).sum(1)
    return int(np.argmax(used > dfmax)) if (used > dfmax).any() else len(stack)


def _decomposes(problem: Problem, penalty: Penalty) -> bool:
    """Whether many rows would need a decomposition: least squares without L1."""
    parts = penalty.with_lam(1.0).l1_l2(problem.weights_shape) if Triangle.pays(problem, _MANY_VALUES) else None
    return parts is not None and not parts[0].any()


def _solutions(problem: Problem, penalty: Penalty, lambdas, tol, max_iter, gram) -> Iterator[Solutions]:
    parts = targets_apart(problem, penalty)
    if parts is not None:
        return _apart(parts, penalty, lambdas, tol, max_iter)
    return _one_after_the_other(problem, penalty, lambdas, tol, max_iter, gram)


def _one_after_the_other(problem: Problem, penalty: Penalty, lambdas, tol, max_iter, gram=None) -> Iterator[Solutions]:
    rotation = _row_space(problem, penalty)
    inner = problem if rotation is None else rotation.problem
    solver = solver_for(inner, null_fit(inner, penalty) if rotation is None else None, gram)
    for stack in solver.solve_all(penalty, lambdas, tol, max_iter):
        if rotation is not None:
            stack.w = stack.w @ rotation.V.T
        yield stack


def _unique(problem: Problem, penalty: Penalty, smallest: float) -> bool:
    if smallest > 0 or problem.p + problem.fit_intercept <= problem.n or not problem.loss.is_quadratic:
        return True
    return not penalty.with_lam(smallest).unpenalised(problem.weights_shape).all()


def _not_unique(problem: Problem) -> str:
    return f" (λ = 0 with {problem.p} columns and {problem.n} rows: the minimum-norm solution)"


# --- several targets -----------------------------------------------------------------------------------------
def _apart(parts: list[Problem], penalty: Penalty, lambdas, tol, max_iter) -> Iterator[Solutions]:
    """Solutions with the targets solved one by one: gaps are summed and divided by the sum of the null losses."""
    null = np.array([part.null_loss for part in parts])
    for together in zip(*(_one_by_one(part, penalty, lambdas, tol, max_iter) for part in parts), strict=True):
        gaps = np.array([one.gap for one in together])
        yield Solutions(
            np.stack([one.w for one in together], 1),
            np.stack([one.b for one in together], 1),
            sum(one.objective for one in together),
            null @ gaps / null.sum() if null.sum() > 0 else np.zeros(1),
            np.max([one.kkt for one in together], axis=0),
            np.all([one.solved for one in together], axis=0),
            np.max([one.n_iter for one in together], axis=0),
        )


def _one_by_one(problem: Problem, penalty: Penalty, lambdas, tol, max_iter) -> Iterator[Solutions]:
    for stack in _one_after_the_other(problem, penalty, lambdas, tol, max_iter):
        yield from stack.each()


# --- a uniform ridge with more columns than rows ----------------------------------------------------------------
@dataclass
class _RowSpace:
    problem: Problem
    V: np.ndarray


def _row_space(problem: Problem, penalty: Penalty) -> _RowSpace | None:
    # A uniform ridge solution lies in the span of the rows: with p > n solve for v in w = Vv, V an orthonormal basis of it.
    if problem.loss.is_quadratic or problem.p <= problem.n or problem.design.sparse:
        return None
    parts = penalty.with_lam(1.0).l1_l2(problem.weights_shape)
    if parts is None or parts[0].any() or np.ptp(parts[1]) > 0 or getattr(penalty, "weights", None) is not None:
        return None
    U, singular, Vt = svd(problem.X, full_matrices=False, check_finite=False)
    keep = singular > singular[0] * max(problem.X.shape) * np.finfo(float).eps if len(singular) else slice(None)
    scores = U[:, keep] * singular[keep]
    reduced = Problem(scores, problem.y, problem.loss, problem.s, problem.fit_intercept, problem.offset)
    return _RowSpace(reduced, Vt[keep].T)
