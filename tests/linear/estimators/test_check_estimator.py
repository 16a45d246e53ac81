"""scikit-learn's own battery; tol is small where it compares two solutions of one problem to seven digits."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import shrinkwise as sw
from shrinkwise import linear
from shrinkwise.linear.losses import LOSSES

ESTIMATORS = [
    sw.PenalizedRegressor(),
    sw.PenalizedRegressor(sw.L2(0.01)),
    sw.PenalizedClassifier(tol=1e-12),
    sw.PenalizedClassifier(sw.ElasticNet(0.01), tol=1e-12),
    sw.PenalizedRegressorCV(n_lambdas=5, cv=3),
    sw.PenalizedCox(sw.L1(0.1)),
    sw.PenalizedClassifierCV(n_lambdas=4, lambda_min_ratio=0.05, cv=3, tol=1e-12),
    linear.Lasso(),
    linear.ElasticNet(),
    linear.Ridge(),
    linear.LassoCV(alphas=10, cv=3),
    linear.ElasticNetCV(alphas=10, cv=3),
    linear.RidgeCV(),
    linear.MultiTaskLasso(0.1),
    linear.MultiTaskElasticNet(0.1),
    linear.MultiTaskLassoCV(alphas=5, cv=3),
    linear.SparseLogisticRegression(tol=1e-12),
    *[sw.PenalizedRegressor(sw.L1(0.01), loss=name, tol=1e-10) for name in ("huber", "poisson")],
    sw.PenalizedClassifier(sw.L2(0.01), loss="squared_hinge", tol=1e-10),
]
LONGER = [
    linear.MultiTaskElasticNetCV(alphas=3, cv=2),
    linear.SparseLogisticRegressionCV(Cs=[0.01, 0.1, 1.0], cv=3, tol=1e-12),
    sw.PenalizedCox(sw.L1(0.01), ties="breslow", tol=1e-11),
    sw.PenalizedRegressor(sw.L1(0.2), loss="square_root", tol=1e-12),
    sw.PenalizedCoxCV(n_lambdas=5, cv=3, lambda_min_ratio=0.1),
    *[
        sw.PenalizedRegressor(sw.L1(0.01), loss=name, tol=1e-10)
        for name in ("gamma", "tweedie", "negative_binomial", "quantile")
    ],
]


def expected_failures(estimator):
    reason = "Efron's likelihood takes two equal rows as a tie, and one row of weight 2 as none, as in R's coxph"
    kinds = ("dense", "sparse") if getattr(estimator, "ties", "") == "efron" else ()
    return {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in kinds}


@pytest.mark.one_in(3)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(LONGER, expected_failed_checks=expected_failures)
def test_scikit_learn_checks_of_slower_fits(estimator, check):
    check(estimator)


def test_every_public_estimator_is_in_the_list():
    public = {name for name in linear.__all__ if hasattr(getattr(linear, name), "fit")}
    # The battery generates one target of any labels, and these take several of 0 and 1: see losses/test_multi_logistic.py.
    public -= {"MultiTargetClassifier", "MultiTargetClassifierCV"}
    assert public == {type(estimator).__name__ for estimator in ESTIMATORS + LONGER}
    tried = {estimator.loss for estimator in ESTIMATORS + LONGER if hasattr(estimator, "loss")}
    assert tried | {"multinomial", "multi_logistic", "cox"} == set(
        LOSSES
    )  # those have no name of their own in an estimator
    assert np.all([hasattr(estimator, "get_params") for estimator in ESTIMATORS])
