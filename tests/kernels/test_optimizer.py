"""The pass of an optimizer agrees with its formula: all algorithms and modes, both types, streamed and threaded."""

from __future__ import annotations

import numpy as np
import pytest

from shrinkwise import kernels
from shrinkwise.kernels import pool
from shrinkwise.kernels.networks import optimizer as kernel

pytestmark = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])

LARGE = 2**21 + 37  # past this the weights are streamed
MODES = {"plain": kernel.PLAIN, "map": kernel.MAP, "pull": kernel.PULL, "prox": kernel.PROX}
ALGORITHMS = {"sgd": kernel.SGD, "momentum": kernel.MOMENTUM, "adam": kernel.ADAM}
NUMBERS = {
    **{"gain": 0.5, "coupled": 0.2, "slope": 0.7, "decoupled": 0.03, "keep": 0.9, "take": 0.3, "keep2": 0.8},
    **{"take2": 0.25, "rate": 0.4, "scale": 1.1, "eps": 1e-3, "threshold": 0.6, "shrink": 0.9},
    **{"pace": 0.3, "a": 1.2, "b": 0.4, "direct": 0.8, "through": 0.7},
}


def arrays(size, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x, w, m, v, g = (rng.standard_normal(size).astype(dtype) for _ in range(5))
    room = np.empty(size + 16, dtype)
    aligned = room[-room.ctypes.data % 64 // room.itemsize :][:size]  # on a cache line, as torch allocates
    aligned[...] = w
    return x, aligned, m, np.abs(v), g


def run(algorithm, mode, *sets, **given):
    rows = [
        (*(a.ctypes.data for a in some), some[0].size, mode, *(given.get(key, 0.0) for key in kernel.NUMBERS))
        for some in sets
    ]
    return kernel.optimizer(algorithm, sets[0][0].dtype == np.float64, rows)


def close(ours, theirs):
    eps = np.finfo(ours.dtype).eps
    np.testing.assert_allclose(ours, theirs, rtol=64 * eps, atol=64 * eps)


@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=ALGORITHMS)
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step(algorithm, mode, dtype):
    given = NUMBERS
    for size in (0, 1, 15, 64, 65, 1000, *([LARGE] if algorithm == kernel.ADAM and mode == kernel.MAP else [])):
        ours, theirs = arrays(size, dtype), arrays(size, dtype)
        assert run(algorithm, mode, ours, **given) == [True]
        x, w, m, v, g = theirs
        assert kernel.optimizer_reference(algorithm, mode, x, w, m, v, g, **given)
        for mine, right in zip(ours, theirs, strict=True):
            close(mine, right)
        if mode in (kernel.MAP, kernel.PROX):
            out = [some[1 if mode == kernel.MAP else 0] for some in (ours, theirs)]
            assert ((out[0] == 0) == (out[1] == 0)).all()
            assert size < 100 or 0 < (out[0] == 0).sum() < size


def test_every_number_matters():
    for algorithm in ALGORITHMS.values():
        unused = {kernel.SGD: ("keep", "take", "keep2", "take2", "direct", "through", "scale", "eps")}
        unused[kernel.MOMENTUM] = ("keep2", "take2", "scale", "eps")
        unused[kernel.ADAM] = ("direct", "through")
        for mode in (kernel.MAP, kernel.PROX):
            skip = {kernel.MAP: ("pace", "a", "b"), kernel.PROX: ("slope", "threshold", "shrink")}[mode]
            for key in kernel.NUMBERS:
                first, second = arrays(50, np.float64), arrays(50, np.float64)
                given = NUMBERS
                run(algorithm, mode, first, **given)
                run(algorithm, mode, second, **{**given, key: 1.5 * given.get(key, 0.0) + 0.01})
                differs = any((a != b).any() for a, b in zip(first, second, strict=True))
                assert differs == (key not in (*unused[algorithm], *skip)), (algorithm, mode, key)


@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=ALGORITHMS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("mode", [kernel.MAP, kernel.PULL])
def test_chunks_whose_gradient_is_not_finite_stay(algorithm, value, mode):
    given, size = NUMBERS, 5 * kernel.CHUNK + 3
    for place in (0, 200, size - 1):
        some, theirs = arrays(size, np.float32), arrays(size, np.float32)
        some[4][place] = theirs[4][place] = value
        other = arrays(30, np.float32, 1)
        refused = algorithm == kernel.ADAM or not np.isfinite(value)  # 1e30 has no finite square in float32
        before = [a.copy() for a in some]
        assert run(algorithm, mode, some, other, **given) == [not refused, True]
        assert kernel.optimizer_reference(algorithm, mode, *theirs, **given) == (not refused)
        if not refused:
            continue
        chunk = slice(place // kernel.CHUNK * kernel.CHUNK, (place // kernel.CHUNK + 1) * kernel.CHUNK)
        moved = np.ones(size, bool)
        moved[chunk] = False
        for k in (0, 2, 3) if algorithm == kernel.ADAM else (0,):
            assert (some[k][chunk] == before[k][chunk]).all()
            assert (some[k][moved] != before[k][moved]).all()
            close(some[k], theirs[k])


def test_without_a_latent_what_is_not_finite_passes_as_with_torch():
    some = arrays(100, np.float32)
    some[4][3] = np.nan
    assert run(kernel.ADAM, kernel.PROX, some, **NUMBERS) == [True]
    assert np.isnan(some[0]).sum() == 1


def test_several_arrays_on_several_threads(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(pool, "SMALL", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        given = NUMBERS
        ours, theirs = ([arrays(n, np.float32, n) for n in (1000, 77, 1)] for _ in range(2))
        ours[1][4][70] = theirs[1][4][70] = np.inf
        assert run(kernel.ADAM, kernel.MAP, *ours, **given) == [True, False, True]
        for mine, right in zip(ours, theirs, strict=True):
            kernel.optimizer_reference(kernel.ADAM, kernel.MAP, *right, **given)
            for k in (0, 2, 3):
                close(mine[k], right[k])
    finally:
        torch.set_num_threads(before)
