"""Towards a point: L1 and L2 with an anchor."""

import numpy as np
import pytest

import shrinkwise as sw

RNG = np.random.default_rng(8)
X = RNG.normal(size=(50, 5))
Y = X @ np.array([1.0, -2.0, 0.0, 0.5, 3.0]) + 0.5 * RNG.normal(size=50)
M = np.array([1.0, -1.0, 0.5, 0.0, 2.0])


def test_anchored_ridge_is_ridge_on_what_the_anchor_leaves():
    anchored = sw.PenalizedRegressor(sw.L2(0.3, anchor=M), tol=1e-12).fit(X, Y)
    plain = sw.PenalizedRegressor(sw.L2(0.3), tol=1e-12).fit(X, Y - X @ M)
    np.testing.assert_allclose(anchored.coef_, plain.coef_ + M, atol=1e-7)
    assert anchored.duality_gap_ <= 1e-12


@pytest.mark.parametrize("kind", [sw.L1, sw.L2])
def test_every_member_is_the_plain_one_at_w_minus_the_anchor(kind):
    w, u = RNG.normal(size=5), RNG.normal(size=5)
    c = np.array([1.0, 0.0, 2.0, 0.5, 1.0])
    anchored, plain = kind(0.3, weights=c, anchor=M), kind(0.3, weights=c)
    assert anchored.value(w) == pytest.approx(plain.value(w - M), rel=1e-14)
    np.testing.assert_allclose(anchored.prox(w, 0.7), plain.prox(w - M, 0.7) + M, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(anchored.violation(w, u), plain.violation(w - M, u), rtol=1e-13)
    u = 0.1 * u * (c > 0)
    assert anchored.conjugate(u) == pytest.approx(plain.conjugate(u) + u @ M, rel=1e-13)


def test_small_departures_become_exactly_none():
    w = M + np.array([0.1, -0.1, 0.05, 1e-9, 1.0])
    p = sw.L1(0.3, anchor=M).prox(w, 0.5)
    np.testing.assert_array_equal(p[:4], M[:4])
    assert p[4] == pytest.approx(M[4] + 0.85)


def test_lambda_max_is_infinite_where_a_penalised_weight_is_drawn_elsewhere():
    g = np.array([0.1, 0.2, -0.3, 0.4, 0.5])
    for kind in (sw.L1, sw.L2):
        assert kind(1.0, anchor=M).lambda_max(g) == np.inf
        assert kind(1.0, anchor=M, weights=1.0 * (M == 0)).lambda_max(0 * g) == 0.0
    assert sw.L1(1.0, anchor=M, weights=1.0 * (M == 0)).lambda_max(g) == 0.4
    assert sw.L1(1.0, anchor=0 * M).lambda_max(g) == 0.5


def test_coordinate_descent_is_told_nothing_it_would_get_wrong():
    assert sw.L1(1.0, anchor=M).l1_l2((5,)) is None
    assert sw.L2(1.0, anchor=M).l1_l2((5,)) is None
    assert (sw.L1(1.0) + sw.L2(1.0, anchor=M)).l1_l2((5,)) is None
    assert sw.L1(1.0).l1_l2((5,)) is not None


@pytest.mark.parametrize("kind", [sw.L1, sw.L2])
def test_initial_waits_for_its_weights_and_says_so(kind):
    penalty = kind(0.3, anchor="initial")
    for call in (
        lambda: penalty.value(M),
        lambda: penalty.prox(M, 1.0),
        lambda: penalty.violation(M, M),
        lambda: penalty.conjugate(M),
    ):
        with pytest.raises(ValueError, match=r"needs the initial weights; attach sets them, .*resolve"):
            call()
    assert repr(penalty) == f"{kind.__name__}(0.3, anchor='initial')"
    start = RNG.normal(size=5)
    resolved = penalty.resolve(start)
    assert resolved.value(start) == 0
    start += 1.0  # a copy is kept
    assert resolved.value(start) > 0
    assert resolved.resolve(0 * start) is resolved
    assert penalty.anchor == "initial"


def test_terms_inside_of_others_are_resolved_too():
    torch = pytest.importorskip("torch")
    start = torch.arange(6.0).reshape(2, 3)
    penalty = 2 * (
        sw.L1(0.1) + sw.L2(0.3, anchor="initial").fixed() + sw.L1(0.2, anchor="initial").on((slice(None), 0))
    )
    resolved = penalty.resolve(start)
    expected = 0.2 * abs(start).sum() + 0.3 * 6 * 0.25 + 0.4 * 2 * 0.5
    torch.testing.assert_close(
        resolved.value(start + 0.5) - 0.2 * abs(start + 0.5).sum() + 0.2 * abs(start).sum(), expected
    )
    assert sw.MCP(0.1).resolve(start) == sw.MCP(0.1)


def test_fine_tuning_stays_at_the_start_when_the_pull_is_strong():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer = torch.nn.Linear(5, 1).double()
    start = layer.weight.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.05)
    sw.attach(optimizer, layer, sw.L1(100.0, anchor="initial").resolve(layer.weight))
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    for _ in range(20):
        optimizer.zero_grad()
        ((layer(x)[:, 0] - y) ** 2).mean().backward()
        optimizer.step()
    assert torch.equal(layer.weight.detach(), start)
