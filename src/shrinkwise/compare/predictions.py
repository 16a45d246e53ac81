"""Predictions as a table: held-out ones of the comparison, and new ones of a saved model."""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.coefficients import csv_text
from shrinkwise.compare.model import TableModel
from shrinkwise.compare.result import Comparison


def held_out_csv(comparison: Comparison) -> str:
    """The text of predictions.csv: for every row the prediction of the kept candidate when that row was held out.

    Columns: row (its number in the table, from 1), fold (from 1), truth, prediction and, for classes, the probability
    of each.
    """
    header, rows = ["row", "fold", "truth", *_columns(comparison.model)], []
    splits = comparison.splits
    for number, ((_, test), held_out) in enumerate(zip(splits.folds, comparison.kept.folds, strict=True)):
        truth = splits.y[test] if comparison.plan.classes is None else np.array(comparison.plan.classes)[splits.y[test]]
        said = _values(comparison.model, held_out.output)
        file_rows = comparison.file_rows[test]
        rows += [
            [int(row), number + 1, _plain(t), *values] for row, t, values in zip(file_rows, truth, said, strict=True)
        ]
    return csv_text(header, sorted(rows))


def predictions_csv(model: TableModel, frame) -> str:
    """The text of new predictions: row (from 1), prediction and, for classes, the probability of each."""
    values = _values(model, model.output(frame))
    return csv_text(["row", *_columns(model)], [[i, *row] for i, row in enumerate(values, start=1)])


def _columns(model: TableModel) -> list[str]:
    return ["prediction", *(f"probability of {name}" for name in model.plan.classes or [])]


def _values(model: TableModel, output: np.ndarray) -> list[list]:
    said = model.decide(output).tolist()
    if model.plan.classes is None:
        return [[value] for value in said]
    return [[label, *probabilities] for label, probabilities in zip(said, output.tolist(), strict=True)]


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value
