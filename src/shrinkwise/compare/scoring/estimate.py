"""The estimated time of a comparison, from a small sample of each kind of work."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, Cost, TrainingRows
from shrinkwise.compare.candidates.linear import GROUP_LASSO, LASSO
from shrinkwise.compare.candidates.registry import candidates
from shrinkwise.compare.candidates.setting import Setting
from shrinkwise.compare.options import NetworkOptions, Options
from shrinkwise.compare.splits.splits import split_table
from shrinkwise.tables import TablePlan

from .nested import n_processes

_TASTED_ROWS, _TASTED_LAMBDAS, _TASTED_STEPS = 2000, 15, 40

# How the cost of one λ grows with the rows, good to a factor of two.
_GROWTH = 0.8
# A half-sample's λ is reached over a few stronger ones; the kept model and the path shown are fitted on all rows.
_PATH_TO_ONE, _REFIT = 5, 0.4
_STARTING, _CLOSING = 3.0, 2.0  # seconds: the processes, the report


def estimated_seconds(frame, plan: TablePlan, options: Options) -> float:
    """Estimated seconds of the comparison, within a factor of about two, for its number of processes."""
    splits = split_table(frame, plan, options)
    problem, n_rows = splits.sample(0, 2 * _TASTED_ROWS), len(splits.folds[0][0])
    contestants = candidates(options, problem.columns.has_groups, plan.has_numbers, plan.log_link)
    rows = np.random.default_rng(0).permutation(len(problem.y))[:_TASTED_ROWS]
    few = problem.take(np.sort(rows)) if len(rows) < len(problem.y) else problem
    scale = (n_rows / len(few.y)) ** _GROWTH
    costs = [candidate.cost(options) for candidate in contestants]
    one_lambda = _one_lambda(LASSO, few, options) * scale
    lambdas = sum(cost.paths for cost in costs) * one_lambda
    lambdas += sum(
        cost.own_paths * _one_lambda(c, few, options) * scale for c, cost in _timed_alone(contestants, costs)
    )
    seconds = lambdas * options.n_lambdas * (options.inner_folds + 1)
    seconds += sum(each.seconds(few, options, n_rows) for each in contestants if each.seconds)
    if options.network is not None:
        settings = [cost.settings for cost in costs if cost.settings]
        seconds += _one_step(few, options.network) * _steps(settings, options, options.network, n_rows)
    jobs = 1 if splits.large else n_processes(options)
    by_group = GROUP_LASSO.cost(options).paths if problem.columns.has_groups else 1.0
    halves = 2 * options.stability_pairs * _PATH_TO_ONE * one_lambda / 2 * by_group
    return seconds * (len(splits) / jobs + _REFIT) + halves + (_STARTING if jobs > 1 else 0.0) + _CLOSING


def _timed_alone(contestants: list[Candidate], costs: list[Cost]) -> list[tuple[Candidate, Cost]]:
    return [(each, cost) for each, cost in zip(contestants, costs, strict=True) if cost.own_paths]


def _one_lambda(candidate: Candidate, problem: TrainingRows, options: Options) -> float:
    """Seconds per λ and inner fold of a candidate."""
    few = replace(options, n_lambdas=_TASTED_LAMBDAS, inner_folds=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        candidate.tune(problem, replace(few, n_lambdas=1))  # loads code
        start = time.perf_counter()
        candidate.tune(problem, few)
    return (time.perf_counter() - start) / (3 * _TASTED_LAMBDAS)


def _one_step(problem: TrainingRows, network: NetworkOptions) -> float:
    """Seconds per step of one network, without the start-up of the training."""
    from shrinkwise.compare.candidates.stacked_networks import train_networks

    seconds = []
    for steps in (1, 2, 2 + _TASTED_STEPS):  # the very first step loads code
        start = time.perf_counter()
        train_networks([problem] * 3, Setting(keep=0.5), replace(network, steps=steps, passes=0))
        seconds.append(time.perf_counter() - start)
    return max(seconds[2] - seconds[1], 0.0) / (3 * _TASTED_STEPS)


def _steps(settings: list[int], options: Options, network: NetworkOptions, n_rows: int) -> float:
    """Total steps of single networks on one outer fold; `settings` counts the settings of every tuned network."""
    trainings = options.inner_folds * sum(settings) + network.seeds * (2 * len(settings) + 1)
    return trainings * network.steps_on(n_rows)
