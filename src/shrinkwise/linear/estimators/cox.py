"""Cox's proportional hazards model as estimators."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import column_or_1d, validate_data

from shrinkwise.linear.losses import Cox
from shrinkwise.linear.losses.survival.records import as_records
from shrinkwise.linear.paths.columns import column_names
from shrinkwise.linear.paths.streamed import refuse_rows
from shrinkwise.linear.problem.checks import READS, checked_offset
from shrinkwise.linear.problem.problem import Problem

from .cross_validation import CrossValidated
from .description.hazards import Baseline, concordance
from .penalized import LinearModel
from .samples import Samples, present_folds, present_groups, weighted_rows, without_columns


class PenalizedCox(LinearModel):
    """Cox's proportional hazards with a penalty:  minimise (1/n) Σ s_i δ_i (log Σ_{j at risk} s_j e^{η_j} − η_i) + λ f(w).

    The hazard at time t is h₀(t) e^η, η = x'w + offset, h₀ left open; δ_i is whether the event of row i was observed.

    Parameters
    ----------
    penalty : Penalty, optional
        λ f; "l1" (or None) is L1 at λ = λ_max/100; ``shrinkwise.L2(0.0)`` means no penalty.
    ties : "efron" or "breslow"
        How events at one time count, as in R's ``coxph``.
    penalty_factors, standardize, tol, max_iter : as for PenalizedRegressor; max_iter counts Newton steps.

    Attributes
    ----------
    coef_ : (p,) logarithms of the hazard ratios.
    baseline_ : Baseline, the cumulative hazard of η = 0 in every stratum.
    duality_gap_, kkt_violation_, objective_, status_, n_iter_, penalty_, lambda_ : as for PenalizedRegressor. Where the events
        can be ordered without error by a column that is not penalized, no finite optimum exists and the fit is not solved.

    See `shrinkwise.linear.losses.Cox` for the loss and its references.

    Examples
    --------
    >>> import numpy as np, shrinkwise as sw
    >>> from shrinkwise.linear import PenalizedCox, survival
    >>> X, y = np.array([[0.0], [1.0], [0.0], [1.0]]), survival([1.0, 2.0, 3.0, 4.0], event=[1, 1, 1, 0])
    >>> model = PenalizedCox(sw.L2(0.0), tol=1e-10).fit(X, y)
    >>> round(float(np.exp(model.coef_[0])), 4)     # the hazard ratio, (√17 − 1)/8
    0.3904
    """

    fit_intercept = True  # of the solver: it centres the columns, and a shift of η changes nothing
    intercept_ = 0.0

    def __init__(self, penalty="l1", *, ties="efron", penalty_factors=None, standardize=False, tol=1e-6, max_iter=1000):
        self.penalty = penalty
        self.ties = ties
        self.penalty_factors = penalty_factors
        self.standardize = standardize
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X, y=None, sample_weight=None, *, strata=None, offset=None):
        """Fit on X (n, p) and y, times until an event.

        Parameters
        ----------
        y : `survival(time, event)`, two columns (time, event), or records of a time and a bool; times alone mean that all
            events were observed.
        sample_weight : (n,) ≥ 0.
        strata : (n,) labels; each stratum has its own baseline hazard.
        offset : (n,), a known part of η.
        """
        samples = self._samples(X, y, sample_weight, strata, offset)
        loss = Cox(self.ties)
        loss.check(samples.y)
        self._keep_baseline(self._fit_samples(samples, loss))
        return self

    def _samples(self, X, y, sample_weight, strata, offset) -> Samples:
        refuse_rows(X, type(self).__name__, "fit a frame, because a partial likelihood joins rows")
        if y is None:
            raise ValueError("This estimator requires y to be passed, but the target y is None")
        if getattr(y, "dtype", None) is not None and y.dtype.names is None and np.ndim(y) == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._names = column_names(X)
        X, y = validate_data(self, X, **READS), as_records(y, strata)
        if X.shape[0] != len(y):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: [{X.shape[0]}, {len(y)}], rows of X and times"
            )
        excluded = self._factors(X.shape[1]) == np.inf
        X = without_columns(X, excluded) if excluded.any() else X
        return Samples(*weighted_rows(X, y, sample_weight, checked_offset(offset, y.shape)))

    def _keep_baseline(self, problem: Problem):
        scale = problem.column_scale
        coef = self.coef_ if scale is None else self.coef_ * scale
        self.baseline_ = Baseline(problem.y, problem.eta(coef, 0.0), problem.s, self.ties)

    def _set_coef(self, coef, intercept):
        self.coef_ = coef

    @staticmethod
    def _shaped(eta):
        return eta

    def predict(self, X, offset=None):
        """η, the logarithm of the hazard relative to the baseline, (n,)."""
        return self._eta(X, offset)

    def predict_survival(self, X, times, offset=None, *, stratum: int = 0):
        """The probability of no event until each of `times`, exp(−H₀(t) e^η), (n, len(times)).

        `stratum` is the position of its label among the sorted labels.
        """
        hazard = self.baseline_.at(np.asarray(times, dtype=float), stratum)
        return np.exp(-np.exp(self.predict(X, offset))[:, None] * hazard)

    def score(self, X, y, *, strata=None, offset=None):
        """Harrell's concordance of η with the times, 0.5 for no information; see `concordance`."""
        return concordance(as_records(y, strata), self.predict(X, offset))


class PenalizedCoxCV(CrossValidated, PenalizedCox):
    """Cox's proportional hazards with a penalty whose λ is selected by the cross-validated partial likelihood.

    The loss of a fold is the negative log partial likelihood of all rows less that of the training rows, both at the fit to
    the training rows, by held-out row: the risk sets of a small fold alone would say little (Verweij and van Houwelingen,
    Cross-validation in survival analysis, Statistics in Medicine 1993).

    Parameters
    ----------
    penalty, ties, penalty_factors, standardize, tol, max_iter : as for `PenalizedCox`.
    lambdas, n_lambdas, lambda_min_ratio, cv, select, stability, n_jobs, random_state, verbose : as for `PenalizedRegressorCV`.

    Attributes
    ----------
    lambdas_, cv_losses_, cv_mean_, cv_se_, lambda_best_, lambda_1se_, path_ : as for `PenalizedRegressorCV`.
    coef_, baseline_ and the certificate : as for `PenalizedCox`.
    """

    def __init__(
        self,
        penalty="l1",
        *,
        ties="efron",
        penalty_factors=None,
        standardize=False,
        lambdas=None,
        n_lambdas=100,
        lambda_min_ratio=None,
        cv=10,
        select="1se",
        stability=False,
        tol=1e-6,
        max_iter=1000,
        n_jobs=None,
        random_state=0,
        verbose=False,
    ):
        super().__init__(
            penalty, ties=ties, penalty_factors=penalty_factors, standardize=standardize, tol=tol, max_iter=max_iter
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

    def fit(self, X, y=None, sample_weight=None, *, strata=None, groups=None, offset=None):
        """Choose λ and fit on all rows; `groups` (n,) goes to the splitter, the rest is as for `PenalizedCox`."""
        samples = self._samples(X, y, sample_weight, strata, offset)
        groups = present_groups(groups, sample_weight, X)
        self._choose(samples, Cox(self.ties), groups, present_folds(self.cv, sample_weight))
        self._keep_baseline(self.path_.data)
        return self
