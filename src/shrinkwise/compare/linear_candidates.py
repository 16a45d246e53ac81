"""The linear family: no penalty, ridge, lasso, elastic net. λ and l1_ratio are chosen by cross-validation inside.

The rows come encoded. The encoder was fitted on these training rows as a whole, not again in every inner training
part: the rows an inner fold holds out have entered the medians, means and scales. That can shade the choice of λ by a
rounding's worth; it cannot touch the outer score, whose rows neither the encoder nor the choice has seen.
"""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.candidates import Curve, Fit, Problem, Tuned
from shrinkwise.compare.options import Options
from shrinkwise.compare.predictors import LinearPredictor
from shrinkwise.penalties import L1, L2, ElasticNet
from shrinkwise.selection import folds

# Where two classes can be separated, the logistic loss has no minimum. This ridge gives it one: on standardised inputs
# it weighs 1e-6 of a loss of log 2, far below any λ that cross-validation would choose.
SEPARABLE_RIDGE = 1e-6
NO_OPTIMUM = f"no finite optimum without a penalty: fitted with L2, λ = {SEPARABLE_RIDGE:g}"
MINIMUM_NORM = "no fewer inputs than rows: the least-squares solution of minimum norm"


def tune_unpenalised(problem: Problem, options: Options) -> Tuned:
    """Least squares or logistic regression without penalty; a separable table gets a tiny ridge, and says so."""
    from shrinkwise.linear import PenalizedClassifier, PenalizedRegressor, is_separable

    if not problem.has_classes:
        model = PenalizedRegressor(L2(0.0)).fit(problem.X, problem.y)
        note = MINIMUM_NORM if problem.X.shape[1] >= len(problem.X) else ""
        return Tuned(Fit(LinearPredictor(np.asarray(model.coef_), np.asarray(model.intercept_)), note=note))
    separable = is_separable(problem.X, problem.y)
    model = PenalizedClassifier(L2(SEPARABLE_RIDGE if separable else 0.0)).fit(problem.X, problem.y)
    fit = Fit(LinearPredictor(model.coef_, model.intercept_), note=NO_OPTIMUM if separable else "")
    return Tuned(fit)


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
    from shrinkwise.linear import PenalizedClassifierCV, PenalizedRegressorCV

    estimator = PenalizedClassifierCV if problem.has_classes else PenalizedRegressorCV
    splits = folds(problem.y, options.inner_folds, task=problem.task, random_state=problem.seed)
    return estimator(penalty, n_lambdas=options.n_lambdas, cv=splits).fit(problem.X, problem.y)


def _tuned(model, settings: dict) -> Tuned:
    def fit(index: int) -> Fit:
        coef, intercept = np.asarray(model.path_.coefs[index]), np.asarray(model.path_.intercepts[index])
        two_classes = hasattr(model, "classes_") and len(model.classes_) == 2
        predictor = LinearPredictor(np.atleast_2d(coef), np.atleast_1d(intercept)) if two_classes else None
        return Fit(predictor or LinearPredictor(coef, intercept), {"λ": float(model.lambdas_[index]), **settings})

    curve = Curve(
        lambdas=model.lambdas_,
        coefs=model.path_.coefs,
        cv_mean=model.cv_mean_,
        cv_se=model.cv_se_,
        index_best=int(model.index_best_),
        index_1se=int(model.index_1se_),
    )
    return Tuned(fit(curve.index_best), fit(curve.index_1se), curve)
