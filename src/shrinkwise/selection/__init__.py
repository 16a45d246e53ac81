"""Splitting of rows, selection of λ on a cross-validation curve, confidence intervals, stability, knockoffs. No models."""

from __future__ import annotations

from .conformal import conformal_quantiles, row_masses
from .intervals import (
    Difference,
    differences_to_one,
    holm,
    independent_folds,
    independent_interval,
    mean_and_se,
    paired_interval,
    row_difference,
)
from .knockoffs import gaussian_knockoffs, knockoff_threshold
from .pivotal import pivotal_lambda
from .rules import check_select, one_standard_error, paired_one_standard_error, selected
from .splits import Rows, folds, time_folds
from .stability import complementary_halves, false_selection_bound, taking_turns

__all__ = [
    "Difference",
    "Rows",
    "check_select",
    "complementary_halves",
    "conformal_quantiles",
    "differences_to_one",
    "false_selection_bound",
    "folds",
    "gaussian_knockoffs",
    "holm",
    "independent_folds",
    "independent_interval",
    "knockoff_threshold",
    "mean_and_se",
    "one_standard_error",
    "paired_interval",
    "paired_one_standard_error",
    "pivotal_lambda",
    "row_difference",
    "row_masses",
    "selected",
    "taking_turns",
    "time_folds",
]
