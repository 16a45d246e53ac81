"""Weights are repetition, their scale does not matter, all rows twice are the rows."""

import numpy as np
import pytest

from equivalences.linear_models import REPEATED, every, every_penalty, problem, same, solve


@pytest.mark.one_in(5)
@every
@every_penalty
def test_weights_are_repetition(loss, penalty):
    X, y = problem(1, loss)
    likelihood = REPEATED[loss]
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    same(
        solve(X, y, penalty, likelihood, counts.astype(float)),
        solve(np.repeat(X, counts, 0), np.repeat(y, counts, 0), penalty, likelihood),
    )


@pytest.mark.one_in(5)
@every
@every_penalty
def test_the_scale_of_the_weights_does_not_matter(loss, penalty):
    X, y = problem(2, loss)
    s = np.random.default_rng(0).uniform(0.1, 3.0, len(y))
    same(solve(X, y, penalty, loss, s), solve(X, y, penalty, loss, 7.0 * s))


@pytest.mark.one_in(5)
@every
@every_penalty
def test_doubling_the_rows_changes_nothing(loss, penalty):
    X, y = problem(3, loss)
    likelihood = REPEATED[loss]
    same(solve(X, y, penalty, likelihood), solve(np.vstack([X, X]), np.concatenate([y, y]), penalty, likelihood))
