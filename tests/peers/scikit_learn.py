"""scikit-learn's own tests of its linear models, run with this package's estimators in the place of its own.

    python tests/peers/scikit_learn.py [--out FILE] [part of a file's name]

The tests ship in scikit-learn's wheel. Every failure is listed with its class: "private" (a test of scikit-learn's own
internals), "not claimed" (an option that the drop-ins accept without effect, or do not have) or "ours" (a fault). The classes
are given by `CLASSES` below, a pattern of a test's name each; what no pattern matches is ours, and makes the exit status 1.
"""

from __future__ import annotations

import importlib
import inspect
import sys

import sklearn.linear_model as peer
from outcomes import arguments, run

from shrinkwise import linear as ours

FILES = ["coordinate_descent", "sparse_coordinate_descent", "ridge", "logistic"]
SWAPPED = ["Lasso", "ElasticNet", "LassoCV", "ElasticNetCV", "Ridge", "RidgeCV"]
SWAPPED += ["MultiTaskLasso", "MultiTaskElasticNet", "MultiTaskLassoCV", "MultiTaskElasticNetCV"]


def with_default(kind, **defaults):
    """A subclass of an estimator whose constructor has other defaults, of the name that the tests know."""
    signature = inspect.signature(kind.__init__)
    changed = [p.replace(default=defaults.get(p.name, p.default)) for p in signature.parameters.values()]

    def __init__(self, **given):
        kind.__init__(self, **{**defaults, **given})

    __init__.__signature__ = signature.replace(parameters=changed)
    return type(kind.__name__.removeprefix("Sparse"), (kind,), {"__init__": __init__})


def swap() -> None:
    """Put this package's estimators in the place of scikit-learn's, before its test modules import them."""
    for name in SWAPPED:
        setattr(peer, name, getattr(ours, name))
    peer.LogisticRegression = with_default(ours.SparseLogisticRegression, l1_ratio=0.0)
    peer.LogisticRegressionCV = with_default(ours.SparseLogisticRegressionCV, l1_ratio=0.0)


# (pattern of the test's name, class, reason)
_WORDS = "private", "another wording of the error or warning"
_WARM = "not claimed", "warm_start has no effect: a fit does not depend on its start"
_SOLVER = "not claimed", "there is one solver: the name of scikit-learn's has no effect"
_GRAM = "not claimed", "a precomputed Gram matrix has no effect"
_INPUT = "not claimed", "the input is always checked and never changed"
_LEGACY = "not claimed", "attributes are arrays, not dicts of classes (use_legacy_attributes=True)"
_PENALTY = "not claimed", "the parameter `penalty`, which scikit-learn has deprecated"
_LATER = "not claimed", "a FutureWarning of a change in scikit-learn"
_CALLBACKS = "not claimed", "callbacks"

CLASSES: list[tuple[str, str, str]] = [
    # Lasso and elastic net
    ("test_warm_start_convergence*", *_WARM),
    ("test_sparse_enet_coordinate_descent*", *_WARM),
    ("test_enet_coordinate_descent_raises_convergence*", *_WARM),
    ("test_overridden_gram_matrix", *_GRAM),
    ("test_elasticnet_precompute_incorrect_gram", *_GRAM),
    ("test_lassoCV_does_not_set_precompute*", "private", "counts the fits of scikit-learn's own class"),
    ("test_check_input_false", *_INPUT),
    ("test_enet_copy_X_False_check_input_False", *_INPUT),
    ("test_cv_estimators_reject_params_with_no_routing_enabled*", "not claimed", "groups are taken without routing"),
    ("test_lasso_dual_gap", "private", "the last digits of a gap of 1e-15"),
    ("test_lasso_alpha_warning", "not claimed", "alpha = 0 is solved, so there is no warning"),
    ("test_enet_nonfinite_params", *_WORDS),
    ("test_enet_l1_ratio", *_WORDS),
    (
        "test_multi_task_lasso_and_enet",
        "private",
        "asks for a gap above 0 (ours can be 0) and for the words of a warning",
    ),
    # Ridge
    ("test_regularization_limits_ridge_gcv*", *_LATER),
    ("test_ridge_regression[[]*", "private", "`solver_` repeats the name of scikit-learn's solver"),
    ("test_ridge_positive_error_test*", *_SOLVER),
    ("test_ridge_fit_intercept_sparse*", *_SOLVER),
    ("test_lbfgs_solver_error", *_SOLVER),
    ("test_n_iter", *_SOLVER),
    ("test_ridge_individual_penalties", *_WORDS),
    ("test_ridge_cv_individual_penalties", *_WORDS),
    ("test_raises_value_error_if_sample_weights_greater_than_1d", *_WORDS),
    # Logistic regression
    ("test_max_iter[[]*", *_WORDS),
    ("test_newton_cholesky_fallback_to_lbfgs", *_WORDS),
    ("test_passing_params_without_enabling_metadata_routing", *_WORDS),
    ("test_warm_start*", *_WARM),
    ("test_elastic_net_l1_l2_equivalence*", *_PENALTY),
    ("test_penalty_*", *_PENALTY),
    ("test_lr_penalty_l1ratio_incompatible*", *_PENALTY),
    ("test_elasticnet_l1_ratio_err_helpful*", *_PENALTY),
    ("test_l1_ratio_non_elasticnet", *_PENALTY),
    ("test_l1_ratio_None_deprecated", *_LATER),
    ("test_lr_scoring_warns", *_LATER),
    ("test_logisticregression*_warns_with_*", *_LATER),
    ("test_zero_max_iter*", "not claimed", "max_iter = 0"),
    ("test_large_sparse_matrix*", "not claimed", "64-bit indices are accepted"),
    ("test_liblinear*", *_SOLVER),
    ("test_check_solver_option*", *_SOLVER),
    ("test_dtype_match*liblinear*", *_SOLVER),
    ("test_n_iter[[]True-*", *_LEGACY),
    ("test_logistic_cv[[]*-True]", *_LEGACY),
    ("test_LogisticRegressionCV_no_refit*", *_LEGACY),
    ("test_LogisticRegressionCV_elasticnet_attribute_shapes*", *_LEGACY),
    ("test_LogisticRegressionCV_on_folds", *_LEGACY),
    ("test_multinomial_cv_iris*", *_LEGACY),
    ("test_scores_attribute_layout_elasticnet", *_LEGACY),
    ("test_lr_cv_scores_differ_when_sample_weight_is_requested*", *_LEGACY),
    ("test_logistic_regression_callback_*", *_CALLBACKS),
    (
        "test_multinomial_logistic_regression_string_inputs",
        "not claimed",
        "a class of weight 0 is refused: no finite optimum",
    ),
    ("test_logistic_cv_folds_with_classes_missing*", "not claimed", "a fold that lacks a class is refused"),
    ("test_logreg_predict_proba_multinomial*", "private", "calls a private method"),
    ("test_get_default_scorer", "private", "calls a private method"),
    ("test_logistic_cv_multinomial_score*", "private", "compares with a private function at its own tolerance"),
    ("test_LogisticRegression_elastic_net_objective*", "private", "its objective, of the mean log loss, is neither's"),
]


def main() -> int:
    """Run, list, and return the exit status."""
    only, out = arguments(__doc__, "peers.txt")
    swap()
    modules = [importlib.import_module(f"sklearn.linear_model.tests.test_{name}") for name in FILES if only in name]
    return run([module.__file__ for module in modules], CLASSES, out)


if __name__ == "__main__":
    sys.exit(main())
