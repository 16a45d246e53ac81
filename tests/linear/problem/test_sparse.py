"""Sparse X gives what dense X gives, without being densified."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

import shrinkwise as sw
from shrinkwise.linear import path
from shrinkwise.linear.paths.api import lambda_grid
from shrinkwise.linear.problem.design import Design
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.solvers.squares import residual
from shrinkwise.linear.solvers.squares.residual import ResidualSolver

GROUPS = np.repeat(np.arange(4), 3)
PENALTIES = {
    "L1": sw.L1(1.0),
    "L1 weighted": sw.L1(1.0, weights=np.linspace(0.5, 2.0, 12)),
    "L1 with free columns": sw.L1(1.0, weights=np.r_[0.0, 0.0, np.ones(10)]),
    "elastic net": sw.ElasticNet(1.0, 0.4),
    "L1 + fixed L2": sw.L1(1.0) + sw.L2(0.05).fixed(),
    "L2": sw.L2(1.0),
    "L2 weighted": sw.L2(1.0, weights=np.linspace(0.0, 2.0, 12)),
    "group lasso": sw.GroupLasso(1.0, GROUPS),
    "sparse group lasso": sw.L1(0.3) + sw.GroupLasso(0.7, GROUPS),
    "MCP": sw.MCP(1.0),
}


@pytest.fixture(params=["Gram matrix", "residual"])
def way(request, monkeypatch):
    """Both ways on the same small problems: with the Gram matrix at once, and never."""
    if request.param == "residual":
        monkeypatch.setattr(residual, "_GRAM_COLUMNS", 0)
    else:
        monkeypatch.setattr(
            ResidualSolver, "_settle_on_gram", lambda self, parts: setattr(self, "G", self.design.gram())
        )
    return request.param


def problem(seed=0, n=60, p=12, density=0.4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < density)
    X[:3] = 0.0  # empty rows
    return X, X[:, 0] - X[:, 1] + 0.5 * X[:, 2] + 0.3 + rng.normal(size=n)


def unsorted_with_duplicates(X):
    """CSR whose entries come in any order, each as two halves, with zeros stored."""
    rows, columns = np.nonzero(np.abs(X) >= 0)
    order = np.random.default_rng(0).permutation(2 * len(rows)) % len(rows)
    rows, columns = rows[order], columns[order]
    starts = np.r_[0, np.cumsum(np.bincount(rows, minlength=len(X)))]
    by_row = np.argsort(rows, kind="stable")
    return sp.csr_matrix((0.5 * X[rows, columns][by_row], columns[by_row], starts), shape=X.shape)


def wide_indices(X):
    X = sp.csc_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


FORMATS = {"csr": sp.csr_matrix, "csc": sp.csc_array, "int64": wide_indices, "unsorted": unsorted_with_duplicates}


def solve(X, y, penalty, lambdas, tol=1e-12, **options):
    """Solutions of the residual solver, whatever X is."""
    solver = ResidualSolver(Problem(X, y, "squared", **options))
    return [solver.solve(penalty.with_lam(lam), tol, 100_000) for lam in lambdas]


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_stationary_for_the_dense_centred_matrix(name, fit_intercept, weighted, way):
    X, y = problem()
    s = np.random.default_rng(1).uniform(0.3, 2.0, len(y)) if weighted else np.ones(len(y))
    options = {"sample_weight": s if weighted else None, "fit_intercept": fit_intercept, "tol": 1e-12}
    fitted = path(sp.csr_array(X), y, PENALTIES[name], n_lambdas=6, lambda_min_ratio=0.02, **options)
    assert fitted.solved.all(), fitted.status
    for lam, w, b, value in zip(fitted.lambdas, fitted.coefs, fitted.intercepts, fitted.objectives, strict=True):
        penalty, r = PENALTIES[name].with_lam(lam), y - X @ w - b
        assert penalty.violation(w, -X.T @ (s * r) / s.sum()).max() <= 1e-6
        assert abs(s @ r) <= 1e-10 * s.sum() or not fit_intercept
        assert value == pytest.approx(0.5 * s @ r**2 / s.sum() + penalty.value(w), rel=1e-12)


@pytest.mark.parametrize("name", ["group lasso", "sparse group lasso", "L1 with free columns"])
def test_proximal_gradient_where_there_is_no_inner_solver(name, way, monkeypatch):
    monkeypatch.setattr(residual, "inner_solver", lambda penalty, shape: None)
    X, y = problem(1)
    penalty = PENALTIES[name].with_lam(0.05)
    if PENALTIES[name].l1_l2((12,)) is not None:
        monkeypatch.setattr(type(penalty), "l1_l2", lambda self, shape: None)
    (fit,) = solve(sp.csc_array(X), y, penalty, [0.05], tol=1e-10)
    assert fit.solved
    assert fit.w[0].any()
    r = y - X @ fit.w[0] - fit.b[0]
    assert penalty.violation(fit.w[0], -X.T @ r / len(y)).max() <= 1e-5


def test_products_with_some_columns_are_those_of_the_dense_centred_matrix():
    X, v = problem(2)
    s = np.random.default_rng(2).uniform(0.5, 2.0, len(v))
    whole = residual._Block(residual.WeightedColumns(sp.csc_array(X + 3.0), s))
    for columns in (np.array([4]), np.arange(2, 11)):  # as a compact copy, as a list into the whole
        block = whole.on(columns)
        centred = (X - s @ X / s.sum())[:, columns]
        w = np.linspace(-1.0, 1.0, len(columns))
        np.testing.assert_allclose(block.times(w), centred @ w, atol=1e-12)
        np.testing.assert_allclose(block.correlate(v), centred.T @ (s * v) / len(v), atol=1e-12)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_the_same_matrix(form, way):
    X, y = problem(2)
    given = FORMATS[form](X)
    before = given.copy()
    dense = path(X, y, sw.L1(1.0), n_lambdas=6, lambda_min_ratio=0.02, tol=1e-13)
    sparse = path(given, y, sw.L1(1.0), n_lambdas=6, lambda_min_ratio=0.02, tol=1e-13)
    np.testing.assert_allclose(sparse.lambdas, dense.lambdas, rtol=1e-12)
    np.testing.assert_allclose(sparse.coefs, dense.coefs, atol=1e-6)
    np.testing.assert_array_equal(given.data, before.data)  # what came is left as it came


def test_the_grid_starts_where_the_first_weight_does():
    X, y = problem(3)
    fitted = path(sp.csc_array(X), y, sw.L1(1.0), n_lambdas=1)
    top = fitted.lambdas[0]
    fitted = path(sp.csc_array(X), y, sw.L1(1.0), lambdas=[top, 0.99 * top], tol=1e-10)
    assert not fitted.coefs[0].any()
    assert fitted.coefs[1].any()


@pytest.mark.parametrize("penalty", [sw.L1(0.05), sw.ElasticNet(0.1, 0.5), sw.L2(0.05)], ids=repr)
def test_float32_is_its_own_values_in_float64(penalty, way):
    X, y = problem(4)
    single = sp.csc_array(X.astype(np.float32))
    (one,), (two,) = (solve(A, y, penalty, [penalty.lam]) for A in (single, single.astype(float)))
    np.testing.assert_allclose(one.w[0], two.w[0], atol=1e-7)  # sums are float64 in both
    (exact,) = solve(sp.csc_array(X), y, penalty, [penalty.lam])
    np.testing.assert_allclose(one.w[0], exact.w[0], atol=1e-5)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_dense_columns_are_solved_too(order, dtype, monkeypatch):
    monkeypatch.setattr(residual, "_GRAM_COLUMNS", 0)
    X, y = problem(5)
    X = X.astype(dtype)
    dense = path(X.astype(float), y, sw.L1(1.0), n_lambdas=6, lambda_min_ratio=0.02, tol=1e-12)
    solutions = solve(np.asarray(X, order=order), y, sw.L1(1.0), dense.lambdas)
    np.testing.assert_allclose([solution.w[0] for solution in solutions], dense.coefs, atol=1e-6)


@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.ElasticNet(1.0, 0.5), sw.L2(1.0)], ids=repr)
def test_more_columns_than_rows(penalty, way):
    X, y = problem(6, n=40, p=150)
    fitted = path(sp.csc_array(X), y, penalty, n_lambdas=8)
    assert fitted.solved.all(), fitted.status
    dense = path(X, y, penalty, lambdas=fitted.lambdas)
    np.testing.assert_allclose(fitted.objectives, dense.objectives, atol=1e-6 * y.var())


def test_least_squares_is_of_minimum_norm_when_wide(way):
    X, y = problem(7, n=20, p=50)
    (fit,) = solve(sp.csc_array(X), y, sw.L2(0.0), [0.0], tol=1e-14)
    np.testing.assert_allclose(fit.w[0], np.linalg.pinv(X - X.mean(0)) @ (y - y.mean()), atol=1e-6)


@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.ElasticNet(1.0, 0.5), sw.L2(1.0)], ids=repr)
def test_twin_constant_and_empty_columns(penalty, way):
    X, y = problem(8)
    X = np.column_stack([X, X[:, 0], np.zeros(len(X)), np.full(len(X), 0.1)])
    fitted = path(sp.csc_array(X), y, penalty, n_lambdas=8, lambda_min_ratio=1e-2)
    assert fitted.solved.all(), fitted.status
    assert np.abs(fitted.coefs[:, -2:]).max() <= 1e-9


@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.L2(1.0)], ids=repr)
def test_hostile_scales_and_nearly_collinear_columns_end_with_a_certificate(penalty):
    rng = np.random.default_rng(9)
    X = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 60)) + 1e-3 * rng.normal(size=(200, 60))
    X *= (rng.random((200, 1)) < 0.5) * 10.0 ** rng.uniform(-8, 8, 60)
    y = X[:, 0] / X[:, 0].std() + rng.normal(size=200)
    fitted = path(sp.csc_array(X), y, penalty, n_lambdas=10)
    assert fitted.solved.all(), fitted.status
    dense = path(X, y, penalty, lambdas=fitted.lambdas)
    np.testing.assert_allclose(fitted.objectives, dense.objectives, atol=2e-6 * y.var())


def test_a_solution_that_takes_long_turns_to_the_gram_matrix(monkeypatch):
    monkeypatch.setattr(residual, "_PATIENCE", 3)
    X, y = problem(10, n=100, p=80)
    problem_ = Problem(sp.csc_array(X), y, "squared")
    solver = ResidualSolver(problem_)
    lambdas = lambda_grid(problem_, sw.L1(1.0), 5, 0.01)
    assert solver.G is None
    solutions = [solver.solve(sw.L1(lam), 1e-10, 10_000) for lam in lambdas]
    assert all(solution.solved for solution in solutions)
    np.testing.assert_allclose(solver.G, problem_.design.gram())
    dense = path(X, y, sw.L1(1.0), lambdas=lambdas, tol=1e-12)
    np.testing.assert_allclose([solution.w[0] for solution in solutions], dense.coefs, atol=1e-4)


@pytest.mark.parametrize("density", [0.03, 0.3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gram_matrix_of_sparse_columns_does_not_cancel(density, dtype, weighted):
    rng = np.random.default_rng(11)
    X, _ = problem(11, n=300, p=40, density=density)
    X[:, 5] = 1e6 + rng.normal(size=300)  # full, far from zero
    X = X.astype(dtype).astype(float)
    s = rng.uniform(0.5, 2.0, 300) if weighted else np.ones(300)
    s /= s.mean()
    centred = (X - s @ X / 300) * np.sqrt(s)[:, None]
    np.testing.assert_allclose(
        Design(sp.csc_array(X.astype(dtype)), s, True).gram(), centred.T @ centred / 300, rtol=1e-7, atol=1e-11
    )


def test_stopping_early_is_said():
    X, y = problem(12, n=30, p=100)
    fitted = path(sp.csc_array(X), y, sw.L1(1.0), lambdas=[1e-4], max_iter=3)
    assert not fitted.solved[0]
    assert fitted.status[0].startswith("stopped at max_iter=3: relative gap")


def test_a_constant_target_gives_zeros():
    X, _ = problem(13)
    fitted = path(sp.csc_array(X), np.full(len(X), 2.5), sw.L1(1.0))
    assert not fitted.coefs.any()
    np.testing.assert_allclose(fitted.intercepts, 2.5)


def test_an_unseen_column_is_found():
    """The strong rule is a guess: columns it left out come in when they violate stationarity."""
    X, y = problem(14, n=80, p=40)
    solver = ResidualSolver(Problem(sp.csc_array(X), y, "squared"))
    solver.a_last = np.full(40, 1e-9)  # a threshold that lets nobody in
    solution = solver.solve(sw.L1(0.02), 1e-10, 10_000)
    assert solution.solved
    dense = path(X, y, sw.L1(1.0), lambdas=[0.02], tol=1e-12)
    np.testing.assert_allclose(solution.w[0], dense.coefs[0], atol=1e-4)


def random_columns(n, p, entries, dtype):
    """Random entries, and a target of the first fifty columns."""
    rng = np.random.default_rng(15)
    at = rng.integers(0, n, entries), rng.integers(0, p, entries)
    X = sp.csc_array((rng.normal(size=entries).astype(dtype), at), shape=(n, p))
    X.sum_duplicates()
    return X, X[:, :50].sum(1) + 0.1 * rng.normal(size=n)


def peak_of(X, y, penalty, fractions):
    """Most bytes allocated by solving at these fractions of λ_max (of 1, where it is infinite), beside X and y."""
    tracemalloc.start()
    solver = ResidualSolver(Problem(X, y, "squared"))
    top = min(penalty.lambda_max(solver.g), 1.0)
    solutions = [solver.solve(penalty.with_lam(fraction * top), 1e-4, 1000) for fraction in fractions]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(solution.solved for solution in solutions)
    assert solutions[-1].w.any()
    return peak


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("penalty", "p"),
    [(sw.L1(1.0), 10**6), (sw.L2(1.0), 10**6), (sw.GroupLasso(1.0, np.arange(10**5) // 10), 10**5)],
    ids=["L1", "L2", "groups"],
)
def test_a_matrix_that_would_not_fit_densified(dtype, penalty, p):
    X, y = random_columns(20_000, p, 10**6, dtype)  # 160 or 16 GB densified
    assert peak_of(X, y, penalty, [0.9]) < 60 * 8 * p  # some tens of vectors of length p


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.L2(1.0)], ids=repr)
def test_half_of_x_is_all_the_memory_a_path_takes(dtype, penalty):
    X, y = random_columns(5_000, 4_000, 10**6, dtype)
    assert peak_of(X, y, penalty, np.geomspace(1.0, 0.03, 10)) <= 0.5 * (X.data.nbytes + X.indices.nbytes)
