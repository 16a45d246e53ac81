"""scikit-learn's own battery, nothing skipped that is not explained."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import shrinkwise as sw

ESTIMATORS = [
    sw.PenalizedRegressor(),
    sw.PenalizedRegressor(sw.L2(0.01)),
    sw.PenalizedClassifier(),
    sw.PenalizedClassifier(sw.ElasticNet(0.01)),
    sw.PenalizedRegressorCV(n_lambdas=10, cv=3),
    sw.PenalizedClassifierCV(n_lambdas=10, cv=3),
]

_FOLDS_COUNT_ROWS = "cross-validation splits rows, so a row of weight 2 is not two rows in different folds"


def expected_failures(estimator):
    if hasattr(estimator, "cv"):
        return {
            "check_sample_weight_equivalence_on_dense_data": _FOLDS_COUNT_ROWS,
        }
    return {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
