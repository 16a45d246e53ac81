"""λ selected by cross-validation: the one with the best held-out loss, or the largest within one standard error of
it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from shrinkwise.linear.paths.grid import check_depends_on_lambda, lambda_grid
from shrinkwise.linear.paths.relaxed import relax
from shrinkwise.linear.paths.solve import solve_all
from shrinkwise.linear.paths.streamed import refuse_beside_rows
from shrinkwise.linear.problem.checks import check_dfmax, check_patience, checked_grid
from shrinkwise.linear.problem.triangular_factor import FoldTriangles, Triangle
from shrinkwise.selection import check_select, independent_folds
from shrinkwise.streaming import are_rows

from .classifier import PenalizedClassifier
from .on_rows import choose_on_rows
from .penalized import PenalizedRegressor
from .samples import Samples, folds_of, present_folds, present_groups
from .stability import stability_of
from .validation.curve import ValidationCurve, checked_gammas
from .validation.folds import FoldTask, cross_validated_blends, triangle_losses
from .validation.scoring import HeldOutScore

_DOC = """
    The grid of λ comes from all rows; for each fold a path is fitted on the other folds and scored on this one.

    Parameters
    ----------
    penalty : Penalty, or a list of them, optional
        f; its λ is replaced along the grid. "l1" (or None) is L1. Of a list, such as elastic nets with several l1_ratio or MCP
        with several γ, the penalty with the best held-out loss is selected, then its λ.
    lambdas : decreasing grid, optional; by default `n_lambdas` values down from λ_max to `lambda_min_ratio` λ_max (see
        `path`).
    cv : int, splitter or iterable of (train, test)
        Number of shuffled folds (stratified for classes, seeded by `random_state`), or any scikit-learn splitter: by
        groups, by time, ... For rows in blocks the number of folds; the fold of a row is a hash of its number, or of its group.
    select : "1se" or "best"
        "1se" selects the largest λ whose mean held-out loss is within one standard error (over folds) of the best one.
    scoring : None, name of a scikit-learn scorer or callable
        What is maximised on held-out rows, with their sample weights; None is minus the loss. `cv_losses_` is minus the score.
    relaxed : bool or list of γ in [0, 1]
        Also select γ of the blend γ · fit + (1 − γ) · unpenalised refit on its support; True tries 0, 0.25, 0.5, 0.75 and 1.
    dfmax : int, optional
        The path ends before the first λ whose solution has more non-zero inputs.
    patience : int, optional
        The grid ends once the mean held-out loss has not fallen for so many λ; the best λ is then the best so far. Smaller
        λ, which take most of the time, are not solved where the folds are fitted one by one (`n_jobs` None or 1); all
        folds are then in memory together. A quarter of `n_lambdas` changed none of 150 choices on eight tables.
    stability : bool
        Also fit the selected λ on 50 complementary pairs of half-samples (`stability_selection`) and store how often
        each input is selected.
    loss, fit_intercept, penalty_factors, standardize, interactions, tol,
    max_iter (delta, class_weight) : as for the estimator without CV.
        `standardize` uses the standard deviations over all rows in every fold.
    n_jobs : number of folds fitted in parallel, with joblib.
    random_state : int, the seed for shuffling folds and half-samples.
    verbose : show a progress bar.

    Attributes
    ----------
    lambdas_ : (L,) decreasing;  cv_losses_ : (L, folds);  cv_mean_, cv_se_ : (L,) held-out loss and its standard error.
    index_best_, index_1se_, lambda_best_, lambda_1se_ : both choices;  lambda_ : the selected one.
    curves_ : the ValidationCurve of every penalty and γ;  relaxed_gamma_ : the selected γ, 1 for the penalised fit.
    path_ : the Path on all rows;  coef_, intercept_ and the certificate as for the estimator without CV.
    stability_ : Stability;  selection_frequency_ : (p,);  stable_ : inputs selected in at least 90 % of the half-samples.
    """


class CrossValidated:
    """The selection of λ, shared by regressor and classifier."""

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
    penalty: Any
    scoring: Any = None
    relaxed: Any = False
    dfmax: int | None = None
    patience: int | None = None
    _scaled: Any
    _penalty_of: Any
    _keep: Any
    _fitted_names: Any
    status_: str

    def _choose(self, samples: Samples, loss, groups, cv):
        check_select(self.select)
        check_dfmax(self.dfmax)
        check_patience(self.patience)
        if self.scoring is not None and samples.offset is not None:
            raise ValueError("A scorer cannot pass an offset to predict; use scoring=None with an offset")
        samples = self._scaled(samples)
        penalties = [self._penalty_of(each, samples) for each in self._penalties()]
        for penalty in penalties:
            check_depends_on_lambda(penalty)
        problem = samples.problem(loss, self.fit_intercept)
        folds = folds_of(self._splitter(cv, samples.y), samples.X, samples.y, groups)
        blends = checked_gammas(self.relaxed)
        plain = self.scoring is None and blends == (1.0,)
        scored = None if self.scoring is None else HeldOutScore(self, self.scoring)
        triangles = FoldTriangles.of(samples, folds) if plain and Triangle.pays(problem) else None
        curves = []
        for penalty in penalties:
            task = FoldTask(
                penalty, problem.loss, self.fit_intercept, self.tol, self.max_iter, None, blends, scored, self.patience
            )
            curves += self._curves(problem, samples, folds, triangles, task)
        self.curves_ = curves
        self._keep_curve(min(curves, key=lambda curve: curve.mean[curve.index_best]))
        if self.stability:
            self._find_stable(problem)

    def _penalties(self) -> list:
        several = isinstance(self.penalty, (list, tuple))
        if several and not self.penalty:
            raise ValueError("Expected at least one penalty, got an empty list")
        return list(self.penalty) if several else [self.penalty]

    def _curves(self, problem, samples: Samples, folds, triangles, task: FoldTask) -> list[ValidationCurve]:
        """The curve of every blend of one penalty."""
        whole = None if triangles is None else triangles.whole
        if self.lambdas is None:
            of = problem if whole is None else whole.problem(self.fit_intercept)
            lambdas = lambda_grid(of, task.penalty, self.n_lambdas, self.lambda_min_ratio)
        else:
            lambdas = checked_grid(self.lambdas)
        early = None
        if self.patience is not None:  # the folds say where the grid ends
            early = self._held_out(samples, folds, triangles, task, lambdas)
            lambdas = lambdas[: early.shape[1]]
        path = solve_all(problem, task.penalty, lambdas, self.tol, self.max_iter, triangle=whole, dfmax=self.dfmax)
        path.column_names = self._fitted_names()
        if early is None:
            losses = self._held_out(samples, folds, triangles, task, path.lambdas)
        else:
            losses = early[:, : len(path)]
        if task.gammas != (1.0,):
            path.refit = relax(path)
        independent = independent_folds([test for _, test in folds])
        return [
            ValidationCurve(path.relaxed(gamma) if gamma < 1 else path, held, independent, self.select, gamma)
            for gamma, held in zip(task.gammas, losses, strict=True)
        ]

    def _held_out(self, samples: Samples, folds, triangles, task: FoldTask, lambdas) -> np.ndarray:
        """(G, L, folds) held-out losses of every blend, L up to where patience ends."""
        if triangles is None:
            return cross_validated_blends(samples, folds, task, lambdas, self.n_jobs, self.verbose)
        return triangle_losses(triangles, task, lambdas)[None]

    def _keep_curve(self, curve: ValidationCurve):
        self.curve_, self.path_, self.lambdas_ = curve, curve.path, curve.path.lambdas
        self.cv_losses_, self.cv_mean_, self.cv_se_ = curve.losses, curve.mean, curve.se
        self.index_best_, self.index_1se_ = curve.index_best, curve.index_one_se
        self.relaxed_gamma_ = curve.gamma
        self.lambda_best_ = float(self.lambdas_[self.index_best_])
        self.lambda_1se_ = float(self.lambdas_[self.index_1se_])
        self.penalty_ = curve.path.penalty.with_lam(float(self.lambdas_[curve.index]))
        self._keep(curve.kept, curve.path.data)
        self.status_ += curve.edge

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

    def plot(self, ax=None):
        """Draw the cross-validation curve with both choices of λ; `path_.plot()` draws the coefficients."""
        from shrinkwise.figures import validation_curve

        marks = {"best": self.lambda_best_, "one standard error": self.lambda_1se_}
        label = "held-out loss" if self.scoring is None else f"minus the held-out score ({self.scoring})"
        count = self.path_.n_nonzero
        return validation_curve(
            self.lambdas_, self.cv_mean_, self.cv_se_, n_nonzero=count, marks=marks, ylabel=label, ax=ax
        )

    def _splitter(self, cv, y):
        classes = hasattr(self, "classes_") and np.ndim(y) == 1
        if isinstance(cv, (int, np.integer)):
            if cv < 2:
                raise ValueError(f"Expected cv to be at least 2 folds, got {cv}")
            kind = StratifiedKFold if classes else KFold
            return kind(cv, shuffle=True, random_state=self.random_state)
        return check_cv(cv, y, classifier=classes)


class PenalizedRegressorCV(CrossValidated, PenalizedRegressor):  # noqa: D101 (its docstring is shared)
    __doc__ = "Regression with a penalty whose λ is selected by cross-validation of the loss.\n" + _DOC

    def __init__(
        self,
        penalty="l1",
        *,
        loss="squared",
        delta=1.35,
        penalty_factors=None,
        lambdas=None,
        n_lambdas=100,
        lambda_min_ratio=None,
        cv=10,
        select="1se",
        scoring=None,
        relaxed=False,
        dfmax=None,
        patience=None,
        stability=False,
        standardize=False,
        interactions=None,
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
            standardize=standardize,
            interactions=interactions,
            fit_intercept=fit_intercept,
            tol=tol,
            max_iter=max_iter,
        )
        self.lambdas = lambdas
        self.n_lambdas = n_lambdas
        self.lambda_min_ratio = lambda_min_ratio
        self.cv = cv
        self.select = select
        self.scoring = scoring
        self.relaxed = relaxed
        self.dfmax = dfmax
        self.patience = patience
        self.stability = stability
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None, sample_weight=None, *, groups=None, offset=None):
        """Choose λ and fit on all rows; `groups` (n,) goes to the splitter, the rest is as for the estimator without CV."""
        if are_rows(X):
            refuse_beside_rows(y=y, sample_weight=sample_weight, groups=groups, offset=offset)
            return choose_on_rows(self, X, self._loss())
        groups = present_groups(groups, sample_weight, y)
        samples = Samples(*self._checked(X, y, sample_weight, offset))
        self._choose(samples, self._loss(), groups, present_folds(self.cv, sample_weight))
        return self


class PenalizedClassifierCV(CrossValidated, PenalizedClassifier):  # noqa: D101
    __doc__ = (
        "Classification with a penalty whose λ is selected by cross-validation of the loss (the log loss).\n" + _DOC
    )

    def __init__(
        self,
        penalty="l1",
        *,
        loss="logistic",
        penalty_factors=None,
        class_weight=None,
        lambdas=None,
        n_lambdas=100,
        lambda_min_ratio=None,
        cv=10,
        select="1se",
        scoring=None,
        relaxed=False,
        dfmax=None,
        patience=None,
        stability=False,
        standardize=False,
        interactions=None,
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
            penalty_factors=penalty_factors,
            class_weight=class_weight,
            standardize=standardize,
            interactions=interactions,
            fit_intercept=fit_intercept,
            tol=tol,
            max_iter=max_iter,
        )
        self.lambdas = lambdas
        self.n_lambdas = n_lambdas
        self.lambda_min_ratio = lambda_min_ratio
        self.cv = cv
        self.select = select
        self.scoring = scoring
        self.relaxed = relaxed
        self.dfmax = dfmax
        self.patience = patience
        self.stability = stability
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None, sample_weight=None, *, groups=None, offset=None):
        """Choose λ and fit on all rows; `groups` (n,) goes to the splitter, the rest is as for the estimator without CV."""
        if are_rows(X):
            refuse_beside_rows(y=y, sample_weight=sample_weight, groups=groups, offset=offset)
            return choose_on_rows(self, X, self._loss())
        groups = present_groups(groups, sample_weight, y)
        X, codes, weight_left, offset, loss = self._checked(X, y, sample_weight, offset)
        self._choose(Samples(X, codes, weight_left, offset), loss, groups, present_folds(self.cv, sample_weight))
        return self
