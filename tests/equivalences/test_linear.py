"""Equalities that hold whatever the solver: free oracles."""

import numpy as np
import pytest

import shrinkwise as sw
from linear.data import random_problem
from shrinkwise.linear import path

LOSSES = ["squared", "logistic", "multinomial"]
PENALTIES = [sw.L1(0.05), sw.ElasticNet(0.1, 0.5), sw.L2(0.05), sw.GroupLasso(0.05, np.repeat(np.arange(4), 3))]
every = pytest.mark.parametrize("loss", LOSSES)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def solve(X, y, penalty, loss, s=None):
    fitted = path(X, y, penalty, loss=loss, lambdas=[penalty.lam], sample_weight=s, tol=1e-13)
    return fitted.coefs[0], fitted.intercepts[0]


def same(a, b, tol=1e-6):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, atol=tol)


@every
@every_penalty
def test_weights_are_repetition(loss, penalty):
    X, y = random_problem(1, loss=loss)
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    same(
        solve(X, y, penalty, loss, counts.astype(float)),
        solve(np.repeat(X, counts, 0), np.repeat(y, counts), penalty, loss),
    )


@every
@every_penalty
def test_the_scale_of_the_weights_does_not_matter(loss, penalty):
    X, y = random_problem(2, loss=loss)
    s = np.random.default_rng(0).uniform(0.1, 3.0, len(y))
    same(solve(X, y, penalty, loss, s), solve(X, y, penalty, loss, 7.0 * s))


@every
@every_penalty
def test_doubling_the_rows_changes_nothing(loss, penalty):
    X, y = random_problem(3, loss=loss)
    same(solve(X, y, penalty, loss), solve(np.vstack([X, X]), np.concatenate([y, y]), penalty, loss))


@every
@every_penalty
def test_shifting_the_columns_moves_only_the_intercept(loss, penalty):
    X, y = random_problem(4, loss=loss)
    (w, b), (shifted, moved) = solve(X, y, penalty, loss), solve(X + 5.0, y, penalty, loss)
    np.testing.assert_allclose(shifted, w, atol=1e-6)
    np.testing.assert_allclose(moved + 5.0 * shifted.sum(-1) - b, np.mean(moved + 5.0 * shifted.sum(-1) - b), atol=1e-5)


@every
def test_ridge_on_twin_columns_shares_the_weight(loss):
    X, y = random_problem(5, loss=loss)
    w, _ = solve(X, y, sw.L2(0.05), loss)
    twins, _ = solve(np.hstack([X, X]), y, sw.L2(0.1), loss)  # ½w and ½w: twice λ over half the squares is the same
    np.testing.assert_allclose(twins[..., :12], w / 2, atol=1e-6)
    np.testing.assert_allclose(twins[..., :12], twins[..., 12:], atol=1e-7)


@every
def test_groups_of_one_are_the_lasso(loss):
    X, y = random_problem(6, loss=loss)
    groups = np.arange(36).reshape(3, 12) if loss == "multinomial" else np.arange(12)
    same(solve(X, y, sw.GroupLasso(0.05, groups), loss), solve(X, y, sw.L1(0.05), loss), 1e-5)


@every
def test_lambda_to_zero_is_the_unpenalised_fit(loss):
    X, y = random_problem(7, n=300, loss=loss)
    free, _ = solve(X, y, sw.L2(0.0), loss)
    for penalty in (sw.L1(1e-9), sw.L2(1e-9)):
        w, _ = solve(X, y, penalty, loss)
        if loss == "multinomial":  # without a penalty a vector added to all classes is invisible
            w, free = w - w.mean(0), free - free.mean(0)
        np.testing.assert_allclose(w, free, atol=1e-4)


def test_two_classes_as_softmax_is_the_logistic_with_half_the_ridge():
    X, y = random_problem(8, loss="logistic")
    w, b = solve(X, y, sw.L2(0.05), "logistic")
    W, B = solve(X, y.astype(int), sw.L2(0.1), "multinomial")  # W = ±w/2, so λ Σ W² = λ/2 Σ w²
    np.testing.assert_allclose(W[1] - W[0], w, atol=1e-6)
    np.testing.assert_allclose(B[1] - B[0], b, atol=1e-6)


def test_scaling_the_target_scales_the_lasso():
    X, y = random_problem(9)
    (w, b), (w2, b2) = solve(X, y, sw.L1(0.1), "squared"), solve(X, 1000 * y, sw.L1(100.0), "squared")
    np.testing.assert_allclose(w2, 1000 * w, atol=1e-6)
    np.testing.assert_allclose(b2, 1000 * b, atol=1e-6)


@every
def test_adaptive_weights_are_a_rescaling_of_the_columns(loss):
    X, y = random_problem(10, loss=loss)
    c = np.linspace(0.5, 2.0, 12)
    weighted, _ = solve(X, y, sw.L1(0.05, weights=c), loss)
    plain, _ = solve(X / c, y, sw.L1(0.05), loss)
    np.testing.assert_allclose(weighted, plain / c, atol=1e-6)
