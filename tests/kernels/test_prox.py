"""The compiled proximal maps against the formulas, in place and out of place, on any number of threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkwise import kernels
from shrinkwise.kernels import pool, reference

pytestmark = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])


def draw(seed, kind, dtype, count=3, most=70):
    rng = np.random.default_rng(seed)
    inputs, thresholds = [], []
    for _ in range(count):
        rows, columns = rng.integers(0, most, 2)
        x = rng.normal(size=(rows, columns)) * rng.choice([0.0, 0.1, 1.0], (rows, columns))
        if kind != "separable" and x.size:
            x[:, rng.integers(columns)] = 0.0
        inputs.append(np.ascontiguousarray(x, dtype))
        size = {"separable": 1, "rows": rows, "columns": columns}[kind]
        thresholds.append(rng.choice([0.0, 0.3, 2.0], size))
    return inputs, thresholds, list(rng.uniform(0.2, 1.0, count))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["separable", "rows", "columns"])
@given(seed=st.integers(0, 10**6), in_place=st.booleans())
def test_compiled_equals_the_formula(kind, dtype, seed, in_place):
    inputs, thresholds, shrinks = draw(seed, kind, dtype)
    expected = [np.empty_like(x) for x in inputs]
    reference.prox(kind, inputs, expected, thresholds, shrinks)
    outputs = inputs if in_place else [np.full_like(x, 7) for x in inputs]
    kernels.prox(kind, inputs, outputs, thresholds, shrinks)
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=8 * np.finfo(dtype).eps * max(1.0, abs(want).max(initial=0)))
        assert np.array_equal(got == 0, want == 0)


@pytest.mark.parametrize("kind", ["separable", "rows", "columns"])
def test_any_number_of_threads_gives_the_same_bits(kind):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(701, 333)).astype(np.float32)
    size = {"separable": 1, "rows": 701, "columns": 333}[kind]
    results, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert pool.threads_for(x.size) == (threads if pool.openmp() else 1)
            out = np.empty_like(x)
            kernels.prox(kind, [x], [out], [np.full(size, 0.4)], [1.0])
            results.append(out)
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@pytest.mark.parametrize("kind", ["separable", "rows", "columns"])
def test_nan_stays_and_tall_matrices_take_the_wide_tiles(kind):
    x = np.ones((40_000, 5), np.float32)
    x[3, 2] = np.nan
    size = {"separable": 1, "rows": 40_000, "columns": 5}[kind]
    out = np.empty_like(x)
    kernels.prox(kind, [x], [out], [np.full(size, 0.5)], [1.0])
    assert np.isnan(out[3, 2])
    expected = np.empty_like(x)
    reference.prox(kind, [x], [expected], [np.full(size, 0.5)], [1.0])
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_a_forked_child_runs_on_one_thread():
    pytest.importorskip("torch")
    import os

    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover (the child never returns to pytest)
        os.write(write, str(pool.threads_for(10**7)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"1"


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        (np.ones((4, 4))[:, ::2], ValueError, "C-contiguous"),
        (np.ones((2, 2), np.float16), TypeError, "float32 or float64"),
    ],
)
def test_arrays_it_cannot_take_are_refused(x, kind, words):
    with pytest.raises(kind, match=words):
        kernels.prox("separable", [x], [x], [np.ones(1)], [1.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(11, 3000), (9, 9001), (3, 2049), (8, 2048)])
@pytest.mark.parametrize("in_place", [False, True])
def test_wide_matrices_take_rows_together(shape, in_place, dtype):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    thresholds = np.random.default_rng(1).uniform(0.0, 5.0, shape[1])
    expected, out = np.empty_like(x), np.empty_like(x)
    reference.prox("columns", [x], [expected], [thresholds], [1.0])
    out = x if in_place else out
    kernels.prox("columns", [x], [out], [thresholds], [1.0])
    np.testing.assert_allclose(out, expected, rtol=0, atol=30 * np.finfo(dtype).eps)
