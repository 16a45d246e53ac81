"""The comparison: candidates scored nested on one table, the one that is kept, and that one refitted on every row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, cast

import numpy as np
from polars import DataFrame

from shrinkwise.compare.candidates import Candidate, Curve, Problem, Tuned, candidates
from shrinkwise.compare.clock import Clock, TimeUp, time_limit
from shrinkwise.compare.exam import sit_exam
from shrinkwise.compare.journal import Journal, fingerprint
from shrinkwise.compare.linear_candidates import tune_lasso
from shrinkwise.compare.model import TableModel
from shrinkwise.compare.nested import (
    FoldResult,
    Progress,
    Splits,
    Work,
    run_nested,
    split_table,
    training_problem,
    tune,
)
from shrinkwise.compare.options import Options
from shrinkwise.compare.predictors import WeightedPredictor
from shrinkwise.compare.result import Comparison, Row, Scored
from shrinkwise.compare.stable import stable_inputs
from shrinkwise.selection import paired_interval
from shrinkwise.tables import Encoder, InputError, TablePlan, as_frame


@dataclass(frozen=True)
class Place:
    """Where finished pieces are kept while the comparison runs, and whether those that are there are taken up."""

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
) -> Comparison:
    """Score every candidate nested, keep the one with the lowest held-out score, refit it on every row.

    Parameters
    ----------
    frame : polars.DataFrame
        The table that `plan` was made of; rows without target are left out.
    plan : TablePlan
    options : Options
    progress : callable (done, total, what)
        Called after every piece of work.
    test : data frame, optional
        Rows that take no part in anything; the kept model is scored on them at the end.
    place : Place, optional
        Where finished pieces are kept, so that a run that is stopped can go on.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        When the rows, or those of a class, are too few for the folds, or the budget for a single candidate.
    """
    clock, options = Clock(options.budget), options.without_missing_extras()
    options.check(plan)
    check_folds(plan, options)
    frame, file_rows = _numbered_rows(plan, frame)
    splits = split_table(frame, plan, options)
    contestants = candidates(options, splits[0].problem.columns.has_groups, splits[0].problem.n_classes)
    _check_sparse(contestants, plan, options)
    total = len(contestants) * len(splits) + 1
    journal = None
    if place is not None:
        journal = Journal(place.folder, fingerprint(frame, plan, options, place.version), resume=place.resume)

    def told(done: int, _: int, what: str) -> None:
        progress(done, total, what)

    results = run_nested(contestants, splits, options, Work(told, clock, journal))
    splits.forget()
    rows, left_out = _rows(contestants, results, splits)
    affordable = [row for row in rows if _refit_seconds(row, splits) <= clock.left] or rows
    chosen = choose(affordable, options, len(plan.kept))
    encoder = Encoder(plan).fit(frame)
    X, y = encoder.transform(frame), plan.target_values(frame)
    problem = training_problem(X, y, plan, options, len(splits), plan.rows(frame), encoder)
    tuned = tune(chosen.candidate, problem, options)
    path_of, curve = _path(chosen.candidate, tuned, problem, options)
    fit = tuned.choices().get(options.choice, tuned.best)
    model = TableModel(plan, encoder, cast(WeightedPredictor, fit.predictor))
    stable = _stable(problem, curve, path_of, options, clock)
    progress(total, total, f"{chosen.candidate.name} on all rows")
    return Comparison(
        plan=plan,
        options=options,
        rows=rows,
        chosen=chosen,
        model=model,
        fit=fit,
        splits=splits,
        path_of=path_of,
        curve=curve,
        guess_scores=splits.guess_scores(),
        file_rows=file_rows,
        left_out=left_out,
        stable=stable,
        exam=None if test is None else sit_exam(model, test),
    )


def check_folds(plan: TablePlan, options: Options) -> None:
    """Refuse folds that cannot be: each holds out two rows or more, and trains on two of every class or more."""
    if not 2 <= options.folds <= plan.n_rows // 2:
        raise InputError(
            f"The number of folds must lie between 2 and half the number of rows, {plan.n_rows // 2}: got {options.folds}."
        )
    members = plan.smallest_class
    if members is None or plan.splits_by:  # groups and times are checked when the rows are split
        return
    possible = [k for k in range(2, options.folds + 1) if k <= members and members - ceil(members / k) >= 2]
    if options.folds not in possible:
        rescue = f"pass --folds {possible[-1]}, or " if possible else ""
        rarest = (plan.classes or [])[plan.class_counts.index(members)]
        raise InputError(
            f"Class {rarest!r} of {plan.target!r} has {members} rows, too few for {options.folds} folds: {rescue}merge it "
            "with another class or take its rows out."
        )


def _numbered_rows(plan: TablePlan, frame) -> tuple[DataFrame, np.ndarray]:
    """The rows with a target, and the number of each in the table."""
    frame = as_frame(frame)
    index = "row"
    while index in frame.columns:
        index += "_"
    used = plan.used_rows(frame.with_row_index(index, offset=1))
    return used.drop(index), used[index].to_numpy()


def _check_sparse(contestants: list[Candidate], plan: TablePlan, options: Options) -> None:
    if options.max_features is None or options.max_features >= len(plan.kept):
        return
    if not any(c.family == "linear" and c.regularizer not in ("", "L2") for c in contestants):
        raise InputError(
            f"A model of at most {options.max_features} inputs needs a method that leaves inputs out: lasso, elastic-net, "
            "group-lasso or mcp."
        )


def choose(rows: list[Row], options: Options, n_inputs: int) -> Row:
    """The row with the lowest held-out score at the kept choice, the reference aside; ties go to fewer inputs, then order.

    With `max_features` only linear models with so few inputs can be kept; with `within` it is the one with the fewest
    inputs among those whose score is within that share of the lowest.
    """
    able = [row for row in rows if row.candidate.family != "reference"]
    most = options.max_features
    if most is not None and most < n_inputs:
        sparse = [row for row in able if row.candidate.family == "linear" and _inputs(row, options) <= most]
        able = sparse or [row for row in able if row.candidate.regularizer not in ("", "L2")] or able
    if not able:
        raise InputError("The budget was spent before any model was scored on all folds: allow more seconds.")
    by_score = min(able, key=lambda row: (row.at(options.choice).score, _inputs(row, options)))
    if options.within is None:
        return by_score
    limit = by_score.at(options.choice).score * (1 + options.within)
    near = [row for row in able if row.at(options.choice).score <= limit]
    return min(near, key=lambda row: (_inputs(row, options), row.at(options.choice).score))


def _inputs(row: Row, options: Options) -> int:
    used = row.at(options.choice).usage
    return used.inputs if used else 0


def _rows(
    contestants: list[Candidate], results: dict[str, list[FoldResult]], splits: Splits
) -> tuple[list[Row], dict[str, str]]:
    """A row for every candidate that was finished, and why the others have none."""
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    baselines: dict[str, Scored] = {}
    for candidate in contestants:
        found = results[candidate.name]
        if not found:
            left_out[candidate.name] = "not finished within the budget"
            continue
        scored = {choice: Scored([r.choices[choice] for r in found]) for choice in found[0].choices}
        if not candidate.regularizer:
            baselines[candidate.family] = scored["best"]
        base = baselines.get(candidate.family)
        differences = {}
        if candidate.regularizer and base is not None:
            for choice, at_choice in scored.items():
                differences[choice] = paired_interval(at_choice.scores - base.scores, *splits.mean_sizes)
        rows.append(
            Row(
                candidate=candidate,
                best=scored["best"],
                one_se=scored.get("one_se"),
                differences=differences,
                seconds=sum(result.seconds for result in found),
                note=_note([next((c.note for c in result.choices.values() if c.note), "") for result in found]),
            )
        )
    return rows, left_out


def _note(notes: list[str]) -> str:
    """The notes of the folds, each with the number of folds it holds for unless that is all."""
    counts = Counter(notes)
    counts.pop("", None)
    said = (note if n == len(notes) else f"in {n} of {len(notes)} folds {note}" for note, n in counts.most_common())
    return "; ".join(said)


def _refit_seconds(row: Row, splits: Splits) -> float:
    """What fitting on all rows takes, from what a fold took; 0 where there is no telling."""
    return 1.5 * row.seconds / len(splits)


def _path(chosen: Candidate, tuned: Tuned, problem: Problem, options: Options) -> tuple[str, Curve]:
    """The chosen candidate's own path if it has exact zeros to show; otherwise the lasso's."""
    if tuned.curve is not None and chosen.regularizer != "L2":
        return chosen.name, tuned.curve
    lasso = Candidate("lasso", "linear", "L1", "mean loss + λ Σ |w|", tune_lasso)
    return lasso.name, cast(Curve, tune(lasso, problem, options).curve)


def _stable(problem: Problem, curve: Curve, path_of: str, options: Options, clock: Clock):
    if not options.stability_pairs:
        return None
    lam = float(curve.lambdas[curve.index_1se]) if path_of == "lasso" else None
    try:
        with time_limit(clock.deadline(0.95)):
            return stable_inputs(problem, lam, options)
    except TimeUp:
        return None
