"""Whether a finite optimum exists: against the full linear program, on data where the answer is known, and in every status."""

import time
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

import shrinkwise as sw
from shrinkwise.linear import PenalizedClassifier, PenalizedRegressor, find_separation, is_separable, path
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.separation import separation_of


def by_full_program(X, y):
    """The dense linear program of Albert and Anderson: max Σ z'v, 0 ≤ z'v ≤ 1, over all rows (and pairs of classes)."""
    B, K = np.column_stack([X, np.ones(len(X))]), int(y.max()) + 1
    rows = []
    for b, own in zip(B, y.astype(int), strict=True):
        for k in set(range(K)) - {own}:
            z = np.zeros((K, B.shape[1]))
            z[own], z[k] = b, -b
            rows.append(z.ravel())
    Z = np.array(rows)
    limits = np.concatenate([np.zeros(len(Z)), np.ones(len(Z))])
    found = linprog(-Z.sum(0), A_ub=np.vstack([-Z, Z]), b_ub=limits, bounds=(None, None))
    assert found.status == 0
    return -found.fun > 1e-6


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("n", [8, 14, 25])
def test_the_answer_of_the_full_linear_program(n, classes):
    """Small integers: many ties, points on the border, constant and repeated columns."""
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.integers(-2, 3, size=(n, 3)).astype(float)
        y = (
            rng.permutation(np.arange(n) % classes)
            if seed % 2
            else np.digitize(X[:, 0] + rng.normal(size=n), [-0.5, 0.7])
        )
        y = np.unique(np.minimum(y, classes - 1), return_inverse=True)[1]
        if y.max() == 0:
            continue
        expected = by_full_program(X, y)
        assert is_separable(X, y) == is_separable(sp.csr_array(X), y) == expected, seed
        seen.add(expected)
    assert seen == {True, False}


def quasi(n=500, apart=6):
    """A 0/1 column that is 1 in a few rows, all of class 1; the other columns do not separate anything."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    X[:, 3] = np.arange(n) < apart
    y = (X[:, 0] + rng.logistic(size=n) > 0).astype(float)
    y[:apart] = 1
    return X, y


def test_the_rows_and_the_column_of_a_partial_separation():
    X, y = quasi()
    found = find_separation(X, y)
    assert list(found.rows) == list(range(6))
    assert list(found.columns) == [3]
    assert not found.complete
    assert "column 3 separates 6 of 500 rows" in str(found)
    assert not find_separation(X[:, [0, 1, 2, 4]], y)


def test_the_rows_of_several_directions_are_found_together():
    X, y = quasi()
    X[:, 4] = np.isin(np.arange(500), [10, 11])
    y[[10, 11]] = 0
    found = find_separation(X, y)
    assert list(found.rows) == [0, 1, 2, 3, 4, 5, 10, 11]
    assert list(found.columns) == [3, 4]


def test_a_complete_separation():
    X, _ = quasi()
    found = find_separation(X, X[:, 0] > 0.1)
    assert found.complete
    assert len(found.rows) == 500


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("shift", [0.0, 1e5 + 0.1])
def test_units_and_origin_of_a_column_do_not_matter(scale, shift):
    X, y = quasi()
    X = X.copy()
    X[:, 3] = (X[:, 3] + shift) * scale
    found = find_separation(X, y)
    assert list(found.rows) == list(range(6))
    assert list(found.columns) == [3]


def test_many_rows_take_little_memory_and_time():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(20_000, 100))
    score = X @ rng.normal(size=100)
    y = (score + 5 * rng.logistic(size=20_000) > 0).astype(int)
    X[:, 7], y[:9] = 0, 1
    X[:9, 7] = rng.uniform(0.5, 2.0, 9)
    tracemalloc.start()
    began = time.perf_counter()
    found = find_separation(X, y)
    took, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(found.rows) == list(range(9))
    assert list(found.columns) == [7]
    assert peak < 5 * X.nbytes
    assert took < 20  # seconds, on a busy machine; the dense linear program took 5 on a free one
    assert not is_separable(np.delete(X, 7, axis=1), y)
    assert not is_separable(sp.random(20_000, 100, 0.05, random_state=0, format="csr"), y)


def test_digits_are_separable_where_the_program_of_all_pairs_failed():
    data = load_digits()
    assert is_separable(data.data[:1078], data.target[:1078])


def test_counts_of_an_empty_cell():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 4))
    X[:, 2] = np.arange(400) < 40
    y = rng.poisson(np.exp(0.3 * X[:, 0])).astype(float)
    y[:40] = 0
    found = separation_of(Problem(X, y, "poisson"))
    assert list(found.rows) == list(range(40))
    assert list(found.columns) == [2]
    y[3] = 1
    assert not separation_of(Problem(X, y, "poisson"))


def test_rows_of_weight_zero_do_not_count():
    X, y = quasi()
    y[0] = 0  # the one row that contradicts
    weight = np.where(np.arange(500) == 0, 0.0, 1.0)
    assert not separation_of(Problem(X, y, "logistic"))
    for keep in (False, True):
        assert separation_of(Problem(X, y, "logistic", weight, keep_zeros=keep)).columns.tolist() == [3]


# --- statuses ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tol", [1e-4, 1e-9])
def test_no_fit_without_a_finite_optimum_is_called_solved(tol):
    X, y = quasi()
    three = np.where(np.arange(500) % 3 == 1, 2, y).astype(int)
    three[:6] = 1
    for penalty, factors, target in [
        (sw.L2(0.0), None, y),
        (sw.L1(0.01), [1, 1, 1, 0, 1], y),
        (sw.L2(0.0), None, three),
        (sw.L1(0.01), [1, 1, 1, 0, 1], three),
    ]:
        with pytest.warns(
            ConvergenceWarning, match="no finite optimum: the unpenalized column 3 separates 6 of 500 rows"
        ):
            PenalizedClassifier(penalty, penalty_factors=factors, tol=tol).fit(X, target)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            PenalizedClassifier(sw.L1(0.01), penalty_factors=[0, 1, 1, 1, 1], tol=tol)
            .fit(X, y)
            .status_.startswith("solved")
        )
        PenalizedClassifier(sw.L2(0.0), tol=tol).fit(X[:, [0, 1, 2, 4]], y)


def test_the_end_of_a_path_of_separable_classes():
    X, _ = quasi()
    fitted = path(X, (X[:, 0] > 0).astype(float), sw.L1(1.0), loss="logistic", lambdas=[0.1, 0.01, 0.0])
    assert fitted.solved.tolist() == [True, True, False]
    assert "completely" in fitted.status[2]
    assert fitted[1:].status[1] == fitted.status[2]
    assert not path(X, (X[:, 0] > 0).astype(float), sw.L1(1.0), loss="logistic", lambdas=[0.1]).at(0.0).solved


def test_refits_on_a_support_that_separates():
    X, y = quasi()
    fitted = path(X, y, sw.L1(1.0), loss="logistic", lambdas=[0.05, 0.001], relaxed=True)
    used = [3 in fitted.coefficients.used(i) for i in range(2)]
    assert used == [False, True]
    for gamma in (0.0, 0.5):
        refit = fitted.relaxed(gamma)
        assert refit.solved.tolist() == [True, False]
        assert refit.status[1].startswith("no finite optimum")
    assert fitted.relaxed(1.0).solved.all()


def test_counts_without_a_finite_optimum():
    X, _ = quasi()
    y = np.random.default_rng(0).poisson(1.0, 500).astype(float)
    y[:6] = 0
    with pytest.warns(ConvergenceWarning, match="y is 0 in all 6 of 500 rows"):
        PenalizedRegressor(sw.L2(0.0), loss="poisson").fit(X, y)


@pytest.mark.parametrize("penalty", [sw.MCP(1.0, gamma=12.0), sw.SCAD(1.0, a=12.0)], ids=repr)
def test_a_penalty_that_is_flat_stops_soon_and_says_why(penalty):
    X, y = quasi()
    fitted = path(X, y, penalty, loss="logistic", n_lambdas=20, lambda_min_ratio=0.01)
    assert fitted.solved[:5].all()
    assert "unshrunk column 3 separates 6 of 500 rows" in fitted.status[-1]
    assert not fitted.solved[-1]
    assert fitted.n_iter.max() < 200
