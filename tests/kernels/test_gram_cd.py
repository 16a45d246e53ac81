"""The compiled kernel against its reference, and the reference taking over where the library is hidden."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkwise import kernels
from shrinkwise.kernels import reference

needs_library = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])


def problem(seed, n, p):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.choice([0.0, 1.0, 3.0], p)
    c = X.T @ rng.normal(size=n) / n
    return (
        np.ascontiguousarray(X.T @ X / n),
        c,
        rng.choice([0.0, 0.05, 0.2], p),
        rng.choice([0.0, 0.1], p),
        rng.normal(size=p),
    )


@needs_library
@given(seed=st.integers(0, 10**6), n=st.integers(1, 30), p=st.integers(1, 20))
def test_compiled_equals_reference(seed, n, p):
    G, c, a, b, start = problem(seed, n, p)
    results = []
    for run in kernels.DISPATCH["gram_cd"]:
        w, r = start.copy(), c - G @ start
        sweeps = run(G, a, b, w, r, 1e-3, 50)
        results.append((sweeps, w, r))
    (k1, w1, r1), (k2, w2, r2) = results
    assert k1 == k2
    np.testing.assert_allclose(w1, w2, atol=1e-10 * max(1, abs(w1).max()))
    np.testing.assert_allclose(r1, r2, atol=1e-10 * max(1, abs(w1).max()))


@pytest.mark.parametrize("seed", range(5))
def test_the_result_is_stationary(seed):
    G, c, a, b, _ = problem(seed, 40, 15)
    w, r = np.zeros(15), c.copy()
    assert kernels.gram_cd(G, a, b, w, r, 1e-12, 100_000) > 0
    np.testing.assert_allclose(r, c - G @ w, atol=1e-12)
    g = -r + b * w
    assert np.where(w != 0, abs(g + a * np.sign(w)), np.maximum(abs(g) - a, 0)).max() <= 1e-10


def test_running_out_of_sweeps_is_said():
    G, c, a, b, _ = problem(0, 40, 15)
    assert kernels.gram_cd(G, a * 0, b * 0, np.zeros(15), c.copy(), 0.0, 2) < 0
    assert reference.gram_cd(G, a * 0, b * 0, np.zeros(15), c.copy(), 0.0, 2) < 0


def test_hidden_library_falls_back_to_the_reference_with_the_same_lasso():
    code = (
        "import numpy as np, shrinkwise as sw\nfrom shrinkwise import kernels\n"
        "X = np.random.default_rng(0).normal(size=(40, 8)); y = X[:, 0] - X[:, 1]\n"
        "m = sw.PenalizedRegressor(sw.L1(0.1)).fit(X, y)\n"
        "print(kernels.status()['available'], ' '.join(f'{v:.10f}' for v in m.coef_), m.duality_gap_ <= 1e-6)"
    )
    outputs = {}
    for hidden in ("", "1"):
        env = {**os.environ, "SHRINKWISE_NO_KERNELS": hidden}
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        outputs[hidden] = run.stdout.split()
    assert outputs["1"][0] == "False"
    assert outputs["1"][1:] == outputs[""][1:]
    assert outputs["1"][-1] == "True"
