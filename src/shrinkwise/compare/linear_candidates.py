"""The linear family, from no penalty to MCP. λ and l1_ratio are chosen by cross-validation inside.

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
from shrinkwise.compare.strength import choose_strength
from shrinkwise.penalties import L1, L2, MCP, Box, ElasticNet, GroupLasso

# Where classes can be separated, the logistic loss has no minimum, and where they nearly can, none that is reached. This
# ridge gives it one: on standardised inputs it is far below any λ that cross-validation would choose.
TINY_RIDGE = 1e-6
STOPGAP = f"fitted with L2, λ = {TINY_RIDGE:g}"
LARGEST_PROGRAM = 2_000_000  # values of X up to which the linear program that tells separable classes takes seconds
NO_OPTIMUM = f"no finite optimum without a penalty: {STOPGAP}"
NOT_REACHED = f"without a penalty the optimum was not reached: {STOPGAP}"
# Between two local minima of MCP the steps can go on for ever: a λ that needs more is one that says it was not solved.
MCP_STEPS = 40
MINIMUM_NORM = "no fewer inputs than rows: the least-squares solution of minimum norm"


def tune_unpenalised(problem: Problem, options: Options) -> Tuned:
    """Least squares or logistic regression without penalty; where that has no solution a tiny ridge, which is said."""
    from shrinkwise.linear import PenalizedRegressor

    if problem.has_classes:
        return Tuned(_unpenalised_classifier(problem))
    model = PenalizedRegressor(_bounded(L2(0.0), problem)).fit(problem.X, problem.y, problem.rows.weights)
    note = MINIMUM_NORM if problem.X.shape[1] >= problem.X.shape[0] else ""
    return Tuned(Fit(LinearPredictor(model.coef_, model.intercept_), note=note))


def _unpenalised_classifier(problem: Problem) -> Fit:
    from sklearn.exceptions import ConvergenceWarning

    from shrinkwise.linear import PenalizedClassifier, is_separable

    note, lam = "", 0.0
    asked = problem.columns.low is None and np.prod(problem.X.shape) <= LARGEST_PROGRAM
    if asked and is_separable(problem.dense(), problem.y):
        note, lam = NO_OPTIMUM, TINY_RIDGE

    def fit(lam: float):
        model = PenalizedClassifier(_bounded(L2(lam), problem))
        return model.fit(problem.X, problem.y, problem.rows.weights)

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model = fit(lam)
        except ConvergenceWarning:
            warnings.simplefilter("ignore", ConvergenceWarning)
            note, model = note or NOT_REACHED, fit(TINY_RIDGE)
    return Fit(LinearPredictor(model.coef_, model.intercept_), note=note)


def tune_ridge(problem: Problem, options: Options) -> Tuned:
    """L2 with λ from cross-validation."""
    return _tuned(_cross_validate(L2(1.0), problem, options), {}, problem, options)


def tune_lasso(problem: Problem, options: Options) -> Tuned:
    """L1 with λ from cross-validation."""
    return _tuned(_cross_validate(L1(1.0), problem, options), {}, problem, options)


def tune_elastic_net(problem: Problem, options: Options) -> Tuned:
    """Elastic net: the l1_ratio of the lowest cross-validation curve, then λ along that curve."""
    fitted = [(ratio, _cross_validate(ElasticNet(1.0, ratio), problem, options)) for ratio in options.l1_ratios]
    ratio, model = min(fitted, key=lambda pair: pair[1].cv_mean_[pair[1].index_best_])
    return _tuned(model, {"l1_ratio": ratio}, problem, options)


def tune_group_lasso(problem: Problem, options: Options) -> Tuned:
    """The group lasso: all columns of one input are one group, with λ from cross-validation."""
    columns = problem.columns
    groups = np.unique(columns.inputs, return_inverse=True)[1]
    weights = np.sqrt(np.bincount(groups))
    if columns.factors is not None:  # one factor an input
        weights = weights * columns.factors[np.unique(groups, return_index=True)[1]]
    return _tuned(_cross_validate(GroupLasso(1.0, groups, weights=weights), problem, options), {}, problem, options)


def tune_mcp(problem: Problem, options: Options) -> Tuned:
    """MCP with λ from cross-validation.

    γ is 3 for least squares and 12 for the logistic loss, whose curvature is a quarter at most: loss + penalty are equally
    far from losing their convexity in a single weight. Down to λ_max/20: below, the many local minima cost time and score.
    """
    penalty = MCP(1.0, gamma=12.0 if problem.has_classes else 3.0)
    return _tuned(
        _cross_validate(penalty, problem, options, lambda_min_ratio=0.05, max_iter=MCP_STEPS), {}, problem, options
    )


def _bounded(penalty, problem: Problem):
    columns = problem.columns
    return penalty if columns.low is None else penalty + Box(columns.low, columns.high)


def _cross_validate(penalty, problem: Problem, options: Options, **solving):
    from sklearn.exceptions import ConvergenceWarning

    from shrinkwise.linear import PenalizedClassifierCV, PenalizedRegressorCV

    estimator = PenalizedClassifierCV if problem.has_classes else PenalizedRegressorCV
    factors = None if isinstance(penalty, GroupLasso) else problem.columns.factors
    model = estimator(
        _bounded(penalty, problem),
        n_lambdas=options.n_lambdas,
        cv=problem.folds(options.inner_folds),
        penalty_factors=factors,
        **solving,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `_tuned` says it of the λ that is used
        return model.fit(problem.X, problem.y, problem.rows.weights)


def _tuned(model, settings: dict, problem: Problem, options: Options) -> Tuned:
    coefs = np.asarray(model.path_.coefs)

    def fit(index: int) -> Fit:
        path = model.path_
        coef, intercept = path.coefs[index], path.intercepts[index]
        if hasattr(model, "classes_") and len(model.classes_) == 2:
            coef, intercept = coef[None], np.atleast_1d(intercept)
        note = "" if path.solved[index] else f"at the chosen λ {path.status[index]}"
        return Fit(LinearPredictor(coef, intercept), {"λ": float(path.lambdas[index]), **settings}, note)

    best, careful = choose_strength(
        model.cv_mean_, model.cv_se_, problem.columns.inputs_used(coefs), options, squared=not problem.has_classes
    )
    curve = Curve(
        lambdas=model.lambdas_,
        coefs=coefs,
        cv_mean=model.cv_mean_,
        cv_se=model.cv_se_,
        index_best=best,
        index_1se=careful,
    )
    return Tuned(fit(best), fit(careful), curve)
