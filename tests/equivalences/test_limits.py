"""Where one model becomes another: λ → 0, groups of one, two classes as softmax."""

import numpy as np

import shrinkwise as sw
from equivalences.linear_models import every, problem, same, solve


@every
def test_lambda_to_zero_is_the_unpenalised_fit(loss):
    X, y = problem(7, loss, n=300)
    free, _ = solve(X, y, sw.L2(0.0), loss)
    for penalty in (sw.L1(1e-9), sw.L2(1e-9)):
        w, _ = solve(X, y, penalty, loss)
        if loss == "multinomial":  # without a penalty a vector added to all classes is invisible
            w, free = w - w.mean(0), free - free.mean(0)
        np.testing.assert_allclose(w, free, atol=1e-4)


@every
def test_groups_of_one_are_the_lasso(loss):
    X, y = problem(6, loss)
    K = {"multinomial": 3, "multi_logistic": 2}.get(loss, 1)
    groups = np.arange(12 * K).reshape(K, 12) if K > 1 else np.arange(12)
    same(solve(X, y, sw.GroupLasso(0.05, groups), loss), solve(X, y, sw.L1(0.05), loss), 1e-5)


def test_two_classes_as_softmax_is_the_logistic_with_half_the_ridge():
    X, y = problem(8, "logistic")
    w, b = solve(X, y, sw.L2(0.05), "logistic")
    W, B = solve(X, y.astype(int), sw.L2(0.1), "multinomial")  # W = ±w/2, so λ Σ W² = λ/2 Σ w²
    np.testing.assert_allclose(W[1] - W[0], w, atol=1e-6)
    np.testing.assert_allclose(B[1] - B[0], b, atol=1e-6)


def test_no_penalty_on_numbers_is_least_squares():
    X, y = problem(7, "squared")
    w, b = solve(X, y, sw.L1(1e-12), "squared")
    design = np.column_stack([X, np.ones(len(y))])
    np.testing.assert_allclose(np.append(w, b), np.linalg.lstsq(design, y)[0], atol=1e-6)
