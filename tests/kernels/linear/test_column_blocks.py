"""Block descent on the residual: compiled = reference = one sweep in Gram space, and its estimate of the duality gap."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkwise import kernels
from shrinkwise.kernels import GroupColumns, GroupQuadratic, diagonal_blocks, eigen

needs_library = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])
BOTH = [pytest.param(0, id="reference"), pytest.param(1, id="compiled", marks=needs_library)]
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=6)


def problem(seed, sizes, sparse, ridge):
    """(columns, the same in Gram space, y, a start); columns of unequal scale, some of zeros, some twice."""
    rng = np.random.default_rng(seed)
    n, p, sizes = int(rng.integers(3, 40)), sum(sizes), np.array(sizes)
    X = np.asfortranarray(rng.normal(size=(n, p)) * rng.choice([0.0, 1.0, 3.0], p, p=[0.1, 0.6, 0.3]))
    X[:, -1] = X[:, 0]
    G = np.ascontiguousarray(X.T @ X / n)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    t, l1 = rng.choice([0.05, 0.3], len(sizes)), rng.choice([0.0, 0.05], p) * sparse
    b = {"none": np.zeros(p), "all": np.full(p, 0.1), "some": rng.choice([0.0, 0.1], p)}[ridge]
    blocks = diagonal_blocks(sizes, lambda at: G[at[:, :, None], at[:, None, :]])
    columns = GroupColumns(X, starts, t, l1, b, blocks, *eigen(blocks, sizes, b))
    return columns, GroupQuadratic(G, starts, t, l1, b), rng.normal(size=n), rng.normal(size=p)


@pytest.mark.parametrize("which", BOTH)
@pytest.mark.parametrize("sparse", [False, True])
@given(seed=st.integers(0, 10**6), sizes=SIZES, ridge=st.sampled_from(["none", "all", "some"]))
def test_a_cycle_is_a_sweep_in_gram_space(which, sparse, seed, sizes, ridge):
    columns, quadratic, y, start = problem(seed, sizes, sparse, ridge)
    n, w, v = len(y), start.copy(), start.copy()
    residual, met = y - columns.X @ w, np.empty(len(w))
    r = columns.X.T @ residual / n
    for _ in range(3):
        moved = kernels.DISPATCH["column_blocks"][which](columns, w, residual, met, 1e-6)
        settled = kernels.DISPATCH["gram_blocks"][0](quadratic, v, r, 1e-6, 1) > 0
        assert (moved == 0) == settled
        np.testing.assert_allclose(w, v, atol=1e-8 * max(1.0, abs(v).max()))
        np.testing.assert_allclose(residual, y - columns.X @ w, atol=1e-8 * max(1.0, abs(y).max(), abs(w).max()))


@pytest.mark.parametrize("which", BOTH)
def test_the_gradients_met_are_those_of_a_point_that_no_longer_moves(which):
    columns, _, y, w = problem(0, [3, 5, 1, 4], False, "some")
    residual, met = y - columns.X @ w, np.empty(len(w))
    for _ in range(100_000):
        if kernels.DISPATCH["column_blocks"][which](columns, w, residual, met, 1e-10) == 0:
            break
    np.testing.assert_allclose(met, columns.X.T @ residual / len(y), atol=1e-14)
    assert abs(columns.gap_met(w, met)) < 1e-9


@given(seed=st.integers(0, 10**6), sizes=SIZES, sparse=st.booleans(), curved=st.booleans())
def test_the_estimate_is_the_gap_where_the_residual_is_dual_feasible(seed, sizes, sparse, curved):
    columns, _, y, w = problem(seed, sizes, sparse, "all" if curved else "none")
    starts, t = columns.starts, columns.thresholds
    if not curved:  # y so small that every residual near zero weights is feasible
        y, w = 1e-3 * y, 1e-4 * w
    residual = y - columns.X @ w
    g = columns.X.T @ residual / len(y)
    left = [g[a:b] - np.clip(g[a:b], -columns.l1[a:b], columns.l1[a:b]) for a, b in pairwise(starts)]
    over = np.array([np.linalg.norm(x) for x in left]) - t
    assert curved or (over <= 0).all()
    norms = np.array([np.linalg.norm(w[a:b]) for a, b in pairwise(starts)])
    primal = 0.5 * residual @ residual / len(y) + t @ norms + columns.l1 @ abs(w) + 0.5 * columns.ridge @ w**2
    conjugate = (np.maximum(over, 0.0) ** 2).sum() / 0.2 if curved else 0.0
    dual = (y @ residual - 0.5 * residual @ residual) / len(y) - conjugate
    assert columns.gap_met(w, g) == pytest.approx(primal - dual, rel=1e-9, abs=1e-12)


def test_a_residual_that_is_not_feasible_costs_its_excess():
    columns, _, y, w = problem(1, [3, 2], False, "none")
    g = 10.0 * columns.X.T @ y / len(y)
    ratio = max(
        np.linalg.norm(g[a:b]) / t for (a, b), t in zip(pairwise(columns.starts), columns.thresholds, strict=True)
    )
    assert ratio > 1.0
    expected = columns.penalty(w) - g @ w + (ratio - 1.0) * abs(g @ w)
    assert columns.gap_met(w, g) == pytest.approx(expected, rel=1e-12)
