"""Many classes: the descent and the steps by classes end at the solutions of the whole Hessian, or give way to it."""

import numpy as np
import pytest
from scipy.sparse import csc_array

import shrinkwise as sw
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.working_columns import working_columns
from shrinkwise.linear.solvers.newton import many_classes
from shrinkwise.linear.solvers.newton.class_descent import ClassDescent, _StepMemory
from shrinkwise.linear.solvers.newton.class_metric import ClassMetric, Correlations
from shrinkwise.linear.solvers.newton.line_search import WorkingSolver
from shrinkwise.linear.solvers.quadratic.proximal_gradient import inner_penalty


def drawn(n=240, p=8, K=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 1.0
    y = (X @ rng.normal(size=(p, K)) + rng.gumbel(size=(n, K))).argmax(1)
    y[:K] = np.arange(K)  # every class is there
    return X, y


def rare():
    X, y = drawn()
    y[y == 5] = 4
    y[7] = 5
    return {"X": X, "y": y}


def zero_weights():
    X, y = drawn()
    weights = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    weights[:6] = 1.0
    return {"X": X, "y": y, "sample_weight": weights}


def with_offset():
    X, y = drawn()
    return {"X": X, "y": y, "offset": np.random.default_rng(1).normal(size=(len(y), 6))}


def copies():
    X, y = drawn()
    return {"X": np.column_stack([X, X[:, :3], 2.0 * X[:, 1]]), "y": y}


def separable():
    X = drawn(n=60, p=12)[0]
    return {"X": X, "y": (X @ np.random.default_rng(3).normal(size=(12, 6))).argmax(1)}


def given(X, y):
    return {"X": X, "y": y}


PROBLEMS = {
    "plain": lambda: given(*drawn()),
    "no intercept": lambda: given(*drawn()) | {"fit_intercept": False},
    "standardized": lambda: given(*drawn()) | {"standardize": True},
    "scales": lambda: given(drawn()[0] * np.geomspace(0.01, 100.0, 8), drawn()[1]),
    "weights with zeros": zero_weights,
    "offset": with_offset,
    "a class of one row": rare,
    "more columns than rows": lambda: given(*drawn(n=40, p=90)),
    "copied columns": copies,
    "separable": separable,
    "sparse": lambda: given(csc_array(np.where(np.abs(drawn()[0]) < 0.8, 0.0, drawn()[0])), drawn()[1]),
    "single precision": lambda: given(drawn()[0].astype(np.float32), drawn()[1]),
}
PENALTIES = {
    "l1": sw.L1(1.0),
    "l2": sw.L2(1.0),
    "elastic net": sw.ElasticNet(1.0, 0.5),
    "factors": sw.L1(1.0, weights=np.array([0.0, 1.0, 2.0, 1.0, 1.0, 0.5, 1.0, 1.0])),
}


@pytest.fixture
def by_classes(monkeypatch):
    """Steps by classes wherever there are classes, and the number of descents."""
    monkeypatch.setattr(many_classes, "_CLASSES", 3)
    monkeypatch.setattr(many_classes, "_WORTH", 0.0)
    monkeypatch.setattr(many_classes, "_LARGE", 0)
    descents = []
    descend = many_classes.ManyClasses.descend
    monkeypatch.setattr(many_classes.ManyClasses, "descend", lambda *a: descents.append(1) or descend(*a))
    return descents


def both_ways(monkeypatch, settings, penalty, **grid):
    settings = dict(settings)
    X, y = settings.pop("X"), settings.pop("y")
    found = sw.path(X, y, penalty, loss="multinomial", **settings, **grid)
    with monkeypatch.context() as patch:
        patch.setattr(many_classes, "_CLASSES", 10**9)
        whole = sw.path(X, y, penalty, loss="multinomial", lambdas=found.lambdas, **settings)
    return found, whole


def violation(settings, penalty, path, k):
    """The largest distance of −∇ to the subdifferential at the k-th λ by the formula, in units of λ, where s = 1."""
    X, y = settings["X"], settings["y"]
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X, dtype=float)
    eta = X @ path.coefs[k].T + path.intercepts[k] + settings.get("offset", 0.0)
    p = np.exp(eta - eta.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(y)), y] -= 1.0
    at_weights = penalty.with_lam(path.lambdas[k]).violation(path.coefs[k], p.T @ X / len(y)).max()
    if settings.get("fit_intercept", True):
        at_weights = max(at_weights, np.abs(p.mean(0)).max())
    return at_weights / path.lambdas[k]


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_paths_are_certified_and_those_of_the_whole_hessian(name, penalty, by_classes, monkeypatch):
    settings, penalty = PROBLEMS[name](), PENALTIES[penalty]
    if getattr(penalty, "weights", None) is not None and settings["X"].shape[1] != 8:
        pytest.skip("the factors are of eight columns")
    found, whole = both_ways(monkeypatch, settings, penalty, n_lambdas=6, lambda_min_ratio=0.02)
    assert by_classes or isinstance(penalty, sw.L2)  # without an L1 part there are only the steps
    assert whole.solved.all()
    assert found.solved.all()
    assert found.gaps.max() <= 1e-6
    null = whole.data.null_loss
    assert np.abs(found.objectives - whole.objectives).max() <= 1e-6 * null
    if not {"sample_weight", "standardize"} & settings.keys():
        assert violation(settings, penalty, found, -1) <= 1e-2  # a gap g leaves one of the order of √g


@pytest.mark.parametrize("name", ["plain", "separable", "a class of one row"])
def test_many_and_tiny_lambdas_end(name, by_classes, monkeypatch):
    settings = PROBLEMS[name]()
    found, whole = both_ways(monkeypatch, settings, sw.L1(1.0), n_lambdas=30, lambda_min_ratio=1e-3)
    np.testing.assert_array_equal(found.solved, whole.solved)
    assert found.n_iter.max() <= 600
    assert (found.objectives <= whole.objectives + 1e-6 * whole.data.null_loss).all()


def test_the_number_of_steps_is_bounded(by_classes):
    X, y = drawn()
    path = sw.path(X, y, sw.L1(1.0), loss="multinomial", n_lambdas=4, lambda_min_ratio=0.01, max_iter=3)
    assert path.n_iter.max() <= 3
    assert not path.solved[-1]
    assert path.gaps[-1] > 1e-6  # and the certificate says so


def test_tight_tolerances_are_reached(by_classes):
    X, y = drawn()
    path = sw.path(X, y, sw.L1(1.0), loss="multinomial", n_lambdas=4, lambda_min_ratio=0.05, tol=1e-10)
    assert by_classes
    assert path.solved.all()
    assert path.gaps.max() <= 1e-10


def test_powers_of_one_column_go_on_with_the_whole_hessian(by_classes, monkeypatch):
    rng = np.random.default_rng(0)
    t = rng.random((900, 2))
    X = np.column_stack([t[:, i] ** j for i in range(2) for j in range(1, 9)])
    y = (X @ rng.normal(size=(16, 6)) * 4.0 + rng.gumbel(size=(900, 6))).argmax(1)
    given_up = []
    give_up = many_classes.ManyClasses.give_up
    monkeypatch.setattr(many_classes.ManyClasses, "give_up", lambda *a: given_up.append(give_up(*a)) or given_up[-1])
    found, whole = both_ways(monkeypatch, given(X, y), sw.L1(1.0), n_lambdas=8, lambda_min_ratio=0.01)
    assert any(given_up)
    assert found.solved.all()
    assert np.abs(found.objectives - whole.objectives).max() <= 1e-6 * whole.data.null_loss


def test_a_descent_that_gains_nothing_is_undone(by_classes, monkeypatch):
    def worse(self, metric, goal, most):
        self.gradients, self.worst = 1, 0.0
        return self.start[:, :-1] + 5.0, self.start[:, -1]

    def seen(self, inner, w, b, left):
        eta = self.eta
        new, new_b, after = nearer(self, inner, w, b, left)
        undone.append(new is w and new_b is b and self.eta is eta and after == left - 1)
        return new, new_b, after

    undone, nearer = [], WorkingSolver._nearer
    monkeypatch.setattr(WorkingSolver, "_nearer", seen)
    monkeypatch.setattr(ClassDescent, "run", worse)
    found, whole = both_ways(monkeypatch, given(*drawn()), sw.L1(1.0), n_lambdas=5, lambda_min_ratio=0.05)
    assert undone
    assert all(undone)
    assert found.solved.all()
    assert np.abs(found.objectives - whole.objectives).max() <= 1e-6 * whole.data.null_loss


def test_few_moving_weights_have_the_whole_hessian(monkeypatch):
    chosen = []
    choose = many_classes.ManyClasses.choose

    def seen(self, inner, w, violation):
        choose(self, inner, w, violation)
        chosen.append((np.count_nonzero(w), self.chosen))

    monkeypatch.setattr(many_classes.ManyClasses, "choose", seen)
    monkeypatch.setattr(many_classes, "_WORTH", 2.0)
    X, y = drawn(n=400, p=30, K=20)
    sw.path(X, y, sw.L1(1.0), loss="multinomial", n_lambdas=8, lambda_min_ratio=0.01)
    assert not chosen[0][1]
    assert chosen[-1][1]


def descent_of(X, y, penalty, single=False):
    problem = Problem(X, y, "multinomial")
    columns = working_columns(problem.design)
    columns.add(np.arange(problem.p))
    columns.promote(np.arange(problem.p))
    inner = inner_penalty(penalty, problem.weights_shape)
    w, b = problem.zero()
    eta = np.tile(b, (problem.n, 1))
    p = np.ascontiguousarray(problem.loss.inverse_link(eta).T)
    ridge = np.concatenate([inner.b, np.zeros((len(w), 1))], axis=1)
    weights = problem.s / problem.n
    metric = ClassMetric(columns, p, weights, ridge, Correlations(weights))
    return ClassDescent(problem, columns, inner, eta, w, b, single), metric, p


@pytest.mark.parametrize("single", [True, False])
def test_the_descent_ends_where_the_subgradient_is_small(single):
    X, y = drawn()
    penalty = sw.ElasticNet(0.02, 0.7)
    descent, metric, _ = descent_of(X, y, penalty, single)
    w, b = descent.run(metric, 1e-4, 500)
    assert descent.worst <= 1e-4
    p = np.exp(X @ w.T + b - X.mean(0) @ w.T)  # intercepts are those of the centred columns
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(y)), y] -= 1.0
    assert penalty.violation(w, p.T @ (X - X.mean(0)) / len(y)).max() <= 1.1e-4
    assert np.abs(p.mean(0)).max() <= 1.1e-4


def test_the_metric_is_the_block_of_a_class_where_all_rows_weigh_the_same():
    X, y = drawn()
    descent, metric, p = descent_of(X, y, sw.L1(0.1))  # of the null model: the same probabilities in every row
    r = np.random.default_rng(0).normal(size=descent.start.shape)
    centred = X - X.mean(0)
    for k, row in enumerate(metric.solve(r)):
        weight = p[k, 0] * (1.0 - p[k, 0])
        block = weight * (centred.T @ centred) / len(y)
        block.flat[:: len(block) + 1] *= 1.0 + 1e-3  # its damping
        np.testing.assert_allclose(block @ row[:-1], r[k, :-1], rtol=1e-8)
        np.testing.assert_allclose(weight * row[-1], r[k, -1], rtol=1e-12)


def test_the_pairs_give_the_inverse_of_bfgs():
    rng = np.random.default_rng(0)
    m, K = 7, 3
    root = rng.normal(size=(m * K, m * K))
    H = root @ root.T + np.eye(m * K)

    class Diagonal:
        inverse = 1.0 / np.linspace(1.0, 4.0, m * K).reshape(K, m)

        def solve(self, r):
            return self.inverse * r

    pairs, kept = _StepMemory(Diagonal(), m * K), []
    for count in range(13):  # more than are kept
        s = rng.normal(size=(K, m))
        y = (H @ s.ravel()).reshape(K, m)
        pairs.add(s, y)
        kept = [*kept, (s.ravel(), y.ravel())][-10:]
        s, y = kept[-1]
        inverse = np.diag(Diagonal.inverse.ravel())
        inverse *= (s @ y) / (y @ inverse @ y)
        for s, y in kept:
            V = np.eye(m * K) - np.outer(s, y) / (s @ y)
            inverse = V @ inverse @ V.T + np.outer(s, s) / (s @ y)
        r = rng.normal(size=(K, m))
        np.testing.assert_allclose(pairs.solve(r).ravel(), inverse @ r.ravel(), rtol=1e-9, err_msg=str(count))
    assert len(pairs) == 10
    pairs.add(np.ones((K, m)), -np.ones((K, m)))  # no curvature: not learnt
    np.testing.assert_allclose(pairs.solve(r).ravel(), inverse @ r.ravel(), rtol=1e-9)


def test_separated_classes_without_an_l1_part_stay_with_steps_by_classes(monkeypatch):
    """There a step leaves about 1/e of the violation, whichever the model, and the whole Hessian takes ten times as long."""
    X, y = drawn(n=100, p=110, K=10)
    given_up = []
    monkeypatch.setattr(many_classes.ManyClasses, "give_up", lambda *a: given_up.append(1))
    found = sw.PenalizedClassifier(sw.L2(1e-6)).fit(X, y)
    assert given_up == []
    assert (found.predict(X) == y).all()
