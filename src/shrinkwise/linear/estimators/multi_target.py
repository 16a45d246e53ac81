"""Several targets of two classes each, fitted together."""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from sklearn.base import ClassifierMixin, MultiOutputMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from shrinkwise.linear.losses import MultiLogistic
from shrinkwise.linear.paths.streamed import refuse_rows
from shrinkwise.linear.problem.checks import checked_offset
from shrinkwise.penalties import GroupLasso, Groups

from .cross_validation import CrossValidated
from .penalized import LinearModel
from .samples import Samples, present_folds, present_groups, weighted_rows


class MultiTargetClassifier(MultiOutputMixin, ClassifierMixin, LinearModel):
    """Logistic regression of K targets that share their inputs:  minimise (1/n) Σ_i s_i Σ_k f(y_ik, η_ik) + λ Σ_j √K ‖w_·j‖.

    f(y, η) = log(1 + e^η) − yη, w of shape (K, p). By default the K weights of an input are one group, so that the input is
    used by all targets or by none.

    Parameters
    ----------
    penalty : Penalty, optional
        A penalty of (K, p) weights. "group" (or None) is ``GroupLasso(lam, Groups.columns())`` at λ = λ_max/100; with
        ``L1(lam)`` the targets select their inputs independently.
    standardize, fit_intercept, tol, max_iter
        As for PenalizedClassifier; penalties on single weights take factors of (K, p) as their own `weights`.

    Attributes
    ----------
    coef_ : (K, p);  intercept_ : (K,);  classes_ : (K,) numbers of the targets, as scikit-learn's OneVsRestClassifier has them.
    duality_gap_, kkt_violation_, objective_, status_, penalty_, lambda_ : as for PenalizedRegressor.

    Examples
    --------
    >>> import numpy as np, shrinkwise as sw
    >>> from shrinkwise.linear import MultiTargetClassifier
    >>> X = np.array([[-1.0, 0.5], [-1.0, -0.5], [1.0, 0.5], [1.0, -0.5]])
    >>> Y = np.array([[0, 1], [1, 1], [1, 0], [1, 0]])            # neither target depends on the second column much
    >>> model = MultiTargetClassifier(sw.GroupLasso(0.2, sw.Groups.columns())).fit(X, Y)
    >>> (model.coef_ != 0).any(axis=0).tolist()
    [True, False]
    """

    def __init__(self, penalty="group", *, standardize=False, fit_intercept=True, tol=1e-6, max_iter=10_000):
        super().__init__(penalty, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter)
        self.standardize = standardize

    def fit(self, X, y=None, sample_weight=None, *, offset=None):
        """Fit on X (n, p) and y (n, K) of 0 and 1; `sample_weight` (n,) ≥ 0, `offset` (n, K)."""
        self._fit_samples(self._samples(X, y, sample_weight, offset), MultiLogistic())
        return self

    def _samples(self, X, y, sample_weight, offset) -> Samples:
        refuse_rows(X, type(self).__name__, "fit a PenalizedClassifier for each target")
        if y is None:
            raise ValueError("This estimator requires y to be passed, but the target y is None")
        X, y = self._read(X, y, multi_output=True, y_numeric=True)
        y = MultiLogistic().checked(y)
        self.classes_ = np.arange(y.shape[1])
        X, y, weight, offset = weighted_rows(X, y, sample_weight, checked_offset(offset, y.shape))
        return Samples(X, y, weight, offset)

    def _penalty_of(self, penalty, samples: Samples):
        if penalty is None or (isinstance(penalty, str) and penalty == "group"):
            penalty = GroupLasso(1.0, Groups.columns())
        return super()._penalty_of(penalty, samples)

    def _has_default_penalty(self) -> bool:
        return self.penalty is None or (isinstance(self.penalty, str) and self.penalty == "group")

    def decision_function(self, X, offset=None):
        """Linear predictors, (n, K)."""
        return self._eta(X, offset)

    @staticmethod
    def _shaped(eta):
        return eta

    def predict_proba(self, X, offset=None):
        """P(y_k = 1), (n, K)."""
        return expit(self.decision_function(X, offset))

    def predict(self, X, offset=None):
        """1 where the probability is above ½, (n, K)."""
        return (self.decision_function(X, offset) > 0).astype(int)

    def score(self, X, y, sample_weight=None, *, offset=None):
        """The share of rows of which all targets are predicted, weighted; scikit-learn's score of multilabel targets."""
        check_is_fitted(self)
        return accuracy_score(y, self.predict(X, offset), sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        tags.classifier_tags.multi_class, tags.classifier_tags.multi_label = False, True
        return tags


class MultiTargetClassifierCV(CrossValidated, MultiTargetClassifier):
    """`MultiTargetClassifier` with λ selected by cross-validation of the log loss, summed over the targets.

    Parameters and attributes as for `PenalizedRegressorCV` and `MultiTargetClassifier`; folds are not stratified.
    """

    def __init__(
        self,
        penalty="group",
        *,
        lambdas=None,
        n_lambdas=100,
        lambda_min_ratio=None,
        cv=10,
        select="1se",
        standardize=False,
        fit_intercept=True,
        tol=1e-6,
        max_iter=10_000,
        stability=False,
        n_jobs=None,
        random_state=0,
        verbose=False,
    ):
        super().__init__(penalty, standardize=standardize, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter)
        self.lambdas = lambdas
        self.n_lambdas = n_lambdas
        self.lambda_min_ratio = lambda_min_ratio
        self.cv = cv
        self.select = select
        self.stability = stability
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None, sample_weight=None, *, groups=None, offset=None):
        """Choose λ and fit on all rows; `groups` (n,) goes to the splitter, the rest is as for `MultiTargetClassifier`."""
        samples = self._samples(X, y, sample_weight, offset)
        groups = present_groups(groups, sample_weight, y)
        self._choose(samples, MultiLogistic(), groups, present_folds(self.cv, sample_weight))
        return self
