"""Nested cross-validation: every outer fold is scored by models that were fitted and tuned without it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shrinkwise.compare.candidates import Candidate, Fit, Problem, Tuned
from shrinkwise.compare.options import Options
from shrinkwise.compare.predictors import Usage, WeightedPredictor, usage
from shrinkwise.compare.scores import accuracy, held_out_score
from shrinkwise.compare.stress import Stress
from shrinkwise.selection import folds
from shrinkwise.tables import Encoder, TablePlan

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Split:
    """One outer fold: the training problem, and the held-out rows encoded by an encoder that has not seen them."""

    number: int
    problem: Problem
    X_test: np.ndarray
    y_test: np.ndarray
    test: np.ndarray
    inputs: list[int]
    stress: Stress | None = None


@dataclass(frozen=True)
class HeldOut:
    """One candidate with one choice of its setting, on one outer fold. usage is None for the reference.

    stress: the score at each step of noise and of missing values (stress.Stress.curves).
    """

    score: float
    accuracy: float | None
    output: np.ndarray
    settings: dict
    note: str
    usage: Usage | None
    stress: dict[str, list[float]] | None = None


@dataclass(frozen=True)
class FoldResult:
    """What one candidate did on one outer fold: a HeldOut per choice, and the seconds it took to tune and fit."""

    candidate: str
    fold: int
    choices: dict[str, HeldOut]
    seconds: float


def split_table(frame, plan: TablePlan, options: Options) -> list[Split]:
    """Outer folds, stratified for classes; the encoder of each is fitted on its training rows only."""
    y = plan.target_values(frame)
    splits = []
    for number, (train, test) in enumerate(folds(y, options.folds, task=plan.task, random_state=options.seed)):
        encoder = Encoder(plan).fit(frame[train])
        problem = training_problem(encoder.transform(frame[train]), y[train], plan, options, number)
        X_test, inputs = encoder.transform(frame[test]), list(encoder.inputs)
        splits.append(Split(number, problem, X_test, y[test], test, inputs, Stress.of(encoder)))
    return splits


def training_problem(X: np.ndarray, y: np.ndarray, plan: TablePlan, options: Options, number: int) -> Problem:
    """Training rows with a seed of their own, derived from the run's seed and the number of the fold."""
    seed = int(np.random.SeedSequence([options.seed, number]).generate_state(1)[0])
    return Problem(X, y, plan.task, len(plan.classes or []), seed)


def score_fold(candidate: Candidate, split: Split, options: Options) -> FoldResult:
    """Tune the candidate on the training rows, then score each of its choices on the held-out rows."""
    start = time.perf_counter()
    tuned = tune(candidate, split.problem, options)
    seconds = time.perf_counter() - start
    held_out = {choice: _score(fit, split) for choice, fit in tuned.choices().items()}
    return FoldResult(candidate.name, split.number, held_out, seconds)


def tune(candidate: Candidate, problem: Problem, options: Options) -> Tuned:
    """`candidate.tune` on one thread: processes share the cores, and sums are added in one order everywhere."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return candidate.tune(problem, options)


def _score(fit: Fit, split: Split) -> HeldOut:
    task, output, stress = split.problem.task, fit.predictor.output(split.X_test), split.stress
    return HeldOut(
        score=held_out_score(task, split.y_test, output),
        accuracy=accuracy(task, split.y_test, output),
        output=output,
        settings=fit.settings,
        note=fit.note,
        usage=usage(fit.predictor, split.inputs) if isinstance(fit.predictor, WeightedPredictor) else None,
        stress=stress.curves(fit.predictor, split.X_test, split.y_test, task, split.problem.seed) if stress else None,
    )


def run_nested(
    contestants: list[Candidate], splits: list[Split], options: Options, progress: Progress
) -> dict[str, list[FoldResult]]:
    """All candidates on all folds, in `options.n_jobs` processes; results in the order of the folds."""
    from joblib import Parallel, delayed

    longest_first = sorted(
        contestants, key=lambda candidate: ["network", "linear", "reference"].index(candidate.family)
    )
    tasks = [(candidate, split) for candidate in longest_first for split in splits]
    jobs = min(options.n_jobs or n_cores(), len(tasks))
    runner = Parallel(n_jobs=jobs, return_as="generator_unordered")
    results = runner(delayed(score_fold)(candidate, split, options) for candidate, split in tasks)
    found: dict[str, list[FoldResult]] = {candidate.name: [] for candidate in contestants}
    for done, result in enumerate(results, start=1):
        found[result.candidate].append(result)
        progress(done, len(tasks), result.candidate)
    return {name: sorted(folds_of, key=lambda r: r.fold) for name, folds_of in found.items()}


def n_cores() -> int:
    """Cores this process may use."""
    from joblib import cpu_count

    return cpu_count()
