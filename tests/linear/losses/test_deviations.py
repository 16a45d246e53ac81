"""The root of the Hessian of Cox's likelihood: beside the covariances of the rows at risk, summed term by term."""

import numpy as np
import pytest

from shrinkwise import kernels
from shrinkwise.linear.losses import Cox, survival
from shrinkwise.linear.losses.survival.deviations import Deviations

N, M = 40, 6


def data(tied, strata, zeros):
    rng = np.random.default_rng(3)
    X, times = rng.normal(size=(N, M)) + 5.0, rng.exponential(size=N)
    X[:, 2], X[:, 3] = 7.0, X[:, 4]
    y = survival(times.round(1) if tied else times, rng.random(N) < 0.6, np.arange(N) % 3 if strata else None)
    s = rng.random(N) + 0.5
    s[::7] = np.where(zeros, 0.0, s[::7])
    return X, y, s, rng.normal(size=N)


def by_terms(X, y, eta, s, ties):
    """Σ w × the covariance of the rows at risk; of m tied events Efron's m terms count the tied rows by 1, 1 − 1/m, …"""
    H = np.zeros((M, M))
    for stratum in np.unique(y["stratum"]):
        for time in np.unique(y["time"][y["event"] & (s > 0) & (y["stratum"] == stratum)]):
            here = (y["stratum"] == stratum) & (y["time"] >= time)
            events = here & (y["time"] == time) & y["event"] & (s > 0)
            parts = int(events.sum()) if ties == "efron" else 1
            for part in range(parts):
                q = s * np.exp(eta) * here * np.where(events, 1.0 - part / parts, 1.0)
                p = q / q.sum()
                centred = X - p @ X
                H += s[events].sum() / parts * (centred.T * p) @ centred
    return H


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("strata", [False, True])
@pytest.mark.parametrize("zeros", [False, True])
def test_the_squares_are_the_hessian(ties, tied, strata, zeros):
    X, y, s, eta = data(tied, strata, zeros)
    loss = Cox(ties).scaled_to(y, s)
    np.testing.assert_allclose(loss.information(X, eta), by_terms(X, y, eta, s, ties), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("tied", [False, True])
def test_predictors_far_apart_leave_finite_numbers(tied):
    X, y, s, eta = data(tied, True, True)
    Z = Deviations(Cox().scaled_to(y, s)._risk, 1e4 * eta).of(np.ascontiguousarray(X.T))
    assert np.isfinite(Z).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("m", [1, 3, 4, 9])
def test_the_kernel_does_as_its_reference(m, dtype):
    if kernels.status()["simd"] == "none":
        pytest.skip("the library is not built")
    rng = np.random.default_rng(1)
    rows, starts = rng.normal(size=(m, N)), np.array([0, 1, 2, 7, 8, 30, N])
    rest = rng.permutation(N), starts, rng.random(N), rng.random(N), rng.random(6)
    found, expected = (each(rows, *rest, np.dtype(dtype)) for each in kernels.DISPATCH["prefix_deviations"])
    assert found.dtype == expected.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == np.float32 else 1e-12, atol=1e-12)
