"""The kernel for L1 + L2 within bounds, compiled and reference: the conditions of a minimum on hostile Gram matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from shrinkwise import kernels
from shrinkwise.kernels import PathRows, gram_bounded
from shrinkwise.kernels.linear import gram_bounded as module

needs_library = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])
BOTH = [pytest.param(0, id="reference"), pytest.param(1, id="compiled", marks=needs_library)]
EPS = np.finfo(float).eps


def problem(seed, n, p):
    """(X, y, low, high, A, B): constant, duplicate, collinear and badly scaled columns; bounds equal, one-sided, infinite, away
    from zero; three λ.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.choice([0.0, 1e-3, 1.0, 30.0], p, p=[0.1, 0.1, 0.7, 0.1])
    if p > 3:
        X[:, 1], X[:, 2] = X[:, 0], X[:, 0] - X[:, 3]
    low = rng.choice([-np.inf, -0.3, 0.0, 0.1], p)
    high = np.where(rng.random(p) < 0.2, np.maximum(low, 0.1), rng.choice([0.1, 0.4, np.inf], p))
    lambdas = np.array([0.5, 0.1, 0.02])
    A, B = np.outer(lambdas, rng.choice([0.0, 1.0], p)), np.outer(lambdas, rng.choice([0.0, 0.0, 1.0], p))
    return X, rng.normal(size=n), low, high, A, B


def solve(which, X, y, low, high, A, B, tol=1e-9, max_sweeps=None):
    n = len(y)
    G, c = np.ascontiguousarray(X.T @ X / n), X.T @ y / n
    rows = PathRows.of(np.geomspace(1.0, 0.1, len(A)), A, B)
    assert kernels.DISPATCH["gram_bounded"][which](
        G, c, low, high, rows, tol, max_sweeps or (200, 100_000)[which]
    ) == len(A)
    return G, c, rows


def distance_from_a_minimum(G, c, low, high, a, b, w) -> float:
    """The largest distance of −gradient from the subdifferential, written anew from the one-sided slopes of the objective."""
    g = G @ w - c + b * w
    up = np.where(w >= high, np.inf, g + np.where(w >= 0, a, -a))  # slope to the right: has to be ≥ 0
    down = np.where(w <= low, np.inf, -g + np.where(w <= 0, a, -a))
    return max(0.0, float(-np.minimum(up, down).min(initial=0.0)))


@pytest.mark.parametrize("which", BOTH)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 25), p=st.integers(1, 14))
def test_no_step_from_a_solution_goes_down(which, seed, n, p):
    X, y, low, high, A, B = problem(seed, n, p)
    G, c, rows = solve(which, X, y, low, high, A, B)
    for k in np.flatnonzero(rows.count > 0):
        w = rows.W[k]
        assert (low <= w).all()
        assert (w <= high).all()
        np.testing.assert_allclose(rows.R[k], c - G @ w, atol=1e-12 * (1 + np.abs(G).max() * np.abs(w).sum()))
        assert distance_from_a_minimum(G, c, low, high, A[k], B[k], w) <= 2e-9
    if (
        which == 1 and len(c) and not (np.diagonal(G) < 1e-4).any()
    ):  # descent alone may take longer on collinear columns
        assert (rows.count > 0).all()


@needs_library
@pytest.mark.parametrize("seed", range(6))
def test_collinear_columns_are_taken_to_the_rounding_of_the_gradient(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 12))
    X = np.c_[X, X[:, :4], X[:, 0] + X[:, 1], X.mean(1), np.zeros(40)]
    y, p = X @ rng.normal(size=19) + 0.1 * rng.normal(size=40), 19
    low, high = np.where(np.arange(p) % 3, -np.inf, 0.0), np.where(np.arange(p) % 2, np.inf, 0.4)
    tol = 8 * EPS * np.abs(X.T @ y / 40).max()
    _, _, rows = solve(1, X, y, low, high, np.zeros((1, p)), np.zeros((1, p)), tol)
    assert rows.count[0] > 0
    best = lsq_linear(X, y, (low, high), tol=1e-15, max_iter=1000).x
    assert np.sum((y - X @ rows.W[0]) ** 2) <= np.sum((y - X @ best) ** 2) * (1 + 1e-12)


@pytest.mark.parametrize("which", BOTH)
@given(z=st.floats(-3, 3), d=st.floats(0.01, 3), a=st.floats(0, 1), low=st.floats(-1, 1), room=st.floats(0, 2))
def test_one_coordinate_goes_to_its_minimum(which, z, d, a, low, room):
    high = low + room
    rows = PathRows.of(np.ones(1), np.array([[a]]), np.zeros((1, 1)))
    bounds = np.array([low]), np.array([high])
    kernels.DISPATCH["gram_bounded"][which](np.array([[d]]), np.array([z]), *bounds, rows, 1e-12, 50)
    w, grid = rows.W[0, 0], np.linspace(low, high, 2001)
    assert low <= w <= high
    assert 0.5 * d * w * w - z * w + a * abs(w) <= (0.5 * d * grid**2 - z * grid + a * abs(grid)).min() + 1e-9


@pytest.mark.parametrize("which", BOTH)
def test_a_start_is_cut_and_columns_of_zeros_end_where_the_penalty_wants_them(which):
    G, zero = np.zeros((3, 3)), np.zeros(3)
    rows = PathRows.of(np.ones(2), np.array([[0.1, 0.1, 0.0]] * 2), np.zeros((2, 3)))
    rows.W[0], rows.known = [5.0, 0.2, 5.0], 1
    bounds = np.array([1.0, -1.0, 1.0]), np.full(3, 3.0)
    kernels.DISPATCH["gram_bounded"][which](G, zero, *bounds, rows, 1e-9, 5)
    assert rows.count[1] > 0
    np.testing.assert_array_equal(rows.W[1], [1.0, 0.0, 3.0])


@pytest.mark.parametrize("which", BOTH)
def test_running_out_of_sweeps_is_said(which):
    data = problem(0, 25, 14)
    assert (solve(which, *data, tol=0.0, max_sweeps=1)[2].count == -1).all()


def test_the_gram_matrix_is_checked():
    with pytest.raises(ValueError, match="contiguous rows"):
        gram_bounded(np.eye(3).T[:, ::-1], np.zeros(3), np.zeros(3), np.ones(3), None, 1e-9)
    assert (
        module.Bounded(np.ones(2), np.zeros(2), np.ones(2), np.zeros(2)).violation(np.full(2, 2.0), np.zeros(2))[0]
        == np.inf
    )
