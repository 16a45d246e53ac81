"""Coordinate descent with a single-precision Hessian: the kernel against its formula, and both against optimality."""

import numpy as np
import pytest

from shrinkwise import kernels


def problem(seed, m=30, spare=5):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(40, m))
    H = np.zeros((m + spare, m + spare), np.float32)
    H[:m, :m] = A.T @ A / 40
    H[m:] = H[:, m:] = np.nan  # spare rows must not count
    a, b = rng.uniform(0.3, 1.5, m), rng.uniform(0, 0.2, m)
    return H, a, b, np.where(rng.random(m) < 0.4, rng.normal(size=m), 0.0), rng.normal(size=m)


@pytest.mark.parametrize("which", [0, 1], ids=["reference", "compiled"])
@pytest.mark.parametrize("seed", range(4))
def test_ends_at_the_minimum(which, seed):
    if which and not kernels.status()["available"]:
        pytest.skip(kernels.status()["reason"])
    H, a, b, w, r = problem(seed)
    start, r0, m = w.copy(), r.copy(), len(w)
    assert kernels.DISPATCH["model_cd"][which](H, a, b, w, r, 1e-12, 10_000) > 0
    exact = r0 - H[:m, :m].astype(float) @ (w - start)
    slope = exact - b * w
    assert (np.abs(slope[w != 0] - a[w != 0] * np.sign(w[w != 0])) <= 1e-10).all()
    assert (np.abs(slope[w == 0]) <= a[w == 0] + 1e-10).all()
    assert (w == 0).any()


@pytest.mark.parametrize("sweeps", [1, 2, 7])
def test_kernel_is_its_reference_sweep_by_sweep(sweeps):
    if not kernels.status()["available"]:
        pytest.skip(kernels.status()["reason"])
    H, a, b, w, r = problem(9)
    H[3, :], H[:, 3], b[3] = 0, 0, 0.0  # a coordinate without curvature stays
    results = []
    for which in (0, 1):
        x = w.copy()
        count = kernels.DISPATCH["model_cd"][which](H, a, b, x, r.copy(), 1e-3, sweeps)
        results.append((x, count))
    np.testing.assert_allclose(results[0][0], results[1][0], atol=2e-5)  # r changes in single precision within a round
    assert results[0][1] == results[1][1]
    assert results[1][0][3] == w[3]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.thorough
def test_conjugate_gradients_end_where_the_formula_does(seed):
    if not kernels.status()["available"]:
        pytest.skip(kernels.status()["reason"])
    rng, m = np.random.default_rng(seed), 40
    A = rng.normal(size=(50, m)) + 3 * rng.normal(size=(50, 1))  # correlated: rounds do not come to rest by themselves
    H, r = (A.T @ A / 50).astype(np.float32), A.T @ rng.normal(size=50) / 50
    H[3, :], H[:, 3], r[3] = 0, 0, 0
    w = np.where(rng.random(m) < 0.4, rng.normal(size=m), 0.0)
    w[3] = 0.5  # without curvature, and not zero
    results = []
    for which in (0, 1):
        x = w.copy()
        assert kernels.DISPATCH["model_cd"][which](H, np.full(m, 0.01), np.zeros(m), x, r.copy(), 1e-9, 100_000) > 0
        results.append(x)
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)
