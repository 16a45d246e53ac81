"""Exact solvers for linear models, each solution with its certificate.

`path` needs NumPy and SciPy only; the estimators, which are scikit-learn's, are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module

from .estimators.factors import adaptive_weights
from .paths.api import Path, path

_HOME = {
    "estimators.penalized": ["PenalizedRegressor"],
    "estimators.classifier": ["PenalizedClassifier"],
    "estimators.cross_validation": ["PenalizedClassifierCV", "PenalizedRegressorCV"],
    "drop_in.regressors": ["ElasticNet", "Lasso", "Ridge"],
    "drop_in.cv": ["ElasticNetCV", "LassoCV"],
    "drop_in.ridge_cv": ["RidgeCV"],
    "drop_in.logistic": ["SparseLogisticRegression", "SparseLogisticRegressionCV"],
    "separation": ["Separation", "find_separation", "is_separable"],
    "estimators.stability": ["Stability", "stability_selection"],
}
_WHERE = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["Path", "adaptive_weights", "path", *_WHERE]


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(
            f"{name!r} is not a public name of shrinkwise.linear; expected one of {', '.join(sorted(__all__))}"
        )
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
