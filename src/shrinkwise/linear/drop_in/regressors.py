"""Estimators with scikit-learn's names, parameters and objectives: swap the import, get the same coefficients.

    from sklearn.linear_model import Lasso      →      from shrinkwise.linear import Lasso

Each fit also carries `duality_gap_` (relative: divided by the loss of the null model), `kkt_violation_` and `status_`. `tol`
is the relative duality gap to reach.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from shrinkwise import penalties
from shrinkwise.linear.estimators.penalized import check_columns_if_named
from shrinkwise.linear.estimators.samples import regression_target, weighted_rows
from shrinkwise.linear.estimators.versioned import Versioned
from shrinkwise.linear.paths.api import solve_one
from shrinkwise.linear.paths.columns import column_names
from shrinkwise.linear.paths.streamed import refuse_rows
from shrinkwise.linear.problem.checks import (
    READS,
    check_settings,
    check_switches,
    checked_weights,
    loss_of,
    refuse_other_numbers,
)
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.rounding import may_overflow

from .path_functions import CLOSEST, elastic_net, enet_path, lasso_path

# A sparse X of at most so many values is solved as a dense one, to rounding: its memory is no matter.
_SMALL = 1_000_000


_INSTEAD = "use PenalizedRegressor or PenalizedRegressorCV with a penalty such as shrinkwise.L1(0.1)"


class LeastSquares(MultiOutputMixin, RegressorMixin, Versioned):
    """Base class of the drop-in regressors."""

    several_targets = True
    _names, _dtype, _column = None, np.dtype(float), False

    def _checked(self, X, y, sample_weight):
        """(X, y, sample_weight, sum of the weights as given)."""
        refuse_rows(X, type(self).__name__, _INSTEAD)
        check_switches(self.get_params(deep=False))
        for values, name in ((X, "X"), (y, "y")):
            refuse_other_numbers(values, name)
        self._names = column_names(X)
        X, y = validate_data(self, X, y, y_numeric=True, multi_output=self.several_targets, **READS)
        self._dtype = X.dtype
        if hasattr(X, "tocsc") and X.shape[0] * X.shape[1] <= _SMALL:
            X = X.toarray()
        self._column = y.shape[1:] == (1,)
        y = regression_target(y, X.shape[0], loss_of("squared"))
        total = float(X.shape[0])
        if sample_weight is not None:
            weights = checked_weights(sample_weight, X.shape[0])
            if may_overflow(weights):
                raise ValueError("Expected sample weights with a finite sum; divide them by the largest")
            total = float(weights.sum())
        X, y, sample_weight, _ = weighted_rows(X, y, sample_weight)
        return X, y, sample_weight, total

    def _solve(self, problem: Problem, penalty, max_iter: int):
        check_settings(penalty, self.tol, max_iter)
        # scikit-learn also waits until no coefficient moves by more than tol, which the gap alone does not see: so the fit goes
        # on to rounding, which costs little, where that can be reached.
        fitted = solve_one(problem, penalty, min(self.tol, CLOSEST), max_iter)
        if not fitted.solved[0]:
            fitted = solve_one(problem, penalty, self.tol, max_iter)
        if not fitted.solved[0]:
            warnings.warn(f"{type(self).__name__}: {fitted.status[0]}", ConvergenceWarning, stacklevel=3)
        return fitted

    def _solve_targets(self, X, y, sample_weight, penalty_of, max_iter: int):
        """One path of length one per target; penalty_of(k) is the penalty of target k."""
        targets = y.T if y.ndim == 2 else [y]
        fits = [
            self._solve(Problem(X, t, "squared", sample_weight, self.fit_intercept), penalty_of(k), max_iter)
            for k, t in enumerate(targets)
        ]
        self._keep([fit.coefficients[0] for fit in fits], [float(fit.intercepts[0]) for fit in fits], y.ndim == 1)
        for name, values in (
            ("n_iter_", [int(fit.n_iter[0]) for fit in fits]),
            ("duality_gap_", [float(fit.gaps[0]) for fit in fits]),
            ("dual_gap_", [float(fit.gaps[0] * fit.data.null_loss) for fit in fits]),
            ("kkt_violation_", [float(fit.kkt[0]) for fit in fits]),
            ("status_", [fit.status[0] for fit in fits]),
        ):
            setattr(self, name, values[0] if y.ndim == 1 else values)

    def _keep(self, coefs, intercepts, single: bool):
        self.coef_ = np.asarray(coefs[0] if single else np.array(coefs), dtype=self._dtype)
        several = self._column or not single  # of y (n, 1) the intercept is (1,), as in scikit-learn
        self.intercept_ = np.asarray(intercepts, dtype=self._dtype) if several else self._dtype.type(intercepts[0])

    def predict(self, X):
        """Xw + b, (n,) or (n, K)."""
        check_is_fitted(self)
        if not hasattr(self, "feature_names_in_"):
            check_columns_if_named(X, self.n_features_in_, self._names)
        X = validate_data(self, X, reset=False, **READS)
        return X @ self.coef_.T + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = self.several_targets
        return tags


class ElasticNet(LeastSquares):
    """minimise  1/(2n) ‖y − Xw − b‖² + α ρ ‖w‖₁ + ½ α (1 − ρ) ‖w‖²,  ρ = `l1_ratio`: scikit-learn's ElasticNet.

    Parameters
    ----------
    alpha : float ≥ 0
        α, called λ elsewhere in this package.
    l1_ratio : float in [0, 1]
    fit_intercept : bool
    max_iter : int
        Maximum number of coordinate-descent sweeps per round.
    tol : float
        Relative duality gap to reach; solutions are usually accurate to rounding error.
    positive : bool
        w ≥ 0.
    precompute, copy_X, warm_start, random_state, selection
        Accepted and without effect: the Gram matrix is formed where it helps, X is never changed, and a fit depends
        neither on its start nor on an order of coordinates.

    Several targets y (n, K) are K independent problems. Sample weights are rescaled to mean 1.

    Attributes
    ----------
    coef_ : (p,) or (K, p);  sparse_coef_;  intercept_ : float or (K,);  n_iter_;  dual_gap_ : in the units of the objective.
    duality_gap_ : relative to the loss of the null model;  kkt_violation_;  status_ : a sentence (lists for K targets).
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        precompute=False,
        max_iter=1000,
        copy_X=True,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    def fit(self, X, y=None, sample_weight=None, *, check_input=True):
        """Fit on X (n, p) and y (n,) or (n, K). The input is always checked: `check_input` has no effect."""
        X, y, sample_weight, _ = self._checked(X, y, sample_weight)
        self._fit_penalty(X, y, sample_weight, self._penalty_of(self.alpha, self.l1_ratio))
        return self

    def _penalty_of(self, alpha: float, l1_ratio: float):
        return elastic_net(alpha, l1_ratio, self.positive)

    def _fit_penalty(self, X, y, sample_weight, penalty):
        self._solve_targets(X, y, sample_weight, lambda k: penalty, self.max_iter)

    path = staticmethod(enet_path)

    @property
    def penalty(self):
        """ "l1" where the penalty makes zeros: scikit-learn's SelectFromModel then keeps the non-zero coefficients."""
        return "l1" if np.max(self.l1_ratio) > 0 else None

    @property
    def sparse_coef_(self):
        """coef_ as a scipy.sparse CSR array, (1, p) or (K, p)."""
        from scipy.sparse import csr_array

        return csr_array(np.atleast_2d(self.coef_))


class Lasso(ElasticNet):
    """minimise  1/(2n) ‖y − Xw − b‖² + α ‖w‖₁: scikit-learn's Lasso.

    Parameters and attributes are those of `ElasticNet` at ``l1_ratio=1``; `precompute`, `copy_X`, `warm_start`,
    `random_state` and `selection` are accepted and have no effect.

    >>> import numpy as np
    >>> X, y = np.array([[-1.0], [0.0], [1.0]]), np.array([-2.0, 0.0, 2.0])
    >>> round(float(Lasso(alpha=1 / 3).fit(X, y).coef_[0]), 6)        # (4/3 − 1/3) / (2/3)
    1.5
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        precompute=False,
        copy_X=True,
        max_iter=1000,
        tol=1e-4,
        warm_start=False,
        positive=False,
        random_state=None,
        selection="cyclic",
    ):
        super().__init__(
            alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
        )

    path = staticmethod(lasso_path)


class Ridge(LeastSquares):
    """minimise  ‖y − Xw − b‖² + α ‖w‖²: scikit-learn's Ridge, whose loss is a sum over the rows, not a mean.

    In this package's scale that is ``L2(α/(2n))``; with sample weights, which multiply the squares without rescaling, n
    is their sum.

    Parameters
    ----------
    alpha : float ≥ 0, or (K,), one per target
    fit_intercept : bool
    positive : bool
        w ≥ 0.
    max_iter, tol
        For the iterations with ``positive=True``; otherwise the solution is direct and exact.
    copy_X, solver, random_state
        Accepted and without effect: the solution comes from one decomposition of X'X or XX', or of X where those would
        lose digits.

    Attributes
    ----------
    coef_ : (p,) or (K, p);  intercept_;  n_iter_;  duality_gap_, kkt_violation_, status_ as for `Lasso`.
    solver_ : "decomposition", or "coordinate descent" with ``positive=True``.
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-4,
        solver="auto",
        positive=False,
        random_state=None,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state

    def fit(self, X, y=None, sample_weight=None):
        """Fit on X (n, p) and y (n,) or (n, K)."""
        X, y, sample_weight, total = self._checked(X, y, sample_weight)
        max_iter = 10_000 if self.max_iter is None else self.max_iter
        alphas = np.asarray(self.alpha, dtype=float)
        if alphas.ndim and (y.ndim != 2 or alphas.shape != (y.shape[1],)):
            raise ValueError(f"Expected alpha to be a number or one number per target, got shape {alphas.shape}")
        if alphas.ndim == 0 and not self.positive and y.ndim == 2:
            return self._fit_together(Problem(X, y, "squared", sample_weight, self.fit_intercept), total, max_iter)

        def penalty_of(k):
            penalty = penalties.L2(float(alphas[k] if alphas.ndim else alphas) / (2.0 * total))
            return penalty + penalties.NonNegative() if self.positive else penalty

        self._solve_targets(X, y, sample_weight, penalty_of, max_iter)
        self.solver_ = "coordinate descent" if self.positive else "decomposition"
        return self

    def _fit_together(self, problem: Problem, total: float, max_iter: int):
        fitted = self._solve(problem, penalties.L2(float(self.alpha) / (2.0 * total)), max_iter)
        self._keep(fitted.coefficients[0], fitted.intercepts[0], False)
        self.n_iter_, self.status_, self.solver_ = int(fitted.n_iter[0]), fitted.status[0], "decomposition"
        self.duality_gap_, self.kkt_violation_ = float(fitted.gaps[0]), float(fitted.kkt[0])
        return self
