"""Logistic regression with an L1 penalty under scikit-learn's names: C, l1_ratio, class_weight, Cs."""

from __future__ import annotations

import numbers
import warnings
from inspect import signature

import numpy as np
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, make_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_is_fitted

from shrinkwise.linear.estimators.classifier import LinearClassifier
from shrinkwise.linear.estimators.samples import Samples, class_weighted, folds_of, present_folds, present_groups
from shrinkwise.linear.estimators.validation.curve import chosen
from shrinkwise.linear.estimators.validation.folds import FoldTask, check_classes, fold_path
from shrinkwise.linear.paths.api import solve_one
from shrinkwise.linear.paths.streamed import refuse_rows
from shrinkwise.linear.problem.checks import check_settings, finite_numbers, loss_of
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.separation import separation_of
from shrinkwise.selection import check_select

from .path_functions import elastic_net


class SparseLogisticRegression(LinearClassifier):
    """minimise  C Σ s_i (−log P(y_i | x_i)) + ρ ‖w‖₁ + ½ (1 − ρ) ‖w‖²: LogisticRegression with ``l1_ratio=1``, certified.

    The intercept is not penalised (scikit-learn's liblinear penalises it, its saga does not). In this package's scale
    λ = 1/(C Σ s_i). Several classes are the symmetric multinomial model.

    Parameters
    ----------
    C : float > 0
        Inverse of the regularization strength; ∞ means no penalty.
    l1_ratio : float in [0, 1]
        ρ; 1 is the lasso.
    fit_intercept : bool
    class_weight : "balanced", dict or None
        Factors > 0 of the sample weights; a class of weight 0 has no finite intercept and is refused.
    tol : float
        The relative duality gap to reach is tol², but not below 1e-12: scikit-learn compares the gradient with `tol`,
        and a gap is of the order of the squared gradient.
    max_iter : int
        Maximum number of Newton steps.
    dual, intercept_scaling, random_state, solver, verbose, warm_start, n_jobs
        Accepted and without effect: a fit does not depend on its start, and there is one solver.

    Attributes
    ----------
    classes_;  coef_ : (1, p) or (K, p);  intercept_;  n_iter_ : (1,);  duality_gap_, kkt_violation_, status_, lambda_.
    """

    def __init__(
        self,
        *,
        C=1.0,
        l1_ratio=1.0,
        dual=False,
        tol=1e-4,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="newton",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
    ):
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    _dtype = np.dtype(float)

    @property
    def penalty(self):
        """ "l1" where the penalty makes zeros: scikit-learn's SelectFromModel then keeps the non-zero coefficients."""
        return "l1" if np.max(self.l1_ratio) > 0 else None

    def fit(self, X, y=None, sample_weight=None):
        """Fit on X (n, p) and class labels y (n,)."""
        refuse_rows(X, "SparseLogisticRegression", "use PenalizedClassifier with a penalty such as shrinkwise.L1(0.1)")
        X, codes, sample_weight, _, loss = self._checked(X, y, sample_weight)
        self._dtype = X.dtype
        weight = class_weighted(self.class_weight, self.classes_[codes.astype(int)], sample_weight)
        penalty = elastic_net(lambda_of(self.C, weight), self.l1_ratio, False)
        check_settings(penalty, self.tol, self.max_iter)
        problem = Problem(X, codes, loss, weight, self.fit_intercept)
        self._keep_named(problem, penalty, solve_one(problem, penalty, gap_of(self.tol), self.max_iter))
        return self

    def sparsify(self):
        """Store coef_ as a scipy.sparse CSR array; predictions stay the same."""
        check_is_fitted(self)
        self.coef_ = csr_array(self.coef_)
        return self

    def densify(self):
        """Store coef_ as a NumPy array again."""
        check_is_fitted(self)
        self.coef_ = self.coef_.toarray() if hasattr(self.coef_, "toarray") else self.coef_
        return self

    def _keep_named(self, problem, penalty, fitted):
        coef, intercept = fitted.coefficients[0], fitted.intercepts[0]
        if (
            len(self.classes_) > 2
        ):  # the same number added to all classes changes nothing: they sum to 0, as in scikit-learn
            intercept = intercept - intercept.mean()
            coef = coef if penalty.lam > 0 else coef - coef.mean(0)
        self._set_coef(coef.astype(self._dtype), np.asarray(intercept, dtype=self._dtype))
        self.lambda_, self.n_iter_ = float(penalty.lam), fitted.n_iter[:1]
        self.duality_gap_, self.kkt_violation_ = float(fitted.gaps[0]), float(fitted.kkt[0])
        self.status_ = fitted.status[0]
        if not fitted.solved[0]:
            if penalty.lam > 0 and separation_of(problem):
                self.status_ += "; the classes are separable, so use a smaller C to keep the weights finite"
            warnings.warn(f"{type(self).__name__}: {self.status_}", ConvergenceWarning, stacklevel=3)


def gap_of(tol: float) -> float:
    """The relative duality gap that corresponds to `tol` on a gradient: tol², but not below 1e-12 unless tol itself
    is."""
    return min(tol, max(tol * tol, 1e-12))


def lambda_of(C, weight) -> float:
    """λ = 1/(C Σ s); 0 for C = ∞."""
    if isinstance(C, bool) or not isinstance(C, numbers.Real) or not float(C) > 0:
        raise ValueError(f"Expected C (the inverse of the regularization strength) to be > 0, got {C!r}")
    return 1.0 / (float(C) * float(np.sum(weight)))


class SparseLogisticRegressionCV(SparseLogisticRegression):
    """SparseLogisticRegression with C selected by cross-validation, by default of the log loss.

    Parameters
    ----------
    Cs : int or array
        Number of values of C between 1e-4 and 1e4, or a list of values.
    l1_ratio, l1_ratios : float, or a list of them to choose from
        ρ; `l1_ratios`, scikit-learn's name, takes precedence if given.
    fit_intercept, class_weight, tol, max_iter : as for `SparseLogisticRegression`.
    refit : bool
        Refit on all rows with the selected values; False averages the coefficients and C of the folds, each at its own
        best score.
    use_legacy_attributes
        Only False: the attributes are numbers and arrays, not dicts of classes.
    cv : int, splitter or None
        None uses 5 stratified folds in row order, as scikit-learn does.
    scoring : scorer name or callable, optional
    select : "best" or "1se"
        "1se" selects the smallest C whose score is within one standard error of the best.
    n_jobs, verbose, random_state, solver, dual, intercept_scaling : accepted and without effect.

    Attributes
    ----------
    Cs_ : (L,) increasing;  l1_ratios_ : (R,).
    scores_ : (folds, L), or (folds, R, L) for a list of ratios; larger is better.
    coefs_paths_ : (folds, L, K, p + 1), or (folds, R, L, K, p + 1), the intercept, if any, last; K = 1 for two
        classes.  n_iter_ : like scores_.
    C_, l1_ratio_ : the selected values;  coef_, intercept_ and, with `refit`, the certificate.
    """

    def __init__(
        self,
        *,
        Cs=10,
        l1_ratio=1.0,
        fit_intercept=True,
        cv=None,
        dual=False,
        scoring=None,
        solver="newton",
        tol=1e-4,
        max_iter=100,
        class_weight=None,
        n_jobs=None,
        verbose=0,
        intercept_scaling=1.0,
        random_state=None,
        select="best",
        l1_ratios=None,
        refit=True,
        use_legacy_attributes=False,
    ):
        self.l1_ratios = l1_ratios
        self.refit = refit
        self.use_legacy_attributes = use_legacy_attributes
        self.Cs = Cs
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.select = select

    def fit(self, X, y=None, sample_weight=None, *, groups=None):
        """Select C and fit on all rows; `groups` is passed to the splitter."""
        refuse_rows(X, "SparseLogisticRegressionCV", "use PenalizedClassifierCV, with cv a number of folds")
        if self.use_legacy_attributes:
            raise ValueError(
                "Expected use_legacy_attributes=False, because the legacy attributes (dicts by class) are not provided"
            )
        check_select(self.select)
        groups = present_groups(groups, sample_weight, y)
        cv = present_folds(self.cv, sample_weight)
        X, codes, sample_weight, _, loss = self._checked(X, y, sample_weight)
        self._dtype = X.dtype
        labels = self.classes_[codes.astype(int)]
        samples = Samples(X, codes, class_weighted(self.class_weight, labels, sample_weight))
        integer = isinstance(self.Cs, numbers.Integral)
        self.Cs_ = np.logspace(-4, 4, self.Cs) if integer else np.sort(np.atleast_1d(np.asarray(self.Cs, dtype=float)))
        given = self.l1_ratio if self.l1_ratios is None else self.l1_ratios
        self.l1_ratios_ = np.atleast_1d(finite_numbers(given, "l1_ratios"))
        folds = folds_of(check_cv(cv, labels, classifier=True), X, labels, groups)
        scores, coefs = self._over_folds(samples, labels, folds, loss)
        ratio, c = self._best(scores, folds)
        shape = slice(None) if np.ndim(given) else 0
        self.scores_, self.coefs_paths_ = scores[:, shape], coefs[:, shape]
        n_iter = np.array(self._n_iter).reshape(scores.shape)[:, shape]
        del self._n_iter
        if not self.refit:
            self.n_iter_ = n_iter
            return self._average(scores, coefs)
        self.l1_ratio_, self.C_ = float(self.l1_ratios_[ratio]), float(self.Cs_[c])
        problem = samples.problem(loss, self.fit_intercept)
        penalty = elastic_net(lambda_of(self.C_, samples.weight), self.l1_ratio_, False)
        self._keep_named(problem, penalty, solve_one(problem, penalty, gap_of(self.tol), self.max_iter))
        self.n_iter_ = n_iter
        return self

    def _over_folds(self, samples: Samples, labels, folds, loss):
        """Scores (folds, R, L) and coefficients (folds, R, L, K, p + 1)."""
        scores: list = []
        coefs: list = []
        self._n_iter: list = []
        for fold in folds:
            found = []
            for ratio in self.l1_ratios_:
                penalty = elastic_net(1.0, float(ratio), False)
                check_settings(penalty, self.tol, self.max_iter)
                task = FoldTask(penalty, loss_of(loss), self.fit_intercept, gap_of(self.tol), self.max_iter)
                found.append(self._on_fold(samples, labels, fold, task))
            scores.append([score for score, _ in found])
            coefs.append([coef for _, coef in found])
        return np.array(scores), np.array(coefs)

    def _on_fold(self, samples: Samples, labels, fold, task: FoldTask):
        """Score of every C (L,) on one fold, and the coefficients (L, K, p + 1)."""
        train, test = fold
        check_classes(samples.y, train)
        lambdas = np.array([lambda_of(C, np.asarray(samples.weight)[train]) for C in self.Cs_])
        fitted = fold_path(samples, train, task, lambdas)
        w = fitted.coefs.reshape(len(fitted), -1, samples.X.shape[1])
        intercepts = fitted.intercepts.reshape(len(fitted), -1, 1)
        coefs = np.concatenate([w, intercepts], axis=2) if self.fit_intercept else w
        self._n_iter.append(fitted.n_iter)
        if self.scoring is None:
            held = samples.take(test)
            return -np.average(task.loss.score(held.y, fitted.predict(held.X)), axis=1, weights=held.weight), coefs
        scorer, model, found = self._scorer(), SparseLogisticRegression(), []
        model.classes_, model.n_features_in_ = self.classes_, samples.X.shape[1]
        for point in fitted:
            model._set_coef(point.coef, point.intercept)
            found.append(scorer(model, samples.X[test], labels[test]))
        return np.array(found), coefs

    def _best(self, scores, folds) -> tuple[int, int]:
        """(index of the ratio with the best mean score, index of the selected C for it)."""
        ratio = int(np.argmax(scores.mean(0).max(1)))
        return ratio, chosen(-scores[:, ratio].T, folds, self.select)

    def _average(self, scores, coefs):
        """The mean over folds of C, ratio and coefficients, each fold at its own best score."""
        flat = scores.reshape(len(scores), -1).argmax(1)
        ratio, c = np.unravel_index(flat, scores.shape[1:])
        self.C_, self.l1_ratio_ = float(self.Cs_[c].mean()), float(self.l1_ratios_[ratio].mean())
        mean = coefs[np.arange(len(scores)), ratio, c].mean(0)
        p = self.n_features_in_
        self.coef_, self.intercept_ = mean[:, :p], mean[:, p] if self.fit_intercept else np.zeros(len(mean))
        return self

    def score(self, X, y, sample_weight=None, *, offset=None):
        """The score that `scoring` names; accuracy by default."""
        check_is_fitted(self)
        if self.scoring is None:
            return super().score(X, y, sample_weight, offset=offset)
        if offset is not None:
            raise ValueError("A scorer takes no offset: score with scoring=None, or without offset")
        return self._scorer()(self, X, y, **({} if sample_weight is None else {"sample_weight": sample_weight}))

    def _scorer(self):
        """The scorer of `scoring`; if it takes labels it is given all classes, because a test part may lack one."""
        scorer = check_scoring(self, scoring=self.scoring)
        function = getattr(scorer, "_score_func", None)
        if function is None or "labels" not in signature(function).parameters or "labels" in scorer._kwargs:
            return scorer
        known = {"labels": self.classes_, **scorer._kwargs}
        if len(self.classes_) == 2 and "pos_label" in signature(function).parameters:
            known.setdefault("pos_label", self.classes_[1])
        better = scorer._sign == 1
        return make_scorer(function, greater_is_better=better, response_method=scorer._response_method, **known)
