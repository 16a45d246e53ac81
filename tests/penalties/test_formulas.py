"""Each value and each dual projection written a second time, from the papers and not from the code."""

import numpy as np
import pytest

import shrinkwise as sw

RNG = np.random.default_rng(3)
W = RNG.normal(size=(5, 4))
C = np.array([1.0, 0.0, 2.0, 0.5])
LABELS = np.array([1, 1, 0, -1])

VALUES = [
    (sw.L1(0.3), lambda w: 0.3 * np.abs(w).sum()),
    (sw.L1(0.3, weights=C), lambda w: 0.3 * (C * np.abs(w)).sum()),
    (sw.L2(0.3), lambda w: 0.3 * (w**2).sum()),
    (sw.L2(0.3, weights=C), lambda w: 0.3 * (C * w**2).sum()),
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
    assert penalty.value(W) == pytest.approx(formula(W), rel=1e-14)


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
    "penalty", [sw.L2(0.4), sw.ElasticNet(0.5, 0.3), sw.L1(0.1) + sw.L2(0.3) + sw.GroupLasso(0.2, [0, 0, 1])], ids=repr
)
def test_conjugate_is_the_supremum(penalty):
    from scipy.optimize import minimize

    u = np.array([0.9, -1.4, 0.3])
    options = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20000}
    starts = (np.ones(3), -np.ones(3), np.array([1.0, -1.0, 0.1]))
    best = min(
        minimize(lambda w: penalty.value(w) - u @ w, x, method="Nelder-Mead", options=options).fun for x in starts
    )
    assert penalty.conjugate(u) == pytest.approx(-best, rel=1e-7)
