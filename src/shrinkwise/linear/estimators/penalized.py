"""scikit-learn estimators: one fit at the penalty's own λ, with its certificate."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted, validate_data

from shrinkwise.linear.copies.pairs import Pairs
from shrinkwise.linear.losses import LOSSES
from shrinkwise.linear.paths.api import solve_one
from shrinkwise.linear.paths.columns import by_column, check_columns, column_names, labels_of
from shrinkwise.linear.paths.grid import lambda_max
from shrinkwise.linear.paths.path import Path, with_offset
from shrinkwise.linear.paths.streamed import refuse_beside_rows, refuse_rows
from shrinkwise.linear.problem.checks import (
    READS,
    check_settings,
    check_switches,
    checked_offset,
    checked_weights,
    loss_of,
    refuse_other_numbers,
)
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.penalties import L1, Penalty, with_bounds_scaled
from shrinkwise.streaming import are_rows

from .description.assessment import Assessment, assess_numbers
from .description.summary import coefficients_by_name, summary_of
from .factors import with_factors
from .on_rows import fit_rows
from .samples import Samples, regression_target, weighted_rows, without_columns
from .versioned import Versioned

# Attributes that not every fit has: those of an earlier fit are forgotten.
_NOT_ALWAYS = ("interactions_", "center_", "stability_", "selection_frequency_", "stable_", "n_passes_")


class LinearModel(Versioned):
    """Base class of regressors and classifiers: checking, solving, the linear predictor."""

    penalty_factors = None
    standardize = False
    interactions: Any = None
    has_offset_ = False
    _pairs: Pairs | None = None
    _names: list | None = None
    _not_with_interactions: ClassVar[dict] = {
        "penalty_factors": None,
        "scoring": None,
        "relaxed": False,
        "dfmax": None,
        "stability": False,
    }
    penalty_: Penalty
    status_: str

    def __init__(self, penalty="l1", *, penalty_factors=None, fit_intercept=True, tol=1e-6, max_iter=10_000):
        self.penalty = penalty
        self.penalty_factors = penalty_factors
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def _fit_samples(self, samples: Samples, loss):
        samples = self._scaled(samples)
        problem = samples.problem(loss, self.fit_intercept)
        penalty = self._penalty_of(self.penalty, samples)
        if self._has_default_penalty():
            penalty = penalty.with_lam(lambda_max(problem, penalty) / 100.0)
        self.penalty_ = penalty
        self._keep(solve_one(problem, penalty, self.tol, self.max_iter)[0], problem)
        return problem

    def _has_default_penalty(self) -> bool:
        return _is_default(self.penalty)

    def _scaled(self, samples: Samples) -> Samples:
        """The samples in the columns that the penalty acts on."""
        self._pairs = None
        if self.interactions is None:
            return samples.standardized() if self.standardize else samples
        for name, without in self._not_with_interactions.items():
            if getattr(self, name, without) is not without:
                raise ValueError(f"Interactions are not offered together with {name}; use interactions=None")
        self._pairs = Pairs(samples.X, samples.weight, self.interactions, self._names)
        return replace(samples, X=self._pairs.columns(samples.X))

    def _read(self, X, y, **checks):
        """X and y through scikit-learn's checks; the names of the columns are kept, excluded columns become zeros."""
        check_switches(self.get_params(deep=False))
        self._names = column_names(X)
        for values, name in ((X, "X"), (y, "y")):
            refuse_other_numbers(values, name)
        X, y = validate_data(self, X, y, **READS, **checks)
        excluded = self._factors(X.shape[1]) == np.inf
        return without_columns(X, excluded) if excluded.any() else X, y

    def _outputs(self, samples: Samples) -> tuple:
        """The shape of the linear predictor of a row: () or (K,)."""
        return samples.y.shape[1:]

    def _fitted_names(self) -> list | None:
        """The names of the columns that were fitted, None where they have none."""
        return self._names if self._pairs is None else self._pairs.names(labels_of(self._names, self.n_features_in_))

    def _factors(self, p: int) -> np.ndarray:
        """penalty_factors (p,), in the order of the columns; ∞ excludes a column."""
        if self.penalty_factors is None:
            return np.ones(p)
        return np.asarray(by_column(self.penalty_factors, self._names, p, "penalty_factors"))

    def _eta(self, X, offset):
        """Linear predictor of new rows, (n,) or (n, K)."""
        check_is_fitted(self)
        refuse_rows(X, "predict", "call it with the frame of each of rows.blocks()")
        if not hasattr(self, "feature_names_in_"):
            check_columns_if_named(X, self.n_features_in_, self._names)
        X = validate_data(self, X, reset=False, **READS)
        eta = X @ self.coef_.T + self.intercept_
        if self._pairs is not None:
            eta = eta + self._pairs.terms(X, np.reshape(self._products, (*self.coef_.shape[:-1], -1)))
        eta = self._shaped(eta)
        return with_offset(eta[None], offset, self.has_offset_)[0]

    def _penalty_of(self, penalty, samples) -> Penalty:
        """A penalty as given, L1 by default, with the factors of the columns and in their units."""
        penalty = _checked_penalty(penalty)
        check_settings(penalty, self.tol, self.max_iter)
        if self._pairs is not None:
            return self._pairs.penalty(penalty, self._outputs(samples))
        if samples.column_scale is not None:
            penalty = with_bounds_scaled(penalty, samples.column_scale)
        if self.penalty_factors is None:
            return penalty
        factors = self._factors(samples.p)
        return with_factors(penalty, np.where(factors == np.inf, 1.0, factors), samples.p)

    def _keep(self, point: Path, problem: Problem):
        # Of an excluded column, which is zero, rounding may leave something in a decomposition.
        coef, intercept = np.where(self._factors(problem.p) == np.inf, 0.0, point.coef), point.intercept
        for name in _NOT_ALWAYS:
            self.__dict__.pop(name, None)
        if self._pairs is not None:
            coef, intercept, self._products = self._pairs.folded(coef, intercept)
            self.interactions_ = self._pairs.used(self._products, labels_of(self._names, coef.shape[-1]))
            self.center_ = self._pairs.center
        self._set_coef(coef, intercept)
        self.lambda_, self.objective_, self.n_iter_ = point.lam, point.objective, point.n_iter
        self.duality_gap_, self.kkt_violation_, self.status_ = point.gap, point.kkt, point.status
        self.has_offset_ = problem.offset is not None
        if not point.solved:
            warnings.warn(f"{type(self).__name__}: {self.status_}", ConvergenceWarning, stacklevel=4)

    def _as_given(self, y):
        """The target y of a problem as `fit` takes it."""
        return y

    def _set_coef(self, coef, intercept):
        self.coef_, self.intercept_ = coef, float(intercept) if np.ndim(intercept) == 0 else intercept

    def named_coefficients(self) -> dict:
        """{name of a column: coefficient}, x0, x1, … for columns without names; {class or target: {…}} for several."""
        check_is_fitted(self)
        coef = self.coef_[0] if len(self.coef_) == 1 and np.ndim(self.coef_) == 2 else self.coef_
        names, pairs = self._names, self._pairs
        if pairs is not None:
            names = labels_of(names, coef.shape[-1])
            used = np.flatnonzero(np.reshape(self._products, (-1, len(pairs.pairs))).any(0))
            names = names + [f"{names[j]} × {names[k]}" for j, k in (pairs.pairs[q] for q in used)]
            coef = np.concatenate([coef, self._products[..., used]], axis=-1)
        return coefficients_by_name(coef, names, getattr(self, "classes_", None))

    def summary(self) -> str:
        """The penalty, λ and how it was selected, the certificate, and the largest coefficients that are not zero."""
        return summary_of(self, self.named_coefficients())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.interactions is None
        return tags


def _is_default(penalty) -> bool:
    return penalty is None or (isinstance(penalty, str) and penalty == "l1")


def _checked_penalty(penalty) -> Penalty:
    if _is_default(penalty):
        return L1(1.0)
    if isinstance(penalty, Penalty):
        return penalty
    hint = (
        " (an estimator is not a penalty; penalties are top-level names, e.g. shrinkwise.ElasticNet)"
        if isinstance(penalty, (BaseEstimator, type))
        else ""
    )
    raise TypeError(
        f"Expected penalty to be a shrinkwise penalty such as shrinkwise.L1(0.1), got {type(penalty).__name__}{hint}"
    )


def check_columns_if_named(X, p: int, names) -> None:
    """`check_columns` for frames whose column names are not strings, which scikit-learn does not check."""
    if names is not None and column_names(X) is not None:
        check_columns(X, p, names)


class PenalizedRegressor(MultiOutputMixin, RegressorMixin, LinearModel):
    """Regression with a penalty:  minimise (1/n) Σ s_i f(y_i, x_i'w + b + o_i) + λ f(w).

    Parameters
    ----------
    penalty : Penalty, optional
        λ f, e.g. ``shrinkwise.L1(0.1)``; bounds are added to it, ``L1(0.1) + NonNegative()``. "l1" (or None) is L1 at
        λ = λ_max/100. ``shrinkwise.L2(0.0)`` means no penalty: least squares, the minimum-norm solution if it is not unique.
    loss : "squared", "square_root", "huber", "quantile", "poisson", "gamma", "tweedie", "negative_binomial" or a loss object
        ½(y − η)²; √mean (y − η)², for which λ need not know the noise (`shrinkwise.linear.pivotal_lambda`); Huber's, which is
        ½(y − η)² up to |y − η| = δ and linear beyond; e^η − yη for counts y ≥ 0. For the others, and for parameters as in
        ``Quantile(tau=0.9)`` or ``Tweedie(power=1.7)``, see `shrinkwise.linear.losses`.
    delta : float > 0
        δ of the Huber loss, in the units of y.
    penalty_factors : (p,) ≥ 0, optional
        Factors of λ, one per column; 0 leaves a column unpenalised, ∞ excludes it. They are not rescaled. A pandas
        Series is matched to the columns of X by its labels.
    standardize : bool
        Divide the columns by their standard deviations σ_j (weighted, divided by n) before the fit, so that the penalty is
        f(σ ∘ w) and does not depend on the units of the columns; `coef_` and bounds are in the units of X.
    interactions : None, True or list of pairs of columns
        Also products of two columns, each used only together with its two columns: a group lasso in the place of the L1
        penalty, on standardised columns. True tries all pairs; see `shrinkwise.linear.Pairs` for the formula.
    fit_intercept : bool
        Fit an unpenalised intercept b.
    tol : float
        Relative duality gap (P − D)/(loss of the null model) below which the fit counts as solved.
    max_iter : int
        Maximum number of coordinate-descent sweeps (or proximal-gradient or Newton steps) per round.

    By default the penalty acts on the weights of the columns as given. scikit-learn's
    ``SelectFromModel`` keeps the inputs with a coefficient of at least 1e-5 under a penalty that makes zeros;
    ``threshold=5e-324`` keeps every non-zero one.

    Attributes
    ----------
    coef_ : (p,), or (K, p) for K targets;  intercept_ : float or (K,).
    duality_gap_ : relative duality gap;  kkt_violation_ : largest violation of stationarity;  objective_ : loss + penalty.
    interactions_, center_ : with `interactions`, {(column, column): θ} of the products that are used, and the means (p,): the
    prediction adds Σ θ_jk (x_j − center_j)(x_k − center_k).
    status_ : a sentence.  n_iter_ : sweeps.  penalty_, lambda_ : the penalty and λ of the fit.  n_features_in_,
    feature_names_in_.

    Examples
    --------
    >>> import numpy as np, shrinkwise as sw
    >>> X, y = np.array([[-1.0], [0.0], [1.0]]), np.array([-2.0, 0.0, 2.0])
    >>> model = sw.PenalizedRegressor(sw.L1(1 / 3)).fit(X, y)     # (x'y/n − λ) / (x'x/n) = (4/3 − 1/3) / (2/3)
    >>> round(float(model.coef_[0]), 6)
    1.5
    """

    def __init__(
        self,
        penalty="l1",
        *,
        loss="squared",
        delta=1.35,
        penalty_factors=None,
        standardize=False,
        interactions=None,
        fit_intercept=True,
        tol=1e-6,
        max_iter=10_000,
    ):
        super().__init__(
            penalty, penalty_factors=penalty_factors, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter
        )
        self.loss = loss
        self.delta = delta
        self.standardize = standardize
        self.interactions = interactions

    def fit(self, X, y=None, sample_weight=None, *, offset=None):
        """Fit on X (n, p) and y (n,), or (n, K) for the squared loss; or on rows in blocks, ``fit(shrinkwise.rows(...))``.

        `sample_weight` (n,) ≥ 0 weighs the rows; `offset`, like y, is a known part of the linear predictor.
        """
        if are_rows(X):
            refuse_beside_rows(y=y, sample_weight=sample_weight, offset=offset)
            return fit_rows(self, X, self._loss())
        self._fit_samples(Samples(*self._checked(X, y, sample_weight, offset)), self._loss())
        return self

    def _loss(self):
        known = [name for name, loss in LOSSES.items() if not (loss.coded or loss.is_partial)]
        if isinstance(self.loss, str) and self.loss not in known:
            raise ValueError(
                f"Expected loss to be a loss object or one of {', '.join(map(repr, known))}, got {self.loss!r}"
            )
        return loss_of(self.loss, self.delta)

    def _checked(self, X, y, sample_weight, offset):
        X, y = self._read(X, y, y_numeric=True, multi_output=self._loss().is_quadratic)
        y = regression_target(y, X.shape[0], self._loss())
        return weighted_rows(X, y, sample_weight, checked_offset(offset, y.shape))

    def predict(self, X, offset=None):
        """The predicted mean of y (or its quantile): Xw + b + offset, or its exponential with a log link; (n,), or (n, K)."""
        eta = self._eta(X, offset)
        return self._loss().inverse_link(eta)

    @staticmethod
    def _shaped(eta):
        return eta

    def assess(self, X, y, sample_weight=None, *, offset=None) -> Assessment:
        """Deviance and errors of the predictions of given rows; see `Assessment`."""
        eta, loss = self._eta(X, offset), self._loss()
        return assess_numbers(loss, regression_target(y, len(eta), loss), eta, sample_weight, offset)

    def score(self, X, y, sample_weight=None, *, offset=None):
        """R² of the prediction for the squared and the Huber loss; otherwise D², as in scikit-learn's `d2_tweedie_score`.

        D² is 1 − deviance / deviance of the model of an intercept and the offset; for quantiles the deviance is the pinball
        loss. After a fit with an offset `offset` is required.
        """
        loss = self._loss()
        if loss.of_the_mean:
            return r2_score(y, self.predict(X, offset), sample_weight=sample_weight)
        eta = self._eta(X, offset)
        y = regression_target(y, len(eta), loss)
        offset = checked_offset(offset, y.shape)
        weights = None if sample_weight is None else checked_weights(sample_weight, len(y))
        null = Problem(np.zeros((len(y), 1)), y, loss, weights, True, offset)
        return loss.explained(
            y, eta, np.full(len(y), null.null_intercept) + (0.0 if offset is None else offset), weights
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        loss = LOSSES.get(self.loss, self.loss) if isinstance(self.loss, str) else self.loss
        tags.target_tags.multi_output = getattr(loss, "is_quadratic", False)
        tags.target_tags.positive_only = getattr(loss, "is_positive", False)
        return tags
