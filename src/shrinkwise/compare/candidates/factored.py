"""Linear least squares from the triangular factors of the training rows (`RowFactors`), without the rows."""

from __future__ import annotations

from shrinkwise.compare.options import Options
from shrinkwise.penalties import Penalty

from .base import TrainingRows


def factored_curve(penalty: Penalty, problem: TrainingRows, options: Options, **solving):
    """The path of a penalty and its cross-validation curve."""
    from shrinkwise.linear.estimators.factors import with_factors
    from shrinkwise.linear.estimators.validation.triangles import triangle_curve

    triangles, factors = problem.factors.folds, problem.columns.factors  # type: ignore[union-attr]
    if factors is not None and penalty.groups is None:
        penalty = with_factors(penalty, factors, len(factors))
    return triangle_curve(triangles, penalty, options.n_lambdas, **solving)


def factored_fit(penalty: Penalty, problem: TrainingRows):
    """The solution at the penalty's own λ: a Path of one λ."""
    from shrinkwise.linear.estimators.validation.triangles import triangle_at

    return triangle_at(problem.factors.folds.whole, penalty)  # type: ignore[union-attr]
