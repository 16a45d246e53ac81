"""Coverage of the lasso's intervals given the selection, by simulation with its standard error, and what they refuse."""

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise.linear import lasso_intervals


def coverage(runs, n, p, lam, sigma, level, seed):
    """(coverage, its standard error over runs, coverage of the intervals of least squares that ignore the selection)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ (np.eye(p) + 0.3 * rng.normal(size=(p, p)))
    signal = X[:, :2] @ np.array([0.5, -0.3])
    centred = X - X.mean(0)
    inside, naive, counts = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        found = lasso_intervals(X, signal + sigma * rng.normal(size=n), sw.L1(lam), level=level, sigma=sigma)
        part = centred[:, found.columns]
        target = np.linalg.lstsq(part, centred @ np.r_[0.5, -0.3, np.zeros(p - 2)], rcond=None)[0]
        half = 1.2815515655 * sigma * np.sqrt(np.diagonal(np.linalg.inv(part.T @ part)))
        counts[run] = len(found)
        inside[run] = ((found.low <= target) & (target <= found.high)).sum()
        naive[run] = (np.abs(found.estimates - target) <= half).sum()
    share = inside.sum() / counts.sum()
    return share, np.std(inside - share * counts) * np.sqrt(runs) / counts.sum(), naive.sum() / counts.sum()


def test_coverage_with_the_noise_known():
    share, se, naive = coverage(80, 50, 8, 0.15, 1.0, 0.8, seed=0)
    assert abs(share - 0.8) <= 3 * se < 0.15
    assert naive < share  # selection makes plain intervals cover less


@pytest.mark.thorough
@pytest.mark.parametrize(("n", "p", "lam"), [(50, 8, 0.15), (40, 60, 0.35), (100, 20, 0.05)])
def test_coverage_in_many_runs(n, p, lam):
    share, se, naive = coverage(1500, n, p, lam, 1.0, 0.8, seed=1)
    assert abs(share - 0.8) <= 3 * se
    assert naive < share - 3 * se


def test_an_estimate_far_from_its_limits_has_the_plain_interval():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = X @ np.array([5.0, -4.0, 3.0]) + 2.0 + rng.normal(size=200)
    found = lasso_intervals(X, y, sw.L1(0.05, weights=np.array([1.0, 2.0, 1.0])), level=0.95)
    Z = np.column_stack([np.ones(200), X])
    beta, rss = np.linalg.lstsq(Z, y, rcond=None)[:2]
    np.testing.assert_allclose(found.estimates, beta[1:], rtol=1e-9)
    assert found.sigma == pytest.approx(np.sqrt(rss[0] / 196), rel=1e-9)
    half = 1.959964 * found.sigma * np.sqrt(np.diagonal(np.linalg.inv(Z.T @ Z))[1:])
    np.testing.assert_allclose(found.high, beta[1:] + half, rtol=1e-5)
    np.testing.assert_allclose(found.low, beta[1:] - half, rtol=1e-5)
    assert "approximate" in str(found)
    assert "x2" in str(found)


def test_limits_are_where_the_signs_change():
    """Moving y along the direction of an estimate to its limit takes a weight of the lasso to zero."""
    from shrinkwise.linear.estimators.description.post_selection import _limits
    from shrinkwise.linear.problem.problem import Problem

    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 5)) @ (np.eye(5) + 0.4 * rng.normal(size=(5, 5)))
    y = X @ np.array([1.0, -0.7, 0.2, 0.0, 0.0]) + rng.normal(size=40)
    problem, lam = Problem(X, y, "squared"), 0.05
    fitted = sw.path(X, y, sw.L1(1.0), lambdas=[lam], tol=1e-12)
    S = fitted.coefficients.used(0)
    estimates, _, low, high = _limits(problem, S, np.sign(fitted.coefs[0, S]), np.full(len(S), lam), 1.0)
    centred = X[:, S] - X[:, S].mean(0)
    directions = centred @ np.linalg.inv(centred.T @ centred)
    for j, direction in enumerate(directions.T):
        for end in (low[j], high[j]):
            if np.isfinite(end):
                moved = y + direction * (end - estimates[j]) / (direction @ direction)
                w = sw.path(X, moved, sw.L1(1.0), lambdas=[lam], tol=1e-14).coefs[0, S]
                assert np.abs(w).min() < 1e-6


def test_where_they_do_not_apply_a_sentence_says_so():
    X, y = np.random.default_rng(0).normal(size=(10, 20)), np.arange(10.0)
    with pytest.raises(ValueError, match="pass sigma"):
        lasso_intervals(X, y, sw.L1(0.5))
    with pytest.raises(TypeError, match="cross-validation"):
        lasso_intervals(X, y, sw.PenalizedRegressorCV(), sigma=1.0)
    for penalty in (sw.ElasticNet(0.1, 0.5), sw.L2(0.1), sw.MCP(0.1), sw.L1(0.0), sw.L1(0.1) + sw.NonNegative()):
        with pytest.raises(ValueError, match="derived for the lasso"):
            lasso_intervals(X, y, penalty, sigma=1.0)
    for options in ({"sigma": 0.0}, {"sigma": np.inf}, {"sigma": 1.0, "level": 1.0}):
        with pytest.raises(ValueError, match=list(options)[-1]):
            lasso_intervals(X, y, sw.L1(0.1), **options)
    assert len(lasso_intervals(X, y, sw.L1(1e3), sigma=1.0)) == 0
