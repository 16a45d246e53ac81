"""Least squares within bounds over λ: certificates, other solvers as oracle, and what certifies when a gap cannot."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from sklearn.linear_model import ElasticNet

import shrinkwise as sw
from shrinkwise.linear import LassoCV, path
from shrinkwise.linear.certificates import certify
from shrinkwise.linear.paths.api import solve_one
from shrinkwise.linear.problem.problem import Problem

P = 12
EACH = np.where(np.arange(P) % 5 == 0, 0.0, 1.0 + np.arange(P) % 3)
LOW = np.where(np.arange(P) % 3, -0.1, 0.05)
PENALTIES = {
    "nonnegative lasso": sw.L1(1.0) + sw.NonNegative(),
    "factors, box": sw.L1(1.0, weights=EACH) + sw.Box(LOW, 0.3),
    "elastic net, one side": sw.ElasticNet(1.0, 0.5) + sw.Box(-np.inf, 0.1),
    "ridge": sw.L2(1.0) + sw.NonNegative(),
    "bounds on a part": sw.L1(1.0) + sw.NonNegative().on(slice(0, 5)),
    "fixed": 2 * (sw.L1(0.01).fixed() + sw.ElasticNet(0.5, 0.3)) + sw.Box(-0.2, 0.2),
    "equal bounds": sw.L1(1.0)
    + sw.Box(np.where(np.arange(P) == 3, 0.1, 0.0), np.where(np.arange(P) == 3, 0.1, np.inf)),
}


def data(seed=0, n=60):
    """Duplicate, collinear, constant and badly scaled columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, P)) + rng.normal(size=(n, 1))
    X[:, 4], X[:, 7], X[:, 9] = X[:, 3], X[:, 1] + X[:, 2], 5.0
    X[:, 10] *= 1e3
    return X, X[:, :8] @ rng.normal(size=8) + rng.normal(size=n)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("intercept", [True, False])
def test_every_solution_is_certified_from_the_data(name, intercept):
    X, y = data()
    weights = 0.5 + np.random.default_rng(1).random(len(y))
    problem, penalty = Problem(X, y, "squared", weights, intercept), PENALTIES[name]
    lambdas = np.geomspace(5.0, 1e-3, 15)
    found = path(X, y, penalty=penalty, lambdas=lambdas, sample_weight=weights, fit_intercept=intercept, tol=1e-9)
    assert found.solved.all()
    for one in found:
        certificate = certify(problem, penalty.with_lam(one.lam), one.coef, problem.eta(one.coef, one.intercept))
        assert certificate.gap <= 2e-9
        assert certificate.objective == pytest.approx(one.objective, rel=1e-9)
        assert certificate.kkt <= 1e-8 * np.abs(X.T @ y).max() / len(y)


@pytest.mark.parametrize("name", PENALTIES)
def test_the_path_and_working_sets_agree(name, monkeypatch):
    """With more columns than `LARGEST_WHOLE` the working set takes over, λ after λ."""
    X, y = data(2)
    lambdas = np.geomspace(1.0, 1e-2, 8)
    whole = path(X, y, penalty=PENALTIES[name], lambdas=lambdas, tol=1e-9)
    monkeypatch.setattr("shrinkwise.linear.solvers.squares.gram_solver.LARGEST_WHOLE", 0)
    monkeypatch.setattr("shrinkwise.linear.solvers.squares.working_set.LARGEST_WHOLE", 0)
    other = path(X, y, penalty=PENALTIES[name], lambdas=lambdas, tol=1e-9)
    assert other.solved.all()
    np.testing.assert_allclose(whole.objectives, other.objectives, rtol=1e-8)


def test_scikit_learn_and_scipy_find_no_better_point():
    X, y = data(3)
    fitted = path(X, y, penalty=sw.L1(1.0) + sw.NonNegative(), lambdas=[0.5, 0.1, 0.01], tol=1e-10)
    for one in fitted:
        theirs = ElasticNet(alpha=one.lam, l1_ratio=1, positive=True, tol=1e-12, max_iter=10**6).fit(X, y)
        value = 0.5 * np.mean((y - theirs.predict(X)) ** 2) + one.lam * theirs.coef_.sum()
        assert one.objective <= value * (1 + 1e-9)
    box = solve_one(Problem(X, y, "squared", fit_intercept=False), sw.Box(LOW, 0.3), 1e-10, 10_000)[0]
    best = lsq_linear(X, y, (LOW, 0.3), tol=1e-14, max_iter=1000)
    assert box.objective <= best.cost / len(y) * (1 + 1e-9)


def test_one_bound_that_no_weight_meets_leaves_no_gap():
    """The dual point asks X'θ ≤ 0, and rounding is on its other side: no scaling repairs that."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 10))
    X = np.c_[X, X[:, :3]]
    y = X @ (1.0 + rng.random(13)) + rng.normal(size=60)
    for penalty in (sw.NonNegative(), sw.Box(-1e3, np.inf), sw.L2(1e-9).on(slice(0, 2)) + sw.NonNegative()):
        one = solve_one(Problem(X, y, "squared"), penalty, 1e-9, 10_000)[0]
        assert one.solved
        assert one.gap <= 1e-9


def test_bounds_too_far_for_a_gap_are_certified_by_stationarity_and_the_status_says_so():
    X, y = data()
    one = solve_one(Problem(X[:, :9], y, "squared"), sw.Box(-1e14, 1e14), 1e-9, 10_000)[0]
    assert one.gap > 1e-9
    assert one.kkt <= 8 * np.finfo(float).eps * np.abs((X - X.mean(0)).T @ y).max() / len(y)
    assert one.solved
    assert one.status.startswith("solved: KKT violation")
    far = solve_one(Problem(X[:, :9], y, "squared"), sw.Box(-1e14, 1e14), 1e-9, 1)[0]
    assert not far.solved


def test_the_nonnegative_cross_validation_is_scikit_learns():
    from sklearn.linear_model import LassoCV as Theirs

    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 20))
    y = X[:, :4] @ [1.0, 0.5, -1.0, 0.2] + rng.normal(size=120)
    ours, theirs = LassoCV(positive=True, tol=1e-9).fit(X, y), Theirs(positive=True, tol=1e-9, max_iter=10**5).fit(X, y)
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-5)
