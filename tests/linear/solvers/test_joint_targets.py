"""Several targets under a penalty that ties them: against scikit-learn's multi-task models, and by certificate."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import MultiTaskElasticNet, MultiTaskLasso

import shrinkwise as sw
from shrinkwise.linear import path


def problem(n=60, p=20, K=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.5)
    return X, X[:, :5] @ rng.normal(size=(5, K)) + rng.normal(size=(n, K)) + [1.0, 0.0, -2.0]


def rows(lam, p):
    """λ Σ_j ‖w_:j‖, without the √K."""
    return sw.GroupLasso(lam, sw.Groups.columns(), weights=np.ones(p))


@pytest.mark.parametrize(("n", "p"), [(60, 20), (30, 120)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_array])
def test_group_lasso_over_targets_is_the_multi_task_lasso(kind, n, p):
    X, Y = problem(n, p)
    fitted = path(kind(X), Y, rows(1.0, p), n_lambdas=10, tol=1e-10)
    assert fitted.solved.all()
    assert not fitted.coefs[0].any()
    for i in (3, 7):
        peer = MultiTaskLasso(fitted.lambdas[i], tol=1e-12, max_iter=100_000).fit(X, Y)
        np.testing.assert_allclose(fitted.coefs[i], peer.coef_, atol=1e-7)
        np.testing.assert_allclose(fitted.intercepts[i], peer.intercept_, atol=1e-7)
        assert (fitted.coefs[i].any(0) == peer.coef_.any(0)).all()


def test_with_l2_it_is_the_multi_task_elastic_net():
    X, Y = problem()
    fitted = path(X, Y, rows(0.7, 20) + sw.L2(0.15), lambdas=[0.2], tol=1e-11)
    peer = MultiTaskElasticNet(0.2, l1_ratio=0.7, tol=1e-12, max_iter=100_000).fit(X, Y)
    np.testing.assert_allclose(fitted.coefs[0], peer.coef_, atol=1e-7)


def test_weights_are_repetitions_and_an_offset_is_taken_off():
    X, Y = problem()
    counts = np.random.default_rng(1).integers(0, 3, len(X))
    offset = np.random.default_rng(2).normal(size=Y.shape)
    weighted = path(X, Y + offset, rows(1.0, 20), lambdas=[0.3], sample_weight=counts, offset=offset, tol=1e-10)
    repeated = path(np.repeat(X, counts, 0), np.repeat(Y, counts, 0), rows(1.0, 20), lambdas=[0.3], tol=1e-10)
    np.testing.assert_allclose(weighted.coefs, repeated.coefs, atol=1e-7)
    np.testing.assert_allclose(weighted.intercepts, repeated.intercepts, atol=1e-7)


@pytest.mark.parametrize(("n", "p"), [(60, 20), (30, 50)])
def test_the_nuclear_norm_is_certified_and_lowers_the_rank(n, p):
    X, Y = problem(n, p)
    fitted = path(X, Y, sw.NuclearNorm(1.0), n_lambdas=6, lambda_min_ratio=0.1, tol=1e-7)
    assert fitted.solved.all()
    ranks = [np.linalg.matrix_rank(W, tol=1e-10) for W in fitted.coefs]
    assert ranks[0] == 0
    assert 0 < ranks[1] < 3
    assert ranks[-1] == 3


def test_free_columns_are_fitted_before_lambda_max_is_found():
    X, Y = problem()
    free_first = sw.GroupLasso(1.0, sw.Groups.columns(), weights=np.r_[0.0, np.ones(19)])
    fitted = path(X, Y, free_first, n_lambdas=4, tol=1e-9)
    assert fitted.solved.all()
    least_squares = np.linalg.lstsq(X[:, :1] - X[:, :1].mean(0), Y - Y.mean(0), rcond=None)[0]
    np.testing.assert_allclose(fitted.coefs[0][:, 0], least_squares[0], atol=1e-8)
    assert not fitted.coefs[0][:, 1:].any()
    assert fitted.coefs[1][:, 1:].any()


def test_estimators_take_it():
    X, Y = problem()
    model = sw.PenalizedRegressorCV(rows(1.0, 20), n_lambdas=8, cv=3).fit(X, Y)
    assert model.coef_.shape == (3, 20)
    assert model.predict(X).shape == Y.shape
    assert set(np.flatnonzero(model.coef_.any(0))) >= {0, 1, 2, 3, 4}
