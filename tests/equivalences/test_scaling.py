"""Units do not matter: scaled targets, rescaled columns, shifted columns."""

import numpy as np
import pytest

import shrinkwise as sw
from equivalences.linear_models import every, every_penalty, problem, solve


def test_scaling_the_target_scales_the_lasso():
    X, y = problem(9, "squared")
    (w, b), (w2, b2) = solve(X, y, sw.L1(0.1), "squared"), solve(X, 1000 * y, sw.L1(100.0), "squared")
    np.testing.assert_allclose(w2, 1000 * w, atol=1e-6)
    np.testing.assert_allclose(b2, 1000 * b, atol=1e-6)


@every
def test_adaptive_weights_are_a_rescaling_of_the_columns(loss):
    X, y = problem(10, loss)
    c = np.linspace(0.5, 2.0, 12)
    weighted, _ = solve(X, y, sw.L1(0.05, weights=c), loss)
    plain, _ = solve(X / c, y, sw.L1(0.05), loss)
    np.testing.assert_allclose(weighted, plain / c, atol=1e-6)


@pytest.mark.one_in(5)
@every
@every_penalty
def test_shifting_the_columns_moves_only_the_intercept(loss, penalty):
    X, y = problem(4, loss)
    (w, b), (shifted, moved) = solve(X, y, penalty, loss), solve(X + 5.0, y, penalty, loss)
    np.testing.assert_allclose(shifted, w, atol=1e-6)
    np.testing.assert_allclose(moved + 5.0 * shifted.sum(-1) - b, np.mean(moved + 5.0 * shifted.sum(-1) - b), atol=1e-5)


@every
def test_other_units_of_the_columns_are_other_factors(loss):
    X, y = problem(11, loss)
    units = 10.0 ** np.linspace(-3, 3, 12)
    plain, b = solve(X, y, sw.L1(0.05), loss)
    other, moved = solve(X * units, y, sw.L1(0.05, weights=units), loss)
    np.testing.assert_allclose(other * units, plain, atol=1e-5)
    np.testing.assert_allclose(moved, b, atol=1e-5)
