"""λ chosen by cross-validation: at the best held-out loss, or the strongest within one standard error of it."""

from __future__ import annotations

import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils.validation import validate_data

from ..penalties import L1
from ..selection import one_standard_error
from .estimators import PenalizedClassifier, PenalizedRegressor, weighted_rows
from .path import lambda_grid, path
from .problem import Problem

_DOC = """
    The grid of λ comes from all rows; each fold's path is fitted on the other folds and scored on the fold.

    Parameters
    ----------
    penalty : Penalty, optional
        f; its λ is replaced along the grid. None is L1.
    lambdas : decreasing grid, optional; else `n_lambdas` values down from λ_max to `lambda_min_ratio` λ_max (see `path`).
    cv : int, splitter or iterable of (train, test)
        Number of shuffled folds (stratified for classes, seeded by `random_state`), or any scikit-learn splitter.
    select : "1se" or "best"
        "1se": the strongest λ whose mean held-out loss is within one standard error (over folds) of the best one.
    fit_intercept, tol, max_iter : as for the estimator without CV.
    n_jobs : folds side by side, through joblib.
    random_state : int, shuffles the folds.

    Attributes
    ----------
    lambdas_ : (L,) decreasing;  cv_losses_ : (L, folds);  cv_mean_, cv_se_ : (L,) held-out loss and its standard error.
    index_best_, index_1se_, lambda_best_, lambda_1se_ : both choices;  lambda_ : the one kept.
    path_ : the Path on all rows;  coef_, intercept_ and the certificate as for the estimator without CV.
    """


class _CrossValidated:
    """The choice of λ, shared by regressor and classifier."""

    def _choose(self, X, y, loss, sample_weight, groups):
        if self.select not in ("1se", "best"):
            raise ValueError(f'expected select="1se" or "best", got {self.select!r}')
        penalty = self._checked_penalty() or L1(1.0)
        problem = Problem(X, y, loss, sample_weight, self.fit_intercept)
        lambdas = self.lambdas
        if lambdas is None:
            lambdas = lambda_grid(problem, penalty, self.n_lambdas, self.lambda_min_ratio)
        settings = {"loss": loss, "fit_intercept": self.fit_intercept, "tol": self.tol, "max_iter": self.max_iter}
        folds = list(self._splitter(y).split(X, y, groups))
        losses = Parallel(n_jobs=self.n_jobs)(
            delayed(_fold_losses)(X, y, penalty, lambdas, sample_weight, fold, settings) for fold in folds
        )
        self.path_ = path(X, y, penalty, lambdas=lambdas, sample_weight=sample_weight, **settings)
        self.lambdas_ = self.path_.lambdas
        self.cv_losses_ = np.array(losses).T
        self.cv_mean_ = self.cv_losses_.mean(1)
        self.cv_se_ = self.cv_losses_.std(1, ddof=1) / np.sqrt(len(folds))
        self.index_best_, self.index_1se_ = one_standard_error(self.cv_mean_, self.cv_se_)
        self.lambda_best_ = float(self.lambdas_[self.index_best_])
        self.lambda_1se_ = float(self.lambdas_[self.index_1se_])
        index = self.index_1se_ if self.select == "1se" else self.index_best_
        self.penalty_ = penalty.with_lam(float(self.lambdas_[index]))
        self._keep(self.path_, index, problem)

    def _splitter(self, y):
        if isinstance(self.cv, (int, np.integer)):
            if self.cv < 2:
                raise ValueError(f"expected cv ≥ 2 folds, got {self.cv}")
            kind = StratifiedKFold if hasattr(self, "classes_") else KFold
            return kind(self.cv, shuffle=True, random_state=self.random_state)
        return check_cv(self.cv, y, classifier=hasattr(self, "classes_"))


def _fold_losses(X, y, penalty, lambdas, sample_weight, fold, settings):
    """Held-out loss at every λ, (L,): squared error, or log loss."""
    train, test = fold
    weight = None if sample_weight is None else sample_weight[train]
    if settings["loss"] != "squared" and len(np.unique(y[train])) < len(np.unique(y)):
        raise ValueError("a class is missing from the training part of a fold: use fewer folds, or drop the rare class")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = path(X[train], y[train], penalty, lambdas=lambdas, sample_weight=weight, **settings)
    scores = Problem(X[test], y[test], settings["loss"]).loss.score(y[test], fitted.predict(X[test]))
    return np.average(scores, axis=1, weights=None if sample_weight is None else sample_weight[test])


class PenalizedRegressorCV(_CrossValidated, PenalizedRegressor):  # noqa: D101 (its docstring is shared)
    __doc__ = "Least squares with a penalty whose λ is chosen by cross-validation of the squared error.\n" + _DOC

    def __init__(
        self,
        penalty=None,
        *,
        lambdas=None,
        n_lambdas=100,
        lambda_min_ratio=None,
        cv=10,
        select="1se",
        fit_intercept=True,
        tol=1e-6,
        max_iter=10_000,
        n_jobs=None,
        random_state=0,
    ):
        super().__init__(penalty, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter)
        self.lambdas = lambdas
        self.n_lambdas = n_lambdas
        self.lambda_min_ratio = lambda_min_ratio
        self.cv = cv
        self.select = select
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose λ and fit on all rows; `groups` goes to the splitter."""
        X, y = validate_data(self, X, y, y_numeric=True, dtype=np.float64)
        X, y, sample_weight = weighted_rows(X, y, sample_weight)
        self._choose(X, np.asarray(y, dtype=float), "squared", sample_weight, groups)
        return self


class PenalizedClassifierCV(_CrossValidated, PenalizedClassifier):  # noqa: D101
    __doc__ = "Logistic regression with a penalty whose λ is chosen by cross-validation of the log loss.\n" + _DOC

    def __init__(
        self,
        penalty=None,
        *,
        lambdas=None,
        n_lambdas=100,
        lambda_min_ratio=None,
        cv=10,
        select="1se",
        fit_intercept=True,
        tol=1e-6,
        max_iter=10_000,
        n_jobs=None,
        random_state=0,
    ):
        super().__init__(penalty, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter)
        self.lambdas = lambdas
        self.n_lambdas = n_lambdas
        self.lambda_min_ratio = lambda_min_ratio
        self.cv = cv
        self.select = select
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose λ and fit on all rows; `groups` goes to the splitter."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        X, y, sample_weight = weighted_rows(X, y, sample_weight)
        loss, codes = self._encode_classes(y)
        self._choose(X, codes, loss, sample_weight, groups)
        return self
