"""The passes of a training step agree with their formulas: all sizes, both types, streamed and threaded."""

from __future__ import annotations

import numpy as np
import pytest

from shrinkwise import kernels
from shrinkwise.kernels import pool
from shrinkwise.kernels.networks.training import lend_reference, metric_prox_reference

SIZES = [0, 1, 15, 16, 1000, 4097]
LARGE = 2**21 + 37  # past this a result is streamed


def arrays(count, size, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(size).astype(dtype) for _ in range(count)]


def close(ours, theirs):
    eps = np.finfo(ours.dtype).eps
    np.testing.assert_allclose(ours, theirs, rtol=16 * eps, atol=16 * eps * (1 + np.abs(theirs).max(initial=0.0)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [None, (0.7, 0.8)])
@pytest.mark.parametrize("shift", [0.0, 0.01])
def test_lend(dtype, given, shift):
    for size in (*SIZES, LARGE):
        z, w, g = arrays(3, size, dtype)
        z2, w2 = z.copy(), w.copy()
        assert kernels.lend([z], [w], [g], [0.3], [shift], [given]) == [True]
        lend_reference([z2], [w2], [g], [0.3], [shift], [given])
        close(w, w2)
        close(z, z2)
        assert given is None or size == 0 or not np.array_equal(w2, g)


@pytest.mark.parametrize("given", [None, (0.7, 1.0)])
def test_lend_tells_gradients_that_are_not_finite(given):
    for size in (33, LARGE):
        for value in (np.nan, np.inf, -np.inf):
            z, w, g = arrays(3, size, np.float32)
            z2, w2, g2 = arrays(3, 5, np.float32)
            g[size - 1] = value
            assert kernels.lend([z, z2], [w, w2], [g, g2], [0.3, 0.3], [0.0, 0.0], [given, given]) == [False, True]
    z, w, g = arrays(3, 40, np.float32)
    g[0] = np.finfo(np.float32).max
    assert kernels.lend([z], [w], [g], [0.3], [0.0], [given]) == [True]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("l2", [0.0, 0.4])
def test_metric_prox(dtype, l2):
    for size in SIZES:
        w, v = arrays(2, size, dtype)
        v = np.abs(v)
        v[::3], w[::5] = 0, 0
        ours, theirs = w.copy(), w.copy()
        kernels.metric_prox([ours], [v], [0.1], [1.3], [1e-2], [2.0], [l2])
        metric_prox_reference([theirs], [v], [0.1], [1.3], [1e-2], [2.0], [l2])
        close(ours, theirs)
        assert ((ours == 0) == (theirs == 0)).all()
        assert size < 100 or 0 < (ours == 0).sum() < size


def test_nan_stays_nan_in_the_metric():
    w, v = np.array([np.nan, 1.0, 1.0]), np.array([1.0, np.nan, 1.0])
    kernels.metric_prox([w], [v], [0.1], [1.0], [0.0], [1.0], [0.0])
    assert np.isnan(w[0])
    assert w[2] == pytest.approx(0.9)


def test_several_arrays_on_several_threads(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(pool, "SMALL", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        zs, ws, gs = ([*arrays(1, n, np.float32, seed)] for n, seed in ((1000, 1), (1000, 2), (1000, 3)))
        zs, ws, gs = (
            zs + arrays(1, 77, np.float32, 4),
            ws + arrays(1, 77, np.float32, 5),
            gs + arrays(1, 77, np.float32, 6),
        )
        z2, w2 = [z.copy() for z in zs], [w.copy() for w in ws]
        numbers = [0.3, 0.4], [0.0, 0.1], [None, (0.2, 1.0)]
        kernels.lend(zs, ws, gs, *numbers)
        lend_reference(z2, w2, gs, *numbers)
        for ours, theirs in zip((*zs, *ws), (*z2, *w2), strict=True):
            close(ours, theirs)
    finally:
        torch.set_num_threads(before)


def test_what_a_kernel_cannot_read_is_refused():
    a, b = arrays(2, 10, np.float32)
    with pytest.raises(ValueError, match="C-contiguous arrays of one dtype"):
        kernels.metric_prox([a], [b.astype(float)], [1.0], [1.0], [1.0], [1.0], [0.0])
    with pytest.raises(ValueError, match="one shape"):
        kernels.lend([a], [b[:5]], [a], [1.0], [0.0], [None])
    with pytest.raises(TypeError, match="float32 or float64"):
        kernels.lend(*([np.zeros(3, np.float16)] for _ in range(3)), [1.0], [0.0], [None])
