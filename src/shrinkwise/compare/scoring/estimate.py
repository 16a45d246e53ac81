"""The estimated time of a comparison, from a small sample of the work of each candidate.

Processor seconds are measured, so that other work on the machine does not count but by what it takes of the cores that it
shares; so the sample is worked on in as many processes as the comparison.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, TrainingRows
from shrinkwise.compare.candidates.linear import GROUP_LASSO, LASSO
from shrinkwise.compare.candidates.registry import candidates
from shrinkwise.compare.options import Options
from shrinkwise.compare.splits.splits import Splits, split_table
from shrinkwise.tables import TablePlan

from .clock import TimeUp, time_limit
from .nested import in_processes, load_everywhere, loaded, n_processes, tune
from .stability import n_pairs, of_whole_inputs, stable_inputs_at
from .workers import on_one_thread

_MOST_ROWS, _LAMBDAS, _FOLDS, _PAIRS = 2000, (4, 12), 2, (1, 3)
_SHORTEST = 1e-3  # seconds that are told apart
_LONG = 1.0  # seconds of a fit from which half of its rows are timed beside them, not twice as many
_PASS = 2e-7  # seconds for each value of a tall table: its encoding and its triangular factors
LONGEST = 30.0  # seconds for measuring
_CLOSING = 3.0  # seconds: the explanation and the report
_HALVES = "half-samples"


def estimated_seconds(frame, plan: TablePlan, options: Options) -> float | None:
    """Estimated seconds of the comparison for its number of processes, if the machine has no other work; None if measuring
    a sample of the work takes too long.
    """
    try:
        with time_limit(time.monotonic() + LONGEST):
            splits = split_table(frame, plan, options)
            problem = splits.sample(0, 2 * _MOST_ROWS)
    except TimeUp:
        return None
    contestants = candidates(options, problem.columns.has_groups, plan.has_numbers, plan.log_link)
    jobs = 1 if splits.in_one_process else n_processes(options)
    # Imports are not measured: in a new environment, where nothing is compiled yet, they can take longer than all the rest.
    load_everywhere(jobs, {candidate.family for candidate in contestants})
    return _estimated_seconds(splits, problem, contestants, options, jobs)


def _estimated_seconds(
    splits: Splits, problem: TrainingRows, contestants: list[Candidate], options: Options, jobs: int
) -> float | None:
    n, plan = len(splits.folds[0][0]), splits.plan
    few = min(n, _MOST_ROWS)  # the time of what is solved from triangular factors does not grow with the rows
    n_all = len(splits.y)
    pairs = options.stability_pairs if splits.tall else n_pairs(options, n_all, problem.X.shape[1])
    halved = problem, replace(options, stability_pairs=pairs), few if splits.tall else n_all
    pieces: dict[str, Callable[[], float]] = {_HALVES: partial(_half_sample_seconds, *halved)}
    for candidate in reversed(contestants):  # those of the networks, which take longest, first
        rows = few if splits.tall and candidate.by_sums else n
        pieces[candidate.name] = partial(_tuning_seconds, candidate, problem, options, rows)
    measured = _measured(pieces, jobs, time.monotonic() + LONGEST)
    tunings = {name: seconds for name, seconds in measured.items() if seconds is not None}
    if len(tunings) < len(measured):
        return None
    halves = tunings.pop(_HALVES)
    last = max(tunings[candidate.name] for candidate in contestants if candidate.family != "reference")
    last += tunings.get(LASSO.name, 0.0)  # whose path is shown, beside the kept model on all rows
    if options.stability_pairs and of_whole_inputs(problem):
        last += tunings.get(GROUP_LASSO.name, 0.0)
    last *= n_all / n  # on all rows, and not on those of a fold
    halves /= 1 if splits.large else jobs  # as in `compare_table`
    halves += _PASS * n_all * len(plan.kept) if splits.tall else 0.0
    return sum(tunings.values()) * len(splits) / jobs + last + halves + _CLOSING


def _measured(pieces: dict[str, Callable[[], float]], jobs: int, deadline: float) -> dict[str, float | None]:
    """What each of the pieces of work returns, in `jobs` processes; None for those that reach the deadline."""
    if jobs <= 1:
        return dict(_until(deadline, name, work) for name, work in pieces.items())
    from joblib import delayed

    return dict(in_processes(jobs, (delayed(_until)(deadline, name, work) for name, work in pieces.items())))


def _until(deadline: float, name: str, work: Callable[[], float]) -> tuple[str, float | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with time_limit(deadline):
                return name, work()
        except TimeUp:
            return name, None


def _tuning_seconds(candidate: Candidate, problem: TrainingRows, options: Options, n: int) -> float:
    """Seconds of the tuning of a candidate on one training fold of n rows, of which `problem` has some.

    It is timed with few λ and inner folds, on at most 2000 rows and on twice or half of these; the time grows as a power of
    the number of λ, along a line with the rows, and in proportion to the rows of all inner folds together. A baseline has
    neither λ nor inner folds.
    """
    few = _some(problem, _MOST_ROWS)
    if candidate.seconds is not None:
        with on_one_thread():
            return candidate.seconds(few, options, n)

    def seconds(n_lambdas: int, rows: TrainingRows) -> float:
        fewer = replace(options, n_lambdas=n_lambdas, inner_folds=_FOLDS)
        return _processor_seconds(lambda: tune(candidate, rows, fewer))

    loaded(candidate.family, by_sums=False)
    long = seconds(_LAMBDAS[1], few)
    found = _grown(_LAMBDAS, (seconds(_LAMBDAS[0], few), long), options.n_lambdas) if candidate.regularizer else long
    if n > len(few.y):
        twice = n >= 2 * len(few.y) and long < _LONG
        other = _some(problem, 2 * len(few.y)) if twice else _some(few, len(few.y) // 2)
        found *= _on_line({len(few.y): long, len(other.y): seconds(_LAMBDAS[1], other)}, n) / max(long, _SHORTEST)
    # A path on all rows, and those of the folds on F − 1 of F parts each.
    return found * (options.inner_folds / _FOLDS if candidate.regularizer else 1.0)


def _half_sample_seconds(problem: TrainingRows, options: Options, n: int) -> float:
    """Seconds of the fits on half-samples of n rows, of which `problem` has some.

    They are timed at the λ of these rows divided by the root of how many more the n are, because the error of a mean
    falls like that, and with it the λ that is chosen.
    """
    if not options.stability_pairs:
        return 0.0
    few = _some(problem, _MOST_ROWS).fitted.with_rows()
    by_group = of_whole_inputs(few)
    curve = tune(
        GROUP_LASSO if by_group else LASSO, few, replace(options, n_lambdas=_LAMBDAS[1], inner_folds=_FOLDS)
    ).curve
    lam = 0.0 if curve is None else curve.lambda_1se / math.sqrt(max(1.0, n / len(few.y)))

    def seconds(pairs: int) -> float:
        return _processor_seconds(lambda: stable_inputs_at(few, lam, replace(options, stability_pairs=pairs), by_group))

    taken = [seconds(pairs) for pairs in _PAIRS]
    one = max(taken[1] - taken[0], 0.0) / (_PAIRS[1] - _PAIRS[0])
    return one * options.stability_pairs * n / len(few.y)


def _some(problem: TrainingRows, most: int) -> TrainingRows:
    """A random sample of the rows, in their order."""
    n = len(problem.y)
    return problem if n <= most else problem.take(np.sort(np.random.default_rng(0).permutation(n)[:most]))


def _grown(at: tuple[float, float], values: tuple[float, float], to: float) -> float:
    """The power law through two values at a further point; it neither falls nor rises faster than in proportion."""
    power = math.log(max(values[1], _SHORTEST) / max(values[0], _SHORTEST)) / math.log(at[1] / at[0])
    return values[1] * (to / at[1]) ** min(max(power, 0.0), 1.0)


def _on_line(values: dict[int, float], to: float) -> float:
    """The line through two values at a further point; it neither falls nor rises faster than in proportion."""
    (low, less), (high, more) = sorted(values.items())
    slope = (more - less) / (high - low)
    return more + min(max(slope, 0.0), more / high) * (to - high)


def _processor_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
