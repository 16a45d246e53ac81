"""Predictions of a saved model as a table."""

from __future__ import annotations

import numpy as np

from .coefficients import csv_text
from .table_model import TableModel


def predictions_csv(model: TableModel, frame) -> str:
    """The text of new predictions: row (from 1), prediction and, for classes, the probability of each."""
    values = prediction_values(model, model.output(frame))
    return csv_text(["row", *prediction_columns(model)], [[i, *row] for i, row in enumerate(values, start=1)])


def prediction_columns(model: TableModel) -> list[str]:
    """The names of the columns of a prediction."""
    return ["prediction", *(f"probability of {name}" for name in model.plan.classes or [])]


def prediction_values(model: TableModel, output: np.ndarray) -> list[list]:
    """The cells of every row: the prediction and, for classes, the probability of each."""
    said = model.decide(output).tolist()
    if model.plan.classes is None:
        return [[value] for value in said]
    return [[label, *probabilities] for label, probabilities in zip(said, output.tolist(), strict=True)]
