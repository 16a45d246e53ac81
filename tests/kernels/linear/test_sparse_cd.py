"""Coordinate descent on the residual and the products beside it: compiled = reference, and both = the dense formulas."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from shrinkwise import kernels

needs_library = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])
STORAGES = ["int32", "int64", "dense"]


def stored(X, storage, dtype=np.float64):
    """X as CSC with the indices asked for, or dense in Fortran order."""
    if storage == "dense":
        return np.asfortranarray(X, dtype=dtype)
    X = sp.csc_matrix(X.astype(dtype))
    X.indices, X.indptr = X.indices.astype(storage), X.indptr.astype(storage)
    return X


def problem(seed, n, p, storage="int32", dtype=np.float64, weighted=True, centre=True):
    """A matrix with an empty, a constant and a few full columns and empty rows, and what the kernel is run on."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < rng.choice([0.2, 0.6, 1.0], p)) + (rng.random(p) < 0.1)
    X[:, 0] = 0.0
    X[rng.random(n) < 0.1] = 0.0
    X = X.astype(dtype).astype(float)
    s = rng.uniform(0.2, 3.0, n) if weighted else None
    matrix = kernels.WeightedColumns(stored(X, storage, dtype), s, centre)
    a, b = rng.choice([0.0, 0.05, 0.2], p), rng.choice([0.0, 0.1], p)
    return X, np.ones(n) if s is None else s, matrix, a, b, rng.normal(size=n), rng.normal(size=p)


def moments(X, s, centre):
    """Weighted means and curvatures from their definition."""
    means = s @ X / s.sum() if centre else np.zeros(X.shape[1])
    return means, s @ (X - means) ** 2 / len(X)


cases = given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 30),
    p=st.integers(1, 15),
    storage=st.sampled_from(STORAGES),
    dtype=st.sampled_from([np.float64, np.float32]),
    weighted=st.booleans(),
    centre=st.booleans(),
)


@needs_library
@cases
def test_compiled_equals_reference(seed, n, p, storage, dtype, weighted, centre):
    _, _, matrix, a, b, z, start = problem(seed, n, p, storage, dtype, weighted, centre)
    columns = np.flatnonzero(np.random.default_rng(seed).random(p) < 0.8)
    results = []
    for run in kernels.DISPATCH["sparse_cd"]:
        w, residual = start.copy(), matrix.residual(z)
        sweeps = run(matrix, columns, a, b, w, residual, 1e-3, 50)
        results.append((sweeps, w, residual))
    (k1, w1, r1), (k2, w2, r2) = results
    assert k1 == k2
    np.testing.assert_allclose(w1, w2, atol=1e-9 * max(1, abs(w1).max()))
    np.testing.assert_allclose(r1, r2, atol=1e-9 * max(1, abs(r1).max()))


@needs_library
@cases
def test_moments_and_products_are_the_dense_formulas_in_both(seed, n, p, storage, dtype, weighted, centre):
    X, s, matrix, _, _, v, w = problem(seed, n, p, storage, dtype, weighted, centre)
    some = np.flatnonzero(np.random.default_rng(seed).random(p) < 0.6)
    means, curvature = moments(X, s, centre)
    for which in (0, 1):
        matrix.means[:], matrix.curvature[:] = np.nan, np.nan
        kernels.DISPATCH["sparse_moments"][which](matrix, np.arange(p))
        np.testing.assert_allclose(matrix.means, means, atol=1e-14 * max(1.0, abs(X).max()))
        np.testing.assert_allclose(matrix.curvature, curvature, rtol=1e-12, atol=1e-26)
        image, pulled = np.zeros(n), np.empty(len(some))
        kernels.DISPATCH["sparse_times"][which](matrix, some, w[some], image)
        kernels.DISPATCH["sparse_transposed"][which](matrix, some, v, pulled)
        np.testing.assert_allclose(
            image, X[:, some] @ w[some], atol=1e-5 if dtype == np.float32 and not which else 1e-12
        )
        np.testing.assert_allclose(pulled, X[:, some].T @ v, atol=1e-12)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("centre", [False, True])
def test_the_result_is_stationary_for_the_dense_centred_problem(storage, weighted, centre):
    X, s, matrix, a, b, z, _ = problem(1, 60, 12, storage, weighted=weighted, centre=centre)
    w, residual = np.zeros(12), matrix.residual(z)
    assert kernels.sparse_cd(matrix, None, a, b, w, residual, 1e-13, 100_000) > 0
    means, _ = moments(X, s, centre)
    r = z - (s @ z / s.sum() if centre else 0.0) - (X - means) @ w
    np.testing.assert_allclose(residual[:-1] + s * residual[-1], s * r, atol=1e-12)
    if centre:
        assert abs(s @ r) < 1e-11  # the intercept's condition
    g = -(X - means).T @ (s * r) / 60 + b * w
    assert np.where(w != 0, abs(g + a * np.sign(w)), np.maximum(abs(g) - a, 0)).max() <= 1e-11


def test_only_the_listed_columns_move_and_a_constant_one_never_does():
    X, _, _, a, b, z, _ = problem(2, 40, 10)
    X[:, 3] = 0.1  # not representable: its spread is rounding
    matrix = kernels.WeightedColumns(stored(X, "int32"))
    assert matrix.curvature[3] == 0
    w = np.zeros(10)
    kernels.sparse_cd(matrix, [3, 5, 7], 0 * a, b, w, matrix.residual(z), 1e-10, 1000)
    assert set(np.flatnonzero(w)) == {5, 7}


def test_running_out_of_sweeps_is_said():
    for run in (kernels.sparse_cd, kernels.DISPATCH["sparse_cd"][0]):
        _, _, matrix, a, b, z, _ = problem(3, 40, 10)
        assert run(matrix, np.arange(10), 0 * a, 0 * b, np.zeros(10), matrix.residual(z), 0.0, 2) < 0


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (sp.csr_matrix(np.eye(3)), ValueError, "CSC"),
        (sp.csc_matrix(([1.0, 1.0], [0, 0], [0, 2]), shape=(2, 1)), ValueError, "distinct"),
        (np.ones((3, 2)), ValueError, "Fortran"),
        (np.ones((3, 2), dtype=int, order="F"), TypeError, "float32 or float64"),
    ],
)
def test_matrices_the_kernel_cannot_read_are_refused(X, error, words):
    with pytest.raises(error, match=words):
        kernels.WeightedColumns(X)
