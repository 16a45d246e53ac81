"""The kernels for groups, rows and concave penalties: compiled = reference, and each block at its minimiser."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from shrinkwise import kernels
from shrinkwise.kernels import Concave, GroupQuadratic

needs_library = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])
BOTH = [pytest.param(0, id="reference"), pytest.param(1, id="compiled", marks=needs_library)]


def gram(seed, n, p):
    """Columns of unequal scale, some of zeros, some twice."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.choice([0.0, 1.0, 3.0], p, p=[0.1, 0.6, 0.3])
    X[:, -1] = X[:, 0]
    return np.ascontiguousarray(X.T @ X / n), X.T @ rng.normal(size=n) / n, rng


def grouped(seed, n, sizes, sparse):
    p = sum(sizes)
    G, c, rng = gram(seed, n, p)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    l1 = rng.choice([0.0, 0.05], p) if sparse else np.zeros(p)
    quadratic = GroupQuadratic(G, starts, rng.choice([0.0, 0.05, 0.3], len(sizes)), l1, rng.choice([0.0, 0.1], p))
    return quadratic, c, rng.normal(size=p)


def concave(p, rng):
    s, knee = rng.choice([0.0, 0.1, 0.4], p), rng.choice([0.0, 0.1], p)
    return Concave(s, knee, knee + rng.choice([0.3, 1.0], p), rng.choice([0.0, 0.1], p))


def assert_same(runs, start, c, G):
    results = []
    for run in runs:
        w = start.copy()
        r = c - G @ w
        results.append((run(w, r), w, r))
    (k1, w1, r1), (k2, w2, r2) = results
    assert k1 == k2
    scale = max(1.0, abs(w1).max())
    np.testing.assert_allclose(w1, w2, atol=1e-9 * scale)
    np.testing.assert_allclose(r1, r2, atol=1e-9 * scale)
    np.testing.assert_allclose(r1, c - G @ w1, atol=1e-9 * scale)


@needs_library
@given(seed=st.integers(0, 10**6), n=st.integers(4, 30), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=6))
@pytest.mark.parametrize("sparse", [False, True])
def test_compiled_groups_equal_the_reference(sparse, seed, n, sizes):
    quadratic, c, start = grouped(seed, n, sizes, sparse)
    runs = [lambda w, r, run=run: run(quadratic, w, r, 1e-3, 8) for run in kernels.DISPATCH["gram_blocks"]]
    assert_same(runs, start, c, quadratic.G)


@needs_library
@pytest.mark.parametrize("sparse", [False, True])
def test_a_matrix_in_single_precision_is_read_without_a_copy(sparse):
    quadratic, c, start = grouped(3, 20, [4, 1, 5, 9], sparse)
    single = quadratic.G.astype(np.float32)
    wider = replace(quadratic, G=np.ones((25, 25), np.float32)[:19, :19])
    wider.G[...] = single  # a part of a larger matrix
    run = kernels.DISPATCH["gram_blocks"][1]
    runs = [lambda w, r, q=q: run(q, w, r, 1e-3, 8) for q in (replace(quadratic, G=single.astype(float)), wider)]
    assert_same(runs, start, c, single.astype(float))
    with pytest.raises(ValueError, match="single or double"):
        run(replace(quadratic, G=single.astype(float).T[::-1]), start, c, 1e-3, 8)


@needs_library
@given(seed=st.integers(0, 10**6), n=st.integers(4, 30), p=st.integers(2, 12))
def test_compiled_coordinates_equal_the_reference(seed, n, p):
    G, c, rng = gram(seed, n, p)
    penalty, start = concave(p, rng), rng.normal(size=p)
    runs = [lambda w, r, run=run: run(G, penalty, w, r, 1e-3, 8) for run in kernels.DISPATCH["gram_scalar"]]
    assert_same(runs, start, c, G)


@needs_library
@given(seed=st.integers(0, 10**6), n=st.integers(4, 30), p=st.integers(2, 12), K=st.integers(1, 9))
def test_compiled_rows_equal_the_reference(seed, n, p, K):
    G, _, rng = gram(seed, n, p)
    C, start = G @ rng.normal(size=(p, K)), rng.normal(size=(p, K))
    t, b = rng.choice([0.0, 0.3], p), rng.choice([0.0, 0.1], p)
    runs = [lambda w, r, run=run: run(G, t, b, w, r, 1e-3, 8) for run in kernels.DISPATCH["gram_rows"]]
    assert_same(runs, start, C, G)


@pytest.mark.parametrize("which", BOTH)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_converged_groups_are_certified(which, sparse, seed):
    quadratic, c, start = grouped(seed, 40, [3, 1, 5, 2, 4], sparse)
    w, r = start, c - quadratic.G @ start
    assert kernels.DISPATCH["gram_blocks"][which](quadratic, w, r, 1e-9, 20_000) > 0
    assert quadratic.violation(w, c - quadratic.G @ w).max() <= 2e-9


@pytest.mark.parametrize("which", BOTH)
@pytest.mark.parametrize("l1", [0.0, 0.2])
def test_one_group_lands_on_its_minimiser(which, l1):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 4)) * [1.0, 10.0, 0.1, 1.0]
    quadratic = GroupQuadratic(X.T @ X / 30, np.array([0, 4]), np.array([0.3]), np.full(4, l1), np.zeros(4))
    c = X.T @ rng.normal(size=30) / 30 + [1.0, 1.0, 0.5, -1.0]
    w, r = np.zeros(4), c.copy()
    assert kernels.DISPATCH["gram_blocks"][which](quadratic, w, r, 1e-10, 100) > 0

    def objective(u):
        return 0.5 * u @ quadratic.G @ u - c @ u + 0.3 * np.linalg.norm(u) + l1 * abs(u).sum()

    best = minimize(
        objective, w + 0.01, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 9000}
    )
    assert objective(w) <= best.fun + 1e-12


@pytest.mark.parametrize("which", BOTH)
@given(
    z=st.floats(-3, 3),
    d=st.floats(0.05, 3),
    s=st.floats(0.01, 1),
    knee=st.sampled_from([0.0, 0.3, 1.0]),
    bend=st.floats(0.1, 3),
)
def test_a_concave_coordinate_goes_to_its_global_minimum(which, z, d, s, knee, bend):
    rule = Concave(*(np.array([x]) for x in (s, knee, knee + bend, 0.0)))
    w, r = np.zeros(1), np.array([z])
    kernels.DISPATCH["gram_scalar"][which](np.array([[d]]), rule, w, r, 1e-12, 5)

    def objective(u):
        x = np.minimum(abs(u), knee + bend)
        return 0.5 * d * u * u - z * u + s * x - s * np.maximum(x - knee, 0.0) ** 2 / (2 * bend)

    grid = np.linspace(-1.0, 1.0, 20_001) * (abs(z) / d + 0.1)
    assert objective(w[0]) <= objective(grid).min() + 1e-9


@pytest.mark.parametrize("which", BOTH)
def test_zero_columns_end_where_the_penalty_wants_them(which):
    G, zero = np.zeros((2, 2)), np.zeros(2)
    run = kernels.DISPATCH["gram_scalar"][which]
    w = np.array([1.0, 1.0])
    assert run(G, Concave(np.array([0.1, 0.0]), zero, np.array([0.3, 0.0]), zero), w, np.zeros(2), 1e-9, 5) > 0
    np.testing.assert_array_equal(w, [0.0, 1.0])
    w = np.array([1.0, 2.0])
    blocks = GroupQuadratic(G, np.array([0, 2]), np.array([0.1]), zero, zero)
    assert kernels.DISPATCH["gram_blocks"][which](blocks, w, np.zeros(2), 1e-9, 5) > 0
    np.testing.assert_array_equal(w, [0.0, 0.0])


@pytest.mark.parametrize("which", BOTH)
def test_running_out_of_sweeps_is_said(which):
    quadratic, c, start = grouped(0, 40, [3, 1, 5, 2, 4], False)
    assert kernels.DISPATCH["gram_blocks"][which](quadratic, start.copy(), c - quadratic.G @ start, 1e-14, 2) < 0
    rule = concave(15, np.random.default_rng(0))
    assert kernels.DISPATCH["gram_scalar"][which](quadratic.G, rule, start.copy(), c - quadratic.G @ start, 0.0, 2) < 0
