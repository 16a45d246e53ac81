"""The arithmetic of Newton steps by kernel, against the same methods with arrays."""

import itertools

import numpy as np
import pytest

from shrinkwise import kernels
from shrinkwise.linear import path
from shrinkwise.linear.certificates import l1_l2_term, relative_gap
from shrinkwise.linear.losses import LOSSES
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.working_columns import working_columns
from shrinkwise.linear.solvers.newton.kernel_steps import KernelSolver
from shrinkwise.linear.solvers.newton.line_search import WorkingSolver
from shrinkwise.linear.solvers.quadratic.proximal_gradient import inner_penalty
from shrinkwise.penalties import L1, L2, ElasticNet

pytestmark = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])
NAMES = sorted(kernels.ROW_LOSSES)
P = 11


def target(loss, eta, rng):
    if loss == "logistic":
        return (rng.random(len(eta)) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    return rng.poisson(np.exp(eta)).astype(float) if loss == "poisson" else np.exp(eta) * rng.gamma(2.0, 0.5, len(eta))


def data(loss, seed=0, n=53, p=P):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    return X, target(loss, X[:, :3] @ [0.8, -0.5, 0.3], rng), rng


@pytest.fixture(params=itertools.product(NAMES, [False, True], [False, True], [False, True]), ids=str)
def problem(request):
    loss, weighted, offset, fit_intercept = request.param
    X, y, rng = data(loss)
    X[:, 4] = 0.0
    X[:, 5] *= 1e6
    X[:, 6] *= 1e-6
    s = rng.uniform(0.1, 3.0, len(y)) if weighted else None
    return Problem(X, y, loss, s, fit_intercept, rng.normal(size=len(y)) if offset else None)


def penalty():
    """L1 in some columns, L2 in some, both, and two without a penalty, one of them zero."""
    weights = np.ones(P)
    weights[[2, 4, 7]] = 0.0
    ridge = np.ones(P)
    ridge[[0, 2, 3, 4]] = 0.0
    return L1(0.05, weights=weights) + L2(0.1, weights=ridge)


class Pair:
    """Both solvers at one point, with all columns in front."""

    def __init__(self, problem, exact=False):
        self.problem, self.inner = problem, inner_penalty(penalty(), (P,))
        rng = np.random.default_rng(3)
        w = np.where(rng.random(P) < 0.5, 0.1 * rng.normal(size=P), 0.0)
        w[4], w[5], w[6] = 0.0, 1e-7, 1e3
        self.solvers, self.w, self.b = [], [], np.array([0.2 if problem.fit_intercept else 0.0])
        for kind in (WorkingSolver, KernelSolver):
            solver = kind(problem, working_columns(problem.design))
            solver.columns.add(np.arange(P))
            solver.single, solver.rounded, solver.needed = not exact, True, 0.0
            self.w.append(solver._front(w[None], None))
            eta = solver.columns.times(self.w[-1])[:, 0] + self.b[0]
            solver.start(eta if problem.offset is None else eta + problem.offset)
            self.solvers.append(solver)

    def look(self, targets):
        """What both see; and the gap of the dual point that the kernel took, from its formula."""
        looks = [solver._look(self.inner, w, self.b, targets) for solver, w in zip(self.solvers, self.w, strict=True)]
        (python, kernel), (plain, fast) = looks, self.solvers
        for left, right in zip(python[0], kernel[0], strict=True):
            assert (left is None) == (right is None)
            if left is not None:
                np.testing.assert_allclose(right, left, rtol=1e-11, atol=1e-13 * np.abs(left).max())
        assert kernel[2] == pytest.approx(python[2], rel=1e-12)
        moving = plain._moving(self.inner, self.w[0], python[1])
        np.testing.assert_array_equal(fast._moving(self.inner, self.w[1], None), moving)
        reached = [
            s._reached(self.inner, w, look[0], look[1], targets)
            for s, w, look in zip(self.solvers, self.w, looks, strict=True)
        ]
        assert reached[0] == reached[1]
        if fast.job.dual:
            every, u = np.arange(P), kernel[0][fast.job.dual - 1]
            a, b = self.inner.a[:, every], self.inner.b[:, every]
            alpha, term, slack = l1_l2_term(a, b, self.w[1], u)
            terms = alpha, self.inner.value(self.w[1], every) + term, slack
            v = fast.offered if fast.job.dual == 2 else fast.g_eta
            expected = relative_gap(self.problem, fast.eta, fast.rows, v, terms)
            assert fast.job.gap == pytest.approx(expected, rel=1e-9, abs=1e-13)
        return looks, reached[1]

    def agree(self, rtol):
        plain, fast = self.solvers
        largest = np.abs(self.w[0]).max()
        np.testing.assert_allclose(self.w[1], self.w[0], rtol=rtol, atol=1e-9 * min(largest, 1.0))
        for name in ("eta", "rows", "g_eta", "v", "gb"):
            at = getattr(plain, name)
            np.testing.assert_allclose(getattr(fast, name), at, rtol=rtol, atol=rtol * np.abs(plain.eta).max())


@pytest.mark.parametrize("exact", [False, True], ids=["single", "exact"])
def test_a_step_is_that_of_the_methods_with_arrays(problem, exact):
    pair = Pair(problem, exact)
    pair.look((1e15, -1.0))
    assert pair.solvers[1].job.dual == 0
    looks, reached = pair.look((1e15, 1e15))
    assert reached
    assert pair.solvers[1].job.dual == 1
    for step in range(2):
        after = []
        for solver, w, look in zip(pair.solvers, pair.w, looks, strict=True):
            solver._prepare(pair.inner, w, look[1], look[2], np.inf if step == 0 else look[2] / 0.3)
            after.append(solver._move(pair.inner, w, pair.b, look[0][0], 1e-9))
        (pair.w[0], b), (pair.w[1], fast_b) = after
        np.testing.assert_allclose(fast_b, b, rtol=1e-5, atol=1e-9)
        pair.b = b
        pair.agree(1e-9 if exact else 2e-5)
        plain, fast = pair.solvers
        assert plain.at_rounding == fast.at_rounding
        assert (fast.offered is None) == (plain.offered is None) == (not fast.job.has_offered)
        if plain.offered is None:
            return
        np.testing.assert_allclose(fast.offered, plain.offered, rtol=1e-4, atol=1e-5)
        # the rest from one point, so that what is compared does not depend on the rounding of the model
        pair.w[1][:] = pair.w[0]
        for mine, other in ((fast.eta, plain.eta), (fast.candidate, plain.offered)):
            mine[:] = other
        kernels.row_steps("start", fast.job)
        fast.V[1], fast.job.has_offered, fast.gb[0] = problem.s * fast.candidate, 1, fast.job.gb
        looks, reached = pair.look((1e15, 1e15))
        assert reached
        assert fast.job.dual == 2


def test_a_step_too_long_is_halved_as_often(problem):
    pair = Pair(problem, exact=True)
    looks, _ = pair.look((1e-9, 1e-9))
    plain, fast = pair.solvers
    for solver, w, look in zip(pair.solvers, pair.w, looks, strict=True):
        solver._prepare(pair.inner, w, look[1], look[2], np.inf)
    d, db = plain.model.step(pair.w[0], looks[0][0][0], plain.gb, pair.inner, 1e-12)
    halvings = set()
    for factor in (1.0, 9.0, 300.0, 1e6, -1.0):
        again = Pair(problem, exact=True)
        again.look((1e-9, 1e-9))
        plain, fast = again.solvers
        plain.model = pair.solvers[0].model
        found = plain._search(again.inner, again.w[0], again.b, looks[0][0][0], factor * d, factor * db)
        fast._describe(pair.solvers[1].model)
        fast.d[:], fast.job.db = factor * d, factor * db[0]
        kernels.row_steps("search", fast.job)
        if found is None:
            assert fast.job.t == 0
            continue
        assert (plain.offered is not None) == bool(fast.job.has_offered) == (fast.job.t == 1.0)
        again.w[0] = found[0]
        assert fast.job.intercept == pytest.approx(found[1][0], rel=1e-12)
        fast.gb[0] = fast.job.gb
        again.agree(1e-10)
        halvings.add(fast.job.t)
    assert len(halvings) > 1


def test_the_intercept_is_that_of_the_methods_with_arrays(problem):
    pair, found = Pair(problem), []
    for solver, w in zip(pair.solvers, pair.w, strict=True):
        look = solver._look(pair.inner, w, pair.b, (1e-9, 1e-9))
        solver._prepare(pair.inner, w, look[1], look[2], np.inf)
        assert solver.in_single  # steps use rounded columns, but η at the end does not
        solver._look(pair.inner, w, pair.b, (1e-9, 1e-9))
        found.append(solver._fit_intercept(w, pair.b.copy()))
    assert found[1] == pytest.approx(found[0], rel=1e-10, abs=1e-12)
    before, after = (solver.gb[0] for solver in pair.solvers)
    assert after == pytest.approx(before, rel=1e-9, abs=1e-14)
    np.testing.assert_allclose(pair.solvers[1].eta, pair.solvers[0].eta, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_exact_over_the_whole_range(name):
    n = 400
    rng = np.random.default_rng(0)
    y = target(name, np.zeros(n), rng)
    problem = Problem(rng.normal(size=(n, 1)), y, name)
    solver = KernelSolver(problem, working_columns(problem.design))
    eta = np.concatenate([[0.0, -0.0, 1e-9, -1e-17, 800.0, -800.0, 37.0, -37.0], rng.uniform(-60, 60, n - 8)])
    solver.start(eta)
    rows, slopes = LOSSES[name].value_and_gradient(y, eta)
    # e^-708 stands for what is smaller: 0 in all but the largest numbers
    np.testing.assert_allclose(solver.rows, rows, rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(solver.g_eta, slopes, rtol=1e-13, atol=1e-300)
    solver.start(np.full(n, np.nan))
    assert np.isnan(solver.rows).all()


HARD = {
    "plain": lambda X, y: (X, y),
    "zero columns": lambda X, y: (X * (np.arange(X.shape[1]) % 3 > 0), y),
    "large scale": lambda X, y: (X * 1e6, y),
    "small scale": lambda X, y: (X * 1e-6, y),
    "copies": lambda X, y: (np.concatenate([X, X], 1), y),
    "separated": lambda X, y: (X, np.where(X[:, 0] > 0.3, y.max(), y.min())),
    "more columns": lambda X, y: (np.concatenate([X, np.random.default_rng(5).normal(size=(len(X), 90))], 1), y),
}


@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.parametrize("case", sorted(HARD))
@pytest.mark.parametrize(
    "penalty", [L1(1.0), ElasticNet(1.0, 0.5), L2(1.0)], ids=lambda penalty: type(penalty).__name__
)
def test_a_path_is_that_of_the_python_loop(loss, case, penalty, monkeypatch):
    X, y, rng = data(loss, seed=1, n=80)
    X, y = HARD[case](X, y)
    s = rng.uniform(0.2, 2.0, len(y))
    for weights, fit_intercept in ((None, True), (s, False)):
        used = []
        seen = KernelSolver.solve
        monkeypatch.setattr(KernelSolver, "solve", lambda self, *given: used.append(1) or seen(self, *given))  # noqa: B023
        settings = dict(
            loss=loss, sample_weight=weights, fit_intercept=fit_intercept, n_lambdas=8, tol=1e-9, lambda_min_ratio=0.02
        )
        fast = path(X, y, penalty, **settings)
        assert used
        monkeypatch.undo()
        monkeypatch.setattr(KernelSolver, "takes", lambda *given: False)
        plain = path(X, y, penalty, **settings)
        monkeypatch.undo()
        assert fast.solved.all()
        assert plain.solved.all()
        np.testing.assert_allclose(fast.objectives, plain.objectives, rtol=2e-9)
        np.testing.assert_array_equal(fast.n_nonzero[0], plain.n_nonzero[0])


@pytest.mark.parametrize("loss", NAMES)
def test_too_few_steps_are_said(loss):
    X, y, _ = data(loss, n=200)
    settings = dict(loss=loss, lambdas=[1e-3], max_iter=2, tol=1e-10)
    fast = path(X, y, L1(1.0), **settings)
    assert not fast.solved.any()
    assert fast.n_iter[0] == 2
