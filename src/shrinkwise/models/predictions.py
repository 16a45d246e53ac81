"""Predictions of a saved model as a table."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from shrinkwise.tables import Layout
from shrinkwise.tables.encoding import said
from shrinkwise.tables.file_rows import FileRows

from .coefficients import csv_lines, csv_text
from .intervals.kept import label_lists
from .intervals.score_lines import written_set
from .table_model import TableModel

_LINES = 8192  # of text that are Python objects at one time


def predictions_csv(model: TableModel, frame, level: float | None = None) -> str:
    """The text of new predictions: row (from 1), prediction, for classes the probability of each, and intervals.

    At a level such as 0.9 these are the columns low and high of numbers, or set, the labels of classes ("a|b").
    """
    lines = prediction_lines(model, frame, level)
    return csv_text(["row", *all_columns(model, level)], [[i, *row] for i, row in enumerate(lines, start=1)])


def write_predictions(
    model: TableModel, source: str | Path, file: IO[str], level: float | None = None, layout: Layout | None = None
) -> list[str]:
    """Write `predictions_csv` for the rows of a file, or of a folder or a pattern of files, block by block.

    With several files the first column is file, and rows are counted in each. Returns sentences on how the rows were read
    and predicted. Raises InputError as `FileRows`, and for a value that cannot be used, with its row.
    """
    rows, remarks, n = FileRows(model.encoder, model.used, source, layout), model.encoder.remarking(), 0
    file.write(csv_lines([[*(["file"] if rows.several else []), "row", *all_columns(model, level)]]))
    for block in rows.blocks():
        rows.done(block, partial(model.encoder.remark, remarks, needed=model.used, offset=n))
        of, n = ([block.origin] if rows.several else []), n + len(block)
        for start in range(0, len(block), _LINES):
            cells = rows.done(block, lambda frame: prediction_lines(model, frame, level), start, _LINES)
            numbered = enumerate(cells, block.offset + start + 1)
            file.write(csv_lines([[*of, row, *cell] for row, cell in numbered]))
    return [*rows.table.notes, *said(remarks)]


def all_columns(model: TableModel, level: float | None = None) -> list[str]:
    """The names of the columns of a prediction, with those of its interval at a level."""
    return [*prediction_columns(model), *(interval_columns(model) if level is not None else [])]


def prediction_lines(model: TableModel, frame, level: float | None = None) -> list[list]:
    """The cells of every row in the order of `all_columns`."""
    X = model.encoded(frame)
    output = model.of_encoded(X, frame)
    cells = prediction_values(model, output)
    if level is None:
        return cells
    return [[*row, *more] for row, more in zip(cells, _interval_values(model, X, output, level), strict=True)]


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
