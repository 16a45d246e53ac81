"""Groups with more columns than rows: certificates, the solver in Gram space as oracle, starts, handing over."""

from itertools import count

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise.linear.certificates import certify, feasible_scale
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.solvers.quadratic.inner import GroupInner, inner_solver
from shrinkwise.linear.solvers.squares import gram_solver as squared
from shrinkwise.linear.solvers.squares import group_path
from shrinkwise.linear.solvers.squares.gram_solver import SquaredSolver
from shrinkwise.linear.solvers.squares.group_path import GroupPath

N, P = 40, 90
LABELS = np.random.default_rng(5).permutation(np.repeat(np.arange(30), 3))  # no group lies together
LABELS[LABELS == 29] = -1  # and some columns are in none
FACTORS = np.where(np.arange(29) == 4, 0.0, 1.0 + np.arange(29) % 3)
EACH = 1.0 * (LABELS % 4 > 0)
PENALTIES = {
    "group": sw.GroupLasso(1.0, LABELS),
    "factors": sw.GroupLasso(1.0, LABELS, weights=FACTORS),
    "L2": sw.GroupLasso(1.0, LABELS) + sw.L2(0.3),
    "fixed L2 of some": sw.GroupLasso(1.0, LABELS) + sw.L2(0.05, weights=EACH).fixed(),
    "sparse group": sw.SparseGroupLasso(1.0, LABELS, 0.4),
    "sparse group by sum": sw.GroupLasso(0.5, LABELS) + sw.L1(0.5, weights=EACH),
}


def problem(correlated=False, **settings):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) + rng.normal(size=(N, 1))
    if correlated:
        X = 0.05 * X + rng.normal(size=(N, 3)) @ rng.normal(size=(3, P))
    X[:, 8], X[:, 20], X[:, 31] = X[:, 3], 0.0, X[:, 1] + X[:, 2]
    y = X @ np.where(rng.random(P) < 0.2, rng.normal(size=P), 0.0) + rng.normal(size=N)
    return Problem(X, y, "squared", **settings)


def solutions(data, penalty, tol=1e-8, descends=True, n_lambdas=12):
    solver = SquaredSolver(data)
    solver.descends = descends
    top = penalty.lambda_max(solver.c) if np.isfinite(penalty.lambda_max(solver.c)) else 1.0
    lambdas = top * np.geomspace(1.0, 0.03, n_lambdas)
    found = [one for stack in solver.solve_all(penalty, lambdas, tol, 100_000) for one in stack.each()]
    return solver, lambdas, found


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_solution_is_certified_from_the_data_and_is_that_of_the_gram_solver(name, weighted):
    weights = 0.5 + np.random.default_rng(1).random(N) if weighted else None
    data, penalty = problem(sample_weight=weights, fit_intercept=weighted), PENALTIES[name]
    solver, lambdas, found = solutions(data, penalty)
    others = solutions(data, penalty, 1e-10, descends=False)[2]
    assert "group_path" in vars(solver)
    for lam, one, other in zip(lambdas, found, others, strict=True):
        certificate = certify(data, penalty.with_lam(lam), one.w[0], data.eta(one.w[0], one.b[0]))
        assert one.solved
        assert certificate.gap <= 2e-8
        assert abs(certificate.objective - other.objective[0]) <= 2e-8 * data.null_loss


@pytest.mark.parametrize("likely", [0.3, 1e9])
def test_units_that_were_not_foreseen_are_found(likely, monkeypatch):
    data, penalty = problem(), PENALTIES["group"]
    expected = [one.objective[0] for one in solutions(data, penalty)[2]]
    monkeypatch.setattr(group_path, "_LIKELY", likely)
    solver, _, found = solutions(data, penalty)
    assert solver.descends  # without the help of the working set in Gram space
    assert all(one.solved for one in found)
    np.testing.assert_allclose([one.objective[0] for one in found], expected, atol=2e-8 * data.null_loss)


def test_slow_descent_hands_over_to_newton_and_max_iter_bounds_both(monkeypatch):
    data, penalty = problem(correlated=True), PENALTIES["group"]
    monkeypatch.setattr(squared, "_PATIENCE", 7)
    solver, _, found = solutions(data, penalty, 1e-10)
    assert not solver.descends
    assert all(one.solved and one.gap[0] <= 1e-10 for one in found)
    monkeypatch.undo()
    first = SquaredSolver(data).solve(penalty.with_lam(0.01 * penalty.lambda_max(solver.c)), 1e-12, 3)
    assert not first.solved
    assert first.n_iter <= 8


def followed(lambdas):
    """(path solved at all but the last λ of this share of λ_max, its data, the penalty at the last)."""
    data, penalty = problem(fit_intercept=False), PENALTIES["group"]
    lambdas = penalty.lambda_max(data.X.T @ data.y / N) * np.array(lambdas)
    path = GroupPath(data.design, data.y, np.zeros(P))
    for lam in lambdas[:-1]:
        path.solve(inner_solver(penalty.with_lam(lam), (P,)), lambda *_: 1.0, (1e-12, 1e-10), 100_000)
    return path, data, penalty.with_lam(lambdas[-1])


def test_a_start_along_the_path_is_lower():
    path, data, penalty = followed([0.5, 0.45, 0.4, 0.36])
    before = path.w
    path._move_ahead(inner_solver(penalty, (P,)))
    now, then = (0.5 * np.mean((data.y - data.X @ w) ** 2) + float(penalty.value(w)) for w in (path.w, before))
    assert now < then


def test_the_residual_follows_a_start_that_leaves_a_group_behind(monkeypatch):
    path, data, penalty = followed([0.5, 0.45, 0.4, 0.36])
    first, ascending = np.flatnonzero(path.w)[0], count()
    monkeypatch.setattr(
        GroupInner, "kept", lambda inner, w, line: np.where(inner.blocks == inner.blocks[first], 0.0, line)
    )
    monkeypatch.setattr(path, "_value", lambda *_: next(ascending))  # whatever is offered is taken
    path._move_ahead(inner_solver(penalty, (P,)))
    assert path.w[first] == 0
    np.testing.assert_allclose(path.residual, data.y - data.X @ path.w, atol=1e-10)


def test_a_curve_is_followed_up_to_where_a_group_or_a_sign_changes_side():
    inner = inner_solver(sw.GroupLasso(1.0, [0, 0, 1, 1]) + sw.L1(1.0, weights=[0.0, 0.0, 1.0, 1.0]), (4,))
    w, line = np.array([1.0, 1.0, 2.0, 2.0]), np.array([-2.0, 1.0, 3.0, -1.0])
    np.testing.assert_array_equal(inner.kept(w, line), [0.0, 0.0, 3.0, 0.0])


def test_the_dual_point_is_scaled_by_the_groups_that_no_l2_part_bounds():
    curved = sw.L2(0.1, weights=[0.0, 0.0, 1.0, 1.0]).fixed()
    penalty = sw.GroupLasso(1.0, [0, 0, 1, 1], weights=[1.0, 1.0]) + curved
    assert feasible_scale(penalty, np.array([1.25, 0.0, 5.0, 0.0])) == pytest.approx(0.8, rel=1e-12)
