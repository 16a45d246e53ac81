"""scikit-learn's SelectFromModel over our estimators keeps their non-zero coefficients."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_selection import SelectFromModel

import shrinkwise as sw
from linear.data import random_problem
from shrinkwise import linear

X, _ = random_problem(3, n=80, p=16)
RNG = np.random.default_rng(0)
Y = X[:, :5] @ [3.0, -1.0, 0.5, 0.2, 0.1] + RNG.normal(size=80)
CLASSES = np.array(["a", "b", "c"])[np.digitize(Y, np.quantile(Y, [0.4, 0.7]))]

REGRESSORS = {
    "default": linear.PenalizedRegressor(),
    "lasso": linear.PenalizedRegressor(sw.L1(0.05)),
    "elastic net": linear.PenalizedRegressor(sw.ElasticNet(0.1)),
    "sum": linear.PenalizedRegressor(sw.L1(0.05) + sw.L2(0.01)),
    "factors": linear.PenalizedRegressor(sw.L1(0.05), penalty_factors=np.arange(16) / 8),
    "MCP": linear.PenalizedRegressor(sw.MCP(0.1)),
    "group lasso": linear.PenalizedRegressor(sw.GroupLasso(0.1, groups=np.arange(16) // 4)),
    "non-negative": linear.PenalizedRegressor(sw.L2(0.01) + sw.NonNegative()),
    "CV": linear.PenalizedRegressorCV(),
    "Lasso": linear.Lasso(0.05),
    "LassoCV": linear.LassoCV(),
    "ElasticNet": linear.ElasticNet(0.1),
    "ElasticNetCV": linear.ElasticNetCV(l1_ratio=[0.2, 0.5]),
}
CLASSIFIERS = {
    "default classifier": linear.PenalizedClassifier(),
    "classifier": linear.PenalizedClassifier(sw.L1(0.02)),
    "classifier CV": linear.PenalizedClassifierCV(sw.ElasticNet(1.0), n_lambdas=10),
    "logistic": linear.SparseLogisticRegression(C=0.3),
    "logistic elastic net": linear.SparseLogisticRegression(C=0.1, l1_ratio=0.8),
    "logistic CV": linear.SparseLogisticRegressionCV(Cs=3, cv=3),
}


@pytest.mark.parametrize("name", [*REGRESSORS, *CLASSIFIERS])
def test_a_selector_keeps_exactly_the_non_zeros(name):
    model, y = (REGRESSORS[name], Y) if name in REGRESSORS else (CLASSIFIERS[name], CLASSES)
    selector = SelectFromModel(clone(model)).fit(X, y)
    used = np.atleast_2d(selector.estimator_.coef_).any(axis=0)
    assert 0 < used.sum() < 16
    assert np.array_equal(selector.get_support(), used)
    assert selector.threshold_ == 1e-5


def test_small_coefficients_are_kept_with_the_smallest_threshold():
    selector = SelectFromModel(linear.PenalizedRegressor(sw.L1(5e-6)), threshold=5e-324).fit(X, 1e-4 * Y)
    used = selector.estimator_.coef_ != 0
    assert np.array_equal(selector.get_support(), used)


def test_without_zeros_the_selector_compares_with_the_mean_as_for_scikit_learns_ridge():
    for model in (linear.PenalizedRegressor(sw.L2(0.1)), linear.Ridge(), linear.SparseLogisticRegression(l1_ratio=0.0)):
        selector = SelectFromModel(model).fit(X, CLASSES if hasattr(model, "C") else Y)
        assert 0 < selector.get_support().sum() < 16


def test_a_penalty_says_whether_it_makes_zeros():
    assert all(
        p == "l1" for p in (sw.L1(1.0), sw.L1(1.0).fixed() + sw.L2(1.0), sw.ElasticNet(1.0, 0.1), 2.0 * sw.MCP(1.0))
    )
    assert not any(p == "l1" for p in (sw.L2(1.0), sw.L2(1.0).on([0, 1]), sw.ElasticNet(1.0, 0.0), sw.L2Ball(1.0)))
    assert sw.L1(1.0) != "l2"
