"""Products with some columns of a matrix: the kernel against its formula."""

import numpy as np
import pytest

from shrinkwise import kernels


@pytest.fixture(params=[0, 1], ids=["reference", "compiled"])
def which(request):
    if request.param and not kernels.status()["available"]:
        pytest.skip(kernels.status()["reason"])
    return request.param


def columns(n, dtype, ids):
    """Columns of which those not in `ids` must not be read; they lie apart, as in a slice of a larger array."""
    X = np.random.default_rng(n).normal(size=(9, n + 3)).astype(dtype)
    X[np.setdiff1d(np.arange(9), ids)] = np.nan
    return X[:, :n]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 37, 2048, 4100])
def test_products_are_in_double_precision(which, n, dtype):
    rng, ids = np.random.default_rng(0), np.array([7, 0, 3, 8, 1, 2])
    for m in range(7):
        X = columns(n, dtype, ids[:m])
        exact = X[ids[:m]].astype(np.longdouble)
        for K in range(1, 4):
            V, d = rng.normal(size=(K, n)), rng.normal(size=m)
            found = kernels.DISPATCH["columns_transposed"][which](X, ids[:m], V)
            sizes = np.abs(V) @ np.abs(exact).T
            assert found.shape == (K, m)
            assert (np.abs(found - V @ exact.T) <= 1e-13 * sizes).all()
        found = kernels.DISPATCH["columns_times"][which](X, ids[:m], d)
        assert found.shape == (n,)
        assert (np.abs(found - d @ exact) <= 1e-14 * (np.abs(d) @ np.abs(exact))).all()


def test_columns_that_are_not_side_by_side_are_refused():
    if not kernels.status()["available"]:
        pytest.skip(kernels.status()["reason"])
    X = np.ones((3, 8))[:, ::2]
    with pytest.raises(ValueError, match="side by side"):
        kernels.columns_transposed(X, np.arange(3), np.ones((1, 4)))
    assert kernels.columns_transposed(X, np.arange(0), np.ones((1, 4))).shape == (1, 0)
