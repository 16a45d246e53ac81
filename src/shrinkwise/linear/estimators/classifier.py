"""scikit-learn classifiers: one fit at the penalty's own λ, with its certificate."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from shrinkwise.linear.losses import LOSSES, loss_of
from shrinkwise.linear.paths.streamed import refuse_beside_rows
from shrinkwise.linear.problem.checks import checked_offset
from shrinkwise.streaming import are_rows

from .description.assessment import Assessment, assess_classes
from .on_rows import fit_rows
from .penalized import LinearModel
from .samples import Samples, class_weighted, weighted_rows


def _gives_probabilities(model) -> bool:
    return LinearClassifier._loss(model).is_likelihood


class LinearClassifier(ClassifierMixin, LinearModel):
    """Base class of linear classifiers: the coding of labels, and the predictions from coef_ and intercept_."""

    loss = "logistic"

    def _loss(self):
        """The loss of two classes."""
        known = [name for name, loss in LOSSES.items() if loss.coded and not loss.per_class and loss.one_target is None]
        if isinstance(self.loss, str) and self.loss not in known:
            raise ValueError(
                f"Expected loss to be a loss object or one of {', '.join(map(repr, known))}, got {self.loss!r}"
            )
        return loss_of(self.loss)

    def _checked(self, X, y, sample_weight, offset=None):
        """(X, codes, sample_weight, offset, loss): the classes are stored and y is numbered 0..K−1."""
        loss = self._loss()
        X, y = self._read(X, y)
        check_classification_targets(y)
        n = len(y)
        X, y, sample_weight, kept = weighted_rows(X, y, sample_weight, np.arange(n))
        self.classes_, codes = np.unique(y, return_inverse=True)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise ValueError(f"Expected at least two classes in y, got one class: {self.classes_.tolist()[0]!r}")
        offset = checked_offset(offset, (n,) if n_classes == 2 else (n, n_classes))
        offset = None if offset is None else offset[kept]
        if len(self.classes_) == 2:
            return X, codes.astype(float), sample_weight, offset, loss
        if loss.several_classes is None:
            raise ValueError(
                f"Only binary classification is supported by the {loss.name} loss, got {len(self.classes_)} classes; use "
                "sklearn.multiclass.OneVsRestClassifier"
            )
        return X, codes, sample_weight, offset, loss_of(loss.several_classes)

    def _outputs(self, samples: Samples) -> tuple:
        return (len(self.classes_),) if len(self.classes_) > 2 else ()

    def _set_coef(self, coef, intercept):
        self.coef_, self.intercept_ = np.atleast_2d(coef), np.atleast_1d(intercept)

    def _as_given(self, y):
        return self.classes_[y.astype(int)]

    def decision_function(self, X, offset=None):
        """Linear predictors: (n,) for two classes, else (n, K)."""
        return self._eta(X, offset)

    def _shaped(self, eta):
        return eta[:, 0] if len(self.classes_) == 2 else eta

    def score(self, X, y, sample_weight=None, *, offset=None):
        """Accuracy, weighted. After a fit with an offset `offset` is required."""
        return accuracy_score(y, self.predict(X, offset), sample_weight=sample_weight)

    def assess(self, X, y, sample_weight=None, *, offset=None, threshold=None) -> Assessment:
        """Deviance, accuracy, AUC and the confusion matrix of given rows; see `Assessment`.

        For two classes the second one is predicted where its probability is at least `threshold` (0.5 by default), or for a
        loss without probabilities the decision function (0 by default).
        """
        eta, loss = self._eta(X, offset), self._loss()
        codes = np.searchsorted(self.classes_, y)
        if not np.isin(y, self.classes_).all():
            raise ValueError(f"Expected y to hold only the classes of the fit, {self.classes_.tolist()}, got others")
        if eta.ndim == 2:
            if threshold is not None:
                raise ValueError(f"A threshold needs two classes, got {len(self.classes_)}; use threshold=None")
            several = loss_of(loss.several_classes)
            return assess_classes(several, self.classes_, codes, eta, sample_weight, offset, None, None)
        level, usual = (expit(eta), 0.5) if loss.is_likelihood else (eta, 0.0)
        threshold = usual if threshold is None else float(threshold)
        codes = codes.astype(float)
        return assess_classes(loss, self.classes_, codes, eta, sample_weight, offset, level, threshold)

    @available_if(_gives_probabilities)
    def predict_proba(self, X, offset=None):
        """Class probabilities, (n, K)."""
        eta = self.decision_function(X, offset)
        if eta.ndim == 1:
            p = expit(eta)
            return np.column_stack([1.0 - p, p])
        return softmax(eta, axis=1)

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X, offset=None):
        """Logarithms of the class probabilities, (n, K)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X, offset))

    def predict(self, X, offset=None):
        """The most probable class, (n,)."""
        eta = self.decision_function(X, offset)
        return self.classes_[(eta > 0).astype(int) if eta.ndim == 1 else eta.argmax(1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        loss = LOSSES.get(self.loss) if isinstance(self.loss, str) else self.loss
        tags.classifier_tags.multi_class = getattr(loss, "several_classes", None) is not None
        return tags


class PenalizedClassifier(LinearClassifier):
    """Logistic regression, or a linear support vector machine, with a penalty:  minimise (1/n) Σ s_i f(y_i, η_i) + λ f(w).

    f is −log P(y_i | x_i). Two classes: P = 1/(1 + e^−η), w of shape (p,). Several: softmax of K linear predictors, w of shape
    (K, p), symmetric (no reference class), so that a penalty treats the classes alike.

    Parameters
    ----------
    loss : "logistic", "squared_hinge" or a loss object
        "squared_hinge" is max(0, 1 − zη)², z = ±1, for two classes; it gives no probabilities.
    class_weight : dict of label to factor > 0, "balanced" or None
        Factors of the sample weights; "balanced" gives every class the same total weight.
    penalty, penalty_factors, standardize, interactions, fit_intercept, tol, max_iter
        As for PenalizedRegressor; max_iter counts Newton steps.

    Attributes
    ----------
    classes_ : (K,);  coef_ : (1, p) for two classes, else (K, p);  intercept_ : (1,) or (K,).
    duality_gap_, kkt_violation_, objective_, status_, penalty_, lambda_ : as for PenalizedRegressor.
    """

    def __init__(
        self,
        penalty="l1",
        *,
        loss="logistic",
        penalty_factors=None,
        class_weight=None,
        standardize=False,
        interactions=None,
        fit_intercept=True,
        tol=1e-6,
        max_iter=10_000,
    ):
        super().__init__(
            penalty, penalty_factors=penalty_factors, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter
        )
        self.loss = loss
        self.class_weight = class_weight
        self.standardize = standardize
        self.interactions = interactions

    def _checked(self, X, y, sample_weight, offset=None):
        X, codes, weight, offset, loss = super()._checked(X, y, sample_weight, offset)
        if self.class_weight is None:
            return X, codes, weight, offset, loss
        weight = class_weighted(self.class_weight, self.classes_[codes.astype(int)], weight)
        return X, codes, weight, offset, loss

    def fit(self, X, y=None, sample_weight=None, *, offset=None):
        """Fit on X (n, p) and class labels y (n,); or on rows in blocks, ``fit(shrinkwise.rows(...))``.

        `sample_weight` (n,) ≥ 0 weighs the rows; `offset`, (n,) or (n, K), is a known part of the linear predictor.
        """
        if are_rows(X):
            refuse_beside_rows(y=y, sample_weight=sample_weight, offset=offset)
            return fit_rows(self, X, self._loss())
        X, codes, sample_weight, offset, loss = self._checked(X, y, sample_weight, offset)
        self._fit_samples(Samples(X, codes, sample_weight, offset), loss)
        return self
