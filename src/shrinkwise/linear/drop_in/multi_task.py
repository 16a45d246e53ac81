"""scikit-learn's multi-task lasso and elastic net: several targets that use the same columns."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.problem import Problem

from .cv import ElasticNetCV
from .path_functions import multi_task
from .regressors import ElasticNet


class _Joint:
    """One joint problem for all targets instead of one per target."""

    several_targets, precompute, positive = True, False, False

    def _checked(self, X, y, sample_weight):
        X, y, sample_weight, total = super()._checked(X, y, sample_weight)  # type: ignore[misc]
        if y.ndim == 1 and not self._column:  # type: ignore[attr-defined]
            name = type(self).__name__.removeprefix("MultiTask")
            raise ValueError(f"Expected y of shape (n, K), got one target; for mono-task outputs, use {name}")
        return X, y.reshape(len(y), -1), sample_weight, total

    def _penalty_of(self, alpha: float, l1_ratio: float):
        return multi_task(alpha, l1_ratio, self.n_features_in_)  # type: ignore[attr-defined]

    def _fit_penalty(self, X, y, sample_weight, penalty):
        problem = Problem(X, y, "squared", sample_weight, self.fit_intercept)  # type: ignore[attr-defined]
        fit = self._solve(problem, penalty, self.max_iter)  # type: ignore[attr-defined]
        coef = np.reshape(fit.coefficients[0], (y.shape[1], -1))
        self._keep(coef, np.reshape(fit.intercepts[0], -1), False)  # type: ignore[attr-defined]
        self.n_iter_, self.status_ = int(fit.n_iter[0]), fit.status[0]
        self.duality_gap_, self.kkt_violation_ = float(fit.gaps[0]), float(fit.kkt[0])
        self.dual_gap_ = self.duality_gap_ * fit.data.null_loss

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.target_tags.multi_output, tags.target_tags.single_output = True, False
        return tags


class MultiTaskElasticNet(_Joint, ElasticNet):
    """minimise  1/(2n) ‖Y − XW′ − b‖² + α ρ Σ_j ‖w_j‖ + ½ α (1 − ρ) ‖W‖²: scikit-learn's MultiTaskElasticNet.

    w_j are the K coefficients of column j, so that all targets use the same columns. Y has shape (n, K).

    Parameters and attributes are those of `ElasticNet`, with coef_ (K, p) and intercept_ (K,).
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection


class MultiTaskLasso(MultiTaskElasticNet):
    """minimise  1/(2n) ‖Y − XW′ − b‖² + α Σ_j ‖w_j‖: scikit-learn's MultiTaskLasso, `MultiTaskElasticNet` at l1_ratio=1.

    >>> import numpy as np
    >>> X, Y = np.array([[-1.0], [0.0], [1.0]]), np.array([[-3.0, -4.0], [0.0, 0.0], [3.0, 4.0]])
    >>> MultiTaskLasso(alpha=2 / 3).fit(X, Y).coef_.round(6).ravel()      # (1 − α / ‖X′Y/n‖) of (3, 4), ‖X′Y/n‖ = 10/3
    array([2.4, 3.2])
    """

    l1_ratio = 1.0

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection


class MultiTaskElasticNetCV(_Joint, ElasticNetCV):
    """scikit-learn's MultiTaskElasticNetCV: `MultiTaskElasticNet` with α, and l1_ratio out of a list, by cross-validation.

    Parameters and attributes are those of `ElasticNetCV`; errors are means over the targets.
    """

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-4,
        cv=None,
        copy_X=True,
        verbose=0,
        n_jobs=None,
        random_state=None,
        selection="cyclic",
        select="best",
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.selection = selection
        self.select = select


class MultiTaskLassoCV(MultiTaskElasticNetCV):
    """scikit-learn's MultiTaskLassoCV: `MultiTaskElasticNetCV` at l1_ratio=1."""

    l1_ratio = 1.0

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-4,
        copy_X=True,
        cv=None,
        verbose=False,
        n_jobs=None,
        random_state=None,
        selection="cyclic",
        select="best",
    ):
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.selection = selection
        self.select = select
