"""The estimated time: of work whose time is known, and beside what a comparison takes."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from shrinkwise.compare.candidates.base import Candidate, Fit, TrainingRows, Tuned
from shrinkwise.compare.candidates.linear import LASSO
from shrinkwise.compare.options import NetworkOptions, Options
from shrinkwise.compare.scoring import estimate
from shrinkwise.compare.scoring.clock import time_limit
from shrinkwise.compare.scoring.nested import tune

OPTIONS = Options(n_lambdas=50, inner_folds=5)


def problem_of(n_rows: int) -> TrainingRows:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 3))
    return TrainingRows(X, X[:, 0] + rng.normal(size=n_rows), "regression", 0, seed=1)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the work moves: clock[0] processor seconds."""
    now = [0.0]
    monkeypatch.setattr(estimate.time, "process_time", lambda: now[0])
    return now


@pytest.mark.parametrize("power_of_lambdas", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("power_of_rows", [0.0, 1.0])
def test_work_that_grows_as_powers_is_estimated_exactly(clock, power_of_lambdas, power_of_rows):
    def seconds(options: Options, n_rows: int) -> float:
        return options.inner_folds * options.n_lambdas**power_of_lambdas * (n_rows / 1e4) ** power_of_rows

    def work(problem: TrainingRows, options: Options) -> Tuned:
        clock[0] += seconds(options, len(problem.y))
        return Tuned(Fit(None))

    candidate = Candidate("work", "linear", "L2", "", lambda problem, options: work(problem, options))
    for n_rows in (500, 30_000):
        found = estimate._tuning_seconds(candidate, replace(problem_of(n_rows), task="multiclass"), OPTIONS, n_rows)
        assert found == pytest.approx(seconds(OPTIONS, n_rows), rel=1e-6)


def test_a_baseline_is_fitted_once_without_inner_folds(clock):
    def work(problem: TrainingRows, options: Options) -> Tuned:
        clock[0] += 3.0
        return Tuned(Fit(None))

    baseline = Candidate("work", "linear", "", "", work)
    assert estimate._tuning_seconds(baseline, problem_of(500), OPTIONS, 500) == 3.0
    assert clock[0] == 3.0  # nor is it timed twice


def test_time_that_falls_or_explodes_in_the_sample_is_not_extended():
    assert estimate._grown((1, 2), (3.0, 1.0), 100) == 1.0
    assert estimate._grown((1, 2), (1.0, 8.0), 20) == 80.0
    assert estimate._grown((1, 2), (0.0, 0.0), 20) == 0.0
    assert estimate._on_line({1: 3.0, 2: 1.0}, 100) == 1.0
    assert estimate._on_line({2: 8.0, 1: 1.0}, 20) == 80.0


def test_work_with_a_fixed_part_is_estimated_along_a_line():
    assert estimate._on_line({2000: 5.0, 4000: 6.0}, 39_000) == pytest.approx(6.0 + 35 / 2)


@pytest.mark.thorough
@pytest.mark.parametrize("slug", ["lasso", "network-l2", "network-dropout", "network-cocktail", "additive-lasso"])
def test_the_estimate_is_within_a_factor_of_two(slug):
    from shrinkwise.compare.candidates.registry import CANDIDATES

    candidate = next(each for each in CANDIDATES if each.slug == slug)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 20))
    problem = replace(problem_of(4), X=X, y=X[:, 0] + np.abs(X[:, 1]) + rng.normal(size=3000))
    options = replace(OPTIONS, network=NetworkOptions())
    found = estimate._tuning_seconds(candidate, problem, options, len(problem.y))
    truth = estimate._processor_seconds(lambda: tune(candidate, problem, options))
    assert 0.5 < found / truth < 2 or (candidate is LASSO and truth < 0.2)


def test_a_budget_beyond_the_longest_timer_is_no_limit():
    with time_limit(time.monotonic() + 1e308):
        pass
