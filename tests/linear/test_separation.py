"""Whether a finite optimum exists: against the full linear program, on data where the answer is known, and in every status."""

import time
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

import shrinkwise as sw
from shrinkwise.linear import PenalizedClassifier, PenalizedRegressor, find_separation, is_separable, path
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.separation import separation_of
from shrinkwise.linear.separation.overlap import _Pairs
from shrinkwise.linear.separation.rows import MovableRows


def by_full_program(X, y, kind, falls, rises, fit_intercept):
    """Rows that some allowed direction moves, by a dense program over all rows (and pairs of classes): the largest Σ t_i,
    0 ≤ t_i ≤ 1, t_i ≤ a_i'v, B_i v = 0 for counts above 0.
    """
    n, p = X.shape
    B = np.column_stack([X, np.ones(n)]) if fit_intercept else X
    K = int(y.max()) + 1 if kind == "multinomial" else 1
    rows, owners, fixed = [], [], []
    for i, b in enumerate(B):
        if kind == "multinomial":
            for k in set(range(K)) - {int(y[i])}:
                z = np.zeros((K, B.shape[1]))
                z[int(y[i])], z[k] = b, -b
                rows.append(z.ravel())
                owners.append(i)
        elif kind == "poisson" and y[i] > 0:
            fixed.append(b)
        else:
            rows.append(b if kind == "logistic" and y[i] == 1 else -b)
            owners.append(i)
    if not rows:
        return set()
    A, m = np.array(rows), len(rows)
    E = np.array(fixed).reshape(-1, A.shape[1])
    limits = np.full((K, B.shape[1], 2), [-100.0, 100.0])
    limits[:, :p, 0] *= np.reshape(falls, (K, p))
    limits[:, :p, 1] *= np.reshape(rises, (K, p))
    found = linprog(
        np.concatenate([np.zeros(A.shape[1]), -np.ones(m)]),
        A_ub=np.hstack([-A, np.eye(m)]),
        b_ub=np.zeros(m),
        A_eq=np.hstack([E, np.zeros((len(E), m))]) if len(E) else None,
        b_eq=np.zeros(len(E)) if len(E) else None,
        bounds=[*map(tuple, limits.reshape(-1, 2)), *[(0.0, 1.0)] * m],
    )
    assert found.status == 0
    return {owner for owner, t in zip(owners, found.x[A.shape[1] :], strict=True) if t > 0.01}


@st.composite
def questions(draw):
    """Small integers: many ties, rows on the border, constant and repeated columns; some weights bounded, some rows absent."""
    kind = draw(st.sampled_from(["logistic", "multinomial", "poisson"]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n, p = draw(st.sampled_from([(8, 2), (14, 3), (25, 3), (25, 5)]))
    X = rng.integers(-2, 3, size=(n, p)).astype(float)
    if draw(st.booleans()):
        X[:, 0] = np.arange(n) < 3
    classes = 3 if kind == "multinomial" else 2
    score = X[:, 0] + draw(st.sampled_from([0.0, 0.3, 1.0])) * rng.normal(size=n)
    y = np.digitize(score, [0.2, 1.2][: classes - 1])
    y[rng.permutation(n)[:classes]] = range(classes)
    y = y * rng.integers(1, 3, n) if kind == "poisson" else y
    shape = (3, p) if kind == "multinomial" else (p,)
    falls, rises = (rng.random(shape) < draw(st.sampled_from([0.5, 1.0])) for _ in range(2))
    weight = np.where(rng.random(n) < draw(st.sampled_from([0.0, 0.2])), 0.0, rng.uniform(0.5, 2.0, n))
    weight[[np.flatnonzero(y == value)[0] for value in np.unique(y)]] = 1.0
    return X, y.astype(int if kind == "multinomial" else float), kind, falls, rises, weight, draw(st.booleans())


@given(questions(), st.booleans(), st.booleans())
@settings(max_examples=120)
def test_the_rows_of_the_full_linear_program(question, sparse, near_a_fit):
    X, y, kind, falls, rises, weight, fit_intercept = question
    problem = Problem(sp.csc_array(X) if sparse else X, y, kind, weight, fit_intercept)
    present = weight > 0
    eta = None
    if near_a_fit:  # as of a penalised fit, which proves what it can and no more
        w = np.random.default_rng(0).normal(size=problem.weights_shape)
        eta = problem.eta(w, np.zeros(problem.weights_shape[:-1]))
    found = separation_of(problem, falls, rises, eta)
    assert not found.undecided
    assert set(found.rows) == by_full_program(X[present], y[present], kind, falls, rises, fit_intercept)


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
    assert not find_separation(X, y)
    assert list(find_separation(X, y, sample_weight=weight).rows) == [1, 2, 3, 4, 5]
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


def of_class_one(weight):
    """Weights (3, 5) of one and, for column 3 of class 1, `weight`."""
    weights = np.ones((3, 5))
    weights[1, 3] = weight
    return weights


def test_bounds_that_leave_the_direction_open_and_bounds_that_close_it():
    X, y = quasi()
    for penalty in (sw.NonNegative(), sw.L2(0.0) + sw.NonNegative(), sw.Box(-2.0, np.inf)):
        with pytest.warns(ConvergenceWarning, match="no finite optimum: the unpenalized column 3"):
            PenalizedClassifier(penalty, max_iter=200).fit(X, y)
    mirrored = X * np.array([1, 1, 1, -1, 1])
    for penalty, data in ((sw.NonNegative(), mirrored), (sw.Box(-2.0, 2.0), X), (sw.L1(0.01) + sw.NonNegative(), X)):
        assert PenalizedClassifier(penalty).fit(data, y).status_.startswith("solved")


@pytest.mark.parametrize("penalty", [sw.L1(0.01, weights=of_class_one(0.0)), sw.MCP(0.001, gamma=12.0)], ids=repr)
def test_one_class_whose_weight_may_grow(penalty):
    X, y = quasi()
    three = np.where(np.arange(500) % 3 == 1, 2, y).astype(int)
    three[:6] = 1
    with pytest.warns(ConvergenceWarning, match="column 3 separates 6 of 500 rows"):
        PenalizedClassifier(penalty).fit(X, three)


def test_a_program_that_is_not_solved_is_never_called_solved(monkeypatch):
    monkeypatch.setattr("shrinkwise.linear.separation.program._SECONDS", 0.0)
    X, y = quasi()
    with pytest.warns(ConvergenceWarning, match="it is not known whether a finite optimum exists: the linear program"):
        PenalizedClassifier(sw.L2(0.0)).fit(X, y)
    assert find_separation(X, y).kind == "unknown"
    with pytest.raises(RuntimeError, match="not solved in 0 seconds"):
        is_separable(X, y)


def test_that_nothing_moves_is_believed_only_with_a_dual_proof(monkeypatch):
    """The program's own answer is not taken: with other multipliers the same answer is no proof."""
    monkeypatch.setattr("shrinkwise.linear.separation.find._fits", lambda *_: iter(()))
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(2, size=60)
    assert find_separation(X, y).kind == "none"

    def other(*given, **options):
        found = linprog(*given, **options)
        found.ineqlin.marginals = found.ineqlin.marginals * np.linspace(1.0, 1.5, len(found.ineqlin.marginals))
        return found

    monkeypatch.setattr("scipy.optimize.linprog", other)
    found = find_separation(X, y)
    assert (found.kind, bool(found)) == ("unknown", False)
    assert "its dual solution is no proof" in found.undecided


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


def test_pairs_of_classes_have_the_gram_of_their_matrices():
    """Σ_i B_i' C_i B_i with C_i = Σ (e_y − e_k)(e_y − e_k)', summed row by row and pair by pair."""
    rng = np.random.default_rng(0)
    X, y, mask = rng.normal(size=(30, 2)), rng.integers(0, 4, 30), rng.random((30, 4)) < 0.5
    problem = Problem(X, y, "multinomial", None, True)
    rows = MovableRows(problem, problem.loss.recession(problem.y), True, True)
    expected, unit, B = 0.0, np.eye(4), rows.block(slice(None))
    for i, k in zip(*np.nonzero(mask), strict=True):
        if k != y[i]:
            moved = np.kron(unit[y[i]] - unit[k], B[i])
            expected = expected + np.outer(moved, moved)
    np.testing.assert_allclose(_Pairs(mask).gram(rows), expected, atol=1e-12)
