"""Nested cross-validation: every outer fold is scored with models fitted and tuned without it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, Features, Fit, TrainingRows, Tuned
from shrinkwise.compare.metrics import accuracy, balanced_accuracy, guess, held_out_score
from shrinkwise.compare.options import Options
from shrinkwise.compare.tall.table import TallTable, is_tall
from shrinkwise.models.predictors import Usage, WeightedPredictor, usage
from shrinkwise.selection import Rows, folds
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

    def problem_for(self, candidate: Candidate) -> TrainingRows:
        """The training problem, with the rows themselves if the candidate needs them."""
        return self.problem if candidate.solves_factors else self._with_rows

    def with_held_rows(self) -> Split:
        """The same with the held-out rows as an array, for predictors that are no product with weights."""
        return replace(self, X_test=self.problem.dense(self.X_test)) if self.problem.factors is not None else self

    @cached_property
    def _with_rows(self) -> TrainingRows:
        return self.problem.with_rows()


class Splits(Sequence[Split]):
    """The outer folds of a table; each is encoded on demand, and small ones are cached.

    folds are (train, test) row numbers, y the target (rates of counts with exposures), rows the groups, time and weights of
    all rows.
    """

    def __init__(self, frame, plan: TablePlan, options: Options):
        self.frame, self.plan, self.options = frame, plan, options
        self.y, self.rows, self.exposures = plan.target_values(frame), plan.rows(frame), plan.exposures(frame)
        try:
            self.folds = folds(self.y, options.folds, task=plan.task, random_state=options.seed, rows=self.rows)
        except ValueError as error:
            raise InputError(f"The rows cannot be split: {error}.") from error
        self.kept: dict[int, Split] = {}
        self.large = len(self.y) * len(plan.kept) * 8 > _LARGE
        self.tall = self.large and is_tall(frame, plan, self.rows, len(self.folds) * options.inner_folds)
        self.table: TallTable | None = None

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

    def sample(self, number: int, most: int) -> TrainingRows:
        """At most so many training rows of a fold, drawn at random and encoded by themselves if the table is large."""
        train = self.folds[number][0]
        if not self.large or len(train) <= most:
            return self[number].problem
        train = np.sort(np.random.default_rng([self.options.seed, number]).permutation(train)[:most])
        encoder = Encoder(self.plan).fit(self.frame, train)
        X, rows = encoder.transform(self.frame, train), self.rows.take(train)
        return training_problem(X, self.y[train], self.plan, self.options, number, rows, encoder)

    def whole(self) -> tuple[Encoder, TrainingRows]:
        """All rows, encoded, and their encoder. A large table is released: no fold can be encoded any more."""
        self.forget()
        number = len(self)
        if self._is_tall():
            encoder, X, factors = self.table.encoder, self.table.X, self.table.whole()  # type: ignore[union-attr]
            self.table = None
        else:
            encoder, factors = Encoder(self.plan).fit(self.frame), None
            X = encoder.transform(self.frame)
        if self.large:
            self.frame = None
        problem = training_problem(X, self.y, self.plan, self.options, number, self.rows, encoder)
        return encoder, replace(problem, factors=factors)

    def _is_tall(self) -> bool:
        """Whether there is a `TallTable`, which takes the place of the frame."""
        if self.tall and self.table is None:
            options = self.options
            self.table = TallTable.of(
                self.frame, self.plan, self.y, self.folds, options.inner_folds, options.seed
            )
            self.tall = self.table is not None
            self.frame = None if self.tall else self.frame
        return self.tall

    def _from_table(self, number: int) -> Split:
        """A fold of a `TallTable`."""
        table: TallTable = self.table  # type: ignore[assignment]
        train, test = self.folds[number]
        train = np.random.default_rng([self.options.seed, number]).permutation(train)
        factors, mean, scale = table.without(number)
        encoder = table.encoder_of(mean, scale)
        X, X_test = (table.rows(part, mean, scale) for part in (train, test))
        problem = training_problem(X, self.y[train], self.plan, self.options, number, encoder=encoder)
        problem = replace(problem, shuffled=True, factors=factors)
        return Split(number, problem, X_test, self.y[test], test, list(encoder.inputs), None, Disturbance.of(encoder))

    def _encoded(self, number: int) -> Split:
        if self._is_tall():
            return self._from_table(number)
        train, test = self.folds[number]
        if self.large:  # in random order, so that a sample of the rows of X is a view
            train = np.random.default_rng([self.options.seed, number]).permutation(train)
        encoder = Encoder(self.plan).fit(self.frame, train)
        X = encoder.transform(self.frame, train)
        problem = training_problem(X, self.y[train], self.plan, self.options, number, self.rows.take(train), encoder)
        problem = replace(problem, shuffled=self.large)
        weights = None if self.rows.weights is None else self.rows.weights[test]
        X_test = encoder.transform(self.frame, test)
        return Split(
            number, problem, X_test, self.y[test], test, list(encoder.inputs), weights, Disturbance.of(encoder)
        )

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
            tuned = tune(candidate, split.problem_for(candidate), options)
            seconds = time.perf_counter() - start
            split = split if candidate.solves_factors else split.with_held_rows()
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
    for candidate, number in _pieces(contestants, splits, options):
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
