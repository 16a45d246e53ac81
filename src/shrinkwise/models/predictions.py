"""Predictions of a saved model as a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from .coefficients import csv_text
from .intervals.kept import label_lists
from .intervals.score_lines import written_set
from .table_model import TableModel


def predictions_csv(model: TableModel, frame, level: float | None = None) -> str:
    """The text of new predictions: row (from 1), prediction, for classes the probability of each, and intervals.

    At a level such as 0.9 these are the columns low and high of numbers, or set, the labels of classes ("a|b").
    """
    X = model.encoded(frame)
    output = model.of_encoded(X, frame)
    cells = prediction_values(model, output)
    if level is not None:
        cells = [[*row, *more] for row, more in zip(cells, _interval_values(model, X, output, level), strict=True)]
    header = ["row", *prediction_columns(model), *(interval_columns(model) if level is not None else [])]
    return csv_text(header, [[i, *row] for i, row in enumerate(cells, start=1)])


def prediction_columns(model: TableModel) -> list[str]:
    """The names of the columns of a prediction."""
    return ["prediction", *(f"probability of {name}" for name in model.plan.classes or [])]


def prediction_values(model: TableModel, output: np.ndarray) -> list[list]:
    """The cells of every row: the prediction and, for classes, the probability of each."""
    said = model.decide(output).tolist()
    if model.plan.classes is None:
        return [[value] for value in said]
    return [[label, *probabilities] for label, probabilities in zip(said, output.tolist(), strict=True)]


def interval_columns(model: TableModel) -> list[str]:
    """The names of the columns of an interval."""
    return ["low", "high"] if model.plan.classes is None else ["set"]


def _interval_values(model: TableModel, X: Any, output: np.ndarray, level: float) -> list[list]:
    found = model.within(X, output, level)
    if model.plan.classes is None:
        return np.column_stack(found).tolist()
    return [[written_set(labels)] for labels in label_lists(model.plan.classes, found)]
