"""Each value and each dual projection written a second time, from the papers and not from the code."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize, minimize_scalar

import shrinkwise as sw

RNG = np.random.default_rng(3)
W = RNG.normal(size=(5, 4))
C = np.array([1.0, 0.0, 2.0, 0.5])
LABELS = np.array([1, 1, 0, -1])

M = RNG.normal(size=(5, 4))


def integral(slope):
    """Σ_j ∫_0^|w_j| slope: a folded concave penalty from its derivative, as the papers define it."""
    return lambda w: sum(quad(slope, 0.0, abs(x), points=BREAKS, limit=200)[0] for x in w.ravel())


BREAKS = [0.3, 0.75, 0.9, 1.11]


def mcp_slope(lam, gamma):
    """Zhang 2010, (2.1): λ(1 − x/(γλ))₊."""
    return lambda x: lam * max(1 - x / (gamma * lam), 0)


def scad_slope(lam, a):
    """Fan and Li 2001, (2.7): λ{I(x ≤ λ) + (aλ − x)₊/((a−1)λ) I(x > λ)}."""
    return lambda x: lam * (1.0 if x <= lam else max(a * lam - x, 0) / ((a - 1) * lam))


VALUES = [
    (sw.L1(0.3), lambda w: 0.3 * np.abs(w).sum()),
    (sw.L1(0.3, weights=C), lambda w: 0.3 * (C * np.abs(w)).sum()),
    (sw.L2(0.3), lambda w: 0.3 * (w**2).sum()),
    (sw.L2(0.3, weights=C), lambda w: 0.3 * (C * w**2).sum()),
    (sw.L1(0.3, anchor=M), lambda w: 0.3 * np.abs(w - M).sum()),
    (sw.L2(0.3, weights=C, anchor=M), lambda w: 0.3 * (C * (w - M) ** 2).sum()),
    (sw.MCP(0.3), integral(mcp_slope(0.3, 3.0))),
    (sw.MCP(0.5, 1.5), integral(mcp_slope(0.5, 1.5))),
    (sw.SCAD(0.3), integral(scad_slope(0.3, 3.7))),
    (sw.SCAD(0.3, 2.5), integral(scad_slope(0.3, 2.5))),
    (sw.L0(0.3), lambda w: 0.3 * np.count_nonzero(w)),
    (sw.L0(0.3, weights=C), lambda w: 0.3 * (C * (w != 0)).sum()),
    (2.5 * sw.MCP(0.3), lambda w: 2.5 * integral(mcp_slope(0.3, 3.0))(w)),
    (sw.MCP(0.3).on(slice(1, 3)), lambda w: integral(mcp_slope(0.3, 3.0))(w[1:3])),
    (sw.ElasticNet(0.3, 0.2), lambda w: 0.3 * (0.2 * np.abs(w).sum() + 0.8 / 2 * (w**2).sum())),
    (
        sw.GroupLasso(0.3, sw.Groups.columns()),
        lambda w: 0.3 * sum(np.sqrt(5) * np.linalg.norm(w[:, j]) for j in range(4)),
    ),
    (sw.GroupLasso(0.3, sw.Groups.rows()), lambda w: 0.3 * sum(np.sqrt(4) * np.linalg.norm(w[i]) for i in range(5))),
    (
        sw.GroupLasso(0.3, LABELS, weights=[7.0, 11.0]),
        lambda w: 0.3 * (7.0 * np.linalg.norm(w[:, 2]) + 11.0 * np.linalg.norm(w[:, :2])),
    ),
    (2.0 * (sw.L1(0.1) + sw.L2(0.2).fixed()), lambda w: 0.2 * np.abs(w).sum() + 0.2 * (w**2).sum()),
]


@pytest.mark.parametrize(("penalty", "formula"), VALUES, ids=[repr(p) for p, _ in VALUES])
def test_value_is_the_formula(penalty, formula):
    assert penalty.value(W) == pytest.approx(formula(W), rel=1e-12)


def test_weights_are_factors_of_lam_also_where_the_shape_depends_on_lam():
    for kind in (sw.L1, sw.L2, sw.ElasticNet, sw.MCP, sw.SCAD, sw.L0):
        apart = sum(kind(0.3 * c).value(W[:, j]) for j, c in enumerate(C))
        assert kind(0.3, weights=C).value(W) == pytest.approx(apart, rel=1e-13)
        parts = np.stack([kind(0.3 * c).prox(W[:, j], 0.8) for j, c in enumerate(C)], 1)
        np.testing.assert_allclose(kind(0.3, weights=C).prox(W, 0.8), parts, rtol=1e-13)


def global_minimiser(value, w, step):
    """The best of a fine grid and all its local refinements, one weight at a time."""
    out = []
    for x in w:

        def cost(u, x=x):
            return (u - x) ** 2 / (2 * step) + value(np.array([u]))

        grid = np.linspace(-abs(x) - 1, abs(x) + 1, 801)
        starts = grid[np.argsort([cost(u) for u in grid])[:3]]
        found = [
            minimize_scalar(cost, bounds=(u - 0.02, u + 0.02), method="bounded", options={"xatol": 1e-12}).x
            for u in starts
        ]
        out.append(min([*found, 0.0, x], key=cost))
    return np.array(out)


@pytest.mark.one_in(7)
@pytest.mark.parametrize("step", [0.5, 1.0, 1.49, 1.5, 1.51, 2.0, 2.7, 3.5, 5.0, 20.0])
@pytest.mark.parametrize(
    "penalty",
    [sw.MCP(0.5, 1.5), sw.SCAD(0.3), sw.SCAD(0.4, 2.5), sw.L0(0.2), 0.7 * sw.MCP(0.5, 1.5), sw.L1(0.3, anchor=0.7)],
    ids=repr,
)
def test_prox_is_the_global_minimiser_in_every_regime_of_the_step(penalty, step):
    # Points between the thresholds; at a threshold both sides cost the same and either is right.
    w = np.array([0.07, -0.33, 0.61, 0.87, -1.13, 1.41, 1.77, -2.36, 3.9])
    ours, best = penalty.prox(w, step), global_minimiser(penalty.value, w, step)
    costs = [
        [(u - x) ** 2 / (2 * step) + penalty.value(np.array([u])) for u, x in zip(v, w, strict=True)]
        for v in (ours, best)
    ]
    np.testing.assert_array_less(costs[0], np.array(costs[1]) + 1e-12)
    np.testing.assert_allclose(ours, best, atol=2e-5)
    steps = np.full(9, step)
    np.testing.assert_array_equal(penalty.prox(w, steps), ours)


def test_fixed_terms_do_not_move_along_a_path_and_the_others_do():
    penalty = sw.L1(0.5) + sw.L2(0.25).fixed()
    assert penalty.lam == 1
    assert penalty.with_lam(4.0).value(W) == pytest.approx(2.0 * np.abs(W).sum() + 0.25 * (W**2).sum())


def test_elastic_net_is_the_sum_it_stands_for():
    net, parts = sw.ElasticNet(0.6, 0.3), sw.L1(0.6 * 0.3) + sw.L2(0.6 * 0.7 / 2)
    assert net.value(W) == pytest.approx(parts.value(W), rel=1e-14)
    np.testing.assert_allclose(net.prox(W, 0.7), parts.prox(W, 0.7), rtol=1e-14)
    assert net.conjugate(W) == pytest.approx(parts.conjugate(W), rel=1e-13)


def test_weight_decay_converts_with_its_factor_two():
    torch = pytest.importorskip("torch")
    w = torch.tensor([3.0, -2.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0, weight_decay=0.1)
    w.grad = torch.zeros(2)
    optimizer.step()  # w − 1.0 · 0.1 w
    gradient = torch.tensor([3.0, -2.0], requires_grad=True)
    sw.L2.from_weight_decay(0.1).value(gradient).backward()
    torch.testing.assert_close(gradient.grad, torch.tensor([3.0, -2.0]) - w.detach())


def project_on_dual_ball(penalty, u):
    """Euclidean projection on {u : conjugate(u) = 0} of the norms, coded from their dual norms."""
    if isinstance(penalty, sw.L1):
        return np.minimum(np.maximum(u, -penalty.lam), penalty.lam)
    out = u.copy()
    for j in range(u.shape[1]):
        radius, norm = penalty.lam * np.sqrt(len(u)), np.linalg.norm(u[:, j])
        out[:, j] *= min(1.0, radius / norm)
    return out


@pytest.mark.parametrize("penalty", [sw.L1(0.4), sw.GroupLasso(0.4, sw.Groups.columns())], ids=repr)
@pytest.mark.parametrize("step", [0.3, 1.0, 2.0])
def test_moreau_with_the_projection_on_the_dual_ball(penalty, step):
    np.testing.assert_allclose(penalty.prox(W, step), W - step * project_on_dual_ball(penalty, W / step), atol=1e-14)


@pytest.mark.parametrize(
    "penalty",
    [
        sw.L2(0.4),
        sw.ElasticNet(0.5, 0.3),
        sw.L1(0.1) + sw.L2(0.3) + sw.GroupLasso(0.2, [0, 0, 1]),
        sw.L2(0.4, anchor=[0.5, -1.0, 0.0]),
        sw.L1(0.5) + sw.L1(1.2, anchor=[0.5, -1.0, 0.25]),
        sw.L1(0.5) + sw.L2(0.2, weights=[1.0, 2.0, 0.5], anchor=[0.5, -1.0, 0.0]) + sw.GroupLasso(0.3, [0, 0, 0]),
    ],
    ids=repr,
)
def test_conjugate_is_the_supremum(penalty):
    u = np.array([0.9, -1.4, 0.3])
    options = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20000}
    starts = (np.full(3, 0.4), -np.ones(3), np.array([0.5, -1.0, 0.1]))
    best = min(
        minimize(lambda w: min(penalty.value(w) - u @ w, 1e9), x, method="Nelder-Mead", options=options).fun
        for x in starts
    )
    assert penalty.conjugate(u) == pytest.approx(-best, rel=1e-7)
