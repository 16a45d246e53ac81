"""The held-out predictions of a comparison as a table."""

from __future__ import annotations

import numpy as np

from shrinkwise.models.coefficients import csv_lines, csv_text
from shrinkwise.models.predictions import prediction_columns, prediction_values

from .result import Comparison

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
    parts = [csv_text(["row", "fold", "truth", *prediction_columns(comparison.model)], [])]
    for start in range(0, len(order), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        known = zip(comparison.file_rows[tested[some]].tolist(), fold[some].tolist(), truth[some].tolist(), strict=True)
        said = prediction_values(comparison.model, output[some])
        parts.append(csv_lines([[*one, *values] for one, values in zip(known, said, strict=True)]))
    return "".join(parts)
