"""scikit-learn's LassoCV and ElasticNetCV."""

from __future__ import annotations

import numbers

import numpy as np
from sklearn.model_selection import check_cv

from shrinkwise.linear.estimators.samples import Samples, folds_of, present_folds, present_groups
from shrinkwise.linear.estimators.validation.curve import chosen
from shrinkwise.linear.estimators.validation.folds import FoldTask, cross_validated_losses
from shrinkwise.linear.paths.streamed import refuse_rows
from shrinkwise.linear.problem.checks import check_settings, finite_numbers, loss_of

from .path_functions import alpha_grid
from .regressors import ElasticNet


class ElasticNetCV(ElasticNet):
    """scikit-learn's ElasticNetCV: α, and l1_ratio from a list, with the smallest cross-validated squared error.

    Parameters
    ----------
    l1_ratio : float in (0, 1], or a list of them to choose from
    eps : float
        Ratio of the smallest α to the largest.
    alphas : int or array
        Number of values of the grid of α, or the grid itself.
    cv : int, splitter or None
        None uses 5 folds in row order, as scikit-learn does.
    select : "best" or "1se"
        "1se" selects the largest α within one standard error of the best one.
    n_jobs : number of folds fitted in parallel.  verbose : show a progress bar.
    fit_intercept, max_iter, tol, positive : as for `ElasticNet`.
    precompute, copy_X, random_state, selection : accepted and without effect.

    Attributes
    ----------
    alpha_, l1_ratio_ : the selected values.  alphas_ : (L,), or (ratios, L).  mse_path_ : (L, folds), or (ratios, L,
    folds). coef_, intercept_, dual_gap_, n_iter_, duality_gap_, kkt_violation_, status_ : of the fit on all rows.
    """

    several_targets = False

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=1000,
        tol=1e-4,
        cv=None,
        copy_X=True,
        verbose=0,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="cyclic",
        select="best",
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.select = select

    def fit(self, X, y=None, sample_weight=None, *, groups=None):  # type: ignore[override]
        """Select α (and l1_ratio) and fit on all rows; `groups` is passed to the splitter."""
        refuse_rows(X, type(self).__name__, "use PenalizedRegressorCV, with cv a number of folds")
        groups = present_groups(groups, sample_weight, y)
        cv = present_folds(self.cv, sample_weight)
        X, y, sample_weight, _ = self._checked(X, y, sample_weight)
        rows = Samples(X, y, sample_weight)
        folds = folds_of(check_cv(cv), X, y, groups)
        ratios = np.atleast_1d(finite_numbers(self.l1_ratio, "l1_ratio"))
        runs = [self._run(rows, folds, float(ratio)) for ratio in ratios]
        picks = [chosen(losses, folds, self.select) for _, losses in runs]
        best = int(np.argmin([losses.mean(1).min() for _, losses in runs]))
        self.l1_ratio_, self.alpha_ = float(ratios[best]), float(runs[best][0][picks[best]])
        grids, losses = (np.array(part) for part in zip(*runs, strict=True))
        self.alphas_ = grids if isinstance(self.alphas, numbers.Integral) and len(ratios) > 1 else grids[0]
        self.mse_path_ = np.squeeze(losses)
        self._fit_penalty(X, y, sample_weight, self._penalty_of(self.alpha_, self.l1_ratio_))
        return self

    def _run(self, rows: Samples, folds, ratio: float):
        """(the grid, held-out squared errors (L, folds))."""
        penalty = self._penalty_of(1.0, ratio)
        check_settings(penalty, self.tol, self.max_iter)
        problem = rows.problem("squared", self.fit_intercept)
        alphas = alpha_grid(problem, penalty, ratio, self.eps, self.alphas)
        task = FoldTask(penalty, loss_of("squared"), self.fit_intercept, self.tol, self.max_iter)
        return alphas, cross_validated_losses(rows, folds, task, alphas, self.n_jobs, bool(self.verbose))


class LassoCV(ElasticNetCV):
    """scikit-learn's LassoCV: α with the smallest cross-validated squared error.

    Parameters and attributes are those of `ElasticNetCV` at ``l1_ratio=1``.
    """

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=1000,
        tol=1e-4,
        copy_X=True,
        cv=None,
        verbose=False,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="cyclic",
        select="best",
    ):
        super().__init__(
            l1_ratio=1.0,
            eps=eps,
            alphas=alphas,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            tol=tol,
            cv=cv,
            copy_X=copy_X,
            verbose=verbose,
            n_jobs=n_jobs,
            positive=positive,
            random_state=random_state,
            selection=selection,
            select=select,
        )
