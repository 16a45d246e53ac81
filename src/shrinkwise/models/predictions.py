"""Predictions as a table: held-out ones of the comparison, and new ones of a saved model."""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.result import Comparison

from .coefficients import csv_lines, csv_text
from .table_model import TableModel

_AT_ONCE = 20_000  # rows that are Python objects at one time: they take ten times the room of numbers


def held_out_csv(comparison: Comparison) -> str:
    """The text of predictions.csv: for every row the prediction of the kept candidate when that row was held out.

    Columns: row (its number in the table, from 1), fold (from 1), truth, prediction and, for classes, the probability
    of each.
    """
    plan, splits, held = comparison.plan, comparison.splits, comparison.kept.folds
    tested = np.concatenate([test for _, test in splits.folds])
    fold = np.repeat(np.arange(len(held)) + 1, [len(test) for _, test in splits.folds])
    output = np.concatenate([part.output for part in held])
    truth = splits.y[tested] if plan.classes is None else np.array(plan.classes)[splits.y[tested]]
    order = np.argsort(comparison.file_rows[tested], kind="stable")
    parts = [csv_text(["row", "fold", "truth", *_columns(comparison.model)], [])]
    for start in range(0, len(order), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        known = zip(comparison.file_rows[tested[some]].tolist(), fold[some].tolist(), truth[some].tolist(), strict=True)
        said = _values(comparison.model, output[some])
        parts.append(csv_lines([[*one, *values] for one, values in zip(known, said, strict=True)]))
    return "".join(parts)


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
