"""The linear family, from no penalty to MCP. λ and l1_ratio are selected by inner cross-validation.

The rows are already encoded. The encoder was fitted on all these training rows, not again in every inner training part,
so that the rows held out by an inner fold have entered the medians, means and scales. This has a negligible effect on
the selection of λ and none on the outer score, whose rows are used neither by the encoder nor in the selection.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shrinkwise.compare.options import Options
from shrinkwise.models.predictors import LinearPredictor, Response
from shrinkwise.penalties import L1, L2, MCP, Box, ElasticNet, GroupLasso

from .base import Candidate, Curve, Fit, RowFactors, TrainingRows, Tuned
from .choice import choose_strength
from .factored import factored_curve, factored_fit

if TYPE_CHECKING:
    from shrinkwise.linear.estimators.validation.curve import ValidationCurve

# Where classes can be separated, the logistic loss has no minimum, and where they nearly can, none that is reached. This
# ridge gives it one: on standardised inputs it is far below any λ that cross-validation would choose.
TINY_RIDGE = 1e-6
STOPGAP = f"fitted with L2, λ = {TINY_RIDGE:g}"
NO_OPTIMUM = "no finite optimum without a penalty ({why}), " + STOPGAP
NOT_REACHED = f"the optimum without a penalty was not reached, {STOPGAP}"
# Between two local minima of MCP the steps can go on for ever: a λ that needs more is one that says it was not solved.
MCP_STEPS = 40
# A grid of λ ends once the mean held-out loss has not fallen for this share of it, and for so many λ.
_PATIENCE, _LEAST_PATIENCE = 0.25, 3
MINIMUM_NORM = "at least as many inputs as rows, so the minimum-norm least-squares solution was used"


@dataclass(frozen=True)
class ScaledRows:
    """A problem whose numeric target was divided by `scale`: its standard deviation, or the mean of counts.

    Classes are unchanged. This makes λ independent of the unit of the target, also for the elastic net, whose two terms
    scale differently.
    """

    problem: TrainingRows
    scale: float

    @classmethod
    def of(cls, problem: TrainingRows) -> ScaledRows:
        """Scale a problem; bounds on the coefficients are divided like the target."""
        factors = problem.factors
        if problem.has_classes:
            scale = 1.0
        elif problem.has_counts:
            scale = float(np.mean(problem.y))
        else:
            scale = float(np.std(problem.y) if factors is None else factors.folds.whole.target_deviation) or 1.0
        columns = problem.columns
        if columns.low is not None and columns.high is not None and not problem.has_counts:
            columns = replace(columns, low=columns.low / scale, high=columns.high / scale)
        if factors is not None:
            factors = RowFactors(factors.folds.each(lambda part: part.with_target_over(scale)))
        y = problem.y / scale if scale != 1 else problem.y
        return cls(replace(problem, y=y, features=columns, factors=factors), scale)

    @property
    def loss(self) -> str:
        """The loss of a numeric target."""
        return "poisson" if self.problem.has_counts else "squared"

    @property
    def of_coef(self) -> float:
        """By what coefficients are multiplied for the unit of the target; those of counts are logarithms of ratios."""
        return 1.0 if self.problem.has_counts else self.scale

    def predictor(self, coef, intercept) -> LinearPredictor:
        """The predictor in the unit of the target."""
        if self.problem.has_counts:
            return LinearPredictor(coef, intercept + np.log(self.scale), response=Response(log=True))
        return LinearPredictor(coef * self.scale, intercept * self.scale)


def tune_unpenalised(problem: TrainingRows, options: Options) -> Tuned:
    """Least squares or logistic regression without penalty; if it has no solution, with a tiny ridge penalty and a
    note."""
    if problem.has_classes:
        return Tuned(_unpenalised_classifier(problem))
    scaled = ScaledRows.of(problem)
    if problem.has_counts:
        return Tuned(_unpenalised_counts(scaled))
    if problem.factors is not None:
        one = factored_fit(_bounded(L2(0.0), scaled.problem), scaled.problem)
        return Tuned(Fit(scaled.predictor(one.coef, one.intercept)))
    from shrinkwise.linear import PenalizedRegressor

    model = PenalizedRegressor(_bounded(L2(0.0), scaled.problem))
    model.fit(problem.X, scaled.problem.y, problem.rows.weights)
    note = MINIMUM_NORM if problem.X.shape[1] >= problem.X.shape[0] else ""
    return Tuned(Fit(scaled.predictor(model.coef_, model.intercept_), note=note))


def _unpenalised_counts(scaled: ScaledRows) -> Fit:
    """Poisson regression without penalty; if its optimum was not reached, with a tiny ridge penalty and a note."""
    from sklearn.exceptions import ConvergenceWarning

    from shrinkwise.linear import PenalizedRegressor

    problem, note = scaled.problem, ""

    def fit(lam: float):
        return PenalizedRegressor(_bounded(L2(lam), problem), loss="poisson").fit(
            problem.X, problem.y, problem.rows.weights
        )

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model = fit(0.0)
        except ConvergenceWarning:
            warnings.simplefilter("ignore", ConvergenceWarning)
            note, model = NOT_REACHED, fit(TINY_RIDGE)
    return Fit(scaled.predictor(model.coef_, model.intercept_), note=note, penalty=model.penalty)


def _unpenalised_classifier(problem: TrainingRows) -> Fit:
    from sklearn.exceptions import ConvergenceWarning

    from shrinkwise.linear import PenalizedClassifier, find_separation

    note, lam = "", 0.0
    weights = problem.rows.weights
    separation = problem.columns.low is None and find_separation(problem.X, problem.y, sample_weight=weights)
    if separation:
        partly = "some rows can be separated from another class without error"
        why = "the classes can be separated completely" if separation.complete else partly
        note, lam = NO_OPTIMUM.format(why=why), TINY_RIDGE

    def fit(lam: float):
        model = PenalizedClassifier(_bounded(L2(lam), problem))
        return model.fit(problem.X, problem.y, weights)

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model = fit(lam)
        except ConvergenceWarning:
            warnings.simplefilter("ignore", ConvergenceWarning)
            note, model = note or NOT_REACHED, fit(TINY_RIDGE)
    return Fit(LinearPredictor(model.coef_, model.intercept_), note=note, penalty=model.penalty)


def tune_ridge(problem: TrainingRows, options: Options) -> Tuned:
    """L2 with λ from cross-validation."""
    return tuned(cross_validate(L2(1.0), problem, options), {}, options)


def tune_lasso(problem: TrainingRows, options: Options) -> Tuned:
    """L1 with λ from cross-validation."""
    return tuned(cross_validate(L1(1.0), problem, options), {}, options)


def tune_elastic_net(problem: TrainingRows, options: Options) -> Tuned:
    """Elastic net: the l1_ratio with the lowest cross-validation curve, then λ on this curve."""
    fitted = [(ratio, cross_validate(ElasticNet(1.0, ratio), problem, options)) for ratio in options.l1_ratios]
    ratio, found = min(fitted, key=lambda pair: pair[1].curve.mean.min())
    return tuned(found, {"l1_ratio": ratio}, options)


def tune_group_lasso(problem: TrainingRows, options: Options) -> Tuned:
    """The group lasso: all columns of one input are one group, with λ from cross-validation."""
    return tuned(cross_validate(whole_inputs(problem), problem, options), {}, options)


def whole_inputs(problem: TrainingRows, lam: float = 1.0) -> GroupLasso:
    """The group lasso with one group per input (all its columns), with the given factors."""
    columns = problem.columns
    groups = np.unique(columns.inputs, return_inverse=True)[1]
    weights = np.sqrt(np.bincount(groups))
    if columns.factors is not None:  # one factor an input
        weights = weights * columns.factors[np.unique(groups, return_index=True)[1]]
    return GroupLasso(lam, groups, weights=weights)


def tune_mcp(problem: TrainingRows, options: Options) -> Tuned:
    """MCP with λ from cross-validation.

    γ is 3 for least squares and 12 for the logistic loss, whose curvature is at most a quarter, so that both objectives
    are equally far from losing convexity in a single weight, and for counts, whose curvature varies. The grid ends at
    λ_max/20, because the many local minima below cost time and accuracy, and has at most fifteen λ where the loss is not
    quadratic: a solution is slow there, and fifty λ chose no better model.
    """
    penalty = MCP(1.0, gamma=3.0 if problem.squared else 12.0)
    if not problem.squared:
        options = replace(options, n_lambdas=min(options.n_lambdas, 15))
    return tuned(cross_validate(penalty, problem, options, lambda_min_ratio=0.05, max_iter=MCP_STEPS), {}, options)


@dataclass(frozen=True)
class TunedPath:
    """A path with its cross-validation curve, and the rows that it was fitted on."""

    curve: ValidationCurve
    scaled: ScaledRows


def _bounded(penalty, problem: TrainingRows):
    columns = problem.columns
    return penalty if columns.low is None else penalty + Box(columns.low, columns.high)


def cross_validate(penalty, problem: TrainingRows, options: Options, **solving) -> TunedPath:
    """The path of a penalty and its cross-validation curve; `solving` are settings of the estimator."""
    scaled = ScaledRows.of(problem)
    solving["patience"] = max(_LEAST_PATIENCE, round(_PATIENCE * options.n_lambdas))
    if problem.factors is not None:
        return TunedPath(factored_curve(_bounded(penalty, scaled.problem), scaled.problem, options, **solving), scaled)
    from sklearn.exceptions import ConvergenceWarning

    from shrinkwise.linear import PenalizedClassifierCV, PenalizedRegressorCV

    estimator = PenalizedClassifierCV if problem.has_classes else PenalizedRegressorCV
    factors = None if penalty.groups is not None else problem.columns.factors
    model = estimator(
        _bounded(penalty, scaled.problem),
        n_lambdas=options.n_lambdas,
        cv=problem.folds(options.inner_folds),
        penalty_factors=factors,
        **({} if problem.has_classes else {"loss": scaled.loss}),
        **solving,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `tuned` says it of the λ that is used
        return TunedPath(model.fit(problem.X, scaled.problem.y, problem.rows.weights).curve_, scaled)


def tuned(found: TunedPath, settings: dict, options: Options) -> Tuned:
    """The fits at the best λ of a path and at its 1-SE λ."""
    curve, scaled = found.curve, found.scaled
    problem, path = scaled.problem, curve.path.without_data()

    def fit(index: int) -> Fit:
        one = path[index]
        coef, intercept = one.coef, one.intercept
        if problem.has_classes and coef.ndim == 1:
            coef, intercept = coef[None], np.atleast_1d(intercept)
        # How far it was from solved differs by fold, and is more than a reader needs.
        note = "" if one.solved else f"at the selected λ {one.status.split(':')[0]}"
        return Fit(
            scaled.predictor(coef, intercept), {"λ": one.lam, **settings}, note, penalty=one.penalty.with_lam(one.lam)
        )

    best, one_se = choose_strength(
        curve.losses, problem.columns.inputs_used(path.coefs), options, squared=problem.squared
    )
    mean, se = _root(curve.mean, curve.se) if problem.squared else (curve.mean, curve.se)
    shown = Curve(path, scaled.of_coef, mean * scaled.scale, se * scaled.scale, best, one_se)
    return Tuned(fit(best), fit(one_se), shown)


def _root(mean, se):
    """The root of mean squared errors, and its standard error by the delta method."""
    root = np.sqrt(mean)
    return root, np.divide(se, 2 * root, out=np.zeros_like(root), where=root > 0)


NONE = Candidate(
    "no penalty",
    "linear",
    "",
    "mean loss",
    tune_unpenalised,
    "none",
    worth=1,
    takes_bounds=True,
    by_sums=True,
    log_link=True,
)
RIDGE = Candidate(
    "ridge",
    "linear",
    "L2",
    "mean loss + λ Σ w²",
    tune_ridge,
    "ridge",
    worth=2,
    takes_bounds=True,
    by_sums=True,
    log_link=True,
)
LASSO = Candidate(
    "lasso",
    "linear",
    "L1",
    "mean loss + λ Σ |w|",
    tune_lasso,
    "lasso",
    worth=3,
    makes_zeros=True,
    selects_inputs=True,
    takes_bounds=True,
    bears="noise",
    by_sums=True,
    log_link=True,
)
ELASTIC_NET = Candidate(
    "elastic net",
    "linear",
    "L1 + L2",
    "mean loss + λ (ρ Σ |w| + (1 − ρ)/2 Σ w²)",
    tune_elastic_net,
    "elastic-net",
    worth=5,
    makes_zeros=True,
    selects_inputs=True,
    takes_bounds=True,
    by_sums=True,
    log_link=True,
)
GROUP_LASSO = Candidate(
    "group lasso",
    "linear",
    "group L1",
    "mean loss + λ Σ √size ‖w of an input‖",
    tune_group_lasso,
    "group-lasso",
    worth=6,
    makes_zeros=True,
    selects_inputs=True,
    needs_groups=True,
    by_sums=True,
    log_link=True,
)
CONCAVE = Candidate(
    "MCP",
    "linear",
    "MCP",
    "mean loss + Σ p(|w|), p(x) = λx − x²/(2γ) up to γλ, constant beyond, γ = 3 (12 for classes)",
    tune_mcp,
    "mcp",
    worth=7,
    makes_zeros=True,
    selects_inputs=True,
    by_sums=True,
    log_link=True,
)
