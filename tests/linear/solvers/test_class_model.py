"""Many classes: the model by classes takes the steps of the whole one, and needs no matrix per row."""

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csc_array

import shrinkwise as sw
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.working_columns import DenseColumns, SparseColumns, TallColumns, working_columns
from shrinkwise.linear.separation import overlap
from shrinkwise.linear.separation.rows import MovableRows
from shrinkwise.linear.solvers.newton.class_metric import Correlations
from shrinkwise.linear.solvers.newton.class_model import ClassBlocks, ClassModel
from shrinkwise.linear.solvers.newton.curvature import RowCurvature, SoftmaxCurvature
from shrinkwise.linear.solvers.newton.quadratic_model import QuadraticModel
from shrinkwise.linear.solvers.quadratic.proximal_gradient import inner_penalty


def drawn(n, p, K, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 1.0
    return X, (X @ rng.normal(size=(p, K)) * 0.5 + rng.gumbel(size=(n, K))).argmax(1)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_step_by_classes_is_the_step_of_the_whole_model(fit_intercept, monkeypatch):
    monkeypatch.setattr("shrinkwise.linear.solvers.newton.class_model._ROUNDS", 10_000)
    X, y = drawn(300, 4, 6)
    problem = Problem(X, y, "multinomial", np.linspace(0.5, 2.0, 300), fit_intercept)
    columns = working_columns(problem.design)
    columns.add(np.arange(4))
    columns.promote(np.arange(4))
    inner = inner_penalty(sw.ElasticNet(0.02, 0.5), problem.weights_shape)
    eta = np.random.default_rng(1).normal(size=(300, 6))
    s = problem.s / problem.n
    v = problem.loss.gradient(problem.y, eta) * s[:, None]
    g, gb, w = columns.transposed(v, 4), v.sum(0) * fit_intercept, np.zeros((6, 4))
    mask = np.ones((6, 4), dtype=bool)
    curvature = problem.loss.hessian(problem.y, eta) * s[:, None, None]
    whole = QuadraticModel(columns, RowCurvature(curvature), fit_intercept, True)
    parts = ClassModel(
        columns, SoftmaxCurvature(problem.loss.inverse_link(eta), s), fit_intercept, True, ClassBlocks(Correlations(s))
    )
    steps = []
    for model in (whole, parts):
        model.grow(mask)
        steps.append(model.step(w, g, gb, inner, 1e-11))
    # A step may differ by what softmax does not see: intercepts by one number, and no more, for L2 fixes the weights.
    np.testing.assert_allclose(steps[1][0], steps[0][0], atol=1e-8)
    np.testing.assert_allclose(steps[1][1] - steps[1][1].mean(), steps[0][1] - steps[0][1].mean(), atol=1e-8)
    assert np.abs(steps[0][0]).max() > 0.01
    along = columns.times(steps[0][0])
    np.testing.assert_allclose(
        parts.change_of_gradient(along, problem), whole.change_of_gradient(along, problem), atol=1e-12
    )


def in_front(kind, places):
    """(a problem of 700 rows, 5 columns and 4 classes, a column set of `kind` with the columns `places` in front)."""
    X, y = drawn(700, 5, 4)
    X[np.abs(X) < 0.5] = 0.0
    problem = Problem(csc_array(X) if kind is SparseColumns else X, y, "multinomial", np.linspace(0.5, 2.0, 700))
    columns = kind(problem.design)
    columns.add(np.array([3, 0, 4, 1]))
    columns.promote(np.array(places))
    return problem, columns


@pytest.mark.parametrize("whole", [True, False])  # whether every column joins for all classes at once
@pytest.mark.parametrize("kind", [DenseColumns, SparseColumns, TallColumns])
def test_the_hessian_from_probabilities_is_that_from_a_matrix_per_row(kind, whole, monkeypatch):
    monkeypatch.setattr("shrinkwise.linear.solvers.newton.curvature._AT_ONCE", 3000)  # several pieces of rows
    problem, columns = in_front(kind, [4, 3, 1])
    eta, s = 3.0 * np.random.default_rng(2).normal(size=(700, 4)), problem.s / problem.n
    by_rows = RowCurvature(problem.loss.hessian(problem.y, eta) * s[:, None, None])
    few, most, every = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]]] * 2 + [[[1, 1, 1]] * 4], dtype=bool)
    most[:] = [[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 1, 1]]
    if whole:
        few[:, :2], most[:] = True, few
    along = np.random.default_rng(3).normal(size=(700, 4))
    for exact, rtol in ((True, 1e-12), (False, 2e-6)):
        models = [
            QuadraticModel(columns, curvature, True, exact)
            for curvature in (by_rows, SoftmaxCurvature(problem.loss.inverse_link(eta), s))
        ]
        for model in models:
            for mask in (few, most, every):  # many join, then one
                model.grow(mask)
        orders = [np.lexsort([model.pos, model.cls]) for model in models]
        hessians = [model.hessian()[np.ix_(order, order)] for model, order in zip(models, orders, strict=True)]
        np.testing.assert_allclose(hessians[1], hessians[0], atol=rtol * np.abs(hessians[0]).max())
        np.testing.assert_allclose(models[1].M[orders[1]], models[0].M[orders[0]], atol=1e-13)
        np.testing.assert_allclose(models[1].T_inverse, models[0].T_inverse, rtol=1e-10)
        changes = [model.change_of_gradient(along, problem) for model in models]
        np.testing.assert_allclose(changes[1], changes[0], atol=1e-12)


@pytest.mark.parametrize("K", [2, 5])  # by pairs of classes, and in one product
@pytest.mark.parametrize("kind", [DenseColumns, SparseColumns, TallColumns])
def test_blocks_of_pairs_of_classes_are_those_of_their_definition(kind, K):
    problem, columns = in_front(kind, [4, 3, 1, 0])
    X = np.asarray(problem.X.toarray() if kind is SparseColumns else problem.X)
    X = (X - problem.design.means)[:, [4, 3, 1, 0]]
    factors = np.random.default_rng(5).uniform(0.0, 1.0, (K, 700))
    for right in (np.arange(4), np.array([2, 0])):
        left = right if len(right) == 4 else np.array([1])
        found = columns.pair_grams(left, right, factors, 3000, np.float64)
        expected = [
            X[:, left].T @ (X[:, right] * (factors[k] * factors[j])[:, None])
            for k, j in itertools.combinations(range(K), 2)
        ]
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize(("moving", "there"), [(9, 12), (8, 8)])
def test_a_model_of_most_pairs_of_its_columns_takes_all_of_them(moving, there):
    problem, columns = in_front(DenseColumns, [4, 3, 1])
    eta = np.random.default_rng(2).normal(size=(700, 4))
    curvature = SoftmaxCurvature(problem.loss.inverse_link(eta), problem.s / problem.n)
    model = QuadraticModel(columns, curvature, True, True)
    model.grow((np.arange(12) < moving).reshape(4, 3))
    assert len(model.cls) == there


@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.ElasticNet(1.0, 0.5)])
def test_paths_with_many_classes_are_certified_without_a_matrix_per_row(penalty, monkeypatch):
    monkeypatch.setattr("shrinkwise.linear.solvers.newton.many_classes._WORTH", 0.0)
    n, K = 2000, 40
    X, y = drawn(n, 6, K)
    tracemalloc.start()
    try:
        path = sw.path(X, y, penalty, loss="multinomial", n_lambdas=5, lambda_min_ratio=0.1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.solved.all()
    assert path.gaps.max() <= 1e-6
    assert peak < 0.9 * 8 * n * K * K  # what the curvatures of all pairs of classes would take
    w, b = path.coefs[-1], path.intercepts[-1]
    eta = X @ w.T + b
    p = np.exp(eta - eta.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(n), y] -= 1.0
    lam = path.lambdas[-1]
    violation = penalty.with_lam(lam).violation(w, p.T @ X / n)
    assert violation.max() <= 2e-3 * lam
    assert np.abs(p.mean(0)).max() <= 1e-4


def test_value_and_gradient_together_are_each_alone():
    loss = Problem(*drawn(900, 3, 40), "multinomial").loss
    y, eta = np.arange(900) % 40, np.asfortranarray(30.0 * np.random.default_rng(0).normal(size=(900, 40)))
    value, gradient = loss.value_and_gradient(y, eta)
    np.testing.assert_allclose(value, loss.value(y, eta), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(gradient, loss.gradient(y, eta), atol=1e-15)
    np.testing.assert_allclose(loss.conjugate(y, gradient), (gradient * eta).sum(1) - value, atol=1e-10)
    feasible = loss.dual_feasible(y, gradient + 0.1 * np.random.default_rng(1).normal(size=eta.shape))
    q = feasible + (np.arange(40) == y[:, None])
    assert q.min() >= -1e-16
    np.testing.assert_allclose(q.sum(1), 1.0, rtol=1e-13)


def test_the_summed_curvature_is_the_sum_of_the_curvatures():
    X, y = drawn(50, 3, 5)
    loss = Problem(X, y, "multinomial").loss
    eta, weights = X @ np.ones((3, 5)) * np.arange(5), np.linspace(0.0, 1.0, 50)
    expected = (weights[:, None, None] * loss.hessian(y, eta)).sum(0)
    np.testing.assert_allclose(loss.summed_curvature(y, eta, weights), expected, atol=1e-13)


def test_the_curvature_of_a_part_of_the_entries_is_that_of_the_matrices(monkeypatch):
    monkeypatch.setattr(overlap, "_AT_ONCE", 3000)
    X, y = drawn(900, 5, 6)
    problem = Problem(X, y, "multinomial", np.linspace(0.5, 2.0, 900))
    rows = MovableRows(problem, problem.loss.recession(problem.y), True, True)
    eta = 4.0 * np.random.default_rng(1).normal(size=(900, 6))
    for least in (0.0, 1e-3):
        core, q, fast = overlap._residuals(rows, eta, least)
        with monkeypatch.context() as patch:
            patch.setattr(problem.loss, "is_softmax", False)
            same, expected, slow = overlap._residuals(rows, eta, least)
        assert core.all() == (least == 0.0)
        assert type(fast) is not type(slow)
        np.testing.assert_array_equal(core, same)
        np.testing.assert_array_equal(q, expected)
        np.testing.assert_allclose(fast.gram(rows), slow.gram(rows), atol=1e-11)
        np.testing.assert_allclose(fast.times(q), slow.times(q), atol=1e-13)
