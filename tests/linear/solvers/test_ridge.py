"""Ridge's leave-one-out errors, GCV and degrees of freedom at λ far below the spectrum, against refits without each row."""

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise.linear.estimators.factors import with_factors
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.solvers.squares.ridge import ridge_of

ALPHAS = np.array([1e-12, 1e-8, 3e-6, 1e-4, 1e-2, 1.0])


def table(n, p, kind):
    rng = np.random.default_rng(n + 100 * p)
    X, y = rng.standard_normal((n, p)), rng.standard_normal(n)
    if kind == "lone row":  # a category seen once: that row's leverage tends to 1 while n > p
        X[:, 0] = 0.0
        X[3, 0] = 1.0
    elif kind == "twins":
        X[:, 1] = X[:, 0]
    elif kind == "scales":
        X *= 10.0 ** np.linspace(-3, 3, p)
    elif kind == "means":
        X += 1e3
    return X, y


def centred(X, y, s, fit_intercept):
    x_mean, y_mean = (s @ X / s.sum(), s @ y / s.sum()) if fit_intercept else (np.zeros(X.shape[1]), 0.0)
    root = np.sqrt(s)
    return root[:, None] * (X - x_mean), root * (y - y_mean), x_mean, y_mean


def spectrum(Z):
    U, d, Vt = np.linalg.svd(Z, full_matrices=False)
    keep = d > 1e-13 * d[0]
    return U[:, keep], d[keep], Vt[keep]


def refitted(X, y, s, alpha, fit_intercept):
    """Error of each row under the ridge fit to the other rows, ‖√s(y − Xw − b)‖² + α‖w‖², by a decomposition of its own."""
    errors = np.empty(len(y))
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        Z, target, x_mean, y_mean = centred(X[rest], y[rest], s[rest], fit_intercept)
        U, d, Vt = spectrum(Z)
        w = Vt.T @ (d / (d**2 + alpha) * (U.T @ target))
        errors[i] = y[i] - y_mean - (X[i] - x_mean) @ w
    return errors


CASES = [
    (10, 50, True, False, "plain"),
    (10, 50, True, True, "plain"),
    (10, 50, False, True, "plain"),
    (10, 9, True, False, "plain"),  # as many columns as rows leave beside the intercept
    (10, 10, True, True, "plain"),
    (30, 6, True, True, "plain"),
    (12, 4, True, True, "lone row"),
    (12, 6, True, False, "twins"),
    (12, 6, True, False, "means"),
    (12, 20, True, False, "scales"),
    (40, 200, True, True, "plain"),
]


@pytest.mark.parametrize(("n", "p", "fit_intercept", "weighted", "kind"), CASES)
def test_leave_one_out_is_what_refitting_without_each_row_gives(n, p, fit_intercept, weighted, kind):
    X, y = table(n, p, kind)
    s = np.random.default_rng(1).uniform(0.2, 3.0, n) if weighted else np.ones(n)
    problem = Problem(X, y, "squared", s, fit_intercept)
    for alphas in (*ALPHAS[:, None], ALPHAS):  # the least λ decides how Z is decomposed: each alone, and all at once
        lambdas = alphas / (2.0 * s.sum())
        errors = ridge_of(problem, sw.L2(1.0), lambdas).loo_residuals(lambdas)[:, :, 0] / np.sqrt(problem.s)[:, None]
        expected = np.column_stack([refitted(X, y, s, alpha, fit_intercept) for alpha in alphas])
        np.testing.assert_allclose(errors, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize(("n", "p", "fit_intercept", "weighted", "kind"), CASES)
def test_degrees_of_freedom_and_gcv_come_from_the_singular_values(n, p, fit_intercept, weighted, kind):
    X, y = table(n, p, kind)
    s = np.random.default_rng(1).uniform(0.2, 3.0, n) if weighted else np.ones(n)
    problem = Problem(X, y, "squared", s, fit_intercept)
    Z, target, *_ = centred(X, y, problem.s, fit_intercept)
    U, d, _ = spectrum(Z)
    lambdas = ALPHAS / (2.0 * s.sum())
    ridge = ridge_of(problem, sw.L2(1.0), lambdas)
    kept = 2.0 * n * lambdas / (d[:, None] ** 2 + 2.0 * n * lambdas)  # 1 − d²/(d² + 2nλ), (k, L)
    np.testing.assert_allclose(ridge.degrees_of_freedom(lambdas), (1.0 - kept).sum(0), rtol=1e-9)
    unfitted = n - fit_intercept - len(d)
    residual = U @ (kept * (U.T @ target)[:, None])
    if unfitted:
        residual += (target - U @ (U.T @ target))[:, None]
    expected = (residual**2).mean(0) / ((unfitted + kept.sum(0)) / n) ** 2
    np.testing.assert_allclose(ridge.gcv(lambdas), expected, rtol=1e-8)


def test_leave_one_out_beside_free_columns():
    X, y = table(12, 40, "plain")
    factors = np.ones(40)
    factors[[3, 7]] = 0.0
    free, held = X[:, factors == 0], X[:, factors > 0]
    for lam in (1e-9, 1e-4, 1.0):
        ridge = ridge_of(Problem(X, y, "squared"), with_factors(sw.L2(1.0), factors, 40), [lam])
        expected = []
        for i in range(12):
            rest = np.arange(12) != i
            # Free columns and intercept are projected out, ridge on what is left, then they take the remainder.
            F = np.column_stack([np.ones(11), free[rest]])
            beside = np.eye(11) - F @ np.linalg.pinv(F)
            U, d, Vt = spectrum(beside @ held[rest])
            w = Vt.T @ (d / (d**2 + 2.0 * 12 * lam) * (U.T @ (beside @ y[rest])))
            v = np.linalg.lstsq(F, y[rest] - held[rest] @ w, rcond=None)[0]
            expected.append(y[i] - held[i] @ w - np.append(1.0, free[i]) @ v)
        np.testing.assert_allclose(ridge.loo_residuals([lam])[:, 0, 0], expected, rtol=1e-7)


@pytest.mark.parametrize("p", [1, 3])
def test_one_row_with_an_intercept_leaves_nothing_to_fit(p):
    found = sw.path(np.ones((1, p)), np.array([2.0]), sw.L2(1.0), lambdas=[1.0, 0.1])
    np.testing.assert_array_equal(found.coefs, 0.0)
    np.testing.assert_allclose(found.intercepts, 2.0)
