"""Losses: derivatives, conjugates, null models, each against its definition by another way."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import mean_poisson_deviance

from shrinkwise.linear.losses import (
    Gamma,
    Huber,
    Logistic,
    Multinomial,
    NegativeBinomial,
    Poisson,
    Quantile,
    Squared,
    SquaredHinge,
    Tweedie,
)

RNG = np.random.default_rng(0)
TARGETS = {
    "squared": (Squared(), RNG.normal(size=40)),
    "huber": (Huber(0.8), 2 * RNG.standard_t(2, size=40)),
    "poisson": (Poisson(), RNG.poisson(2.0, size=40).astype(float)),
    "logistic": (Logistic(), RNG.integers(0, 2, size=40).astype(float)),
    "gamma": (Gamma(), RNG.gamma(2.0, size=40)),
    "tweedie": (Tweedie(1.6), RNG.gamma(2.0, size=40) * RNG.integers(0, 2, size=40)),
    "negative_binomial": (NegativeBinomial(1.5), RNG.negative_binomial(2, 0.4, size=40).astype(float)),
    "quantile": (Quantile(0.3, delta=0.4), RNG.normal(size=40)),
    "squared_hinge": (SquaredHinge(), RNG.integers(0, 2, size=40).astype(float)),
}
SCALAR = pytest.mark.parametrize("name", TARGETS)


@SCALAR
def test_derivatives_are_those_of_the_value(name):
    loss, y = TARGETS[name]
    eta, h = np.linspace(-2.9, 2.7, len(y)), 1e-5
    slope = (loss.value(y, eta + h) - loss.value(y, eta - h)) / (2 * h)
    np.testing.assert_allclose(loss.gradient(y, eta), slope, atol=1e-8)
    bend = (loss.gradient(y, eta + h) - loss.gradient(y, eta - h)) / (2 * h)
    np.testing.assert_allclose(loss.hessian(y, eta), bend, atol=1e-8)
    assert (loss.hessian(y, eta) <= loss.curvature).all()
    assert (loss.model_curvature(y, eta) >= loss.hessian(y, eta)).all()
    assert (loss.model_curvature(y, eta) > 0).all()


@SCALAR
def test_conjugate_is_the_supremum(name):
    loss, y = TARGETS[name]
    eta = np.linspace(-2.9, 2.7, len(y))
    grid = np.linspace(-40, 40, 80_001)[:, None]
    for share in (1.0, 0.7):  # a dual point is made from a gradient by shrinking it
        v = share * loss.gradient(y, eta)
        supremum = (v * grid - loss.value(y, grid)).max(0)
        np.testing.assert_allclose(loss.conjugate(y, v), supremum, atol=1e-5)
    v = loss.gradient(y, eta)
    np.testing.assert_allclose(loss.value(y, eta) + loss.conjugate(y, v), v * eta, atol=1e-12)


@SCALAR
def test_dual_points_are_moved_to_the_domain_and_only_then(name):
    loss, y = TARGETS[name]
    inside = loss.gradient(y, np.linspace(-2, 2, len(y)))
    np.testing.assert_allclose(loss.dual_feasible(y, inside), inside, atol=1e-15)
    moved = loss.dual_feasible(y, inside + 3.0 * RNG.normal(size=len(y)))
    grid = np.linspace(-40, 40, 80_001)[:, None]
    assert ((moved * grid - loss.value(y, grid)).max(0) <= loss.conjugate(y, moved) + 1e-9).all()


@SCALAR
def test_lowest_is_the_least_value(name):
    loss, y = TARGETS[name]
    grid = np.linspace(-40, 40, 80_001)[:, None]
    np.testing.assert_allclose(loss.lowest(y), loss.value(y, grid).min(0), atol=1e-5)


@SCALAR
@pytest.mark.parametrize("seed", range(3))
def test_null_intercept_minimises(name, seed):
    loss, y = TARGETS[name]
    s = np.random.default_rng(seed).uniform(0.1, 3.0, len(y))
    b = loss.null_intercept(y, s)
    found = minimize_scalar(lambda b: s @ loss.value(y, b + 0 * y), bracket=(-1, 1), options={"xtol": 1e-12})
    assert b == pytest.approx(found.x, abs=1e-6)
    assert abs(s @ loss.gradient(y, b + 0 * y)) <= 1e-12 * len(y)


def test_huber_intercept_where_all_slopes_cancel_and_for_one_row():
    loss = Huber(0.5)
    b = loss.null_intercept(np.array([-5.0, 5.0]), np.ones(2))
    assert loss.gradient(np.array([-5.0, 5.0]), b).sum() == 0
    assert loss.null_intercept(np.array([3.0]), np.ones(1)) == pytest.approx(3.0)
    assert loss.null_intercept(np.full(7, 2.5), np.ones(7)) == pytest.approx(2.5)


def test_multinomial_derivatives_and_conjugate():
    loss, rng = Multinomial(), np.random.default_rng(1)
    y, eta, h = rng.integers(0, 4, 30), rng.normal(size=(30, 4)), 1e-5
    H = loss.hessian(y, eta)
    for k in range(4):
        move = h * np.eye(4)[k]
        slope = (loss.value(y, eta + move) - loss.value(y, eta - move)) / (2 * h)
        np.testing.assert_allclose(loss.gradient(y, eta)[:, k], slope, atol=1e-8)
        bend = (loss.gradient(y, eta + move) - loss.gradient(y, eta - move)) / (2 * h)
        np.testing.assert_allclose(H[:, :, k], bend, atol=1e-8)
    v = loss.gradient(y, eta)
    np.testing.assert_allclose(loss.value(y, eta) + loss.conjugate(y, v), (v * eta).sum(1), atol=1e-12)
    moved = loss.dual_feasible(y, v + rng.normal(size=v.shape))
    q = moved + np.eye(4)[y]
    assert q.min() >= -1e-15
    np.testing.assert_allclose(q.sum(1), 1.0)
    # several linear predictors at once, as a path gives them
    many = rng.normal(size=(5, 30, 4))
    np.testing.assert_allclose(loss.value(y, many)[2], loss.value(y, many[2]))


def test_softmax_of_two_classes_is_the_logistic_loss():
    rng = np.random.default_rng(2)
    y, eta = rng.integers(0, 2, 20), rng.normal(size=20)
    both = np.column_stack([0 * eta, eta])
    np.testing.assert_allclose(Multinomial().value(y, both), Logistic().value(y, eta))
    np.testing.assert_allclose(Multinomial().gradient(y, both)[:, 1], Logistic().gradient(y, eta))


def test_huber_is_least_squares_for_a_large_delta():
    y, eta = RNG.normal(size=20), RNG.normal(size=20)
    np.testing.assert_allclose(Huber(100.0).value(y, eta), Squared().value(y, eta))


def test_poisson_score_is_scikit_learns_deviance():
    loss, y = TARGETS["poisson"]
    eta = np.linspace(-1, 1, len(y))
    assert loss.score(y, eta).mean() == pytest.approx(mean_poisson_deviance(y, np.exp(eta)))


def test_extreme_linear_predictors_stay_finite():
    for name in TARGETS:
        loss, y = TARGETS[name]
        for eta in (np.full(len(y), 2000.0), np.full(len(y), -2000.0)):
            for part in (loss.value, loss.gradient, loss.hessian):
                assert np.isfinite(part(y, eta)).all()


@pytest.mark.parametrize("delta", [0, -1.0, np.nan, np.inf, "a"])
def test_huber_refuses_a_delta_that_is_none(delta):
    with pytest.raises(ValueError, match="delta"):
        Huber(delta)


@pytest.mark.parametrize(("y", "words"), [([1.0, -1.0], "y ≥ 0"), ([0.0, 0.0], "above 0"), ([1.0, np.nan], "y ≥ 0")])
def test_poisson_refuses_what_is_no_count(y, words):
    with pytest.raises(ValueError, match=words):
        Poisson().check(np.array(y))
