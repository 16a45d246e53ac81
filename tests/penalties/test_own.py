"""A penalty of one's own, written as a user would write it, in every place where a penalty can be used."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import shrinkwise as sw
from shrinkwise.linear.solvers.quadratic.inner import inner_solver
from shrinkwise.penalties import Penalty, Pieces

RNG = np.random.default_rng(4)
X = RNG.normal(size=(80, 6))
TRUE = np.array([2.0, -1.0, 0.5, 0.0, 0.0, 0.0])
Y = X @ TRUE + 0.3 * RNG.normal(size=80)


class Capped(Penalty):
    """λ Σ min(|w|, 1): not convex, exact zeros. Ten lines."""

    def __init__(self, lam):
        self.lam = lam

    def value(self, w):
        return self.lam * abs(w).clip(None, 1).sum()

    def prox(self, w, step):
        s = step * self.lam
        low = w - w.clip(-s, s)  # the minimiser below 1, and the one above: w itself
        low = low.clip(-1, 1)
        costs = [(u - w) ** 2 / 2 + s * abs(u).clip(None, 1) for u in (low, w)]
        better = costs[0] <= costs[1]
        return better * low + ~better * w


class Huber(Penalty):
    """λ Σ h(w), convex and smooth, with its conjugate: certified by a duality gap."""

    convex = True

    def __init__(self, lam):
        self.lam = lam

    def value(self, w):
        inside = w.clip(-1, 1)
        return self.lam * (inside * w - 0.5 * inside * inside).sum()

    def prox(self, w, step):
        s = step * self.lam
        return w - s * (w / (1 + s)).clip(-1, 1)

    def conjugate(self, u):
        return float((u * u).sum() / (2 * self.lam)) if abs(u).max() <= self.lam else float("inf")


def test_everything_that_is_not_written_has_a_general_answer():
    penalty, w = Capped(0.5), np.array([0.2, -0.8, 3.0])
    assert not penalty.convex
    assert not penalty.unpenalised((3,)).any()
    assert penalty.l1_l2((3,)) is None
    assert penalty.pieces(w) is None
    assert repr(2 * penalty) == "Capped(1.0)"
    assert penalty == Capped(0.5) == clone(penalty)
    assert penalty.latex() == r"0.5 \, \mathrm{Capped}(w)"
    assert penalty.lambda_max(np.array([0.1, -0.3])) == pytest.approx(0.3, rel=1e-12)
    p = penalty.prox(w, 0.4)
    assert penalty.prox_residual(p, (p - w) / 0.4, 0.4).max() < 1e-14
    assert penalty.violation(p, np.ones(3)).max() > 0.4
    np.testing.assert_allclose((penalty + sw.L2(0.1)).prox(w, 0.4), penalty.prox(w / 1.08, 0.4 / 1.08))
    np.testing.assert_array_equal(penalty.on(slice(0, 2)).prox(w, 0.4)[2:], w[2:])
    with pytest.raises(TypeError, match="Capped has no conjugate: only convex penalties have one"):
        penalty.conjugate(w)


def test_in_a_linear_model_it_solves_to_a_stationary_point():
    model = sw.PenalizedRegressor(Capped(0.2)).fit(X, Y)
    assert model.status_.startswith("solved to a stationary point")
    residual = X.T @ (X @ model.coef_ + model.intercept_ - Y) / 80
    big = abs(model.coef_) > 1
    assert abs(residual[big]).max() < 1e-6  # beyond 1 the penalty is flat
    assert (model.coef_[3:] == 0).all()
    grid = GridSearchCV(sw.PenalizedRegressor(Capped(0.2)), {"penalty__lam": [0.01, 0.2, 50.0]}, cv=3).fit(X, Y)
    assert grid.best_params_ != {"penalty__lam": 50.0}
    assert len(sw.path(X, Y, Capped(1.0), n_lambdas=5).lambdas) == 5


def test_with_a_conjugate_it_is_certified_by_a_duality_gap():
    model = sw.PenalizedRegressor(Huber(0.1)).fit(X, Y)
    assert model.duality_gap_ <= 1e-6
    assert model.status_.startswith("solved: relative gap")
    g = X.T @ (X @ model.coef_ + model.intercept_ - Y) / 80
    np.testing.assert_allclose(g, -0.1 * model.coef_.clip(-1, 1), atol=1e-3)


class Sparse(Penalty):
    """λ Σ |w| + |w|³/3: convex, with zeros; its prox is the root of a quadratic."""

    def __init__(self, lam):
        self.lam = lam

    def value(self, w):
        return self.lam * (abs(w) + abs(w) ** 3 / 3).sum()

    def prox(self, w, step):
        s = step * self.lam
        left = w - w.clip(-s, s)  # |u| + s u² = |w| − s
        return 2 * left / (1 + (1 + 4 * s * abs(left)) ** 0.5)


@pytest.mark.parametrize("penalty", [Sparse(0.1), Huber(0.1)], ids=repr)
def test_attached_to_an_optimizer_it_is_what_is_minimised(penalty):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    model = torch.nn.Linear(6, 1).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.5)
    reg = sw.attach(optimizer, model, penalty)
    for _ in range(300):
        optimizer.zero_grad()
        (0.5 * (model(x)[:, 0] - y) ** 2).mean().backward()
        optimizer.step()
    linear = sw.PenalizedRegressor(penalty, tol=1e-10).fit(X, Y)
    np.testing.assert_allclose(model.weight.detach().numpy()[0], linear.coef_, atol=1e-6)
    assert reg.zeros()["weight"] == np.count_nonzero(linear.coef_ == 0) == (3 if isinstance(penalty, Sparse) else 0)
    assert "Sparse" in str(reg) or "Huber" in str(reg)


def test_a_class_without_lam_value_or_prox_says_what_is_missing():
    class Nothing(Penalty):
        """Empty."""

    with pytest.raises(AttributeError, match=r"does not define λ; set self\.lam in __init__"):
        2 * Nothing()
    with pytest.raises(TypeError, match="Nothing has no value; a penalty class must define value"):
        Nothing().value(X)
    with pytest.raises(TypeError, match="Nothing has no closed-form prox"):
        Nothing().prox(X, 1.0)


# --- from a function -----------------------------------------------------------------------------------------------------
def smooth_l1(w):
    return (w * w + 1e-2).sqrt().sum()


def test_a_function_becomes_a_penalty_with_its_gradient_by_autograd():
    torch = pytest.importorskip("torch")
    penalty = Penalty.from_function(smooth_l1, lam=0.3)
    w = np.array([1.0, -2.0, 0.0])
    slope = 0.3 * w / np.sqrt(w * w + 1e-2)
    assert penalty.value(w) == pytest.approx(0.3 * np.sqrt(w * w + 1e-2).sum())
    np.testing.assert_allclose(penalty.violation(w, -slope), 0, atol=1e-15)
    leaf = torch.tensor(w, requires_grad=True)
    penalty.value(leaf).backward()
    np.testing.assert_allclose(leaf.grad.numpy(), slope)
    assert (2 * penalty).value(w) == pytest.approx(2 * penalty.value(w))
    assert penalty.lambda_max(w) == np.inf  # smooth: never exactly zero
    assert penalty.latex() == r"0.3 \, \mathrm{smooth_l1}(w)"
    with pytest.raises(TypeError, match=r"The function smooth_l1 has no prox; add its value to the loss"):
        penalty.prox(w, 1.0)


def test_declared_elementwise_it_has_a_prox_to_the_last_bits():
    torch = pytest.importorskip("torch")
    penalty, w = Penalty.from_function(smooth_l1, lam=0.3, elementwise=True), np.array([1.0, -2.0, 0.0, 0.01, 50.0])
    for step in (0.0, 0.5, np.array([0.1, 1.0, 2.0, 0.0, 9.0])):
        u = penalty.prox(w, step)
        np.testing.assert_allclose(u + step * 0.3 * u / np.sqrt(u * u + 1e-2), w, rtol=1e-14, atol=1e-15)
    single = penalty.prox(torch.tensor(w, dtype=torch.float32), 0.5)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), penalty.prox(w, 0.5), rtol=1e-6, atol=1e-7)
    with torch.no_grad():
        assert torch.equal(penalty.prox(torch.tensor(w), 0.5), torch.tensor(penalty.prox(w, 0.5)))


def test_a_function_in_a_linear_model_and_attached_to_an_optimizer():
    torch = pytest.importorskip("torch")
    penalty = Penalty.from_function(smooth_l1, lam=0.1, elementwise=True)
    model = sw.PenalizedRegressor(penalty, tol=1e-10).fit(X, Y)
    g = X.T @ (X @ model.coef_ + model.intercept_ - Y) / 80
    np.testing.assert_allclose(g, -0.1 * model.coef_ / np.sqrt(model.coef_**2 + 1e-2), atol=1e-7)
    assert np.count_nonzero(model.coef_) == 6  # no exact zeros
    layer = torch.nn.Linear(6, 1).double()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.3)
    sw.attach(optimizer, layer, penalty)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    for _ in range(90):
        optimizer.zero_grad()
        (0.5 * (layer(x)[:, 0] - y) ** 2).mean().backward()
        optimizer.step()
    np.testing.assert_allclose(layer.weight.detach().numpy()[0], model.coef_, atol=1e-5)


def test_functions_that_cannot_be_penalties_are_refused_in_a_sentence():
    pytest.importorskip("torch")
    with pytest.raises(TypeError, match="Expected a function of the weights, got float"):
        Penalty.from_function(0.1)
    with pytest.raises(TypeError, match="to return a torch scalar, got shape"):
        Penalty.from_function(lambda w: w * w).value(np.ones(3))
    with pytest.raises(TypeError, match="to return a torch scalar, got float"):
        Penalty.from_function(lambda w: float((w * w).sum())).value(np.ones(3))
    with pytest.raises(TypeError, match="but f detaches its result"):
        Penalty.from_function(lambda w: (w.detach() ** 2).sum()).violation(np.ones(3), np.ones(3))


class DeclaresItsFamily(sw.Penalty):
    """λ Σ (|w| + ½ w²), which says so by `family` alone."""

    def __init__(self, lam):
        self.lam = lam

    def value(self, w):
        return self.lam * (abs(w) + 0.5 * w * w).sum()

    def prox(self, w, step):
        t = step * self.lam
        return (w - w.clip(-t, t)) / (1 + t)

    def family(self, w):
        return Pieces(kinks=((self.lam, None),), b=self.lam)


def test_a_declared_family_gets_the_solver_of_that_family():
    for own in (
        DeclaresItsFamily(0.1),
        2.0 * DeclaresItsFamily(0.05),
        DeclaresItsFamily(0.05) + sw.ElasticNet(0.1, 0.5),
    ):
        assert inner_solver(own, (5,)).kind == "l1_l2"
