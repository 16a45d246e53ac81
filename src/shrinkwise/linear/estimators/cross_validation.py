"""λ chosen by cross-validation: at the best held-out loss, or the strongest within one standard error of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import delayed
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from shrinkwise.linear.paths.grid import lambda_grid
from shrinkwise.linear.paths.solve import solve_all
from shrinkwise.linear.problem.checks import checked_grid, loss_of
from shrinkwise.linear.problem.fold_gram import FoldGrams
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.triangular_factor import FoldTriangles, Triangle
from shrinkwise.linear.problem.working_columns import is_tall
from shrinkwise.penalties import Penalty
from shrinkwise.selection import one_standard_error

from .penalized import LinearClassifier, PenalizedRegressor
from .progress import run_all
from .stability import stability_of

_DOC = """
    The grid of λ comes from all rows; each fold's path is fitted on the other folds and scored on the fold.

    Parameters
    ----------
    penalty : Penalty, optional
        f; its λ is replaced along the grid. None is L1.
    lambdas : decreasing grid, optional; else `n_lambdas` values down from λ_max to `lambda_min_ratio` λ_max (see `path`).
    cv : int, splitter or iterable of (train, test)
        Number of shuffled folds (stratified for classes, seeded by `random_state`), or any scikit-learn splitter: by
        groups, in the order of time, ...
    select : "1se" or "best"
        "1se": the strongest λ whose mean held-out loss is within one standard error (over folds) of the best one.
    stability : bool
        Also fit the chosen λ on 50 complementary pairs of half-samples (`stability_selection`) and keep how often each
        input is selected.
    fit_intercept, penalty_factors, tol, max_iter (loss, delta) : as for the estimator without CV.
    n_jobs : folds side by side, through joblib.
    random_state : int, shuffles the folds and the halves.
    verbose : draw a progress bar.

    Attributes
    ----------
    lambdas_ : (L,) decreasing;  cv_losses_ : (L, folds);  cv_mean_, cv_se_ : (L,) held-out loss and its standard error.
    index_best_, index_1se_, lambda_best_, lambda_1se_ : both choices;  lambda_ : the one kept.
    path_ : the Path on all rows;  coef_, intercept_ and the certificate as for the estimator without CV.
    stability_ : Stability;  selection_frequency_ : (p,);  stable_ : inputs selected in at least 90 % of the half-samples.
    """


@dataclass
class Rows:
    """Rows of data that go together."""

    X: Any
    y: np.ndarray
    weight: np.ndarray | None = None
    offset: np.ndarray | None = None

    def take(self, index) -> Rows:
        """Some of the rows."""
        weight, offset = (None if v is None else v[index] for v in (self.weight, self.offset))
        return Rows(self.X[index], self.y[index], weight, offset)

    def problem(self, loss, fit_intercept: bool) -> Problem:
        """The Problem of these rows."""
        return Problem(self.X, self.y, loss, self.weight, fit_intercept, self.offset)


@dataclass
class Task:
    """What is fitted on every fold; `grams` where the folds share their Gram matrices."""

    penalty: Penalty
    loss: Any
    fit_intercept: bool
    tol: float
    max_iter: int
    grams: FoldGrams | None = None

    def sharing(self, rows: Rows, folds) -> Task:
        """With the Gram matrices of these folds shared, where their solver wants them."""
        problem = rows.problem(self.loss, self.fit_intercept)
        pays = len(folds) > 2 and FoldGrams.pay(problem, self.penalty, min(len(train) for train, _ in folds))
        return replace(self, grams=FoldGrams(problem)) if pays else self


def fold_path(rows: Rows, train, task: Task, lambdas):
    """The Path of one training part."""
    problem = _training_part(rows, train, task)
    gram = None if task.grams is None else task.grams.without(train)
    return solve_all(problem, task.penalty, lambdas, task.tol, task.max_iter, gram=gram)


def _training_part(rows: Rows, train, task: Task) -> Problem:
    """The Problem of some rows; a large X is shared, and the others have weight 0."""
    X = rows.X
    if task.loss.name == "squared" or not is_tall(X):
        return rows.take(train).problem(task.loss, task.fit_intercept)
    train = np.flatnonzero(train) if np.asarray(train).dtype == bool else train
    weight = np.bincount(train, minlength=len(X)) * (1.0 if rows.weight is None else rows.weight)
    return Problem(X, rows.y, task.loss, weight, task.fit_intercept, rows.offset, keep_zeros=True)


def fold_losses(rows: Rows, fold, task: Task, lambdas) -> np.ndarray:
    """Held-out loss at every λ, (L,): squared error, log loss, or the loss itself."""
    train, test = fold
    if task.loss.name in ("logistic", "multinomial") and len(np.unique(rows.y[train])) < len(np.unique(rows.y)):
        raise ValueError("a class is missing from the training part of a fold: use fewer folds, or drop the rare class")
    fitted, held = fold_path(rows, train, task, lambdas), rows.take(test)
    scores = task.loss.score(held.y, fitted.predict(held.X, held.offset))
    scores = scores if scores.ndim == 2 else scores.mean(-1)
    return np.average(scores, axis=1, weights=held.weight)


def cross_validated_losses(rows: Rows, folds, task: Task, lambdas, n_jobs=None, verbose: bool = False) -> np.ndarray:
    """(L, folds) held-out losses."""
    folds = list(folds)
    task = task.sharing(rows, folds)
    calls = (delayed(fold_losses)(rows, fold, task, lambdas) for fold in folds)
    return np.array(run_all(calls, n_jobs, "folds", verbose)).T


def triangle_losses(triangles: FoldTriangles, task: Task, lambdas) -> np.ndarray:
    """`cross_validated_losses` of least squares of many rows, from the triangular factors of the folds alone."""
    losses = []
    for known, held in zip(triangles.known, triangles.held, strict=True):
        fitted = solve_all(known.problem(task.fit_intercept), task.penalty, lambdas, task.tol, task.max_iter)
        intercepts = known.intercepts(fitted.coefs) if task.fit_intercept else fitted.intercepts
        losses.append(held.mean_squared_errors(fitted.coefs, intercepts))
    return np.array(losses).T


def fold_curve(losses) -> tuple[np.ndarray, np.ndarray]:
    """Mean over folds and its standard error (NaN with a single fold), both (L,)."""
    folds = losses.shape[1]
    se = losses.std(1, ddof=1) / np.sqrt(folds) if folds > 1 else np.full(len(losses), np.nan)
    return losses.mean(1), se


def chosen(mean, se, select: str) -> int:
    """Index of the λ to keep on a decreasing grid."""
    if select not in ("1se", "best"):
        raise ValueError(f'expected select="1se" or "best", got {select!r}')
    best, within = one_standard_error(mean, se)
    return within if select == "1se" else best


class _CrossValidated:
    """The choice of λ, shared by regressor and classifier."""

    select: str
    lambdas: Any
    n_lambdas: int
    lambda_min_ratio: float | None
    cv: Any
    stability: bool
    fit_intercept: bool
    tol: float
    max_iter: int
    n_jobs: int | None
    random_state: Any
    verbose: bool
    _checked_penalty: Any
    _keep: Any

    def _choose(self, rows: Rows, loss, groups, cv):
        if self.select not in ("1se", "best"):
            raise ValueError(f'expected select="1se" or "best", got {self.select!r}')
        penalty = self._checked_penalty(rows.X.shape[1])
        problem = rows.problem(loss, self.fit_intercept)
        task = Task(penalty, problem.loss, self.fit_intercept, self.tol, self.max_iter)
        folds = list(self._splitter(cv, rows.y).split(rows.X, rows.y, groups))
        triangles = FoldTriangles(rows, folds) if Triangle.pays(problem) else None
        whole = None if triangles is None else triangles.whole
        if self.lambdas is None:
            of = problem if whole is None else whole.problem(self.fit_intercept)
            lambdas = lambda_grid(of, penalty, self.n_lambdas, self.lambda_min_ratio)
        else:
            lambdas = checked_grid(self.lambdas)
        if triangles is None:
            self.cv_losses_ = cross_validated_losses(rows, folds, task, lambdas, self.n_jobs, self.verbose)
        else:
            self.cv_losses_ = triangle_losses(triangles, task, lambdas)
        self.path_ = solve_all(problem, penalty, lambdas, self.tol, self.max_iter, triangle=whole)
        self.lambdas_ = self.path_.lambdas
        self.cv_mean_, self.cv_se_ = fold_curve(self.cv_losses_)
        self.index_best_, self.index_1se_ = one_standard_error(self.cv_mean_, self.cv_se_)
        self.lambda_best_ = float(self.lambdas_[self.index_best_])
        self.lambda_1se_ = float(self.lambdas_[self.index_1se_])
        index = self.index_1se_ if self.select == "1se" else self.index_best_
        self.penalty_ = penalty.with_lam(float(self.lambdas_[index]))
        self._keep(self.path_, index, problem)
        if self.stability:
            self._find_stable(problem)

    def _find_stable(self, problem):
        self.stability_ = stability_of(
            problem,
            self.penalty_,
            tol=self.tol,
            max_iter=self.max_iter,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
            verbose=self.verbose,
        )
        self.selection_frequency_, self.stable_ = self.stability_.frequencies, self.stability_.stable

    def _splitter(self, cv, y):
        if isinstance(cv, (int, np.integer)):
            if cv < 2:
                raise ValueError(f"expected cv ≥ 2 folds, got {cv}")
            kind = StratifiedKFold if hasattr(self, "classes_") else KFold
            return kind(cv, shuffle=True, random_state=self.random_state)
        return check_cv(cv, y, classifier=hasattr(self, "classes_"))


class PenalizedRegressorCV(_CrossValidated, PenalizedRegressor):  # noqa: D101 (its docstring is shared)
    __doc__ = "Regression with a penalty whose λ is chosen by cross-validation of the loss.\n" + _DOC

    def __init__(
        self,
        penalty=None,
        *,
        loss="squared",
        delta=1.35,
        penalty_factors=None,
        lambdas=None,
        n_lambdas=100,
        lambda_min_ratio=None,
        cv=10,
        select="1se",
        stability=False,
        fit_intercept=True,
        tol=1e-6,
        max_iter=10_000,
        n_jobs=None,
        random_state=0,
        verbose=False,
    ):
        super().__init__(
            penalty,
            loss=loss,
            delta=delta,
            penalty_factors=penalty_factors,
            fit_intercept=fit_intercept,
            tol=tol,
            max_iter=max_iter,
        )
        self.lambdas = lambdas
        self.n_lambdas = n_lambdas
        self.lambda_min_ratio = lambda_min_ratio
        self.cv = cv
        self.select = select
        self.stability = stability
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None, groups=None, offset=None):
        """Choose λ and fit on all rows; `groups` goes to the splitter."""
        rows = Rows(*self._checked(X, y, sample_weight, offset))
        self._choose(rows, self._loss(), present_groups(groups, sample_weight), present_folds(self.cv, sample_weight))
        return self


class PenalizedClassifierCV(_CrossValidated, LinearClassifier):  # noqa: D101
    __doc__ = "Logistic regression with a penalty whose λ is chosen by cross-validation of the log loss.\n" + _DOC

    def __init__(
        self,
        penalty=None,
        *,
        penalty_factors=None,
        lambdas=None,
        n_lambdas=100,
        lambda_min_ratio=None,
        cv=10,
        select="1se",
        stability=False,
        fit_intercept=True,
        tol=1e-6,
        max_iter=10_000,
        n_jobs=None,
        random_state=0,
        verbose=False,
    ):
        super().__init__(
            penalty, penalty_factors=penalty_factors, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter
        )
        self.lambdas = lambdas
        self.n_lambdas = n_lambdas
        self.lambda_min_ratio = lambda_min_ratio
        self.cv = cv
        self.select = select
        self.stability = stability
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None, groups=None, offset=None):
        """Choose λ and fit on all rows; `groups` goes to the splitter."""
        X, codes, sample_weight_left, offset, loss = self._checked(X, y, sample_weight, offset)
        rows = Rows(X, codes, sample_weight_left, offset)
        self._choose(rows, loss_of(loss), present_groups(groups, sample_weight), present_folds(self.cv, sample_weight))
        return self


def present_groups(groups, sample_weight):
    """The groups of the rows with weight above 0."""
    if groups is None or sample_weight is None or np.ndim(sample_weight) == 0:
        return groups
    return np.asarray(groups)[np.asarray(sample_weight) > 0]


def present_folds(cv, sample_weight):
    """`cv`; where it lists row numbers, in the numbers that the rows with weight above 0 have among themselves."""
    if cv is None or isinstance(cv, (int, np.integer)) or hasattr(cv, "split"):
        return cv
    if sample_weight is None or np.ndim(sample_weight) == 0:
        return cv
    present = np.asarray(sample_weight) > 0
    number, rows = np.cumsum(present) - 1, np.arange(len(present))
    folds = [tuple(rows[part] for part in fold) for fold in cv]
    return [tuple(number[part[present[part]]] for part in fold) for fold in folds]
