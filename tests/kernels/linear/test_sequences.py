"""Total variation and the sorted L1 norm: the compiled proximal maps against the formulas, and both against optimality."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkwise import kernels

WHICH = [
    0,
    pytest.param(
        1,
        marks=pytest.mark.skipif(not kernels.status()["available"], reason=str(kernels.status()["reason"])),
    ),
]
each = pytest.mark.parametrize("which", WHICH, ids=["reference", "compiled"])


def signal(seed, n):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n) * rng.choice([0.0, 0.1, 1.0, 50.0], n)
    return np.round(y, 1) if seed % 2 else y


@each
@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), c=st.sampled_from([1e-3, 0.3, 5.0]), stepped=st.booleans())
def test_total_variation_ends_at_the_minimum(which, seed, n, c, stepped):
    """z = the running sum of (y − x)/steps is a dual point: |z| ≤ c, and z = ±c where x jumps."""
    y, rng = signal(seed, n), np.random.default_rng(seed)
    steps = rng.uniform(0.2, 3.0, n) if stepped else None
    x = kernels.DISPATCH["total_variation"][which](y, steps, c)
    z = np.cumsum((y - x) / (1.0 if steps is None else steps))
    close = 1e-12 * max(1.0, np.abs(y).max()) * n * 10
    assert abs(z[-1]) <= close
    assert (np.abs(z) <= c + close).all()
    jumps = np.diff(x)
    np.testing.assert_allclose(z[:-1][jumps != 0], -c * np.sign(jumps[jumps != 0]), atol=close)


@pytest.mark.skipif(not kernels.status()["available"], reason=str(kernels.status()["reason"]))
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60))
def test_compiled_equals_the_formula(seed, n):
    y, rng = signal(seed, n), np.random.default_rng(seed)
    steps = rng.choice([0.0, 0.3, 2.0], n)
    close = {"rtol": 0, "atol": 1e-12 * max(1.0, np.abs(y).max())}
    for given_steps in (None, steps):
        expected, got = (run(y, given_steps, 0.7) for run in kernels.DISPATCH["total_variation"])
        np.testing.assert_allclose(got, expected, **close)
    c = np.sort(rng.choice([0.0, 0.5, 1.0, 4.0], n))[::-1].copy()
    for sizes in (False, True):
        expected, got = (run(y, c, sizes) for run in kernels.DISPATCH["sorted_prox"])
        np.testing.assert_allclose(got, expected, **close)
        assert np.array_equal(got == 0, expected == 0) or not sizes


@each
@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), sizes=st.booleans())
def test_the_sorted_prox_ends_at_the_minimum(which, seed, n, sizes):
    """⟨x − u, u⟩ = f(u), and no partial sum of the sorted x − u exceeds that of c."""
    x, rng = signal(seed, n), np.random.default_rng(seed)
    c = np.sort(rng.choice([0.0, 0.5, 1.0, 4.0], n))[::-1].copy()
    u = kernels.DISPATCH["sorted_prox"][which](x, c, sizes)
    left, ordered = (np.abs(v) if sizes else v for v in (x - u, u))
    value = c @ np.sort(ordered)[::-1]
    close = 1e-12 * max(1.0, np.abs(x).max()) ** 2 * n * 10
    assert (x - u) @ u == pytest.approx(value, abs=close)
    assert (np.cumsum(np.sort(left)[::-1]) <= np.cumsum(c) + close).all()
    assert sizes or left.sum() == pytest.approx(c.sum(), abs=close)


@each
def test_a_large_signal_with_many_ties(which):
    rng = np.random.default_rng(0)
    n = 20_000
    x = np.round(np.repeat(rng.normal(size=n // 100), 100) + 0.1 * rng.normal(size=n), 1)
    c = np.linspace(1.0, 0.0, n)
    u = kernels.DISPATCH["sorted_prox"][which](x, c, True)
    assert (x - u) @ u == pytest.approx(c @ np.sort(np.abs(u))[::-1], rel=1e-9)
    for value in np.unique(np.abs(x))[:50]:
        assert len(np.unique(np.abs(u[np.abs(x) == value]))) == 1
    fused = kernels.DISPATCH["total_variation"][which](x, None, 1.0)
    assert np.abs(np.cumsum(x - fused)).max() <= 1.0 + 1e-8
    assert np.count_nonzero(np.diff(fused)) < n / 20


@each
@pytest.mark.parametrize("spread", [1e-15, 1e-12, 1e-9, 1.0])
def test_numbers_that_are_nearly_equal_are_in_order(which, spread):
    x = 1.0 + spread * np.random.default_rng(0).normal(size=3000)
    c = np.zeros(3000)
    c[0] = 1.0
    largest = kernels.DISPATCH["sorted_prox"][which](x, c, True)
    level = largest.max()
    assert np.sum(np.maximum(np.abs(x) - level, 0.0)) == pytest.approx(1.0, rel=1e-9)
    np.testing.assert_allclose(largest, np.clip(x, -level, level), rtol=1e-12)


@each
@pytest.mark.parametrize("sizes", [False, True])
def test_numbers_that_share_all_leading_digits_beside_a_huge_one_are_in_order(which, sizes):
    """Two clusters and an outlier: the sort has to look into a cluster again and again."""
    rng = np.random.default_rng(1)
    x = np.concatenate([1.0 + 1e-14 * rng.integers(0, 50, 2000), -(1.0 + 1e-9 * rng.normal(size=2000)), [1e300]])
    c = np.linspace(1e-8, 0.0, len(x))
    u = kernels.DISPATCH["sorted_prox"][which](x, c, sizes)
    values, out = (np.abs(x), np.abs(u)) if sizes else (x, u)
    order = np.argsort(-values, kind="stable")
    assert (np.diff(out[order]) <= 0).all()
    moved = np.cumsum((values - out)[order][1:])  # of partial sums no more than those of c, and in all as much
    assert (moved <= np.cumsum(c)[1:] - c[0] + 1e-9).all()
    assert moved[-1] == pytest.approx(np.sum(c[1:]), rel=1e-6)


@each
def test_entries_that_end_at_zero_keep_their_sign_and_do_not_disturb_the_others(which):
    """The factors of the last entries are small: most entries are above the least of them and end at zero all the same."""
    x = np.random.default_rng(2).normal(size=5000)
    c = np.linspace(2.5, 0.1, 5000)
    u = kernels.DISPATCH["sorted_prox"][which](x, c, True)
    assert 0 < np.count_nonzero(u) < 1500
    assert np.array_equal(np.signbit(u), np.signbit(x))
    left = np.sort(np.abs(x - u))[::-1]
    assert (np.cumsum(left) <= np.cumsum(c) + 1e-9).all()
    assert (x - u) @ u == pytest.approx(c @ np.sort(np.abs(u))[::-1], rel=1e-9)
