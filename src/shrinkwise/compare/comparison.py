"""The comparison: nested scores of all candidates on one table, and the kept one refitted on all rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, cast

import numpy as np
from polars import DataFrame

from shrinkwise.compare.candidates.base import Candidate, Curve, TrainingRows, Tuned
from shrinkwise.compare.candidates.linear import LASSO
from shrinkwise.compare.candidates.registry import candidates, selecting, skipped, without_missing_extras
from shrinkwise.compare.scoring.clock import Clock, TimeUp, time_limit
from shrinkwise.compare.scoring.conformal import KeptIntervals, kept_intervals
from shrinkwise.compare.scoring.differences import difference
from shrinkwise.compare.scoring.fresh_rows import check_fresh_rows, score_fresh_rows
from shrinkwise.compare.scoring.journal import Journal, fingerprint
from shrinkwise.compare.scoring.nested import (
    FOR_COMPARING,
    FoldResult,
    Progress,
    Work,
    guesses,
    n_processes,
    run_nested,
    tune,
)
from shrinkwise.compare.scoring.stability import stable_inputs
from shrinkwise.compare.scoring.workers import on_one_thread
from shrinkwise.compare.splits.splits import Splits, split_table
from shrinkwise.models.predictors import WeightedPredictor
from shrinkwise.models.table_model import TableModel
from shrinkwise.tables import Encoder, InputError, TablePlan

from .kept import NO_TIME, KeptFit, admissible, refitted
from .options import Options
from .result import Comparison, Row, Scored
from .scale import with_scale
from .shapes import shape_fits

# The share of a budget after which the path and the half-samples are done, or left out. What is left is for the report.
_FOR_EXHIBITS = 0.88

_SAMPLE = 10_000  # training rows from which the kinds of features are known

NOT_FINISHED = "not finished within the budget"


@dataclass(frozen=True)
class Place:
    """Where finished pieces are stored during the comparison, and whether existing ones are reused."""

    folder: Path
    resume: bool = False
    version: str = ""


def compare_table(
    frame,
    plan: TablePlan,
    options: Options,
    progress: Progress = lambda *_: None,
    *,
    test: Any = None,
    place: Place | None = None,
    clock: Clock | None = None,
    splits: Splits | None = None,
) -> Comparison:
    """Score every candidate by nested cross-validation, keep the one with the lowest held-out score, and refit it on
    all rows.

    Parameters
    ----------
    frame : polars.DataFrame
        The table of `plan`; rows without a target are excluded.
    plan : TablePlan
    options : Options
    progress : callable (done, total, what)
        Called after every piece of work.
    test : data frame, optional
        Rows not used for training or selection; the kept model is scored on them at the end.
    place : Place, optional
        Where finished pieces are stored, so that an interrupted run can be resumed.
    clock : Clock, optional
        The clock of the budget; by default it starts now.
    splits : Splits, optional
        The outer folds of a table that is a sample of more rows (`compare.streamed`), whose rows all have a target.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there are too few rows, or too few of a class, for the folds, or the budget is too short for a single
        candidate.
    """
    clock, options = clock or Clock(options.budget), without_missing_extras(options)
    frame = frame if splits is None else splits.frame
    options.check(plan)
    n_known = 0 if test is None else check_fresh_rows(plan, test, frame)
    check_folds(plan, options)
    frame, file_rows = _numbered_rows(plan, frame) if splits is None else (frame, splits.numbers)
    splits, limits = _prepared(splits, frame, plan, options, clock, progress)
    contestants = candidates(*limits)
    _check_sparse(contestants, plan, options)
    total = len(contestants) * len(splits) + 1
    journal = _journal(place, frame, plan, options)
    del frame  # splits has it, as long as it is needed

    def told(done: int, _: int, what: str) -> None:
        progress(done, total, what)

    results = run_nested(contestants, splits, options, Work(told, clock, journal))
    rows, left_out = _rows(contestants, results, splits)
    admissible(rows, options, len(plan.kept))  # before all rows are encoded
    encoder, problem = splits.whole()
    kept = refitted(rows, problem, splits, options, clock)
    kept = kept.with_fit(splits.on_all_rows(kept.fit, problem, encoder))
    path_of, curve = _path(kept.row.candidate, kept.tuned, problem, options, clock)
    model, intervals = _with_intervals(kept, encoder, problem.X, splits)
    jobs = 1 if splits.large or options.budget is not None else n_processes(options)
    stable = _stable(problem, curve, path_of, options, clock, jobs)
    shapes = _in_time(lambda: shape_fits(kept.fit, problem, options), clock)
    progress(total, total, f"{kept.row.candidate.name} on all rows")
    return Comparison(
        plan=plan,
        options=options,
        rows=rows,
        chosen=kept.row,
        choice=kept.choice,
        passed_over=kept.passed_over,
        model=model,
        fit=kept.fit,
        splits=splits,
        path_of=path_of,
        curve=curve,
        constant=Scored(guesses(splits)),
        file_rows=file_rows,
        left_out=left_out | skipped(*limits),
        stable=stable,
        intervals=intervals,
        fresh=None if test is None else score_fresh_rows(model, test, n_known),
        shape_fits=shapes,
    )


def _prepared(
    splits: Splits | None, frame: DataFrame, plan: TablePlan, options: Options, clock: Clock, progress: Progress
) -> tuple[Splits, tuple[Options, bool, bool, bool]]:
    """The folds, with the scale of the target decided, and what determines the candidates; InputError if time is up."""
    try:
        with time_limit(clock.deadline(FOR_COMPARING)):
            splits = with_scale(splits or split_table(frame, plan, options), options)
            splits.prepare(progress)
            sample = splits.sample(0, _SAMPLE)
            sample.folds(options.most_inner_folds)  # where these cannot be, before the work
    except TimeUp:
        raise InputError(NO_TIME) from None
    return splits, (options, sample.columns.has_groups, plan.has_numbers, plan.log_link)


def check_folds(plan: TablePlan, options: Options) -> None:
    """Raise InputError unless each fold holds out at least two rows and trains on at least two rows of every class."""
    if not 2 <= options.folds <= plan.n_rows // 2:
        raise InputError(
            f"The number of folds must be between 2 and half the number of rows ({plan.n_rows // 2}), got "
            f"{options.folds}."
        )
    members = plan.smallest_class
    if members is None or plan.splits_by:  # groups and times are checked when the rows are split
        return
    possible = [k for k in range(2, options.folds + 1) if k <= members and members - ceil(members / k) >= 2]
    if options.folds not in possible:
        rescue = f"pass --folds {possible[-1]}, or " if possible else ""
        rarest = (plan.classes or [])[plan.class_counts.index(members)]
        raise InputError(
            f"Class {rarest!r} of {plan.target!r} has {members} rows, too few for {options.folds} folds: "
            f"{rescue}merge it with another class or remove its rows."
        )


def _journal(place: Place | None, frame, plan: TablePlan, options: Options) -> Journal | None:
    if place is None:
        return None
    return Journal(place.folder, fingerprint(frame, plan, options, place.version), resume=place.resume)


def _numbered_rows(plan: TablePlan, frame) -> tuple[DataFrame, np.ndarray]:
    """The rows with a target, and the number of each in the table, by which errors in groups and times name it."""
    used, numbers = plan.numbered_rows(frame)
    plan.rows(used, numbers)
    return used, numbers


def _check_sparse(contestants: list[Candidate], plan: TablePlan, options: Options) -> None:
    if options.max_features is None or options.max_features >= len(plan.kept):
        return
    if not any(candidate.selects_inputs for candidate in contestants):
        raise InputError(
            f"A model with at most {options.max_features} inputs needs a method that selects inputs: {selecting()}."
        )


def _with_intervals(kept: KeptFit, encoder: Encoder, X: Any, splits: Splits) -> tuple[TableModel, KeptIntervals]:
    """The kept model, and its intervals from the held-out rows."""
    predictor = cast(WeightedPredictor, kept.fit.predictor)
    used = np.any(np.atleast_2d(predictor.feature_weights()) != 0, axis=0)
    with on_one_thread():
        intervals = kept_intervals(splits, kept.row.at(kept.choice).folds, X, used)
    return TableModel(encoder.plan, encoder, predictor, intervals.model), intervals


def _rows(
    contestants: list[Candidate], results: dict[str, list[FoldResult]], splits: Splits
) -> tuple[list[Row], dict[str, str]]:
    """A row for every finished candidate, and the reasons why the others have none."""
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    baselines: dict[str, Scored] = {}
    for candidate in contestants:
        found = results[candidate.name]
        if not found:
            left_out[candidate.name] = NOT_FINISHED
            continue
        scored = {choice: Scored([r.choices[choice] for r in found]) for choice in found[0].choices}
        if not candidate.regularizer:
            baselines[candidate.family] = scored["best"]
        base = baselines.get(candidate.family)
        differences = {}
        if candidate.regularizer and base is not None:
            for choice, at_choice in scored.items():
                differences[choice] = difference(splits, at_choice.folds, base.folds)
        rows.append(
            Row(
                candidate=candidate,
                best=scored["best"],
                one_se=scored.get("one_se"),
                differences=differences,
                cost=None
                if "one_se" not in scored
                else difference(splits, scored["one_se"].folds, scored["best"].folds),
                seconds=sum(result.seconds for result in found),
                note=_note([next((c.note for c in result.choices.values() if c.note), "") for result in found]),
            )
        )
    return rows, left_out


def _note(notes: list[str]) -> str:
    """The notes of the folds, each with its number of folds unless it is in all."""
    counts = Counter(notes)
    counts.pop("", None)
    said = (note if n == len(notes) else f"in {n} of {len(notes)} folds {note}" for note, n in counts.most_common())
    return "; ".join(said)


def _path(
    chosen: Candidate, tuned: Tuned, problem: TrainingRows, options: Options, clock: Clock
) -> tuple[str, Curve | None]:
    """The path of the kept candidate if it has exact zeros; otherwise that of the lasso, if there is time."""
    if tuned.curve is not None and chosen.makes_zeros:
        return chosen.name, tuned.curve
    return LASSO.name, _in_time(lambda: tune(LASSO, problem, options).curve, clock)


def _stable(problem: TrainingRows, curve: Curve | None, path_of: str, options: Options, clock: Clock, jobs: int):
    if not options.stability_pairs:
        return None
    lam = curve.lambda_1se if curve is not None and path_of == LASSO.name else None
    return _in_time(lambda: stable_inputs(problem, lam, options, jobs), clock)


def _in_time(work: Callable[[], Any], clock: Clock) -> Any:
    """The result of work for the report; None if there was no time for it."""
    try:
        with time_limit(clock.deadline(_FOR_EXHIBITS)):
            return work()
    except TimeUp:
        return None
