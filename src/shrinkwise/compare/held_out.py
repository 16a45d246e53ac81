"""The held-out predictions of a comparison as a table."""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.scoring.conformal import KnownIntervals
from shrinkwise.models.coefficients import csv_lines, csv_text
from shrinkwise.models.intervals.kept import label_lists
from shrinkwise.models.intervals.score_lines import written_set
from shrinkwise.models.predictions import interval_columns, prediction_columns, prediction_values
from shrinkwise.models.table_model import TableModel

from .result import Comparison

_AT_ONCE = 20_000  # rows that are Python objects at one time: they take ten times the room of numbers


def held_out_csv(comparison: Comparison) -> str:
    """The text of predictions.csv: for every row the prediction of the kept candidate when that row was held out.

    Columns: row (its number in the table, from 1), fold (from 1), truth, prediction, for classes the probability of each,
    and the intervals at 90 %: low and high, or set, from the residuals of the other folds (in a split by time of the
    earlier ones; empty where there are none).
    """
    plan, splits, held = comparison.plan, comparison.splits, comparison.kept.folds
    tested = np.concatenate([test for _, test in splits.folds])
    fold = np.repeat(np.arange(len(held)) + 1, [len(test) for _, test in splits.folds])
    truth, output = splits.in_units(np.concatenate([part.output for part in held]), tested)
    order = np.argsort(comparison.file_rows[tested], kind="stable")
    intervals = None if comparison.intervals is None else comparison.intervals.held_out
    if plan.classes is None:
        numbers = {"row": comparison.file_rows[tested], "fold": fold, "truth": truth}
        return _numbers_csv(
            {**numbers, **dict.fromkeys(prediction_columns(comparison.model), output)}, intervals, order
        )
    truth = np.array(plan.classes)[truth]
    more = [] if intervals is None else interval_columns(comparison.model)
    parts = [csv_text(["row", "fold", "truth", *prediction_columns(comparison.model), *more], [])]
    for start in range(0, len(order), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        known = zip(comparison.file_rows[tested[some]].tolist(), fold[some].tolist(), truth[some].tolist(), strict=True)
        said = prediction_values(comparison.model, output[some])
        edges = [[]] * len(some) if intervals is None else _sets(comparison.model, intervals, some)
        parts.append(csv_lines([[*one, *values, *edge] for one, values, edge in zip(known, said, edges, strict=True)]))
    return "".join(parts)


def _numbers_csv(columns: dict[str, np.ndarray], intervals: KnownIntervals | None, order: np.ndarray) -> str:
    """The text of a table of numbers, with the intervals where they are known."""
    import polars as pl

    frame = pl.DataFrame(columns)
    if intervals is not None:
        edges = {"low": intervals.low, "high": intervals.high}
        known = pl.when(pl.Series(intervals.found))
        frame = frame.with_columns(**{name: known.then(pl.Series(values)) for name, values in edges.items()})
    return frame[order].write_csv()


def _sets(model: TableModel, intervals: KnownIntervals, rows: np.ndarray) -> list[list]:
    """The cells of the sets of labels of some of the held-out rows."""
    members = label_lists(model.plan.classes or [], intervals.inside[rows])  # type: ignore[index]
    return [
        [written_set(labels) if found else ""] for labels, found in zip(members, intervals.found[rows], strict=True)
    ]
