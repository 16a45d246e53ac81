"""scikit-learn estimators: one fit at the penalty's own λ, with its certificate."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from shrinkwise.linear.paths.api import solve_one
from shrinkwise.linear.paths.grid import lambda_max
from shrinkwise.linear.problem.checks import READS, check_settings, checked_weights, checked_y, loss_of
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.separability import is_separable
from shrinkwise.penalties import L1, Penalty

from .factors import with_factors


class _Linear(BaseEstimator):
    """What regressor and classifier share: checking, solving, the linear predictor."""

    def __init__(self, penalty=None, *, penalty_factors=None, fit_intercept=True, tol=1e-6, max_iter=10_000):
        self.penalty = penalty
        self.penalty_factors = penalty_factors
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def _fit_problem(self, problem: Problem):
        penalty = self._checked_penalty(problem.p)
        if self.penalty is None:
            penalty = penalty.with_lam(lambda_max(problem, penalty) / 100.0)
        self.penalty_ = penalty
        self._keep(solve_one(problem, penalty, self.tol, self.max_iter), 0, problem)

    def _checked_penalty(self, p: int) -> Penalty:
        """The penalty with the columns' factors; L1 where none is given."""
        if self.penalty is not None and not isinstance(self.penalty, Penalty):
            kind = type(self.penalty)
            hint = (
                " (an estimator is not a penalty; penalties are at top level, e.g. shrinkwise.ElasticNet)"
                if isinstance(self.penalty, BaseEstimator) or (isinstance(self.penalty, type))
                else ""
            )
            raise TypeError(
                f"expected penalty as a shrinkwise penalty such as shrinkwise.L1(0.1), got {kind.__name__}{hint}"
            )
        penalty = L1(1.0) if self.penalty is None else self.penalty
        check_settings(penalty, self.tol, self.max_iter)
        return penalty if self.penalty_factors is None else with_factors(penalty, self.penalty_factors, p)

    def _keep(self, path, index: int, problem: Problem):
        coef, intercept = path.coefficients[index], path.intercepts[index]
        self._set_coef(coef, intercept)
        self.lambda_ = float(path.lambdas[index])
        self.duality_gap_ = float(path.gaps[index])
        self.kkt_violation_ = float(path.kkt[index])
        self.objective_ = float(path.objectives[index])
        self.n_iter_ = int(path.n_iter[index])
        self.status_ = path.status[index]
        unpenalised = self.penalty_.with_lam(self.lambda_).unpenalised(coef.shape).all()
        coded = problem.loss.name in ("logistic", "multinomial")
        if unpenalised and coded and separates(problem, coef, intercept, path.solved[index]):
            self.status_ = "no finite optimum: the classes are separable, so the loss has no minimum without a penalty"
        elif path.solved[index]:
            return
        warnings.warn(f"{type(self).__name__}: {self.status_}", ConvergenceWarning, stacklevel=4)

    def _set_coef(self, coef, intercept):
        self.coef_, self.intercept_ = coef, float(intercept) if np.ndim(intercept) == 0 else intercept

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def weighted_rows(X, y, sample_weight, offset=None):
    """(X, y, sample_weight, offset) with the weights checked and the rows of weight 0, which count as absent, left out."""
    offset = None if offset is None else np.asarray(offset, dtype=float)
    if sample_weight is None:
        return X, y, None, offset
    sample_weight = checked_weights(sample_weight, X.shape[0])
    present = sample_weight > 0
    if present.all():
        return X, y, sample_weight, offset
    return X[present], y[present], sample_weight[present], offset if offset is None else offset[present]


def regression_target(y, n: int, loss):
    """y (n,), or (n, K); a single column counts as (n,)."""
    y = checked_y(y, n, loss)
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def separates(problem: Problem, coef, intercept, solved: bool) -> bool:
    """Whether the data are separable: seen at once when the fit makes no mistake, else asked when it did not converge."""
    eta = problem.eta(coef, intercept)
    own = problem.y.astype(int)
    margins = np.where(own == 1, eta, -eta) if eta.ndim == 1 else _margins(eta, own)
    return bool((margins > 0).all()) or (
        not solved and is_separable(problem.X, problem.y, fit_intercept=problem.fit_intercept)
    )


def _margins(eta, own):
    rows = np.arange(len(own))
    others = eta.copy()
    others[rows, own] = -np.inf
    return eta[rows, own] - others.max(1)


class PenalizedRegressor(MultiOutputMixin, RegressorMixin, _Linear):
    """Regression with a penalty:  minimise (1/n) Σ s_i f(y_i, x_i'w + b + o_i) + λ f(w).

    Parameters
    ----------
    penalty : Penalty, optional
        λ f, e.g. ``shrinkwise.L1(0.1)``; bounds are added to it, ``L1(0.1) + NonNegative()``. None is L1 at λ = λ_max/100.
        ``shrinkwise.L2(0.0)`` is no penalty: least squares, of minimum norm where it is not unique.
    loss : "squared", "huber" or "poisson"
        ½(y − η)²; Huber's, which is ½(y − η)² up to |y − η| = δ and linear beyond; e^η − yη for counts y ≥ 0.
    delta : float > 0
        δ of the Huber loss, in the units of y.
    penalty_factors : (p,) ≥ 0, optional
        Factors of λ, one a column; 0 = not penalised. Used as they are, not rescaled.
    fit_intercept : bool
        Fit an unpenalised intercept b.
    tol : float
        Relative duality gap (P − D)/(loss of the null model) at which the fit counts as solved.
    max_iter : int
        Most sweeps of coordinate descent (or proximal-gradient or Newton steps) a round.

    The columns are not standardised: the penalty acts on them as they come.

    Attributes
    ----------
    coef_ : (p,), or (K, p) for K targets;  intercept_ : float or (K,).
    duality_gap_ : relative duality gap;  kkt_violation_ : largest violation of stationarity;  objective_ : loss + penalty.
    status_ : a sentence.  n_iter_ : sweeps.  penalty_, lambda_ : what was solved.  n_features_in_, feature_names_in_.

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
        penalty=None,
        *,
        loss="squared",
        delta=1.35,
        penalty_factors=None,
        fit_intercept=True,
        tol=1e-6,
        max_iter=10_000,
    ):
        super().__init__(
            penalty, penalty_factors=penalty_factors, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter
        )
        self.loss = loss
        self.delta = delta

    def fit(self, X, y, sample_weight=None, offset=None):
        """Fit on X (n, p) and y (n,), or (n, K) for the squared loss.

        `sample_weight` (n,) ≥ 0 weighs the rows; `offset`, like y, is a known part of the linear predictor.
        """
        X, y, sample_weight, offset = self._checked(X, y, sample_weight, offset)
        self._fit_problem(Problem(X, y, self._loss(), sample_weight, self.fit_intercept, offset))
        return self

    def _loss(self):
        if self.loss not in ("squared", "huber", "poisson"):
            raise ValueError(f'expected loss "squared", "huber" or "poisson", got {self.loss!r}')
        return loss_of(self.loss, self.delta)

    def _checked(self, X, y, sample_weight, offset):
        X, y = validate_data(self, X, y, y_numeric=True, multi_output=self.loss == "squared", **READS)
        y = regression_target(y, X.shape[0], self._loss())
        if offset is not None and np.shape(offset) != y.shape:
            raise ValueError(f"expected offset like y, of shape {y.shape}, got {np.shape(offset)}")
        return weighted_rows(X, y, sample_weight, offset)

    def predict(self, X, offset=None):
        """The mean of y: Xw + b + offset, for counts its exponential; (n,), or (n, K)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **READS)
        eta = X @ self.coef_.T + self.intercept_
        eta = eta if offset is None else eta + np.asarray(offset)
        return np.exp(eta) if self.loss == "poisson" else eta

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self.loss == "squared"
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags


class LinearClassifier(ClassifierMixin, _Linear):
    """What linear classifiers share: the labels' code, and the predictions from coef_ (1 or K, p) and intercept_."""

    def _checked(self, X, y, sample_weight, offset=None):
        """(X, codes, sample_weight, offset, loss): the classes are stored and y is numbered 0..K−1."""
        X, y = validate_data(self, X, y, **READS)
        X, y, sample_weight, offset = weighted_rows(X, y, sample_weight, offset)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"expected at least two classes in y, got one class, {self.classes_[0]!r}: nothing to tell apart"
            )
        if len(self.classes_) == 2:
            return X, codes.astype(float), sample_weight, offset, "logistic"
        return X, codes, sample_weight, offset, "multinomial"

    def _set_coef(self, coef, intercept):
        self.coef_, self.intercept_ = np.atleast_2d(coef), np.atleast_1d(intercept)

    def decision_function(self, X, offset=None):
        """Linear predictors: (n,) for two classes, else (n, K)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **READS)
        eta = X @ self.coef_.T + self.intercept_
        eta = eta[:, 0] if len(self.classes_) == 2 else eta
        return eta if offset is None else eta + np.asarray(offset)

    def predict_proba(self, X, offset=None):
        """Class probabilities, (n, K)."""
        eta = self.decision_function(X, offset)
        if eta.ndim == 1:
            p = expit(eta)
            return np.column_stack([1.0 - p, p])
        return softmax(eta, axis=1)

    def predict_log_proba(self, X, offset=None):
        """Logarithms of the class probabilities, (n, K)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X, offset))

    def predict(self, X, offset=None):
        """The most probable class, (n,)."""
        eta = self.decision_function(X, offset)
        return self.classes_[(eta > 0).astype(int) if eta.ndim == 1 else eta.argmax(1)]


class PenalizedClassifier(LinearClassifier):
    """Logistic regression with a penalty:  minimise (1/n) Σ s_i (−log P(y_i | x_i)) + λ f(w).

    Two classes: P = 1/(1 + e^−η), w of shape (p,). Several: softmax of K linear predictors, w of shape (K, p), symmetric
    (no reference class), so that a penalty treats the classes alike.

    Parameters
    ----------
    penalty, penalty_factors, fit_intercept, tol, max_iter
        As for PenalizedRegressor; max_iter counts Newton steps.

    Attributes
    ----------
    classes_ : (K,);  coef_ : (1, p) for two classes, else (K, p);  intercept_ : (1,) or (K,).
    duality_gap_, kkt_violation_, objective_, status_, penalty_, lambda_ : as for PenalizedRegressor.
    """

    def fit(self, X, y, sample_weight=None, offset=None):
        """Fit on X (n, p) and class labels y (n,).

        `sample_weight` (n,) ≥ 0 weighs the rows; `offset`, (n,) or (n, K), is a known part of the linear predictor.
        """
        X, codes, sample_weight, offset, loss = self._checked(X, y, sample_weight, offset)
        self._fit_problem(Problem(X, codes, loss, sample_weight, self.fit_intercept, offset))
        return self
