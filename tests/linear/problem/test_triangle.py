"""Many rows by their triangular factor: the same as by the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, TimeSeriesSplit

import shrinkwise as sw
from shrinkwise.linear import PenalizedRegressor, PenalizedRegressorCV, path, stability_selection
from shrinkwise.linear.estimators import cross_validation as cv_module
from shrinkwise.linear.paths import solve as solving
from shrinkwise.linear.problem import triangular_factor as triangle
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.triangular_factor import Triangle

GROUPS = [0, 0, 1, 1, 1, 2, 3, 3]
PENALTIES = {
    "lasso": sw.L1(1.0),
    "ridge": sw.L2(1.0),
    "elastic net": sw.ElasticNet(1.0, 0.5),
    "free columns": sw.L1(1.0, weights=[0, 0, 1, 1, 1, 2, 1, 1]),
    "ridge, free columns": sw.L2(1.0, weights=[0, 0, 1, 1, 1, 2, 1, 1]),
    "groups": sw.GroupLasso(1.0, GROUPS),
    "MCP": sw.MCP(1.0),
    "bounds": sw.L1(1.0) + sw.NonNegative(),
}


@pytest.fixture
def rows():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 8)) @ (np.eye(8) + 0.4 * rng.normal(size=(8, 8))) * [1, 5, 0.1, 1, 1, 2, 1, 1] + 3.0
    y = X @ [1, 0, 4, 0, 0, -1, 0, 0.5] + rng.normal(size=400)
    return X, y, rng.integers(0, 4, 400).astype(float)  # weights, some of them 0


def without(monkeypatch):
    monkeypatch.setattr(triangle.Triangle, "pays", staticmethod(lambda *_: False))


def always(monkeypatch):
    monkeypatch.setattr(triangle, "_LARGE", 0)
    monkeypatch.setattr(solving, "_MANY_VALUES", 0)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("name", PENALTIES)
def test_cross_validation_is_that_of_the_rows(rows, monkeypatch, name, fit_intercept, weighted):
    X, y, s = rows
    settings = {"fit_intercept": fit_intercept, "n_lambdas": 12, "tol": 1e-11, "random_state": 0}
    weights = s if weighted else None
    always(monkeypatch)
    monkeypatch.setattr(triangle, "_BLOCK_ROWS", 64)
    tall = PenalizedRegressorCV(PENALTIES[name], **settings).fit(X, y, weights)
    without(monkeypatch)
    plain = PenalizedRegressorCV(PENALTIES[name], **settings).fit(X, y, weights)
    np.testing.assert_allclose(tall.lambdas_, plain.lambdas_, rtol=1e-10)
    np.testing.assert_allclose(tall.cv_losses_, plain.cv_losses_, rtol=1e-6)
    np.testing.assert_allclose(tall.path_.coefs, plain.path_.coefs, atol=2e-6)
    np.testing.assert_allclose(tall.path_.intercepts, plain.path_.intercepts, atol=2e-5)
    np.testing.assert_allclose(tall.path_.objectives, plain.path_.objectives, rtol=1e-8)


def test_the_certificate_is_one_of_the_rows(rows, monkeypatch):
    X, y, _ = rows
    always(monkeypatch)
    found = PenalizedRegressorCV(sw.L1(1.0), n_lambdas=10).fit(X, y).path_
    for lam, w, b, gap in zip(found.lambdas, found.coefs, found.intercepts, found.gaps, strict=True):
        residual = y - X @ w - b
        dual = residual - residual.mean()
        centred = X - X.mean(0)
        dual *= min(1.0, lam * len(y) / np.abs(centred.T @ dual).max())
        primal = residual @ residual / (2 * len(y)) + lam * np.abs(w).sum()
        lower = (dual @ (y - y.mean()) - dual @ dual / 2) / len(y)
        assert (primal - lower) / (np.var(y) / 2) <= max(1e-6, 2 * gap)


@pytest.mark.parametrize(("splitter", "groups"), [(TimeSeriesSplit(4), None), (GroupKFold(4), np.arange(400) % 23)])
def test_folds_that_overlap_or_hold_groups(rows, monkeypatch, splitter, groups):
    X, y, _ = rows
    folds = list(splitter.split(X, y, groups))
    always(monkeypatch)
    tall = PenalizedRegressorCV(sw.L1(1.0), n_lambdas=8, cv=folds, tol=1e-11).fit(X, y)
    without(monkeypatch)
    plain = PenalizedRegressorCV(sw.L1(1.0), n_lambdas=8, cv=folds, tol=1e-11).fit(X, y)
    np.testing.assert_allclose(tall.cv_losses_, plain.cv_losses_, rtol=1e-6)


def test_offset_and_row_numbers(rows):
    X, y, s = rows
    offset, chosen = np.linspace(-5, 5, 400), np.arange(0, 400, 2)
    found = Triangle.of(X, y, s, offset, chosen).problem(True)
    plain = Problem(X[chosen], y[chosen], "squared", s[chosen], True, offset[chosen])
    np.testing.assert_allclose(found.design.gram(), plain.design.gram(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.null_loss, plain.null_loss, rtol=1e-10)


def test_dependent_columns_without_penalty_give_the_solution_of_minimum_norm(monkeypatch):
    rng = np.random.default_rng(0)
    levels = np.eye(4)[rng.integers(0, 4, 30_000)]
    X = np.column_stack([levels, rng.normal(size=(30_000, 3)) + 1e3])
    y = X @ [1, 2, 3, 4, 0.5, 0, 0] + rng.normal(size=30_000)
    always(monkeypatch)
    model = PenalizedRegressor(sw.L2(0.0)).fit(X, y)
    exact = np.linalg.lstsq(X - X.mean(0), y - y.mean(), rcond=1e-10)[0]
    np.testing.assert_allclose(model.coef_, exact, atol=1e-9)


def test_leave_one_out_of_a_path_that_was_solved_without_the_rows(rows, monkeypatch):
    X, y, _ = rows
    always(monkeypatch)
    found = path(X, y, sw.L2(1.0), lambdas=[1.0, 0.1])
    assert found.ridge is None
    errors = []
    for i in range(400):
        others = np.arange(400) != i
        fit = PenalizedRegressor(sw.L2(0.1 * 400 / 399)).fit(X[others], y[others])  # n λ stays what it is
        errors.append(y[i] - fit.predict(X[i : i + 1])[0])
    np.testing.assert_allclose(found.loo[1], np.mean(np.square(errors)), rtol=1e-8)
    assert found.df.shape == (2,)


def test_half_samples_select_the_same(rows, monkeypatch):
    X, y, _ = rows
    plain = stability_selection(X, y, sw.L1(0.1), pairs=5)
    always(monkeypatch)
    tall = stability_selection(X, y, sw.L1(0.1), pairs=5)
    np.testing.assert_array_equal(tall.selected, plain.selected)


def test_constant_columns_and_targets_are_zeros_and_not_rounding(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 4))
    X[:, 1] = 1 / 3
    y = X[:, 0] + rng.normal(size=30_000)
    always(monkeypatch)
    for penalty in (sw.L2(1.0, weights=[1, 0, 1, 1]), sw.L1(1.0, weights=[1, 0, 1, 1])):
        model = PenalizedRegressorCV(penalty, n_lambdas=6).fit(X, y)
        assert np.abs(model.path_.coefs).max() < 2
        assert model.cv_losses_.max() < 3
    constant = PenalizedRegressorCV(sw.L1(1.0), n_lambdas=6).fit(X, np.full(30_000, 0.1))
    assert not constant.coef_.any()
    assert constant.intercept_ == pytest.approx(0.1, rel=1e-12)


def test_folds_of_one_row_and_without_weight(rows, monkeypatch):
    X, y, s = rows
    always(monkeypatch)
    folds = [(np.array([3]), np.arange(10, 400))]
    model = PenalizedRegressorCV(sw.L1(1.0), n_lambdas=3, cv=folds, select="best").fit(X, y)
    np.testing.assert_allclose(model.cv_losses_[:, 0], np.mean((y[10:] - y[3]) ** 2))
    with pytest.raises(ValueError, match="not all zero"):
        Triangle.of(X, y, s, None, np.flatnonzero(s == 0))


def test_the_threads_of_the_process_stay_what_they_were(rows, monkeypatch):
    from joblib import parallel_backend
    from threadpoolctl import threadpool_info, threadpool_limits

    X, y, _ = rows
    always(monkeypatch)
    with threadpool_limits(limits=2), parallel_backend("threading", n_jobs=2):
        before = [pool["num_threads"] for pool in threadpool_info()]
        stability_selection(X, y, sw.L1(0.1), pairs=20, n_jobs=2)
        assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_no_copy_of_the_rows_is_made(rows, monkeypatch):
    X, y, _ = rows
    always(monkeypatch)
    model = PenalizedRegressorCV(sw.L1(1.0), n_lambdas=5)
    monkeypatch.setattr(cv_module.Samples, "take", lambda *_: pytest.fail("rows were copied"))
    model.fit(X, y)
