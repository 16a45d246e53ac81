"""Splitting of rows, selection of λ on a cross-validation curve, confidence intervals, stability. No models."""

from __future__ import annotations

from .intervals import holm, independent_folds, independent_interval, mean_and_se, paired_interval, paired_p_value
from .rules import check_select, one_standard_error, selected
from .splits import Rows, folds, time_folds
from .stability import complementary_halves, false_selection_bound, taking_turns

__all__ = [
    "Rows",
    "check_select",
    "complementary_halves",
    "false_selection_bound",
    "folds",
    "holm",
    "independent_folds",
    "independent_interval",
    "mean_and_se",
    "one_standard_error",
    "paired_interval",
    "paired_p_value",
    "selected",
    "taking_turns",
    "time_folds",
]
