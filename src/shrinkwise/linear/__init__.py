"""Exact solvers for linear models, each solution with its certificate."""

from .cross_validation import PenalizedClassifierCV, PenalizedRegressorCV
from .estimators import PenalizedClassifier, PenalizedRegressor
from .path import Path, path
from .separable import is_separable

__all__ = [
    "Path",
    "PenalizedClassifier",
    "PenalizedClassifierCV",
    "PenalizedRegressor",
    "PenalizedRegressorCV",
    "is_separable",
    "path",
]
