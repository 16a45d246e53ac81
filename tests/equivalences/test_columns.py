"""The same column twice: [X, X]."""

import numpy as np

import shrinkwise as sw
from equivalences.linear_models import every, problem, solve


@every
def test_ridge_on_twin_columns_shares_the_weight(loss):
    X, y = problem(5, loss)
    w, _ = solve(X, y, sw.L2(0.05), loss)
    twins, _ = solve(np.hstack([X, X]), y, sw.L2(0.1), loss)  # ½w and ½w: twice λ over half the squares is the same
    np.testing.assert_allclose(twins[..., :12], w / 2, atol=1e-6)
    np.testing.assert_allclose(twins[..., :12], twins[..., 12:], atol=1e-7)


@every
def test_the_lasso_on_twin_columns_is_the_lasso(loss):
    X, y = problem(5, loss)
    w, b = solve(X, y, sw.L1(0.05), loss)
    twins, again = solve(np.hstack([X, X]), y, sw.L1(0.05), loss)
    # how a weight is shared between twins is free; their sum and the intercept are not
    np.testing.assert_allclose(twins[..., :12] + twins[..., 12:], w, atol=1e-5)
    np.testing.assert_allclose(again, b, atol=1e-5)
