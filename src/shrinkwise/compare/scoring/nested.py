"""Nested cross-validation: every outer fold is scored with models fitted and tuned without it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, Features, Fit, TrainingRows, Tuned
from shrinkwise.compare.metrics import accuracy, balanced_accuracy, guess, held_out_score
from shrinkwise.compare.options import Options
from shrinkwise.models.predictors import Usage, WeightedPredictor, usage
from shrinkwise.selection import Rows, folds
from shrinkwise.selection.splits import Fold
from shrinkwise.tables import Encoder, InputError, TablePlan

from .clock import Clock, TimeUp, time_limit
from .response import tuned_response
from .stress import Disturbance
from .workers import end_with

Progress = Callable[[int, int, str], None]

# All folds are encoded at once, for all processes, up to this many bytes; above, one after the other in one process.
_LARGE = 1 << 27

_STARTING = 6.0  # seconds left under which other processes are not worth their start
_FOR_COMPARING = 0.6  # the share of a budget; the rest is for the kept model, its path and the report


@dataclass(frozen=True)
class Split:
    """One outer fold: the training problem, and the held-out rows encoded by an encoder fitted without them."""

    number: int
    problem: TrainingRows
    X_test: Any
    y_test: np.ndarray
    test: np.ndarray
    inputs: list[int]
    weights: np.ndarray | None = None
    stress: Disturbance | None = None


class Splits(Sequence[Split]):
    """The outer folds of a table; each is encoded on demand, and small ones are cached.

    folds are (train, test) row numbers, y the target (rates of counts with exposures), rows the groups, time and weights of
    all rows, numbers the place of each in its table, from 1.
    """

    def __init__(self, frame, plan: TablePlan, options: Options):
        self.frame, self.plan, self.options = frame, plan, options
        self.numbers = np.arange(1, frame.height + 1)
        self.y, self.rows, self.exposures = plan.target_values(frame), plan.rows(frame), plan.exposures(frame)
        self.folds = self.split()
        self.kept: dict[int, Split] = {}
        self.large = len(self.y) * len(plan.kept) * 8 > _LARGE

    def split(self) -> list[Fold]:
        """The (train, test) row numbers of every fold."""
        try:
            return folds(
                self.y, self.options.folds, task=self.plan.task, random_state=self.options.seed, rows=self.rows
            )
        except ValueError as error:
            raise InputError(f"The rows cannot be split: {error}.") from error

    def prepare(self, progress: Progress) -> None:
        """What is to be done when the scale of the target is known, before a fold is encoded."""

    def __len__(self) -> int:
        return len(self.folds)

    def __getitem__(self, number):
        if number not in self.kept:
            self.forget()
            self.kept[number] = self._encoded(range(len(self))[number])
        return self.kept[number]

    def forget_all(self) -> None:
        """Clear the cache, also of a small table."""
        self.kept.clear()

    def forget(self) -> None:
        """Clear the cache of a large table."""
        if self.large:
            self.kept.clear()

    def close(self) -> None:
        """Release a large table: the folds and held-out targets remain available, but no fold can be encoded any
        more."""
        self.forget()
        if self.large:
            self.frame = None

    def _encoded(self, number: int) -> Split:
        train, test = self.folds[number]
        if self.large:  # in random order, so that a sample of the rows of X is a view
            train = np.random.default_rng([self.options.seed, number]).permutation(train)
        encoder = self.encoder(number, self.frame, train)
        X = encoder.transform(self.frame, train)
        problem = training_problem(X, self.y[train], self.plan, self.options, number, self.rows.take(train), encoder)
        problem = replace(self.with_sums(problem, number, encoder), shuffled=self.large)
        weights = None if self.rows.weights is None else self.rows.weights[test]
        X_test = encoder.transform(self.frame, test)
        return Split(
            number, problem, X_test, self.y[test], test, list(encoder.inputs), weights, Disturbance.of(encoder)
        )

    def encoder(self, number: int | None, frame, rows: np.ndarray | None = None) -> Encoder:
        """The encoder of these training rows of a fold; None is for all rows."""
        return Encoder(self.plan).fit(frame, rows)

    def with_sums(self, problem: TrainingRows, number: int | None, encoder: Encoder) -> TrainingRows:
        """The training problem of a fold, or of all rows, with what is known beyond its rows."""
        return problem

    def on_all_rows(self, fit: Fit, problem: TrainingRows, encoder: Encoder) -> Fit:
        """The kept model, fitted to all rows where `problem` has only a sample of them."""
        return fit

    def whole(self, frame) -> tuple[Encoder, TrainingRows]:
        """The encoder and the training problem of all rows."""
        encoder = self.encoder(None, frame)
        X, y, parts = encoder.transform(frame), self.plan.target_values(frame), self.plan.rows(frame)
        problem = training_problem(X, y, self.plan, self.options, len(self), parts, encoder)
        return encoder, self.with_sums(problem, None, encoder)

    def in_units(self, output: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Truth and output of some rows in the unit of the target: counts, if there are rates with exposures."""
        if self.exposures is None:
            return self.y[rows], output
        return self.y[rows] * self.exposures[rows], output * self.exposures[rows]

    @property
    def mean_sizes(self) -> tuple[float, float]:
        """Mean number of rows of a training and of a test part."""
        sizes = np.array([[len(train), len(test)] for train, test in self.folds], dtype=float).mean(axis=0)
        return float(sizes[0]), float(sizes[1])

    def guesses(self) -> list[HeldOut]:
        """The held-out score of a constant prediction on every fold."""
        return [self._guess(train, test) for train, test in self.folds]

    def _guess(self, train: np.ndarray, test: np.ndarray) -> HeldOut:
        task, known, held = self.plan.task, self.rows.take(train).weights, self.rows.take(test).weights
        output = guess(task, self.y[train], len(test), len(self.plan.classes or []), known)
        score = held_out_score(task, self.y[test], output, held)
        return HeldOut(score, accuracy(task, self.y[test], output), output, {}, "", None)


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


def split_table(frame, plan: TablePlan, options: Options) -> Splits:
    """Outer folds, stratified for classes; the encoder of each is fitted on its training rows only."""
    return Splits(frame, plan, options)


def training_problem(
    X,
    y: np.ndarray,
    plan: TablePlan,
    options: Options,
    number: int,
    rows: Rows | None = None,
    encoder: Encoder | None = None,
) -> TrainingRows:
    """Training rows with a seed derived from the run's seed and the number of the fold."""
    seed = int(np.random.SeedSequence([options.seed, number]).generate_state(1)[0])
    features = None if encoder is None else Features.of(encoder, options)
    low, high = plan.limits
    limits = (-np.inf if low is None else low, np.inf if high is None else high)
    n_classes, rows = len(plan.classes or []), rows or Rows()
    return TrainingRows(X, y, plan.task, n_classes, seed, rows, features, limits=limits, log_target=plan.log_target)


def score_fold(candidate: Candidate, split: Split, options: Options, deadline: float | None = None) -> FoldResult:
    """Tune the candidate on the training rows, then score each of its choices on the held-out rows."""
    if deadline is not None and time.monotonic() >= deadline:
        return FoldResult(candidate.name, split.number, {}, 0.0)
    _loaded(candidate.family)
    start = time.perf_counter()
    try:
        with time_limit(deadline):
            tuned = tune(candidate, split.problem, options)
            seconds = time.perf_counter() - start
            held_out = {choice: _score(fit, split) for choice, fit in tuned.choices().items()}
    except TimeUp:
        return FoldResult(candidate.name, split.number, {}, time.perf_counter() - start)
    return FoldResult(candidate.name, split.number, held_out, seconds)


def _loaded(family: str) -> None:
    """Import the code of a family, so that the import is not counted as the first candidate's time."""
    import scipy.stats  # noqa: F401

    import shrinkwise.linear

    if family == "reference":
        import sklearn.ensemble  # noqa: F401
    if family == "network":
        import shrinkwise.compare.candidates.stacked_networks  # noqa: F401


def tune(candidate: Candidate, problem: TrainingRows, options: Options) -> Tuned:
    """`candidate.tune` on one thread: processes share the cores, and sums are computed in the same order everywhere."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
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
    for candidate in _in_order(contestants, options):
        for number in range(len(splits)):
            known = work.store.get(candidate.name, number) if work.store else None
            if known is None:
                waiting.append((candidate, number))
            else:
                found[candidate.name].append(known)
                done += 1
    for result in _results(waiting, splits, options, work.clock.deadline(_FOR_COMPARING)):
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


def _in_order(contestants: list[Candidate], options: Options) -> list[Candidate]:
    """The longest tasks first, so that all processes end together; with a budget the most informative candidates
    first."""
    if options.budget is not None:
        return sorted(contestants, key=lambda candidate: candidate.worth)
    return sorted(contestants, key=lambda c: ["network", "additive", "linear", "reference"].index(c.family))


def _results(waiting: list, splits: Splits, options: Options, deadline: float | None) -> Iterator[FoldResult]:
    hurried = deadline is not None and deadline - time.monotonic() < _STARTING
    jobs = 1 if splits.large or hurried else min(n_processes(options), len(waiting))
    if jobs <= 1:
        for candidate, number in waiting:
            yield score_fold(candidate, splits[number], options, deadline)
        return
    from joblib import Parallel, delayed

    runner = Parallel(
        n_jobs=jobs, backend="loky", return_as="generator_unordered", initializer=end_with, initargs=(os.getpid(),)
    )
    yield from runner(delayed(score_fold)(c, splits[number], options, deadline) for c, number in waiting)


def n_processes(options: Options) -> int:
    """Number of worker processes: as requested, but at most one for each core that this process may use."""
    from joblib import cpu_count

    return min(options.n_jobs or cpu_count(), cpu_count())
