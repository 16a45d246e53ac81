"""How X is stored does not matter: sparse, float32, Fortran order."""

import numpy as np
import pytest
from scipy import sparse

import shrinkwise as sw
from equivalences.linear_models import every, every_penalty, problem, same, solve


def thinned(seed, loss):
    """A problem most of whose entries are zero."""
    X, y = problem(seed, loss, n=120)
    return np.where(np.random.default_rng(seed).random(X.shape) < 0.3, X, 0.0), y


@pytest.mark.one_in(5)
@every
@every_penalty
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
def test_sparse_is_dense(kind, penalty, loss):
    X, y = thinned(1, loss)
    same(solve(kind(X), y, penalty, loss), solve(X, y, penalty, loss))


@pytest.mark.one_in(5)
@every
@every_penalty
def test_sparse_with_weights_is_dense_with_weights(penalty, loss):
    X, y = thinned(2, loss)
    s = np.random.default_rng(0).uniform(0.2, 2.0, len(y))
    same(solve(sparse.csc_array(X), y, penalty, loss, s), solve(X, y, penalty, loss, s))


@pytest.mark.parametrize("model", [sw.PenalizedRegressorCV, sw.PenalizedClassifierCV])
def test_cross_validation_of_sparse_is_that_of_dense(model):
    X, y = thinned(3, "logistic" if model is sw.PenalizedClassifierCV else "squared")
    fits = [model(sw.L1(1.0), n_lambdas=8, cv=3, tol=1e-10).fit(matrix, y) for matrix in (X, sparse.csr_array(X))]
    np.testing.assert_allclose(fits[0].cv_losses_, fits[1].cv_losses_, atol=1e-5)
    np.testing.assert_allclose(fits[0].predict(X), fits[1].predict(sparse.csr_array(X)), atol=1e-4)


@pytest.mark.one_in(5)
@every
@every_penalty
def test_single_precision_is_double_precision_of_the_rounded_matrix(penalty, loss):
    X, y = problem(4, loss)
    rounded = X.astype(np.float32)
    same(solve(rounded, y, penalty, loss), solve(rounded.astype(float), y, penalty, loss), 1e-5)


@every
def test_the_order_in_memory_does_not_matter(loss):
    X, y = problem(5, loss)
    for other in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2], X.tolist()):
        same(solve(other, y, sw.L1(0.05), loss), solve(X, y, sw.L1(0.05), loss))
