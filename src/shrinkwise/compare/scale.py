"""The scale of a numeric target: as it is, or its logarithm where that predicts better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkwise.compare.candidates.base import TrainingRows
from shrinkwise.compare.candidates.linear import RIDGE
from shrinkwise.compare.scoring.response import tuned_response
from shrinkwise.compare.splits.splits import Splits
from shrinkwise.selection import Rows, row_difference
from shrinkwise.tables import InputError

from .metrics import REGRESSION
from .options import Options

_MOST_ROWS = 10_000  # on which the two scales are compared


def with_scale(splits: Splits, options: Options) -> Splits:
    """The splits, after the decision whether models are fitted to the logarithm of the target, which the plan notes."""
    plan, asked = splits.plan, options.log_target
    plan.log_target = False
    if plan.task != REGRESSION or asked is False:
        return splits
    if asked and not (splits.y > 0).all():
        raise InputError(f"A log scale needs a target above 0, but {plan.target!r} has values of 0 or below.")
    plan.log_target = bool(asked) or log_is_better(splits.sample(0, _MOST_ROWS))
    if plan.log_target:
        splits.forget_all()
        why = (
            "as requested"
            if asked
            else "because it is skewed and ridge regression predicts it better so by cross-validation on the training "
            "rows of the first fold (--no-log-target overrules this)"
        )
        note = (
            f"Models are fitted to the logarithm of {plan.target!r}, {why}. Predictions and scores are in the unit of "
            f"{plan.target!r}, corrected by Duan's smearing factor, and at most twice its largest value."
        )
        plan.notes += [note] if note not in plan.notes else []
    return splits


def log_is_better(problem: TrainingRows) -> bool:
    """Whether ridge regression has a lower RMSE, by more than one standard error, if it is fitted to log y.

    By 5-fold cross-validation on these rows, in the unit of y; the folds are random also where the rows have groups or
    times, which concern both scales alike. Only positive targets with a long upper tail are tried: a skewness above 1, and
    half a unit lower on the log scale.
    """
    problem = replace(problem, rows=Rows(weights=problem.rows.weights))
    if len(problem.y) > _MOST_ROWS:
        problem = problem.take(np.sort(np.random.default_rng(problem.seed).permutation(len(problem.y))[:_MOST_ROWS]))
    y = problem.y
    if not (y > 0).all() or _skewness(y) < 1 or abs(_skewness(np.log(y))) > _skewness(y) - 0.5:
        return False
    options = Options(n_lambdas=20, inner_folds=3, network=None)
    losses: dict[bool, list[np.ndarray]] = {False: [], True: []}
    splits = problem.folds(5)
    for train, test in splits:
        for log, found in losses.items():
            fit = tuned_response(RIDGE, replace(problem.take(train), log_target=log), options).best
            found.append((y[test] - fit.predictor.output(problem.X[test])) ** 2)
    weights = problem.rows.weights
    held = None if weights is None else [weights[test] for _, test in splits]
    n_train = float(np.mean([len(train) for train, _ in splits]))
    difference = row_difference(losses[True], losses[False], n_train, root=True, weights=held)
    return difference.mean < -difference.error


def _skewness(y: np.ndarray) -> float:
    """Third standardised moment."""
    centred = y - y.mean()
    return float(np.mean(centred**3) / max(float(np.mean(centred**2)), 1e-300) ** 1.5)
