"""The kernels of many classes compute what their references do, which are the formulas."""

import numpy as np
import pytest

from shrinkwise import kernels

WHICH = [pytest.param(0, id="reference"), pytest.param(1, id="compiled")]


def drawn(n=333, K=7, spread=3.0):
    rng = np.random.default_rng(0)
    return spread * rng.normal(size=(K, n)), rng.integers(0, K, n)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("which", WHICH)
def test_softmax_is_the_formula(which, dtype):
    eta, y = drawn()
    eta[:, 0] += 1e4  # neither a large shift nor far classes overflow
    eta[2, 1] = -2000.0
    eta = eta.astype(dtype)
    value, g = kernels.DISPATCH["softmax"][which](eta, y)
    exact = eta.astype(float) - eta.astype(float).max(0)
    p = np.exp(exact) / np.exp(exact).sum(0)
    own = y, np.arange(len(y))
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(value, np.log(np.exp(exact).sum(0)) - exact[own], atol=8 * eps * np.abs(eta).max())
    onehot = np.zeros_like(p)
    onehot[own] = 1.0
    np.testing.assert_allclose(g, p - onehot, atol=4 * eps)
    no_value, alone = kernels.DISPATCH["softmax"][which](eta)
    assert no_value is None
    away = p > 1e-30
    np.testing.assert_allclose(alone[away], p[away], rtol=10 * eps if dtype == np.float64 else 2e-5)


@pytest.mark.parametrize("which", WHICH)
def test_softmax_does_not_hide_what_is_not_a_number(which):
    eta, y = drawn(5, 3)
    eta[1, 2] = np.nan
    with np.errstate(invalid="ignore"):
        value, g = kernels.DISPATCH["softmax"][which](eta, y)
    assert np.isnan(value[2])
    assert np.isnan(g[1, 2])
    assert np.isfinite(np.delete(value, 2)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("which", WHICH)
def test_the_curvature_is_that_of_a_matrix_per_row(which, dtype):
    eta, _ = drawn()
    p = kernels.softmax(eta)[1]
    rng = np.random.default_rng(1)
    x, weights = rng.normal(size=p.shape), rng.random(p.shape[1])
    H = np.einsum("kj,ki->ik", np.eye(len(p)), p)[:, :, None] * np.eye(len(p)) - np.einsum("ki,ji->ikj", p, p)
    expected = weights * np.einsum("ikj,ji->ki", H, x)
    out = x.astype(dtype)
    kernels.DISPATCH["softmax_curvature"][which](p.astype(dtype), weights.astype(dtype), out)
    np.testing.assert_allclose(out, expected, atol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("which", WHICH)
def test_rows_come_to_the_simplex_and_their_entropy_is_the_conjugate(which):
    eta, y = drawn()
    v = kernels.softmax(eta, y)[1] + 0.2 * np.random.default_rng(2).normal(size=eta.shape)
    v[:, 5] = -1.0  # nothing is left of this row
    v[y[5], 5] = -3.0
    own = y, np.arange(len(y))
    expected = v.copy()
    expected[own] += 1.0
    expected = np.maximum(expected, 0.0)
    expected[y[5], 5] = 1.0
    expected /= expected.sum(0)
    kernels.DISPATCH["to_simplex"][which](y, v)
    q = v.copy()
    q[own] += 1.0
    np.testing.assert_allclose(q, expected, atol=1e-15)
    for alpha in (1.0, 0.7, 0.0):
        q = alpha * v
        q[own] += 1.0
        entropy = np.where(q > 0, q * np.log(np.where(q > 0, q, 1.0)), 0.0).sum(0)
        found = kernels.DISPATCH["softmax_conjugate"][which](y, alpha, v)
        np.testing.assert_allclose(found, entropy, atol=1e-14)


@pytest.mark.parametrize("which", WHICH)
def test_the_logarithm_is_exact_from_the_smallest_probability_to_one(which):
    q = np.concatenate([np.geomspace(1e-280, 1.0, 4000), 1.0 - np.geomspace(1e-15, 0.5, 500)])
    v = np.stack([np.full(len(q), -1.0), q])  # nothing of the own class is left
    found = kernels.DISPATCH["softmax_conjugate"][which](np.zeros(len(q), dtype=np.int64), 1.0, v)
    np.testing.assert_allclose(found, q * np.log(q), rtol=1e-15, atol=1e-290)


def test_a_class_that_is_not_there_is_refused():
    eta, y = drawn()
    for call in (kernels.softmax, lambda eta, y: kernels.to_simplex(y, eta)):
        with pytest.raises(ValueError, match="classes"):
            call(eta, y + 1)


def test_arrays_that_the_kernel_cannot_read_are_refused():
    p = np.asfortranarray(np.full((2, 3), 0.5))
    with pytest.raises(ValueError, match="C order"):
        kernels.softmax_curvature(p, np.ones(3), np.ones((2, 3)))
    p = np.full((2, 3), 0.5)
    for wrong in ((p, np.ones(2), p.copy()), (p[:, :2].copy(), np.ones(3), p.copy())):
        with pytest.raises(ValueError, match="weights, got"):
            kernels.softmax_curvature(*wrong)
    with pytest.raises(ValueError, match="one precision"):
        kernels.softmax_curvature(p.astype(np.float16), np.ones(3, np.float16), p.astype(np.float16))
    with pytest.raises(ValueError, match="classes of 3 rows"):
        kernels.softmax(p, np.zeros(2, dtype=int))


def test_scores_of_another_type_are_read_in_double_precision():
    eta = np.array([[0, 1, 2], [2, 1, 0]])
    for dtype in (np.float16, np.int64, np.int8):
        np.testing.assert_array_equal(kernels.softmax(eta.astype(dtype))[1], kernels.softmax(eta.astype(float))[1])
