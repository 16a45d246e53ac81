"""celer's own tests, run with this package behind celer's names.

    python tests/peers/with_celer.py [--out FILE] [part of a file's name]

The tests ship in celer's wheel, which is downloaded; celer itself is neither installed nor compiled. The modules that the
tests import are made here: thin classes with celer's parameters whose fits are this package's. Where the tests call
scikit-learn by names that it has since changed, they get them under the old ones, so that they run.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import sklearn.linear_model as peer
from outcomes import arguments, downloaded, run
from scikit_learn import with_default
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import _logistic
from sklearn.utils.validation import check_is_fitted, validate_data

import shrinkwise as sw
from shrinkwise import linear as ours

RELEASE = "celer==0.7.4"
FILES = ["enet", "lasso", "logreg", "mtl"]

# (pattern of the test's name, class, reason)
_PRIVATE = "private", "calls a function of celer's own internals"
CLASSES: list[tuple[str, str, str]] = [
    ("test_raise_errors_l1_ratio", "not claimed", "parameters are checked in fit; a ratio of 0 is solved"),
    ("test_GroupLasso_MultitaskLasso_equivalence", *_PRIVATE),
    ("test_convert_groups", *_PRIVATE),
    (
        "test_multinomial*",
        "not claimed",
        "one model per class against the rest: several classes are one multinomial model",
    ),
    ("test_warm_start", "not claimed", "warm_start has no effect: a fit does not depend on its start"),
    ("test_weights_lasso", "private", "the last digits of a gap of 1e-14"),
    (
        "test_check_estimator*",
        "private",
        "asks for equal predictions at tol = 0.1, with sample weights, which celer does not take",
    ),
    ("test_one_iteration_alpha_max", "private", "counts the iterations of celer's solver"),
]


def labels_of(groups, n_features: int):
    """celer's groups (a size, a list of sizes, or lists of columns) as a label for each column."""
    if isinstance(groups, int):
        return np.arange(n_features) // groups
    if isinstance(groups[0], int):
        return np.repeat(np.arange(len(groups)), groups)
    labels = np.empty(n_features, dtype=int)
    for i, members in enumerate(groups):
        labels[members] = i
    return labels


def penalty_of(n_features: int, pb: str, l1_ratio: float, weights, groups, positive=False):
    """(the penalty at λ = 1 on the columns that stay, their mask): a weight of ∞ takes a column, or a group, out."""
    labels = labels_of(groups, n_features) if pb == "grouplasso" else np.arange(n_features)
    weights = np.ones(labels.max() + 1) if weights is None else np.asarray(weights, dtype=float)
    if weights.shape != (labels.max() + 1,) or not (weights > 0).all():
        raise ValueError(f"Expected {labels.max() + 1} weights > 0")
    inside = np.isfinite(weights)
    kept = inside[labels]
    if pb == "grouplasso":
        return sw.GroupLasso(1.0, np.unique(labels[kept], return_inverse=True)[1], weights=weights[inside]), kept
    kind = sw.L1(1.0, weights=weights[kept]) if l1_ratio == 1 else sw.ElasticNet(1.0, l1_ratio, weights=weights[kept])
    return kind + sw.NonNegative() if positive else kind, kept


def celer_path(
    X, y, pb, *, eps=1e-3, n_alphas=100, alphas=None, tol=1e-6, weights=None, groups=None, l1_ratio=1.0, **given
):
    """celer_path: (alphas, coefs (p, L), gaps[, thetas][, n_iters]); the logistic loss is a sum over the rows there."""
    logistic = pb == "logreg"
    if logistic and l1_ratio != 1:
        raise NotImplementedError("celer has no elastic net for logistic regression")
    scale = len(y) if logistic else 1.0
    penalty, kept = penalty_of(X.shape[1], pb, l1_ratio, weights, groups)
    grid = {"n_lambdas": n_alphas, "lambda_min_ratio": eps}
    if alphas is not None:
        grid = {"lambdas": np.sort(np.asarray(alphas, dtype=float))[::-1] / scale}
    X = X.tocsc() if hasattr(X, "tocsc") else X
    loss, target = ("logistic", (y > 0).astype(int)) if logistic else ("squared", y)
    found = ours.path(X[:, np.flatnonzero(kept)], target, penalty, loss=loss, fit_intercept=False, tol=tol, **grid)
    coefs = np.zeros((len(kept), len(found.lambdas)))
    coefs[kept] = found.coefs.T
    result = [found.lambdas * scale, coefs, found.gaps * found.data.null_loss * scale]
    result += [None] if given.get("return_thetas") else []
    return (*result, found.n_iter) if given.get("return_n_iter") else tuple(result)


class GroupLasso(RegressorMixin, BaseEstimator):
    """celer's GroupLasso, and with `weights` its Lasso and ElasticNet: a `PenalizedRegressor`."""

    pb = "grouplasso"

    def __init__(self, groups=1, alpha=1.0, max_iter=1000, tol=1e-4, fit_intercept=True, weights=None, verbose=0):
        self.groups, self.alpha, self.max_iter, self.tol = groups, alpha, max_iter, tol
        self.fit_intercept, self.weights, self.verbose = fit_intercept, weights, verbose

    def fit(self, X, y):
        """Fit and keep what celer keeps."""
        X, y = validate_data(self, X, y, accept_sparse="csc", y_numeric=True)
        p = X.shape[1]
        penalty, kept = penalty_of(p, self.pb, getattr(self, "l1_ratio", 1.0), self.weights, getattr(self, "groups", 1))
        columns = np.flatnonzero(kept)
        model = self._model(penalty).fit(X[:, columns], y)
        self.coef_ = np.zeros(p)
        self.coef_[columns] = model.coef_
        self.intercept_, self.n_iter_ = model.intercept_, np.max(model.n_iter_)
        self.dual_gap_ = model.duality_gap_ * 0.5 * np.mean(np.square(y - np.mean(y) * self.fit_intercept))
        return self

    def _model(self, penalty):
        settings = {"fit_intercept": self.fit_intercept, "tol": self.tol, "max_iter": self.max_iter}
        return ours.PenalizedRegressor(penalty.with_lam(self.alpha), **settings)

    def predict(self, X):
        """Xw + b."""
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse="csr", reset=False) @ self.coef_ + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class GroupLassoCV(GroupLasso):
    """celer's GroupLassoCV: a `PenalizedRegressorCV` that takes the best λ."""

    def __init__(self, groups=1, max_iter=1000, tol=1e-4, fit_intercept=True, weights=None, cv=3):
        super().__init__(groups, 1.0, max_iter, tol, fit_intercept, weights)
        self.cv = cv

    def _model(self, penalty):
        settings = {"fit_intercept": self.fit_intercept, "tol": self.tol, "max_iter": self.max_iter}
        return ours.PenalizedRegressorCV(penalty, cv=self.cv, select="best", n_lambdas=20, **settings)


class Weighted(GroupLasso):
    """One fit with celer's weights."""

    pb = "lasso"

    def __init__(self, alpha, l1_ratio, max_iter, tol, fit_intercept, weights):
        super().__init__(1, alpha, max_iter, tol, fit_intercept, weights)
        self.l1_ratio = l1_ratio


def weighted_or(kind, ratio_of):
    """A drop-in that also takes celer's `weights`, and celer's other options without effect."""
    names = set(inspect.signature(kind.__init__).parameters)

    class Both(kind):
        def __init__(self, alpha=1.0, *, weights=None, **given):
            kind.__init__(self, alpha, **{name: value for name, value in given.items() if name in names})
            self.weights = weights

        def fit(self, X, y):
            if self.weights is None:
                return super().fit(X, y)
            settings = self.max_iter, self.tol, self.fit_intercept, self.weights
            found = Weighted(self.alpha, ratio_of(self), *settings).fit(X, y)
            self.coef_, self.intercept_, self.n_iter_ = found.coef_, found.intercept_, found.n_iter_
            return self

    return Both


def renamed(kind, **defaults):
    """An estimator that takes `n_alphas` for `alphas`, and options that it does not have without effect."""
    names = set(inspect.signature(kind.__init__).parameters)

    def made(**given):
        given = {**defaults, **given}
        given["alphas"] = given.pop("n_alphas", given.get("alphas"))
        return kind(**{name: value for name, value in given.items() if name in names and value is not None})

    return made


def not_here(*_):
    """celer's own functions, which no one else has."""
    raise NotImplementedError("a function of celer's own")


def module(name: str, **members) -> None:
    """Make the module `name` with these members."""
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(members, __path__=[])


def stand_in(testing: Path) -> None:
    """Make celer's modules, with its own `utils.testing`, and give its tests scikit-learn's old names."""
    logistic = with_default(ours.SparseLogisticRegression, fit_intercept=False)
    estimators = {
        "Lasso": weighted_or(ours.Lasso, lambda _: 1.0),
        "ElasticNet": weighted_or(ours.ElasticNet, lambda model: model.l1_ratio),
        "LassoCV": renamed(ours.LassoCV),
        "ElasticNetCV": renamed(ours.ElasticNetCV),
        "MultiTaskLasso": renamed(ours.MultiTaskLasso),
        "MultiTaskLassoCV": renamed(ours.MultiTaskLassoCV),
        "LogisticRegression": logistic,
        "GroupLasso": GroupLasso,
        "GroupLassoCV": GroupLassoCV,
    }
    module("celer", celer_path=celer_path, **estimators)
    module("celer.dropin_sklearn", **estimators)
    module("celer.homotopy", celer_path=celer_path, mtl_path=ours.lasso_path, _grp_converter=not_here)
    module("celer.group_fast", dnorm_grp=not_here)
    module("celer.utils")
    spec = importlib.util.spec_from_file_location("celer.utils.testing", testing)
    sys.modules["celer.utils.testing"] = loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    for name in ("LassoCV", "ElasticNetCV", "MultiTaskLassoCV"):
        setattr(peer, name, renamed(getattr(peer, name)))
    path = _logistic._logistic_regression_path
    _logistic._logistic_regression_path = lambda X, y, **given: path(X, y, classes=np.unique(y), **given)


def main() -> int:
    """Run, list, and return the exit status."""
    only, out = arguments(__doc__, "peers-celer.txt")
    with tempfile.TemporaryDirectory() as folder:
        unpacked = downloaded(RELEASE, Path(folder)) / "celer"
        stand_in(unpacked / "utils" / "testing.py")
        # Away from celer's package, whose compiled modules are not wanted.
        tests = [(unpacked / "tests" / f"test_{name}.py").rename(Path(folder) / f"test_{name}.py") for name in FILES]
        return run([test for test in tests if only in test.name], CLASSES, out)


if __name__ == "__main__":
    sys.exit(main())
