"""scikit-learn estimators: one fit at the penalty's own λ, with its certificate."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..penalties import L1, Penalty
from .path import lambda_max, solve_one
from .problem import Problem
from .separable import is_separable


class _Linear(BaseEstimator):
    """What regressor and classifier share: checking, solving, the linear predictor."""

    def __init__(self, penalty=None, *, fit_intercept=True, tol=1e-6, max_iter=10_000):
        self.penalty = penalty
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def _fit_problem(self, problem: Problem):
        penalty = self._checked_penalty()
        if penalty is None:
            top = lambda_max(problem, L1(1.0))
            penalty = L1(top / 100.0)
        self.penalty_ = penalty
        self._keep(solve_one(problem, penalty, self.tol, self.max_iter), 0, problem)

    def _checked_penalty(self) -> Penalty | None:
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
        return self.penalty

    def _keep(self, path, index: int, problem: Problem):
        coef, intercept = path.coefs[index], path.intercepts[index]
        self._set_coef(coef, intercept)
        self.lambda_ = float(path.lambdas[index])
        self.duality_gap_ = float(path.gaps[index])
        self.kkt_violation_ = float(path.kkt[index])
        self.objective_ = float(path.objectives[index])
        self.n_iter_ = int(path.n_iter[index])
        self.status_ = path.status[index]
        unpenalised = self.penalty_.with_lam(self.lambda_).unpenalised(coef.shape).all()
        if unpenalised and problem.loss.name != "squared" and _separates(problem, coef, intercept, path.solved[index]):
            self.status_ = "no finite optimum: the classes are separable, so the loss has no minimum without a penalty"
        elif path.solved[index]:
            return
        warnings.warn(f"{type(self).__name__}: {self.status_}", ConvergenceWarning, stacklevel=4)

    def _set_coef(self, coef, intercept):
        self.coef_, self.intercept_ = coef, float(intercept)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


def weighted_rows(X, y, sample_weight):
    """(X, y, sample_weight) with the weights checked and the rows of weight 0, which count as absent, left out."""
    if sample_weight is None:
        return X, y, None
    sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
    present = sample_weight > 0
    return X[present], y[present], sample_weight[present]


def _separates(problem: Problem, coef, intercept, solved: bool) -> bool:
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


class PenalizedRegressor(RegressorMixin, _Linear):
    """Least squares with a penalty:  minimise 1/(2n) Σ s_i (y_i − x_i'w − b)² + λ f(w).

    Parameters
    ----------
    penalty : Penalty, optional
        λ f, e.g. ``shrinkwise.L1(0.1)``. None is L1 at λ = λ_max/100. ``shrinkwise.L2(0.0)`` is no penalty: least squares,
        of minimum norm where it is not unique.
    fit_intercept : bool
        Fit an unpenalised intercept b.
    tol : float
        Relative duality gap (P − D)/(loss of the null model) at which the fit counts as solved.
    max_iter : int
        Most sweeps of coordinate descent (or proximal-gradient steps) a round.

    The columns are not standardised: the penalty acts on them as they come.

    Attributes
    ----------
    coef_ : (p,);  intercept_ : float.
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

    def fit(self, X, y, sample_weight=None):
        """Fit on X (n, p) and y (n,), rows weighted by `sample_weight` (n,) ≥ 0 if given."""
        X, y = validate_data(self, X, y, y_numeric=True, dtype=np.float64)
        X, y, sample_weight = weighted_rows(X, y, sample_weight)
        self._fit_problem(Problem(X, np.asarray(y, dtype=float), "squared", sample_weight, self.fit_intercept))
        return self

    def predict(self, X):
        """Xw + b, (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return X @ self.coef_ + self.intercept_


class PenalizedClassifier(ClassifierMixin, _Linear):
    """Logistic regression with a penalty:  minimise (1/n) Σ s_i (−log P(y_i | x_i)) + λ f(w).

    Two classes: P = 1/(1 + e^−η), w of shape (p,). Several: softmax of K linear predictors, w of shape (K, p), symmetric
    (no reference class), so that a penalty treats the classes alike.

    Parameters
    ----------
    penalty, fit_intercept, tol, max_iter
        As for PenalizedRegressor; max_iter counts Newton steps.

    Attributes
    ----------
    classes_ : (K,);  coef_ : (1, p) for two classes, else (K, p);  intercept_ : (1,) or (K,).
    duality_gap_, kkt_violation_, objective_, status_, penalty_, lambda_ : as for PenalizedRegressor.
    """

    def fit(self, X, y, sample_weight=None):
        """Fit on X (n, p) and class labels y (n,), rows weighted by `sample_weight` (n,) ≥ 0 if given."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        X, y, sample_weight = weighted_rows(X, y, sample_weight)
        loss, codes = self._encode_classes(y)
        self._fit_problem(Problem(X, codes, loss, sample_weight, self.fit_intercept))
        return self

    def _encode_classes(self, y):
        """(loss, codes): the classes are stored and y is numbered 0..K−1."""
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"expected at least two classes in y, got one class, {self.classes_[0]!r}: nothing to tell apart"
            )
        return ("logistic", codes.astype(float)) if len(self.classes_) == 2 else ("multinomial", codes)

    def _set_coef(self, coef, intercept):
        self.coef_, self.intercept_ = np.atleast_2d(coef), np.atleast_1d(intercept)

    def decision_function(self, X):
        """Linear predictors: (n,) for two classes, else (n, K)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        eta = X @ self.coef_.T + self.intercept_
        return eta[:, 0] if len(self.classes_) == 2 else eta

    def predict_proba(self, X):
        """Class probabilities, (n, K)."""
        eta = self.decision_function(X)
        if eta.ndim == 1:
            p = expit(eta)
            return np.column_stack([1.0 - p, p])
        return softmax(eta, axis=1)

    def predict_log_proba(self, X):
        """Logarithms of the class probabilities, (n, K)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X):
        """The most probable class, (n,)."""
        eta = self.decision_function(X)
        return self.classes_[(eta > 0).astype(int) if eta.ndim == 1 else eta.argmax(1)]
