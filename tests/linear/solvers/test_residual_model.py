"""Newton steps of wide sparse problems by coordinate descent on the rows: the solutions satisfy the conditions of a minimum."""

import numpy as np
import pytest
import scipy.sparse as sp

import shrinkwise as sw
from shrinkwise.linear.problem import working_columns
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.solvers.newton import line_search
from shrinkwise.linear.solvers.newton.curvature import RowCurvature
from shrinkwise.linear.solvers.newton.quadratic_model import QuadraticModel
from shrinkwise.linear.solvers.quadratic.proximal_gradient import inner_penalty

N, P = 600, 300


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = sp.random_array((N, P), density=0.02, rng=rng, data_sampler=rng.normal, format="csc")
    w = np.where(np.arange(P) % 10 == 0, 2.0, 0.0)
    eta = X @ w - 0.5
    y = {
        "logistic": (rng.uniform(size=N) < 1.0 / (1.0 + np.exp(-eta))).astype(float),
        "poisson": rng.poisson(np.exp(0.5 * eta)).astype(float),
    }
    return X, y, rng.uniform(size=N) + 0.1


@pytest.fixture
def built(monkeypatch):
    """The models that are built, on columns that stay sparse."""
    monkeypatch.setattr(working_columns, "_DENSE", 0)
    found = []

    class Counted(line_search.ResidualModel):
        def __init__(self, *args):
            super().__init__(*args)
            found.append(self)

    monkeypatch.setattr(line_search, "ResidualModel", Counted)
    return found


MEANS = {"logistic": lambda eta: 1.0 / (1.0 + np.exp(-eta)), "poisson": np.exp}


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_solutions_are_stationary(loss, fit_intercept, ratio, data, built):
    """g + λ(1 − ρ)w = −λρ sign(w) on the support, |g| ≤ λρ beside it, and the weighted residuals sum to zero."""
    X, y, s = data
    along = sw.path(
        X,
        y[loss],
        sw.ElasticNet(1.0, ratio),
        loss=loss,
        sample_weight=s,
        fit_intercept=fit_intercept,
        n_lambdas=6,
        lambda_min_ratio=0.02,
        tol=1e-12,
    )
    assert built
    assert along.solved.all()
    assert along.n_nonzero[-1] > 50
    for lam, w, b in zip(along.lambdas, along.coefs, along.intercepts, strict=True):
        v = s / s.sum() * (MEANS[loss](X @ w + b) - y[loss])
        pull = X.T @ v + lam * (1.0 - ratio) * w
        support = w != 0
        small = 1e-5 * along.lambdas[0]
        np.testing.assert_allclose(pull[support], -lam * ratio * np.sign(w[support]), atol=small)
        assert np.abs(pull).max() <= lam * ratio + small
        if fit_intercept:
            assert abs(v.sum()) <= small


def test_few_columns_of_many_entries_keep_the_matrix(data, built):
    """Where the Gram matrix is smaller than the columns, it serves for many steps."""
    X, y, _ = data
    assert sw.path(X[:, :20], y["logistic"], sw.L1(1.0), loss="logistic", n_lambdas=4).solved.all()
    assert not built


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_step_is_that_of_the_matrix(fit_intercept, data):
    """Both models are the same function, so that their minima, with weighted rows and an intercept, are the same step."""
    X, y, s = data
    problem = Problem(X, y["logistic"], "logistic", s, fit_intercept)
    columns = working_columns.SparseColumns(problem.design)
    columns.add(np.arange(P))
    columns.promote(np.arange(P))
    rng = np.random.default_rng(1)
    w, inner = rng.normal(size=(1, P)), inner_penalty(sw.ElasticNet(0.002, 0.5), (P,))
    v = problem.s * problem.loss.gradient(problem.y, problem.eta(w[0], 0.0))
    curvature = problem.s * problem.loss.hessian(problem.y, problem.eta(w[0], 0.0))
    g, gb = columns.transposed(v[:, None], P) / N, np.array([v.sum() / N])
    by_rows = line_search.ResidualModel(columns, curvature, v, fit_intercept)
    by_matrix = QuadraticModel(columns, RowCurvature(curvature / N), fit_intercept, True)
    by_matrix.grow(np.ones((1, P), dtype=bool))
    for found, known in zip(*(m.step(w, g, gb, inner, 1e-13) for m in (by_rows, by_matrix)), strict=True):
        np.testing.assert_allclose(found, known, atol=1e-7)
