"""Nested cross-validation: every outer fold is scored with models fitted and tuned without it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, Fit, TrainingRows, Tuned
from shrinkwise.compare.metrics import accuracy, balanced_accuracy, guess, held_out_score
from shrinkwise.compare.options import Options
from shrinkwise.compare.splits.splits import Split, Splits
from shrinkwise.models.predictors import Usage, WeightedPredictor, usage

from .clock import Clock, TimeUp, time_limit
from .response import tuned_response
from .workers import end_with, on_one_thread

Progress = Callable[[int, int, str], None]

_STARTING = 6.0  # seconds left under which other processes are not worth their start
FOR_COMPARING = 0.6  # the share of a budget; the rest is for the kept model, its path and the report


@dataclass(frozen=True)
class HeldOut:
    """One candidate at one choice of its setting, on one outer fold. usage is None for the reference.

    seed_sd is the standard deviation of the score over the single random starts, if the model is their mean;
    stress is the score at each step of noise and of missing values (stress.Disturbance.curves).
    """

    score: float
    accuracy: float | None
    output: np.ndarray
    settings: dict
    note: str
    usage: Usage | None
    balanced: float | None = None
    seed_sd: float | None = None
    stress: dict[str, list[float]] | None = None


def guesses(splits: Splits) -> list[HeldOut]:
    """The held-out score of a constant prediction on every fold."""
    return [_guess(splits, train, test) for train, test in splits.folds]


def _guess(splits: Splits, train: np.ndarray, test: np.ndarray) -> HeldOut:
    plan, y = splits.plan, splits.y
    known, held = splits.rows.take(train).weights, splits.rows.take(test).weights
    output = guess(plan.task, y[train], len(test), len(plan.classes or []), known)
    score = held_out_score(plan.task, y[test], output, held)
    return HeldOut(score, accuracy(plan.task, y[test], output), output, {}, "", None)


@dataclass(frozen=True)
class FoldResult:
    """The result of one candidate on one outer fold: a HeldOut per choice, and the seconds for tuning and fitting.

    Without choices, it was stopped at its deadline.
    """

    candidate: str
    fold: int
    choices: dict[str, HeldOut]
    seconds: float


class Store(Protocol):
    """Where finished pieces are stored (journal.Journal)."""

    def get(self, candidate: str, fold: int) -> FoldResult | None:
        """The piece, if it exists."""

    def put(self, result: FoldResult) -> None:
        """Store a piece."""


def score_fold(candidate: Candidate, split: Split, options: Options, deadline: float | None = None) -> FoldResult:
    """Tune the candidate on the training rows, then score each of its choices on the held-out rows."""
    if deadline is not None and time.monotonic() >= deadline:
        return FoldResult(candidate.name, split.number, {}, 0.0)
    problem = split.problem
    loaded(candidate.family, candidate.by_sums and (problem.factors or problem.of_all_rows) is not None)
    start = time.perf_counter()
    try:
        with time_limit(deadline):
            tuned = tune(candidate, split.problem_for(candidate), options)
            seconds = time.perf_counter() - start
            split = split if candidate.by_sums else split.with_held_rows()
            with on_one_thread():
                held_out = {choice: _score(fit, split) for choice, fit in tuned.choices().items()}
    except TimeUp:
        return FoldResult(candidate.name, split.number, {}, time.perf_counter() - start)
    return FoldResult(candidate.name, split.number, held_out, seconds)


def loaded(family: str, by_sums: bool) -> None:
    """Import the code of a family, so that the import is not counted as the first candidate's time; `by_sums` where the sums
    over the rows are known, from which fits need no estimators."""
    if by_sums:
        import shrinkwise.linear.estimators.validation.triangles
    else:
        import shrinkwise.linear.estimators.penalized

    if family == "reference":
        import sklearn.ensemble  # noqa: F401
    if family == "network":
        import shrinkwise.compare.candidates.stacked_networks  # noqa: F401


def tune(candidate: Candidate, problem: TrainingRows, options: Options) -> Tuned:
    """`candidate.tune` on one thread: processes share the cores, and sums are computed in the same order everywhere."""
    with on_one_thread():
        return tuned_response(candidate, problem, options)


def _score(fit: Fit, split: Split) -> HeldOut:
    task, y, stress, held = split.problem.task, split.y_test, split.stress, (split.X_test, split.y_test, split.weights)
    output = fit.predictor.output(split.X_test)
    of_starts = [held_out_score(task, y, start.output(split.X_test), split.weights) for start in fit.starts]
    return HeldOut(
        score=held_out_score(task, y, output, split.weights),
        accuracy=accuracy(task, y, output),
        balanced=balanced_accuracy(task, y, output),
        seed_sd=float(np.std(of_starts, ddof=1)) if len(of_starts) > 1 else None,
        output=output,
        settings=fit.settings,
        note=fit.note,
        usage=usage(fit.predictor, split.inputs) if isinstance(fit.predictor, WeightedPredictor) else None,
        stress=None if stress is None else stress.curves(fit.predictor, held, task, split.problem.seed),
    )


@dataclass(frozen=True)
class Work:
    """How nested scoring is run: progress callback, clock and store of finished pieces."""

    progress: Progress = lambda *_: None
    clock: Clock = field(default_factory=Clock)
    store: Store | None = None


def run_nested(
    contestants: list[Candidate], splits: Splits, options: Options, work: Work | Progress
) -> dict[str, list[FoldResult]]:
    """All candidates on all folds, in `options.n_jobs` processes; results in the order of the folds.

    A candidate that did not finish on every fold in time has no results.
    """
    work = work if isinstance(work, Work) else Work(work)
    found: dict[str, list[FoldResult]] = {candidate.name: [] for candidate in contestants}
    total, done, waiting = len(contestants) * len(splits), 0, []
    for candidate, number in _pieces(contestants, splits, options):
        known = work.store.get(candidate.name, number) if work.store else None
        if known is None:
            waiting.append((candidate, number))
        else:
            found[candidate.name].append(known)
            done += 1
    for result in _results(waiting, splits, options, work.clock.deadline(FOR_COMPARING)):
        done += 1
        if result.choices:
            found[result.candidate].append(result)
            if work.store:
                work.store.put(result)
        work.progress(done, total, result.candidate)
    return {
        name: sorted(results, key=lambda r: r.fold) if len(results) == len(splits) else []
        for name, results in found.items()
    }


def _pieces(contestants: list[Candidate], splits: Splits, options: Options) -> list[tuple[Candidate, int]]:
    """Every candidate on every fold; a large table by folds, so that each is encoded once, unless time may run out."""
    ordered = _in_order(contestants, options)
    if splits.large and options.budget is None:
        return [(candidate, number) for number in range(len(splits)) for candidate in ordered]
    return [(candidate, number) for candidate in ordered for number in range(len(splits))]


def _in_order(contestants: list[Candidate], options: Options) -> list[Candidate]:
    """The longest tasks first, so that all processes end together; with a budget the most informative candidates
    first."""
    if options.budget is not None:
        return sorted(contestants, key=lambda candidate: candidate.worth)
    return sorted(contestants, key=lambda c: ["network", "additive", "linear", "reference"].index(c.family))


def _results(waiting: list, splits: Splits, options: Options, deadline: float | None) -> Iterator[FoldResult]:
    hurried = deadline is not None and deadline - time.monotonic() < _STARTING
    jobs = 1 if splits.in_one_process or hurried else min(n_processes(options), len(waiting))
    late: list[tuple[Candidate, int]] = []
    encoded = _encoded(waiting, splits, deadline, late)
    if jobs <= 1:
        for candidate, split in encoded:
            yield score_fold(candidate, split, options, deadline)
    else:
        from joblib import delayed

        yield from in_processes(
            jobs, (delayed(score_fold)(candidate, split, options, deadline) for candidate, split in encoded)
        )
    yield from (FoldResult(candidate.name, number, {}, 0.0) for candidate, number in late)


def _encoded(
    waiting: list[tuple[Candidate, int]], splits: Splits, deadline: float | None, late: list[tuple[Candidate, int]]
) -> Iterator[tuple[Candidate, Split]]:
    """Each piece with its fold, encoded; those whose fold is not encoded before the deadline are added to `late`."""
    for candidate, number in waiting:
        try:
            with time_limit(deadline):
                split = splits[number]
        except TimeUp:
            late.append((candidate, number))
        else:
            yield candidate, split


def in_processes(n: int, calls: Iterator) -> Iterator:
    """Results of joblib's calls in n processes, as they end; joblib keeps the processes for the next calls."""
    from joblib import Parallel

    runner = Parallel(
        n_jobs=n, backend="loky", return_as="generator_unordered", initializer=end_with, initargs=(os.getpid(),)
    )
    return runner(calls)


def load_everywhere(n: int, families: set[str]) -> None:
    """Import the code of these families here, while the n processes of `run_nested` start and import it.

    The reference is never kept, so that where there are other processes this one does without it.
    """
    from joblib import delayed

    if n <= 1:
        loaded_all(families)
        return
    started = in_processes(n, (delayed(loaded_all)(families) for _ in range(n)))
    loaded_all(families - {"reference"})
    list(started)


def loaded_all(families: set[str]) -> None:
    """Import the code of several families."""
    for family in families:
        loaded(family, by_sums=False)


def n_processes(options: Options) -> int:
    """Number of worker processes: as requested, but at most one for each core that this process may use."""
    from joblib import cpu_count

    return min(options.n_jobs or cpu_count(), cpu_count())
