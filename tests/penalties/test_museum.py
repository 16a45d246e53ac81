"""The bug museum: each test makes impossible what was found in a respected package, and is named after it."""

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise.linear.paths.api import lambda_max
from shrinkwise.linear.problem.problem import Problem

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(12)
X = RNG.normal(size=(60, 6)) * np.array([1.0, 2.0, 0.5, 1.0, 1.0, 3.0])
Y = X @ np.array([1.5, 0.0, 0.0, -2.0, 0.0, 0.3]) + 0.5 * RNG.normal(size=60)
CLASSES = np.digitize(Y, [-1.5, 1.5])
TARGETS = {"squared": Y, "logistic": (Y > 0).astype(float), "multinomial": CLASSES}
C = np.array([1.0, 0.5, 2.0, 0.0, 1.0, 0.3])
LABELS = [0, 0, 1, 1, 2, -1]


# --- ½ or 1/n differs between the docstring and the code ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("penalty", "slope_at_2"),
    [
        (sw.L1(0.7), 0.7),  # λ
        (sw.L2(0.7), 2 * 0.7 * 2),  # 2λw: no ½
        (sw.ElasticNet(0.7, 0.25), 0.7 * (0.25 + 0.75 * 2)),  # λ(ρ + (1−ρ)w): a ½ in the L2 part
        (sw.MCP(0.7, 4.0), 0.7 - 2 / 4),  # λ − w/γ
        (sw.SCAD(0.7, 4.0), (4 * 0.7 - 2) / 3),  # (aλ − w)/(a − 1)
        (sw.GroupLasso(0.7, [0]), 0.7),
    ],
    ids=repr,
)
def test_a_half_lost_between_docstring_value_prox_and_gradient(penalty, slope_at_2):
    w = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(penalty.value(w), w)
    assert float(g) == pytest.approx(slope_at_2, rel=1e-12)
    assert float(penalty.violation(w.detach(), torch.zeros(1, dtype=torch.float64))) == pytest.approx(
        slope_at_2, rel=1e-12
    )
    step = 0.1
    p = penalty.prox(np.array([2.0 + step * slope_at_2]), step)  # the prox goes back along its own subgradient
    assert float(p[0]) == pytest.approx(2.0, rel=1e-12)


# --- λ_max forgets l1_ratio, weights, the loss or the groups -------------------------------------------------------------
KINKED = {
    "L1": sw.L1(1.0),
    "L1 weighted": sw.L1(1.0, weights=C),
    "ElasticNet": sw.ElasticNet(1.0, 0.3),
    "ElasticNet weighted": sw.ElasticNet(1.0, 0.3, weights=C),
    "GroupLasso": sw.GroupLasso(1.0, LABELS),
    "SparseGroupLasso": sw.SparseGroupLasso(1.0, LABELS, 0.4),
    "L1 + L2 + group": sw.L1(0.5) + sw.L2(0.3) + sw.GroupLasso(0.7, [0, 0, 1, 1, 2, 2]),
    "L1 on a part": sw.L1(1.0).on((..., slice(0, 4))),
    "MCP": sw.MCP(1.0),
    "SCAD weighted": sw.SCAD(1.0, weights=C),
}


@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", KINKED)
def test_lambda_max_that_forgets_the_ratio_the_weights_the_loss_or_the_groups(name, loss, fit_intercept):
    penalty, y = KINKED[name], TARGETS[loss]
    problem = Problem(X, y, loss, None, fit_intercept)
    top = lambda_max(problem, penalty)
    path = sw.path(X, y, penalty, loss=loss, lambdas=[top, 0.99 * top], fit_intercept=fit_intercept)
    penalised = ~penalty.unpenalised(problem.weights_shape)
    assert (path.coefs[0][penalised] == 0).all()
    assert (path.coefs[1][penalised] != 0).any()


@pytest.mark.parametrize("name", KINKED)
def test_a_constant_target_that_becomes_nan(name):
    path = sw.path(X, np.full(60, 3.0), KINKED[name], n_lambdas=3)
    assert (path.coefs == 0).all()
    assert path.intercepts == pytest.approx(3.0)


# --- 0/0 in a prox or a gradient ---------------------------------------------------------------------------------------------
EVERY = {
    **KINKED,
    "L2": sw.L2(1.0),
    "L0": sw.L0(1.0),
    "2 * SCAD": 2 * sw.SCAD(1.0),
    "L2 anchored": sw.L2(1.0, anchor=0.0),
}


@pytest.mark.parametrize("lam", [0.0, 1.0])
@pytest.mark.parametrize("name", EVERY)
def test_nan_for_a_zero_weight_or_at_lam_zero(name, lam):
    penalty = EVERY[name].with_lam(lam)
    w = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(penalty.value(w), w)
    assert torch.equal(g, torch.zeros(6, dtype=torch.float64))
    for step in (0.0, 1.0, np.zeros(6), np.array([0.0, 1.0, 0.0, 2.0, 0.5, 0.0])):
        assert not penalty.prox(np.zeros(6), step).any()


@pytest.mark.parametrize("size", [1.0, 1e-30])
def test_nan_for_groups_of_one_entry(size):
    w = size * np.array([1.0, 0.0, -2.0])
    singles = sw.GroupLasso(0.4 * size, [0, 1, 2])
    np.testing.assert_allclose(singles.prox(w, 1.0), sw.L1(0.4 * size).prox(w, 1.0), rtol=1e-14)
    assert singles.value(w) == pytest.approx(sw.L1(0.4 * size).value(w))


# --- a penalty or a setting that never acts ----------------------------------------------------------------------------------
KNOBS = {
    "L1 lam": (sw.L1(0.2), sw.L1(0.1)),
    "L1 weights": (sw.L1(0.2), sw.L1(0.2, weights=C)),
    "L1 anchor": (sw.L1(0.2), sw.L1(0.2, anchor=[2.0, 0, 0, -3, 0, 0])),
    "L2 lam": (sw.L2(0.2), sw.L2(0.1)),
    "L2 weights": (sw.L2(0.2), sw.L2(0.2, weights=C)),
    "L2 anchor": (sw.L2(0.2), sw.L2(0.2, anchor=[1.0, 0, 0, -1, 0, 0])),
    "ElasticNet l1_ratio": (sw.ElasticNet(0.2, 0.3), sw.ElasticNet(0.2, 0.8)),
    "ElasticNet weights": (sw.ElasticNet(0.2), sw.ElasticNet(0.2, weights=C)),
    "MCP lam": (sw.MCP(0.4), sw.MCP(0.2)),
    "MCP gamma": (sw.MCP(0.4, 3.0), sw.MCP(0.4, 30.0)),
    "MCP weights": (sw.MCP(0.4), sw.MCP(0.4, weights=C)),
    "SCAD lam": (sw.SCAD(0.4), sw.SCAD(0.2)),
    "SCAD a": (sw.SCAD(0.4, 3.7), sw.SCAD(0.4, 40.0)),
    "SCAD weights": (sw.SCAD(0.4), sw.SCAD(0.4, weights=C)),
    "L0 lam": (sw.L0(0.001), sw.L0(1.0)),
    "L0 weights": (sw.L0(1.0), sw.L0(1.0, weights=C)),
    "group weights": (sw.GroupLasso(0.1, LABELS), sw.GroupLasso(0.1, LABELS, weights=[1.0, 2.0, 3.0])),
    "groups": (sw.GroupLasso(0.1, LABELS), sw.GroupLasso(0.1, [0, 1, 2, 0, 1, 2])),
    "a multiple": (sw.MCP(0.2), 2 * sw.MCP(0.2)),
    "the part": (sw.L1(0.2).on(slice(0, 3)), sw.L1(0.2).on(slice(2, 5))),
    "a fixed term": (sw.L1(0.2) + sw.L2(0.1).fixed(), sw.L1(0.2) + sw.L2(0.5).fixed()),
}


@pytest.mark.parametrize("knob", KNOBS)
def test_a_dead_knob(knob):
    fits = [sw.path(X, Y, penalty, lambdas=[penalty.lam]).coefs[0] for penalty in KNOBS[knob]]
    assert abs(fits[0] - fits[1]).max() > 1e-3


def test_a_penalty_computed_from_data_so_that_it_has_no_gradient():
    layer = torch.nn.Linear(6, 3)
    for penalty in (sw.L1(0.1), sw.MCP(0.1), sw.L1(0.1) + sw.GroupLasso(0.1, sw.Groups.columns()), sw.L2(0.1).on(0)):
        layer.zero_grad()
        penalty.value(layer.weight).backward()
        assert layer.weight.grad.any()


def test_a_group_penalty_that_is_a_rescaled_l2():
    w = np.array([[0.1, 3.0], [0.1, 4.0]])
    p = sw.GroupLasso(1.0, sw.Groups.columns(), weights=[1.0, 1.0]).prox(w, 1.0)
    np.testing.assert_array_equal(p[:, 0], 0)  # a weak group goes as one
    np.testing.assert_allclose(p[:, 1], w[:, 1] * (1 - 1 / 5))  # a strong one loses length 1, not a share


# --- wrong with zero weights -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [sw.L1, sw.ElasticNet, sw.MCP, sw.SCAD])
def test_a_zero_factor_that_is_not_no_penalty(kind):
    model = sw.PenalizedRegressor(kind(0.5, weights=C), tol=1e-10).fit(X, Y)
    g = X.T @ (X @ model.coef_ + model.intercept_ - Y) / 60
    assert abs(g[3]) < 1e-7
    assert (model.coef_[[1, 2, 4]] == 0).all()


# --- limits that must agree ------------------------------------------------------------------------------------------------
def test_limits_that_do_not_meet():
    w = np.linspace(-3, 3, 25)
    np.testing.assert_allclose(sw.MCP(0.5, 1e12).prox(w, 0.7), sw.L1(0.5).prox(w, 0.7), atol=1e-11)
    np.testing.assert_allclose(sw.SCAD(0.5, 1e12).prox(w, 0.7), sw.L1(0.5).prox(w, 0.7), atol=1e-11)
    np.testing.assert_array_equal(sw.ElasticNet(0.5, 1.0).prox(w, 0.7), sw.L1(0.5).prox(w, 0.7))
    np.testing.assert_allclose(sw.ElasticNet(0.5, 0.0).prox(w, 0.7), sw.L2(0.25).prox(w, 0.7), rtol=1e-14)
    # For steps ≥ γ MCP is the count of weights, each at its flat height γλ²/2.
    np.testing.assert_array_equal(sw.MCP(0.5, 2.0).prox(w, 3.0), sw.L0(0.25).prox(w, 3.0))


def test_lam_zero_that_is_not_the_plain_model():
    plain = np.linalg.lstsq(np.c_[X, np.ones(60)], Y, rcond=None)[0][:6]
    for name, penalty in EVERY.items():
        coef = sw.PenalizedRegressor(penalty.with_lam(0.0), tol=1e-12).fit(X, Y).coef_
        np.testing.assert_allclose(coef, plain, atol=1e-6, err_msg=name)


# --- state that leaks ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", EVERY)
def test_a_prox_or_a_path_that_changes_what_it_was_given(name):
    penalty, before = EVERY[name], repr(EVERY[name])
    w = RNG.normal(size=6)
    copy = w.copy()
    p = penalty.prox(w, 0.0)
    assert not np.shares_memory(p, w)
    penalty.prox(w, 1.0), penalty.value(w), penalty.violation(w, w), penalty.with_lam(7.0)
    np.testing.assert_array_equal(w, copy)
    assert repr(penalty) == before


@pytest.mark.parametrize("name", EVERY)
def test_a_numpy_lam_that_changes_the_dtype(name):
    penalty = EVERY[name].with_lam(np.float64(0.3))
    w = RNG.normal(size=6).astype(np.float32)
    assert penalty.prox(w, np.float64(0.5)).dtype == np.float32
    assert penalty.prox(w, np.full(6, 0.5)).dtype == np.float32
    assert penalty.violation(w, w).dtype == np.float32
    tensor = torch.from_numpy(w)
    assert penalty.prox(tensor, np.float64(0.5)).dtype == torch.float32
    assert penalty.value(tensor).dtype == torch.float32
