"""Bad input ends with one clear sentence; hostile numbers with a certificate."""

import numpy as np
import pandas as pd
import pytest

import shrinkwise as sw
from linear.data import random_problem
from shrinkwise import linear
from shrinkwise.linear import path, stability_selection
from shrinkwise.linear.losses import LOSSES

X, y = random_problem(1)
CLASSES = (y > 0).astype(float)


def with_entry(array, value):
    array = array.copy()
    array.flat[3] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"X": with_entry(X, np.nan)}, "finite numbers in X, got NaN"),
        ({"X": with_entry(X, np.inf)}, "finite numbers in X, got infinite"),
        ({"X": X[0]}, r"X of shape \(n, p\)"),
        ({"X": X[:0]}, r"X of shape \(n, p\)"),
        ({"X": np.array([["a"] * 12] * 60)}, "Expected X to contain numbers"),
        ({"y": with_entry(y, np.nan)}, "finite numbers in y, got NaN"),
        ({"y": with_entry(y, -np.inf)}, "finite numbers in y, got infinite"),
        ({"y": y[1:]}, "60 rows and y of shape"),
        ({"y": np.column_stack([y, y]), "loss": "logistic"}, r"60 rows and y of shape \(60, 2\)"),
        ({"y": np.ones(60), "loss": "logistic"}, "one class, 1"),
        ({"y": CLASSES + 1, "loss": "logistic"}, "classes numbered 0 and 1, got 1, 2"),
        ({"y": 2 * CLASSES, "loss": "multinomial"}, "each present, got 0, 2"),
        ({"y": np.where(y > 0, "a", "b"), "loss": "logistic"}, "use PenalizedClassifier"),
        ({"loss": "cubic"}, "Expected loss to be one of"),
        ({"sample_weight": with_entry(np.ones(60), -1.0)}, "sample weights ≥ 0, got -1"),
        ({"sample_weight": np.zeros(60)}, "all zeros"),
        ({"sample_weight": np.ones(59)}, r"sample_weight of shape \(60,\)"),
        ({"sample_weight": with_entry(np.ones(60), np.nan)}, "NaN"),
        ({"offset": np.ones(59)}, "offset like y"),
        ({"offset": with_entry(np.ones(60), np.nan)}, "finite numbers in offset"),
        ({"lambdas": [1.0, -0.1]}, "lambdas ≥ 0, got -0.1"),
        ({"lambdas": []}, "decreasing list"),
        ({"lambdas": [np.inf]}, "finite numbers in lambdas"),
        ({"n_lambdas": 0}, "n_lambdas to be an integer ≥ 1"),
        ({"lambda_min_ratio": 2.0}, "between 0 and 1"),
        ({"tol": np.nan}, "tol .* finite"),
        ({"tol": np.inf}, "tol .* finite"),
        ({"tol": -1.0}, "tol .* ≥ 0"),
        ({"max_iter": 0}, "max_iter to be an integer ≥ 1"),
    ],
)
def test_path_says_what_was_expected(arguments, words):
    given = {"X": X, "y": y, **arguments}
    with pytest.raises(ValueError, match=words):
        path(given.pop("X"), given.pop("y"), sw.L1(1.0), **given)


def test_a_penalty_that_is_none():
    with pytest.raises(TypeError, match="Expected a shrinkwise penalty"):
        path(X, y, 0.1)


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        (sw.PenalizedRegressor(tol=np.nan), {}, "tol .* finite"),
        (sw.PenalizedRegressor(loss="cubic"), {}, "Expected loss"),
        (sw.PenalizedRegressor(), {"sample_weight": -np.ones(60)}, "sample weights ≥ 0"),
        (sw.PenalizedRegressor(), {"sample_weight": np.zeros(60)}, "all zeros"),
        (sw.PenalizedRegressorCV(lambdas=[]), {}, "decreasing list"),
        (sw.PenalizedRegressorCV(lambdas=[-1.0]), {}, "lambdas ≥ 0"),
        (linear.Lasso(-1.0), {}, "≥ 0"),
        (linear.Lasso(tol=np.inf), {}, "tol .* finite"),
        (linear.Ridge(-1.0), {}, "≥ 0"),
        (linear.Ridge([1.0, 2.0]), {}, "one number per target"),
        (linear.RidgeCV([0.0, 1.0]), {}, r"alphas\[0\] == 0.0, must be > 0"),
        (linear.LassoCV(alphas=[1.0, np.nan]), {}, "NaN"),
    ],
    ids=repr,
)
def test_estimators_say_what_was_expected(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        model.fit(X, y, **arguments)


def test_classifiers_say_what_was_expected():
    for C in (0.0, np.nan, True):
        with pytest.raises(ValueError, match="Expected C"):
            linear.SparseLogisticRegression(C=C).fit(X, CLASSES)
    with pytest.raises(ValueError, match="one class"):
        linear.SparseLogisticRegression().fit(X, np.ones(60))
    rare = np.r_[np.ones(59), 0.0]
    with pytest.raises(ValueError, match="missing from the training part"):
        sw.PenalizedClassifierCV(cv=[(np.arange(30), np.arange(30, 60))]).fit(X, rare)


@pytest.mark.skipif("poisson" not in LOSSES, reason="waits for the Poisson loss")
def test_counts_below_zero():
    with pytest.raises(ValueError, match="y ≥ 0"):
        path(X, -np.ones(60), sw.L1(1.0), loss="poisson")
    with pytest.raises(ValueError, match="y ≥ 0"):
        sw.PenalizedRegressor(loss="poisson").fit(X, -np.ones(60))


def test_an_increasing_grid_is_sorted_and_it_is_said():
    with pytest.warns(UserWarning, match="sorted"):
        fitted = path(X, y, sw.L1(1.0), lambdas=[0.01, 0.1, 1.0])
    np.testing.assert_array_equal(fitted.lambdas, [1.0, 0.1, 0.01])
    with pytest.warns(UserWarning, match="sorted"):
        model = sw.PenalizedRegressorCV(lambdas=[0.01, 0.1], cv=3).fit(X, y)
    np.testing.assert_array_equal(model.lambdas_, [0.1, 0.01])


def test_stability_selection_says_what_was_expected():
    with pytest.raises(ValueError, match="threshold above"):
        stability_selection(X, y, sw.L1(0.1), threshold=0.4, pairs=1)
    with pytest.raises(ValueError, match="pairs"):
        stability_selection(X, y, sw.L1(0.1), pairs=0)


# --- hostile numbers -----------------------------------------------------------------------------------------
def test_no_penalty_with_more_columns_than_rows_is_of_minimum_norm_and_it_is_said():
    wide, target = random_problem(4, n=10, p=30)
    for penalty in (sw.L2(0.0), sw.L1(0.0)):
        fit = sw.PenalizedRegressor(penalty).fit(wide, target)
        assert "minimum-norm" in fit.status_
        np.testing.assert_allclose(fit.coef_, np.linalg.pinv(wide - wide.mean(0)) @ (target - target.mean()), atol=1e-8)
    assert "minimum-norm" not in sw.PenalizedRegressor(sw.L2(0.0)).fit(X, y).status_


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.ElasticNet(1.0, 0.5), sw.L2(1.0)], ids=repr)
@pytest.mark.parametrize("shape", [(60, 12), (12, 12), (12, 40)], ids=["tall", "square", "wide"])
def test_duplicate_constant_and_zero_columns_and_scales(loss, penalty, shape):
    X, y = random_problem(6, *shape, loss=loss)
    X = np.column_stack([X, X[:, 0], X[:, 0] + X[:, 1], np.zeros(len(X)), np.full(len(X), 3.0)])
    X = X * 10.0 ** np.random.default_rng(0).integers(-8, 9, X.shape[1])
    fitted = path(X, y, penalty, loss=loss, n_lambdas=8, lambda_min_ratio=1e-2)
    for gap, solved, status in zip(fitted.gaps, fitted.solved, fitted.status, strict=True):
        assert np.isfinite(gap)
        assert solved == (gap <= 1e-6)
        assert status.startswith("solved" if solved else "stopped")
    assert np.isfinite(fitted.coefs).all()
    assert fitted.solved.mean() > 0.7, fitted.status


@pytest.mark.parametrize(
    ("loss", "absent"), [("logistic", 0), ("multinomial", 0), ("multinomial", 1), ("multinomial", 2)]
)
def test_a_class_without_weight_has_no_finite_intercept(loss, absent):
    codes = np.arange(len(y)) % (2 if loss == "logistic" else 3)
    weights = (codes != absent).astype(float)
    with pytest.raises(ValueError, match=f"only zeros in class {absent}"):
        path(X, codes, sw.L1(0.1), loss=loss, sample_weight=weights)
    with pytest.raises(ValueError, match=f"only zeros in class {absent}"):
        stability_selection(X, codes, sw.L1(0.1), loss=loss, sample_weight=weights)


@pytest.mark.parametrize(
    "model", [linear.SparseLogisticRegression, linear.SparseLogisticRegressionCV, sw.PenalizedClassifier]
)
def test_a_class_weight_of_zero_is_refused(model):
    with pytest.raises(ValueError, match="factors > 0"):
        model(class_weight={0: 0.0, 1: 1.0}).fit(X, CLASSES)


def test_rows_in_blocks_refuse_what_a_frame_refuses():
    rows = sw.rows(pd.DataFrame(X).assign(y=y).rename(columns=str), target="y")
    for setting in ("fit_intercept", "standardize"):
        with pytest.raises(ValueError, match="True or False"):
            sw.PenalizedRegressor(sw.L1(0.1), **{setting: "no"}).fit(rows)
    with pytest.raises(ValueError, match="random_state to be an integer"):
        sw.PenalizedRegressorCV(cv=3, random_state=np.random.RandomState(0)).fit(rows)


def test_a_path_refuses_a_word_for_relaxed():
    with pytest.raises(ValueError, match="relaxed to be True or False"):
        path(X, y, sw.L1(0.1), relaxed="no")
