"""The compiled path kernel against its reference and against the conditions of a minimum; the reference takes over where
the library is hidden."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shrinkwise import kernels
from shrinkwise.kernels import library
from shrinkwise.kernels.linear import gram

needs_library = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])


def problem(seed, n, p, n_lambdas=4):
    """(G, c, yy, lambdas, A, B) with free columns, constant columns and duplicates."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.choice([0.0, 1.0, 3.0], p, p=[0.1, 0.6, 0.3])
    if p > 3:
        X[:, 1] = X[:, 0]
    y = rng.normal(size=n)
    lambdas = np.geomspace(0.5, 0.02, n_lambdas)
    weights, ridge = rng.choice([0.0, 1.0, 2.0], p, p=[0.1, 0.6, 0.3]), rng.choice([0.0, 0.1], p)
    A, B = np.outer(lambdas, weights), np.outer(lambdas, ridge)
    return np.ascontiguousarray(X.T @ X / n), X.T @ y / n, y @ y / n, lambdas, A, B


def reach(G, yy):
    diagonal = np.diagonal(G)
    return np.where(diagonal > 0, np.sqrt(yy / np.where(diagonal > 0, diagonal, 1.0)), 0.0)


def certificate(w, r, c, a, b, reach, yy):
    return kernels.gram_certificates(w[None], r[None], c, a[None], b[None], reach, yy)[0]


def solved(function, data, **options):
    G, c, yy, lambdas, A, B = data
    rows = kernels.PathRows.of(lambdas, A, B)
    settings = {"tol_gap": 1e-11 * yy, "tol_kkt": 0.0, "max_sweeps": 100_000} | options
    filled = function(G, c, yy, rows, *settings.values())
    return filled, rows.W, rows.R, rows.count


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 30))
def test_both_reach_the_gap_and_keep_the_residual(seed, n, p):
    data = problem(seed, n, p)
    G, c, yy, _, A, B = data
    # From as many free columns as rows on, their weights are not determined and the kernel may give up, which its
    # count says.
    assume(np.count_nonzero((A[0] == 0) & (B[0] == 0) & (np.diagonal(G) > 0)) < n)
    for function in [
        one for one in kernels.DISPATCH["gram_path"] if one is gram.reference or kernels.status()["available"]
    ]:
        filled, W, R, count = solved(function, data)
        assert filled == len(A)
        assert (count > 0).all()
        np.testing.assert_allclose(R, c - W @ G, atol=1e-10 * (1 + np.abs(c).max()))
        for k in range(filled):
            gap, _, _ = certificate(W[k], c - G @ W[k], c, A[k], B[k], reach(G, yy), yy)
            assert gap <= 1e-10 * yy + 1e-14


@needs_library
@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_certificate_compiled_equals_reference(seed, p):
    G, c, yy, _, A, B = problem(seed, 12, p)
    w = np.random.default_rng(seed).normal(size=p) * (np.arange(p) % 3 > 0)
    reference, compiled = kernels.DISPATCH["gram_certificates"]
    W = np.repeat(w[None], len(A), 0)
    arguments = (W, c - W @ G, c, A, B, reach(G, yy), yy)
    np.testing.assert_allclose(compiled(*arguments), reference(*arguments), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n", [45, 200])
def test_a_corner_of_a_larger_array_and_a_start_in_the_middle(n):
    data = problem(3, n, 40, 12)
    G, c, yy, lambdas, A, B = data
    _, W, R, _ = solved(kernels.DISPATCH["gram_path"][kernels.status()["available"]], data)
    larger = np.full((50, 64), np.nan)
    larger[:40, :40] = G
    rows = kernels.PathRows.of(lambdas, A, B)
    rows.W[:5], rows.R[:5], rows.known = W[:5], R[:5], 5
    rows.W[5:], rows.R[5:] = np.nan, np.nan
    kernels.gram_path(larger[:40, :40], c, yy, rows, tol_gap=1e-12 * yy)
    for k in range(12):
        assert certificate(rows.W[k], rows.R[k], c, A[k], B[k], reach(G, yy), yy)[0] <= 1e-11 * yy


def test_an_ill_conditioned_gram_matrix_is_solved_by_newton_steps_on_the_support():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1)) + 0.01 * rng.normal(size=(300, 80))
    y = X[:, :5].sum(1) + 0.1 * rng.normal(size=300)
    X, y = X - X.mean(0), y - y.mean()
    G, c, yy = np.ascontiguousarray(X.T @ X / 300), X.T @ y / 300, y @ y / 300
    lambdas = np.abs(c).max() * np.geomspace(1, 1e-6, 20)
    A = np.repeat(lambdas[:, None], 80, 1)
    _, W, _, count = solved(kernels.DISPATCH["gram_path"][kernels.status()["available"]], (G, c, yy, lambdas, A, 0 * A))
    assert (count > 0).all()
    if kernels.status()["available"]:
        assert count.max() < 2000  # plain coordinate descent takes over a hundred thousand
    for k in range(20):
        np.testing.assert_allclose(
            certificate(W[k], c - G @ W[k], c, A[k], 0 * A[k], reach(G, yy), yy)[0], 0, atol=1e-9 * yy
        )


def test_it_stops_at_the_first_lambda_that_is_not_solved():
    data = problem(1, 30, 20)
    for function in [
        one for one in kernels.DISPATCH["gram_path"] if one is gram.reference or kernels.status()["available"]
    ]:
        filled, _, _, count = solved(function, data, tol_gap=-1.0, max_sweeps=2)
        assert filled >= 1
        assert count[filled - 1] < 0 or filled == 4


def test_wrong_gram_is_refused():
    data = problem(0, 10, 4)
    with pytest.raises(ValueError, match="contiguous rows"):
        kernels.gram_path(data[0][:, ::2], *data[1:3], kernels.PathRows.of(*data[3:]), tol_gap=0.0)


def test_the_reference_runs_where_the_library_is_hidden():
    code = (
        "import numpy as np; from shrinkwise import kernels; from shrinkwise.linear import path; import shrinkwise as sw;"
        "X = np.random.default_rng(0).normal(size=(30, 5)); p = path(X, X[:, 0], sw.L1(1.0), n_lambdas=5);"
        "print(kernels.status()['available'], p.gaps.max() < 1e-6)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "SHRINKWISE_NO_KERNELS": "1"},
        check=True,
    )
    assert run.stdout.split() == ["False", "True"]


def _function_missing(patched):
    patched.setitem(library._signatures, "sw_no_such_function", (None, ()))


def _of_another_version(patched):
    patched.setattr(library, "__version__", "0.0.1")


def _field_moved(patched):
    patched.setitem(library._layouts, "sw_prox_layout", [*library._layouts["sw_prox_layout"][:-1], 12])


def _field_missing(patched):
    patched.setitem(library._layouts, "sw_prox_layout", library._layouts["sw_prox_layout"][:-1])


@needs_library
@pytest.mark.parametrize("broken", [_function_missing, _of_another_version, _field_moved, _field_missing])
def test_a_library_that_does_not_fit_is_not_used_and_that_is_said(monkeypatch, broken):
    broken(monkeypatch)
    library.find.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="not used, all is slower"):
            found, reason = library.find()
    finally:
        library.find.cache_clear()
    assert found is None
    assert "reinstall" in reason
