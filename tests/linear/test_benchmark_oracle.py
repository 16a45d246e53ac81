"""The benchmark's judge of precision: small at a solution, and nowhere below what the objective still lacks."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import shrinkwise as sw
from shrinkwise.linear import path

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.linear import data, oracle

    yield data, oracle
    for name in [each for each in sys.modules if each.split(".")[0] == "benchmarks"]:
        sys.modules.pop(name)


def objective(problem, penalty, w, lam):
    if problem.loss == "logistic":
        eta = problem.X @ w
        loss = np.mean(np.log1p(np.exp(eta)) - problem.y * eta)
    elif problem.loss == "multinomial":
        eta = problem.X @ w.T
        loss = np.mean(np.log(np.exp(eta).sum(1)) - eta[np.arange(len(eta)), problem.y.astype(int)])
    else:
        loss = 0.5 * np.mean((problem.y - problem.X @ w) ** 2)
    return loss + penalty.with_lam(lam).value(w)


CASES = {
    "l1": ({}, lambda problem: sw.L1(1.0)),
    "elastic net": ({"l1_ratio": 0.5}, lambda problem: sw.ElasticNet(1.0, 0.5)),
    "logistic": ({"n_classes": 2}, lambda problem: sw.L1(1.0)),
    "multinomial": ({"n_classes": 3}, lambda problem: sw.L1(1.0)),
    "group": ({"group_size": 5}, lambda problem: sw.GroupLasso(1.0, problem.groups)),
    "group-logistic": ({"n_classes": 2, "group_size": 5}, lambda problem: sw.GroupLasso(1.0, problem.groups)),
    "group-multinomial": ({"n_classes": 3, "group_size": 5}, lambda problem: sw.GroupLasso(1.0, problem.groups)),
}


@pytest.mark.parametrize("name", CASES)
def test_gap_is_small_at_a_solution_and_bounds_the_distance_elsewhere(bench, name):
    data, oracle = bench
    settings, make_penalty = CASES[name]
    kind = "l1" if name == "elastic net" else name
    X, y = data.classes(60, 30, settings["n_classes"]) if "n_classes" in settings else data.regression(60, 30)
    problem = data.Problem(kind, X, y, lambdas=None, **settings)
    problem = replace(problem, lambdas=data.grid(problem, 5, 0.05))
    penalty, loss = make_penalty(problem), problem.loss
    labels = y.astype(int) if loss == "multinomial" else y
    fitted = path(X, labels, penalty, loss=loss, lambdas=problem.lambdas, fit_intercept=False, tol=1e-12)
    coefs = fitted.coefs if isinstance(fitted.coefs, np.ndarray) else fitted.coefs.toarray()
    own = oracle.precision(problem, sparse.csr_matrix(coefs.reshape(5, -1)))
    assert own.max() <= 1e-6  # its dual point is the plain one, off by the root of what the objective lacks

    nudged = coefs + 0.01 * np.random.default_rng(0).standard_normal(coefs.shape)
    gaps = oracle.precision(problem, sparse.csr_matrix(nudged.reshape(5, -1)))
    scale = objective(problem, penalty, 0 * coefs[0], 0.0)
    for lam, best, other, gap in zip(problem.lambdas, coefs, nudged, gaps, strict=True):
        lacks = (objective(problem, penalty, other, lam) - objective(problem, penalty, best, lam)) / scale
        assert 0 < lacks <= gap


def test_largest_lambda_is_where_the_weights_become_zero(bench):
    data, oracle = bench
    X, y = data.regression(60, 30)
    problem = data.Problem("l1", X, y, lambdas=None, l1_ratio=0.5)
    problem = replace(problem, lambdas=data.grid(problem, 2, 0.99))
    at_top, below = oracle.precision(problem, sparse.csr_matrix((2, 30)))
    assert at_top <= 1e-15
    assert below > 1e-9


def test_leave_one_out_error_is_that_of_refitting_without_each_row(bench):
    data, oracle = bench
    for n, p in ((20, 6), (8, 20)):
        X, y = data.regression(n, p)
        problem = data.Problem("ridge", X, y, lambdas=None)
        problem = replace(problem, lambdas=data.grid(problem, 3, 0))
        curve = []
        for lam in problem.lambdas:
            errors = []
            for i in range(n):
                kept = np.arange(n) != i
                A = X[kept].T @ X[kept] + 2 * n * lam * np.eye(p)
                errors.append(y[i] - X[i] @ np.linalg.solve(A, X[kept].T @ y[kept]))
            curve.append(np.mean(np.square(errors)))
        assert oracle.precision(problem, sparse.csr_matrix(np.array(curve)[:, None])).max() <= 1e-10


def test_mcp_violation_is_zero_at_a_stationary_point_of_one_column(bench):
    data, oracle = bench
    X = np.ones((4, 1))
    problem = data.Problem("mcp", X, np.full(4, 2.0), lambdas=np.array([1.0]), gamma=4.0)
    # Slope 2 − w of the loss against λ − w/γ of the penalty: w = (2 − λ)/(1 − 1/γ).
    stationary = sparse.csr_matrix([[1.0 / 0.75]])
    assert oracle.precision(problem, stationary).max() <= 1e-15
    assert oracle.precision(problem, sparse.csr_matrix([[1.0]])).max() == pytest.approx(0.25)
