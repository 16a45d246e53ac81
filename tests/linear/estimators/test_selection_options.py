"""Standardised columns, scorers, several penalties, relaxed blends and dfmax in the estimators with cross-validation."""

import numpy as np
import pytest
from scipy.sparse import csc_array
from sklearn.metrics import get_scorer, mean_absolute_error
from sklearn.model_selection import KFold

import shrinkwise as sw
from shrinkwise.linear import path

rng = np.random.default_rng(0)
X = rng.normal(size=(150, 6)) * [1.0, 10.0, 100.0, 0.1, 1.0, 0.0] + [5.0, 0.0, 0.0, 1.0, 0.0, 2.0]
Y = X[:, 0] - 0.2 * X[:, 1] + rng.normal(size=150)
S = rng.uniform(0.5, 2.0, 150)
DEVIATIONS = np.sqrt(np.average((X - np.average(X, axis=0, weights=S)) ** 2, axis=0, weights=S))
FOLDS = list(KFold(3).split(X))


@pytest.mark.parametrize("kind", [np.asarray, csc_array])
def test_a_standardized_lasso_has_the_deviations_as_factors(kind):
    model = sw.PenalizedRegressor(sw.L1(0.1), standardize=True, tol=1e-12).fit(kind(X), Y, S)
    other = sw.PenalizedRegressor(sw.L1(0.1), penalty_factors=DEVIATIONS, tol=1e-12).fit(X, Y, S)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-8)
    np.testing.assert_allclose(model.predict(kind(X)), other.predict(X), atol=1e-6)


def test_standardized_fits_are_those_of_standardized_columns_whatever_the_loss_and_the_penalty():
    scale = np.where(DEVIATIONS > 0, DEVIATIONS, 1.0)
    for estimator in (sw.PenalizedRegressor, sw.PenalizedClassifier):
        y = Y if estimator is sw.PenalizedRegressor else np.where(Y > Y.mean(), "high", "low")
        for penalty in (sw.MCP(0.05), sw.GroupLasso(0.05, list("aabbcc"))):
            model = estimator(penalty, standardize=True, tol=1e-10).fit(X, y, S)
            other = estimator(penalty, tol=1e-10).fit(X / scale, y, S)
            np.testing.assert_allclose(model.coef_, other.coef_ / scale, atol=1e-8)
    cox = sw.PenalizedCox(sw.L1(0.05), standardize=True, tol=1e-10).fit(X, np.exp(Y / 5))
    other = sw.PenalizedCox(sw.L1(0.05), tol=1e-10).fit(X / X.std(0).clip(1e-9), np.exp(Y / 5))
    np.testing.assert_allclose(cox.predict(X), other.predict(X / X.std(0).clip(1e-9)), atol=1e-4)


def test_bounds_of_a_standardized_path_are_in_the_units_of_the_columns():
    along = path(X, Y, sw.L1(1.0) + sw.Box(-0.1, [0.5, 1, 1, 1, 1, 1]), standardize=True, n_lambdas=10)
    assert along.coefs[-1, 0] == pytest.approx(0.5)
    assert along.coefs[-1, 1] == pytest.approx(-0.1)
    assert along.solved.all()
    np.testing.assert_allclose(along.predict(X)[-1], X @ along.coefs[-1] + along.intercepts[-1])
    np.testing.assert_allclose(along.coefs_sparse.toarray(), along.coefs)
    np.testing.assert_allclose(along.losses, np.mean((Y - along.predict(X)) ** 2, axis=1) / 2)
    middle = along.at(0.5 * (along.lambdas[3] + along.lambdas[4]))
    assert min(along.coefs[3, 0], along.coefs[4, 0]) <= middle.coef[0] <= max(along.coefs[3, 0], along.coefs[4, 0])


@pytest.mark.parametrize("standardize", [False, True])
def test_a_scorer_scores_the_held_out_rows_with_their_weights(standardize):
    model = sw.PenalizedRegressorCV(
        sw.L1(1.0), scoring="neg_mean_absolute_error", cv=FOLDS, n_lambdas=5, standardize=standardize
    ).fit(X, Y, S)
    train, test = FOLDS[1]
    rest = {"lambdas": model.lambdas_, "sample_weight": S[train]}
    scale = np.where(DEVIATIONS > 0, DEVIATIONS, 1.0) if standardize else 1.0
    expected = path(X[train] / scale, Y[train], sw.L1(1.0), **rest).predict(X[test] / scale)
    for i in range(5):
        error = mean_absolute_error(Y[test], expected[i], sample_weight=S[test])
        assert model.cv_losses_[i, 1] == pytest.approx(error, rel=1e-6)


def test_classes_are_scored_by_their_labels():
    y = np.where(Y > Y.mean(), "high", "low")
    model = sw.PenalizedClassifierCV(
        sw.L2(1.0), scoring=get_scorer("roc_auc"), cv=3, lambdas=[1e9, 1.0, 1e-3], select="best", standardize=True
    ).fit(X, y)
    assert model.cv_mean_[2] < -0.8
    assert model.lambda_ == model.lambdas_[np.argmin(model.cv_mean_)]
    with pytest.raises(ValueError, match="scorer cannot pass an offset"):
        sw.PenalizedRegressorCV(scoring="r2").fit(X, Y, offset=Y)
    with pytest.raises(ValueError, match="no_such_score"):
        sw.PenalizedRegressorCV(scoring="no_such_score").fit(X, Y)


def test_of_several_penalties_the_one_with_the_best_curve_is_kept():
    penalties = [sw.ElasticNet(1.0, 0.1), sw.ElasticNet(1.0, 0.9), sw.MCP(1.0, gamma=2.0), sw.MCP(1.0, gamma=10.0)]
    model = sw.PenalizedRegressorCV(penalties, cv=FOLDS, n_lambdas=10, standardize=True).fit(X, Y)
    alone = [sw.PenalizedRegressorCV(each, cv=FOLDS, n_lambdas=10, standardize=True).fit(X, Y) for each in penalties]
    best = min(alone, key=lambda each: each.cv_mean_.min())
    assert model.penalty_ == best.penalty_
    np.testing.assert_allclose(model.coef_, best.coef_)
    assert [curve.mean.min() for curve in model.curves_] == [each.cv_mean_.min() for each in alone]
    with pytest.raises(ValueError, match="at least one penalty"):
        sw.PenalizedRegressorCV([]).fit(X, Y)


def test_a_relaxed_blend_is_selected_with_its_lambda():
    model = sw.PenalizedRegressorCV(sw.L1(1.0), relaxed=True, cv=FOLDS, n_lambdas=15, standardize=True).fit(X, Y)
    assert [curve.gamma for curve in model.curves_] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert model.cv_mean_.min() == min(curve.mean.min() for curve in model.curves_)
    plain = sw.PenalizedRegressorCV(sw.L1(1.0), cv=FOLDS, n_lambdas=15, standardize=True).fit(X, Y)
    np.testing.assert_allclose(model.curves_[0].mean, plain.cv_mean_, rtol=1e-6)
    refit = sw.PenalizedRegressorCV(sw.L1(1.0), relaxed=[0.0], cv=FOLDS, n_lambdas=15).fit(X, Y)
    used = np.flatnonzero(refit.coef_)
    design = np.column_stack([X[:, used], np.ones(150)])
    np.testing.assert_allclose(refit.coef_[used], np.linalg.lstsq(design, Y)[0][:-1], atol=1e-5)
    with pytest.raises(ValueError, match="list of γ"):
        sw.PenalizedRegressorCV(relaxed=[2.0]).fit(X, Y)


def test_a_path_ends_before_it_has_more_inputs_than_dfmax():
    whole, short = (path(X, Y, sw.L1(1.0), standardize=True, dfmax=most, n_lambdas=30) for most in (None, 2))
    assert len(short) == np.argmax(whole.n_nonzero > 2)
    np.testing.assert_array_equal(short.coefs, whole.coefs[: len(short)])
    model = sw.PenalizedRegressorCV(sw.L1(1.0), dfmax=2, standardize=True, cv=3, n_lambdas=30).fit(X, Y)
    assert np.count_nonzero(model.coef_) <= 2
    assert model.cv_losses_.shape == (len(model.lambdas_), 3)
    for bad, words in ((-1, "dfmax"), (True, "dfmax")):
        with pytest.raises(ValueError, match=words):
            path(X, Y, sw.L1(1.0), dfmax=bad)
    with pytest.raises(ValueError, match="start at a larger"):
        path(X, Y, sw.L1(1.0), dfmax=0, lambdas=[1e-6])


def test_groups_are_given_as_texts_or_as_members():
    by_text = sw.PenalizedRegressor(sw.GroupLasso(0.5, ["a", "b", "a", "c", "b", "c"])).fit(X, Y)
    by_number = sw.PenalizedRegressor(sw.GroupLasso(0.5, [0, 1, 0, 2, 1, 2])).fit(X, Y)
    by_member = sw.PenalizedRegressor(
        sw.GroupLasso(0.5, sw.Groups.from_indices({"a": [0, 2], "b": [1, 4], "c": [3, 5]}))
    ).fit(X, Y)
    np.testing.assert_array_equal(by_text.coef_, by_number.coef_)
    np.testing.assert_array_equal(by_member.coef_, by_number.coef_)
    assert by_text.penalty.groups.names((6,)) == ["a", "b", "c"] == by_member.penalty.groups.names((6,))
    with pytest.raises(TypeError, match="integer group labels"):
        sw.GroupLasso(0.5, [0.5, 1.5])
