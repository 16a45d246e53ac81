"""The linear family: no penalty, ridge, lasso, elastic net. λ and l1_ratio are chosen by cross-validation inside.

The rows come encoded. The encoder was fitted on these training rows as a whole, not again in every inner training
part: the rows an inner fold holds out have entered the medians, means and scales. That can shade the choice of λ by a
rounding's worth; it cannot touch the outer score, whose rows neither the encoder nor the choice has seen.
"""

from __future__ import annotations

import warnings

import numpy as np

from shrinkwise.compare.candidates import Curve, Fit, Problem, Tuned
from shrinkwise.compare.options import Options
from shrinkwise.compare.predictors import LinearPredictor
from shrinkwise.penalties import L1, L2, ElasticNet
from shrinkwise.selection import folds

# Where classes can be separated, the logistic loss has no minimum, and where they nearly can, none that is reached. This
# ridge gives it one: on standardised inputs it is far below any λ that cross-validation would choose.
TINY_RIDGE = 1e-6
STOPGAP = f"fitted with L2, λ = {TINY_RIDGE:g}"
NO_OPTIMUM = f"no finite optimum without a penalty: {STOPGAP}"
NOT_REACHED = f"without a penalty the optimum was not reached: {STOPGAP}"
MINIMUM_NORM = "no fewer inputs than rows: the least-squares solution of minimum norm"


def tune_unpenalised(problem: Problem, options: Options) -> Tuned:
    """Least squares or logistic regression without penalty; where that has no solution a tiny ridge, which is said."""
    from shrinkwise.linear import PenalizedRegressor

    if problem.has_classes:
        return Tuned(_unpenalised_classifier(problem))
    model = PenalizedRegressor(L2(0.0)).fit(problem.X, problem.y)
    note = MINIMUM_NORM if problem.X.shape[1] >= len(problem.X) else ""
    return Tuned(Fit(LinearPredictor(model.coef_, model.intercept_), note=note))


def _unpenalised_classifier(problem: Problem) -> Fit:
    from sklearn.exceptions import ConvergenceWarning

    from shrinkwise.linear import PenalizedClassifier, is_separable

    note, lam = "", 0.0
    if is_separable(problem.X, problem.y):
        note, lam = NO_OPTIMUM, TINY_RIDGE
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model = PenalizedClassifier(L2(lam)).fit(problem.X, problem.y)
        except ConvergenceWarning:
            warnings.simplefilter("ignore", ConvergenceWarning)
            note, model = note or NOT_REACHED, PenalizedClassifier(L2(TINY_RIDGE)).fit(problem.X, problem.y)
    return Fit(LinearPredictor(model.coef_, model.intercept_), note=note)


def tune_ridge(problem: Problem, options: Options) -> Tuned:
    """L2 with λ from cross-validation."""
    return _tuned(_cross_validate(L2(1.0), problem, options), {})


def tune_lasso(problem: Problem, options: Options) -> Tuned:
    """L1 with λ from cross-validation."""
    return _tuned(_cross_validate(L1(1.0), problem, options), {})


def tune_elastic_net(problem: Problem, options: Options) -> Tuned:
    """Elastic net: the l1_ratio of the lowest cross-validation curve, then λ along that curve."""
    fitted = [(ratio, _cross_validate(ElasticNet(1.0, ratio), problem, options)) for ratio in options.l1_ratios]
    ratio, model = min(fitted, key=lambda pair: pair[1].cv_mean_[pair[1].index_best_])
    return _tuned(model, {"l1_ratio": ratio})


def _cross_validate(penalty, problem: Problem, options: Options):
    from sklearn.exceptions import ConvergenceWarning

    from shrinkwise.linear import PenalizedClassifierCV, PenalizedRegressorCV

    estimator = PenalizedClassifierCV if problem.has_classes else PenalizedRegressorCV
    splits = folds(problem.y, options.inner_folds, task=problem.task, random_state=problem.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `_tuned` says it of the λ that is used
        return estimator(penalty, n_lambdas=options.n_lambdas, cv=splits).fit(problem.X, problem.y)


def _tuned(model, settings: dict) -> Tuned:
    def fit(index: int) -> Fit:
        path = model.path_
        coef, intercept = path.coefs[index], path.intercepts[index]
        if hasattr(model, "classes_") and len(model.classes_) == 2:
            coef, intercept = coef[None], np.atleast_1d(intercept)
        note = "" if path.solved[index] else f"at the chosen λ {path.status[index]}"
        return Fit(LinearPredictor(coef, intercept), {"λ": float(path.lambdas[index]), **settings}, note)

    curve = Curve(
        lambdas=model.lambdas_,
        coefs=model.path_.coefs,
        cv_mean=model.cv_mean_,
        cv_se=model.cv_se_,
        index_best=int(model.index_best_),
        index_1se=int(model.index_1se_),
    )
    return Tuned(fit(curve.index_best), fit(curve.index_1se), curve)
