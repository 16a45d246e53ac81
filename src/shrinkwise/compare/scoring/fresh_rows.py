"""The kept model on a test table, which is not used for training or selection."""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.metrics import REGRESSION, balanced_accuracy, held_out_score, row_losses
from shrinkwise.models.table_model import TableModel
from shrinkwise.report import FreshScore
from shrinkwise.tables import InputError, TablePlan, as_frame, known_rows
from shrinkwise.tables.columns.features import column_values

from .conformal import intervals_of


def score_fresh_rows(model: TableModel, frame, n_known: int) -> FreshScore:
    """Score a model on every row of `frame` that has a target; n_known of them are also training rows.

    The interval is score ± 1.96 s/√n with s the standard deviation of the rows' losses; for a root-mean-square error r that
    is s/(2r), by the delta method.
    """
    plan, frame = model.plan, as_frame(frame)
    rows = plan.used_rows(frame)
    truth, weights, X = plan.target_values(rows), plan.weights(rows), model.encoded(rows)
    output = model.predictor.output(X)
    score = held_out_score(plan.task, truth, output, weights)
    losses = row_losses(plan.task, truth, output)
    share = np.full(len(losses), 1 / len(losses)) if weights is None else weights / weights.sum()
    error = float(np.sqrt(np.sum((share * (losses - share @ losses)) ** 2)))
    if plan.task == REGRESSION:
        error = error / (2 * score) if score > 0 else 0.0
    low, high = score - 1.96 * error, score + 1.96 * error
    exposures = plan.exposures(rows)
    counts, predicted = (truth, output) if exposures is None else (truth * exposures, output * exposures)
    intervals = intervals_of(model, X, predicted)
    coverage = [] if intervals is None else intervals.coverage(counts, predicted, weights)
    balanced = balanced_accuracy(plan.task, truth, output)
    unused = frame.height - rows.height
    return FreshScore(score, max(low, 0.0), high, rows.height, balanced, n_known, coverage, unused)


def check_fresh_rows(plan: TablePlan, frame, known) -> int:
    """Raise InputError, before any model is fitted, for a test table that cannot be scored.

    It needs the inputs, the target, weights and exposures, but neither groups nor times, and at least two rows, not all of
    which are exact copies of training rows (`known`). Returns the number of copies.
    """
    frame = as_frame(frame)
    for column in plan.kept:
        if column.name not in frame.columns:
            raise InputError(f"The test table has no column {column.name!r}, an input of {plan.name}.")
        column_values(column, frame[column.name])  # raises InputError for what is no date or no number
    rows = plan.used_rows(frame)
    if rows.height < 2:
        raise InputError(
            f"The test table has {rows.height} rows with a value in {plan.target!r}; at least 2 are needed."
        )
    columns = [*(column.name for column in plan.kept), plan.target]
    n_known = int(known_rows(rows, plan.used_rows(known), columns).sum())
    if n_known == rows.height:
        raise InputError(f"All {rows.height} test rows also occur in the training table; supply unseen rows.")
    return n_known
