"""Exact solvers for linear models, each solution with its certificate.

`path` needs NumPy and SciPy only; the estimators, which are scikit-learn's, are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from shrinkwise.selection.pivotal import pivotal_lambda

from .estimators.factors import adaptive_weights
from .paths.api import Path, path

if TYPE_CHECKING:
    from .copies.overlapping import OverlappingGroups
    from .copies.pairs import Pairs
    from .drop_in.cv import ElasticNetCV, LassoCV
    from .drop_in.logistic import SparseLogisticRegression, SparseLogisticRegressionCV
    from .drop_in.multi_task import MultiTaskElasticNet, MultiTaskElasticNetCV, MultiTaskLasso, MultiTaskLassoCV
    from .drop_in.path_functions import enet_path, lasso_path
    from .drop_in.regressors import ElasticNet, Lasso, Ridge
    from .drop_in.ridge_cv import RidgeCV
    from .estimators.classifier import PenalizedClassifier
    from .estimators.cox import PenalizedCox, PenalizedCoxCV
    from .estimators.cross_validation import PenalizedClassifierCV, PenalizedRegressorCV
    from .estimators.description.hazards import concordance
    from .estimators.description.post_selection import PostSelection, lasso_intervals
    from .estimators.knockoffs import Knockoffs, knockoffs
    from .estimators.multi_target import MultiTargetClassifier, MultiTargetClassifierCV
    from .estimators.penalized import PenalizedRegressor
    from .estimators.stability import Stability, stability_selection
    from .losses import survival
    from .separation import Separation, find_separation, is_separable

_HOME = {
    "copies.overlapping": ["OverlappingGroups"],
    "copies.pairs": ["Pairs"],
    "estimators.penalized": ["PenalizedRegressor"],
    "estimators.classifier": ["PenalizedClassifier"],
    "estimators.multi_target": ["MultiTargetClassifier", "MultiTargetClassifierCV"],
    "estimators.cox": ["PenalizedCox", "PenalizedCoxCV"],
    "estimators.description.hazards": ["concordance"],
    "estimators.description.post_selection": ["PostSelection", "lasso_intervals"],
    "losses": ["survival"],
    "estimators.cross_validation": ["PenalizedClassifierCV", "PenalizedRegressorCV"],
    "drop_in.regressors": ["ElasticNet", "Lasso", "Ridge"],
    "drop_in.path_functions": ["enet_path", "lasso_path"],
    "drop_in.cv": ["ElasticNetCV", "LassoCV"],
    "drop_in.multi_task": ["MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV"],
    "drop_in.ridge_cv": ["RidgeCV"],
    "drop_in.logistic": ["SparseLogisticRegression", "SparseLogisticRegressionCV"],
    "separation": ["Separation", "find_separation", "is_separable"],
    "estimators.knockoffs": ["Knockoffs", "knockoffs"],
    "estimators.stability": ["Stability", "stability_selection"],
}
_WHERE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "Knockoffs",
    "Lasso",
    "LassoCV",
    "MultiTargetClassifier",
    "MultiTargetClassifierCV",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "OverlappingGroups",
    "Pairs",
    "Path",
    "PenalizedClassifier",
    "PenalizedClassifierCV",
    "PenalizedCox",
    "PenalizedCoxCV",
    "PenalizedRegressor",
    "PenalizedRegressorCV",
    "PostSelection",
    "Ridge",
    "RidgeCV",
    "Separation",
    "SparseLogisticRegression",
    "SparseLogisticRegressionCV",
    "Stability",
    "adaptive_weights",
    "concordance",
    "enet_path",
    "find_separation",
    "is_separable",
    "knockoffs",
    "lasso_intervals",
    "lasso_path",
    "path",
    "pivotal_lambda",
    "stability_selection",
    "survival",
]


if not TYPE_CHECKING:  # for mypy a name that is not imported above does not exist

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
