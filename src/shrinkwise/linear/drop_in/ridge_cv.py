"""scikit-learn's RidgeCV."""

from __future__ import annotations

import numbers

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import check_scalar

from shrinkwise import penalties
from shrinkwise.linear.estimators.samples import Samples, folds_of, present_folds, present_groups
from shrinkwise.linear.estimators.validation.folds import FoldTask, fold_path
from shrinkwise.linear.paths.streamed import refuse_rows
from shrinkwise.linear.problem.checks import finite_numbers, loss_of
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.solvers.squares.ridge import ridge_of
from shrinkwise.selection import mean_and_se, one_standard_error

from .regressors import LeastSquares


class _Predicted(LeastSquares):
    """Predictions wrapped as a model, for scorers that require one."""

    def __init__(self, values=None):
        self.values = values

    def fit(self, X, y):
        """Nothing to learn."""
        return self

    def predict(self, X):
        """The values."""
        return self.values


class RidgeCV(LeastSquares):
    """scikit-learn's RidgeCV: ‖y − Xw − b‖² + α ‖w‖² with α selected by exact leave-one-out cross-validation, or by
    folds.

    One decomposition serves all α: of X'X or XX', or of X where those would lose digits.

    Parameters
    ----------
    alphas : (L,) > 0; with `cv` ≥ 0
    fit_intercept : bool
    scoring : scorer name or callable, optional
        By default the mean squared leave-one-out error (with `cv`: R², as in scikit-learn).
    cv : int, splitter or None
        None uses leave-one-out cross-validation.
    gcv_mode
        Accepted and without effect.
    store_cv_results : bool
        Keep the squared leave-one-out errors (with `scoring` the predictions), (n, L) or (n, K, L), in `cv_results_`.
    alpha_per_target : bool
        Select α separately for each of several targets (leave-one-out only).
    select : "best" or "1se"
        "1se" selects the largest α whose squared error is within one standard error (over rows) of the best
        (leave-one-out only).

    Attributes
    ----------
    alpha_ : float or (K,);  best_score_;  coef_, intercept_, duality_gap_, kkt_violation_, status_ as for `Ridge`.
    """

    tol, positive = 1e-4, False

    def __init__(
        self,
        alphas=(0.1, 1.0, 10.0),
        *,
        fit_intercept=True,
        scoring=None,
        cv=None,
        gcv_mode=None,
        store_cv_results=False,
        alpha_per_target=False,
        select="best",
    ):
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.select = select

    def fit(self, X, y=None, sample_weight=None, *, groups=None):
        """Select α and fit on all rows; `groups` is passed to the splitter."""
        refuse_rows(X, "RidgeCV", "use PenalizedRegressorCV(shrinkwise.L2(1.0)), with cv a number of folds")
        groups = present_groups(groups, sample_weight, y)
        cv = present_folds(self.cv, sample_weight)
        X, y, sample_weight, total = self._checked(X, y, sample_weight)
        alphas = self._alphas()
        problem = Problem(X, y, "squared", sample_weight, self.fit_intercept)
        lambdas = alphas / (2.0 * total)
        if self.cv is not None:
            samples = Samples(X, y, sample_weight)
            return self._fit_by_folds(samples, alphas, total, folds_of(check_cv(cv), X, y, groups))
        ridge = ridge_of(problem, penalties.L2(1.0), lambdas)
        if ridge is None:
            raise ValueError(
                f"X of shape {X.shape} is too large for a decomposition; use PenalizedRegressorCV(L2(1.0))"
            )
        scores = self._loo_scores(ridge, lambdas, y, sample_weight)  # (L,) or (L, K)
        index = np.argmax(scores, axis=0) if self.select == "best" else self._within_one_se(ridge, lambdas, alphas)
        self.best_score_ = np.take_along_axis(scores, np.expand_dims(index, 0), 0)[0]
        self.alpha_ = float(alphas[index]) if np.ndim(index) == 0 else alphas[index]
        self._keep_solutions(ridge, lambdas, index, y)
        return self

    def _fit_by_folds(self, samples: Samples, alphas, total: float, folds):
        if self.select != "best":
            raise ValueError('Expected select="best" with cv=, because "1se" needs leave-one-out (cv=None)')
        scores = self._fold_scores(samples, alphas, total, folds)
        index = int(np.argmax(scores))
        self.best_score_, self.alpha_ = scores[index], float(alphas[index])
        problem = samples.problem("squared", self.fit_intercept)
        point = self._solve(problem, penalties.L2(self.alpha_ / (2.0 * total)), 10_000)[0]
        single = samples.y.ndim == 1
        self._keep([point.coef] if single else point.coef, [point.intercept] if single else point.intercept, single)
        self.duality_gap_, self.kkt_violation_, self.status_ = point.gap, point.kkt, point.status
        return self

    def _alphas(self) -> np.ndarray:
        """The α (L,), > 0; with folds α = 0 is allowed."""
        given = np.atleast_1d(np.asarray(self.alphas, dtype=object))
        for i, alpha in enumerate(given):
            bounds = "neither" if self.cv is None else "left"
            check_scalar(alpha, f"alphas[{i}]", numbers.Real, min_val=0.0, include_boundaries=bounds)
        return finite_numbers(self.alphas, "alphas").reshape(-1).astype(float)

    def _loo_scores(self, ridge, lambdas, y, sample_weight):
        errors = np.moveaxis(ridge.loo_residuals(lambdas), 1, -1)  # (n, K, L), times the root of the weights
        if self.scoring is None:
            # scikit-learn's squared errors carry the sample weights as given, ours those of mean 1.
            values = errors**2 * (1.0 if sample_weight is None else sample_weight.mean())
            self._store(values, y)
            mean = -values.mean(0).T  # (L, K)
            return mean if self._per_target(y) else mean.mean(1)
        rows = ridge.problem
        predictions = rows.y.reshape(rows.n, -1)[:, :, None] - errors / np.sqrt(rows.s)[:, None, None]
        self._store(predictions, y)
        scorer = check_scoring(_Predicted(), scoring=self.scoring)
        extra = {} if sample_weight is None else {"sample_weight": sample_weight}
        if self._per_target(y):
            columns = range(y.shape[1])
            found = [
                [scorer(_Predicted(v[:, k]), v, y[:, k], **extra) for k in columns] for v in _by_alpha(predictions)
            ]
            return np.array(found)
        return np.array([scorer(_Predicted(v.reshape(y.shape)), v, y, **extra) for v in _by_alpha(predictions)])

    def _per_target(self, y) -> bool:
        return self.alpha_per_target and y.ndim == 2

    def _store(self, values, y):
        if self.store_cv_results:
            self.cv_results_ = values if y.ndim == 2 or self._column else values[:, 0]

    def _within_one_se(self, ridge, lambdas, alphas) -> int:
        if self.select != "1se" or self.cv is not None or self.scoring is not None or self.alpha_per_target:
            raise ValueError('Expected select="best", or select="1se" with leave-one-out squared errors and one α')
        errors = np.mean(ridge.loo_residuals(lambdas) ** 2, axis=2)
        order = np.argsort(-alphas)
        mean, se = mean_and_se(errors)
        return int(order[one_standard_error(mean[order], se[order])[1]])

    def _fold_scores(self, rows: Samples, alphas, total: float, folds):
        """Mean score over folds at every α, (L,)."""
        for name in ("store_cv_results", "alpha_per_target"):
            if getattr(self, name):
                raise ValueError(f"The settings cv!=None and {name}=True are incompatible; use cv=None")
        scorer, found = check_scoring(_Predicted(), scoring=self.scoring), []
        order = np.argsort(-alphas)
        task = FoldTask(penalties.L2(1.0), loss_of("squared"), self.fit_intercept, self.tol, 10_000)
        mean_weight = total / len(rows.y)
        for train, test in folds:
            # Weights as given keep their scale: a training part has a smaller sum, and so a larger λ = α / (2 Σ s).
            weight = None if rows.weight is None else rows.weight[train]
            sum_train = len(train) * mean_weight if weight is None else float(weight.sum())
            fitted = fold_path(rows, train, task, alphas[order] / (2.0 * sum_train))
            predictions, y_test = fitted.predict(rows.X[test]), rows.y[test]
            found.append([scorer(_Predicted(v), rows.X[test], y_test) for v in predictions])
        scores = np.empty(len(alphas))
        scores[order] = np.mean(found, axis=0)
        return scores

    def _keep_solutions(self, ridge, lambdas, index, y):
        chosen = np.atleast_1d(index)  # one λ, or one for each target
        fits = [fit for stack in ridge.solutions(lambdas[chosen], self.tol) for fit in stack.each()]
        if np.ndim(index):
            self._keep([fit.w[0, k] for k, fit in enumerate(fits)], [fit.b[0, k] for k, fit in enumerate(fits)], False)
        else:
            single = y.ndim == 1
            self._keep(fits[0].w if single else fits[0].w[0], fits[0].b.tolist() if single else fits[0].b[0], single)
        self.duality_gap_ = max(float(fit.gap[0]) for fit in fits)
        self.kkt_violation_ = max(float(fit.kkt[0]) for fit in fits)
        self.status_ = f"solved: relative gap {self.duality_gap_:.1e}"


def _by_alpha(predictions):
    return np.moveaxis(predictions, -1, 0)
