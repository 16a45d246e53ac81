"""The comparison: candidates scored nested on one table, the one that is kept, and that one refitted on every row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil
from statistics import median, mode
from typing import cast

import numpy as np
from polars import DataFrame

from shrinkwise.compare.candidates import Candidate, Curve, Fit, Tuned, candidates
from shrinkwise.compare.half_samples import HalfSamples, half_samples
from shrinkwise.compare.model import TableModel
from shrinkwise.compare.nested import (
    FoldResult,
    HeldOut,
    Progress,
    Split,
    run_nested,
    split_table,
    training_problem,
    tune,
)
from shrinkwise.compare.options import Options
from shrinkwise.compare.predictors import Usage, WeightedPredictor, usage
from shrinkwise.compare.scores import guess, held_out_score
from shrinkwise.selection import mean_and_se, paired_interval
from shrinkwise.tables import Encoder, InputError, TablePlan, as_frame


@dataclass(frozen=True)
class Scored:
    """One candidate with one choice of its setting, over all outer folds."""

    folds: list[HeldOut]

    @property
    def scores(self) -> np.ndarray:
        """Held-out score per fold (K,)."""
        return np.array([fold.score for fold in self.folds])

    @property
    def score(self) -> float:
        """Mean held-out score over the folds."""
        return mean_and_se(self.scores)[0]

    @property
    def se(self) -> float:
        """Its standard error over the folds."""
        return mean_and_se(self.scores)[1]

    @property
    def accuracy(self) -> float | None:
        """Mean share of held-out rows classified right; None for regression."""
        return None if self.folds[0].accuracy is None else float(np.mean([fold.accuracy for fold in self.folds]))

    @property
    def settings(self) -> dict:
        """Over the folds the median of λ and keep, the most frequent of everything else."""
        chosen = [fold.settings for fold in self.folds]
        return {
            name: (median if name in ("λ", "keep") else mode)(
                [settings[name] for settings in chosen if name in settings]
            )
            for name in chosen[0]
        }

    @property
    def usage(self) -> Usage | None:
        """Median over the folds of inputs used, exact zeros and weights."""
        used = [fold.usage for fold in self.folds]
        if used[0] is None:
            return None
        return Usage(*(round(median(getattr(u, name) for u in used)) for name in ("inputs", "zeros", "weights")))


@dataclass(frozen=True)
class Row:
    """One candidate's line of the comparison. one_se is None where nothing is tuned.

    differences holds, per choice, the interval (mean, low, high) of the score minus the score of no regularization in
    the same family, fold by fold; it is empty for a baseline and for the reference.
    """

    candidate: Candidate
    best: Scored
    one_se: Scored | None
    differences: dict[str, tuple[float, float, float]]
    seconds: float
    note: str

    def at(self, choice: str) -> Scored:
        """The scores of a choice; a candidate without tuning has one score for both."""
        return self.one_se if choice == "one_se" and self.one_se is not None else self.best


@dataclass(frozen=True)
class Comparison:
    """The result of `compare_table`.

    rows: one per candidate. chosen: the row of the kept one. model: the kept one refitted on all rows, with fit its
    settings there. splits: the outer folds. path_of, curve: the coefficient path on all rows that the report shows
    and the name of its candidate. guess_scores: the held-out score, per fold, of looking at no input. file_rows: for
    each row used its number in the table, from 1. halves: the inputs that the lasso selects on halves of the rows.
    """

    plan: TablePlan
    options: Options
    rows: list[Row]
    chosen: Row
    model: TableModel
    fit: Fit
    splits: list[Split]
    path_of: str
    curve: Curve
    guess_scores: np.ndarray
    file_rows: np.ndarray
    halves: HalfSamples | None = None

    def row(self, name: str) -> Row:
        """The row of the candidate called `name`."""
        return next(row for row in self.rows if row.candidate.name == name)

    def baseline(self, family: str) -> Row:
        """The row without regularization in a family."""
        return next(row for row in self.rows if row.candidate.family == family and not row.candidate.regularizer)

    @property
    def kept(self) -> Scored:
        """The chosen candidate's held-out scores at the kept choice."""
        return self.chosen.at(self.options.choice)

    def interval(self, differences: np.ndarray) -> tuple[float, float, float]:
        """The corrected 95 % interval of fold differences of this comparison."""
        return _interval(differences, self.splits)


def compare_table(frame, plan: TablePlan, options: Options, progress: Progress = lambda *_: None) -> Comparison:
    """Score every candidate nested, keep the one with the lowest held-out score, refit it on every row.

    Parameters
    ----------
    frame : polars.DataFrame
        The table that `plan` was made of; rows without target are left out.
    plan : TablePlan
    options : Options
    progress : callable (done, total, what)
        Called after every piece of work.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        When the rows, or those of a class, are too few for the folds.
    """
    options = options.without_missing_extras()
    check_folds(plan, options)
    frame, file_rows = _numbered_rows(plan, frame)
    contestants, splits = candidates(options), split_table(frame, plan, options)
    total = len(contestants) * len(splits) + 1

    results = run_nested(contestants, splits, options, lambda done, _, what: progress(done, total, what))
    rows = _rows(contestants, results, splits)
    chosen = choose(rows, options.choice)
    encoder = Encoder(plan).fit(frame)
    problem = training_problem(encoder.transform(frame), plan.target_values(frame), plan, options, len(splits))
    tuned = tune(chosen.candidate, problem, options)
    path_of, curve = _path(chosen.candidate, tuned, contestants, problem, options)
    fit = tuned.choices().get(options.choice, tuned.best)
    progress(total, total, f"{chosen.candidate.name} on all rows")
    return Comparison(
        plan=plan,
        options=options,
        rows=rows,
        chosen=chosen,
        model=TableModel(plan, encoder, cast(WeightedPredictor, fit.predictor)),
        fit=fit,
        splits=splits,
        path_of=path_of,
        curve=curve,
        guess_scores=_guess_scores(splits),
        file_rows=file_rows,
        halves=half_samples(
            problem, list(encoder.inputs), curve.lambdas[curve.index_1se] if path_of == "lasso" else None, options
        ),
    )


def check_folds(plan: TablePlan, options: Options) -> None:
    """Refuse folds that cannot be: each holds out two rows or more, and trains on two of every class or more."""
    if not 2 <= options.folds <= plan.n_rows // 2:
        raise InputError(
            f"The number of folds must lie between 2 and half the number of rows, {plan.n_rows // 2}: got {options.folds}."
        )
    members = plan.smallest_class
    if members is None:
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


def choose(rows: list[Row], choice: str) -> Row:
    """The row with the lowest held-out score at `choice`, the reference aside; ties go to fewer inputs, then order."""

    def rank(row: Row) -> tuple[float, int]:
        used = row.at(choice).usage
        return row.at(choice).score, used.inputs if used else 0

    return min((row for row in rows if row.candidate.family != "reference"), key=rank)


def _rows(contestants: list[Candidate], results: dict[str, list[FoldResult]], splits: list[Split]) -> list[Row]:
    rows: list[Row] = []
    baselines: dict[str, Scored] = {}
    for candidate in contestants:
        found = results[candidate.name]
        scored = {choice: Scored([r.choices[choice] for r in found]) for choice in found[0].choices}
        base = baselines.setdefault(candidate.family, scored["best"])
        compared = scored if candidate.regularizer else {}
        rows.append(
            Row(
                candidate=candidate,
                best=scored["best"],
                one_se=scored.get("one_se"),
                differences={choice: _interval(s.scores - base.scores, splits) for choice, s in compared.items()},
                seconds=sum(result.seconds for result in found),
                note=_note([next((c.note for c in result.choices.values() if c.note), "") for result in found]),
            )
        )
    return rows


def _interval(differences: np.ndarray, splits: list[Split]) -> tuple[float, float, float]:
    n_test = float(np.mean([len(split.y_test) for split in splits]))
    n_train = float(np.mean([len(split.problem.y) for split in splits]))
    return paired_interval(differences, n_train, n_test)


def _note(notes: list[str]) -> str:
    """The notes of the folds, each with the number of folds it holds for unless that is all."""
    counts = Counter(notes)
    counts.pop("", None)
    said = (note if n == len(notes) else f"in {n} of {len(notes)} folds {note}" for note, n in counts.most_common())
    return "; ".join(said)


def _path(
    chosen: Candidate, tuned: Tuned, contestants: list[Candidate], problem, options: Options
) -> tuple[str, Curve]:
    """The chosen candidate's own path if it has exact zeros to show; otherwise the lasso's."""
    if tuned.curve is not None and "L1" in chosen.regularizer:
        return chosen.name, tuned.curve
    lasso = next(candidate for candidate in contestants if candidate.name == "lasso")
    return lasso.name, cast(Curve, tune(lasso, problem, options).curve)


def _guess_scores(splits: list[Split]) -> np.ndarray:
    scores = []
    for split in splits:
        problem = split.problem
        output = guess(problem.task, problem.y, len(split.y_test), problem.n_classes)
        scores.append(held_out_score(problem.task, split.y_test, output))
    return np.array(scores)


def kept_usage(comparison: Comparison) -> Usage:
    """What the model that was refitted on all rows uses."""
    return usage(comparison.model.predictor, list(comparison.model.encoder.inputs))
