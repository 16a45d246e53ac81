"""The normal map of one tensor: w = prox(z), its threshold, and the ratchet."""

from __future__ import annotations

import copy

import pytest
import torch

import shrinkwise as sw
from shrinkwise.networks.terms.normal_map import NormalMap

SHAPE = (4, 6)
PENALTIES = {
    "L1": sw.L1(0.3),
    "weighted L1": sw.L1(0.3, weights=[0.0, 1.0, 2.0, 3.0, 0.5, 1.0]),
    "L2": sw.L2(0.3),
    "ElasticNet": sw.ElasticNet(0.3, 0.4),
    "L1 + L2": sw.L1(0.3) + sw.L2(0.2),
    "columns": sw.GroupLasso(0.3, groups=sw.Groups.columns()),
    "rows, weighted": sw.GroupLasso(0.3, groups=sw.Groups.rows(), weights=[0.0, 1.0, 2.0, 3.0]),
    "sparse groups": sw.L1(0.1) + sw.GroupLasso(0.3, groups=sw.Groups.columns()),
    "fixed term": sw.L1(0.3) + sw.L2(0.2).fixed(),
}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)


def weights(seed=0, zeros=True):
    w = torch.randn(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    if zeros:
        w[:, 1] = 0
    return w


@every_penalty
def test_the_latent_of_w_maps_to_w_and_its_pull_is_a_subgradient(penalty):
    normal_map, w = NormalMap(penalty, SHAPE), weights()
    t = normal_map.threshold(w)
    z = normal_map.latent(w, t)
    torch.testing.assert_close(normal_map.prox(z, t), w, atol=1e-14, rtol=1e-14)
    pull = normal_map.lam / t * (z - w)
    assert float(penalty.violation(w, -pull).max()) <= 1e-12
    assert torch.equal(normal_map.prox(w, 0.0), w)


@every_penalty
def test_the_mean_zeroing_step_is_the_mean_of_what_the_prox_says(penalty):
    normal_map, d = NormalMap(penalty, SHAPE), weights(zeros=False)
    if normal_map.smooth:
        assert penalty == sw.L2(0.3)
        return
    # Counted from the prox itself: the share of parts that survive a step s, integrated over s.
    steps = torch.linspace(0, 30, 3001)[1:]
    parts = (lambda u: u) if penalty.groups is None else penalty.groups.norms
    alive = torch.stack([(parts(normal_map.prox(d, float(s))) != 0).reshape(-1) for s in steps])
    mortal = ~alive[-1]
    counted = float(alive[:, mortal].double().mean(1).sum() * steps[0])
    tolerance = 0.25 if penalty.groups is not None and isinstance(penalty, type(sw.L1(1) + sw.L1(1))) else 0.01
    assert normal_map.mean_zeroing_step(d) == pytest.approx(counted, rel=tolerance)


def test_the_threshold_is_the_mean_size_of_what_can_be_zeroed():
    w = weights(zeros=False)
    assert NormalMap(sw.L1(7.0), SHAPE).threshold(w) == pytest.approx(float(w.abs().mean()))
    columns = NormalMap(sw.GroupLasso(7.0, groups=sw.Groups.columns()), SHAPE).threshold(w)
    assert columns == pytest.approx(float((w.norm(dim=0) / 2).mean()))
    ridge = NormalMap(sw.L2(7.0), SHAPE)
    assert ridge.smooth
    torch.testing.assert_close(ridge.latent(w, ridge.threshold(w)), w * 1.125)
    assert NormalMap(sw.L1(7.0), SHAPE).threshold(torch.zeros(SHAPE)) == 0.0


@every_penalty
@pytest.mark.parametrize("length", [1e-6, 30.0])
def test_the_ratchet_moves_no_weight(penalty, length):
    normal_map, before = NormalMap(penalty, SHAPE), weights(1)
    t = normal_map.threshold(before)
    step = length * torch.ones(SHAPE, dtype=torch.float64)
    z = before + step
    new_z, new_t = normal_map.ratcheted(z, float(normal_map.length(step)), t)
    torch.testing.assert_close(normal_map.prox(new_z, new_t), normal_map.prox(z, t), atol=1e-12, rtol=1e-12)
    if normal_map.smooth or length < 1:
        assert new_t == t
    else:
        assert new_t == pytest.approx(3 * normal_map.mean_zeroing_step(step))


@every_penalty
def test_the_ratchet_gives_a_scale_to_what_starts_at_zero(penalty):
    normal_map, step = NormalMap(penalty, SHAPE), weights(3, zeros=False)
    z, t = normal_map.ratcheted(step, float(normal_map.length(step)), 0.0)
    assert t > 0
    torch.testing.assert_close(normal_map.prox(z, t), step, atol=1e-12, rtol=1e-12)
    assert normal_map.ratcheted(torch.zeros(SHAPE), 0.0, 0.0)[1] == 0.0


def test_a_step_to_nan_or_infinity_leaves_the_threshold_alone():
    normal_map = NormalMap(sw.L1(0.3), SHAPE)
    for value in (float("nan"), float("inf")):
        assert normal_map.ratcheted(torch.full(SHAPE, value), value, 0.5)[1] == 0.5
        assert normal_map.ratcheted(torch.full(SHAPE, value), value, 0.0)[1] == 0.0


@every_penalty
def test_the_penalty_is_kept_in_value_and_copied(penalty):
    w = weights()
    for normal_map in (NormalMap(penalty, SHAPE), copy.deepcopy(NormalMap(penalty, SHAPE))):
        assert float(normal_map.penalty.value(w)) == pytest.approx(float(penalty.value(w)))
        assert normal_map.threshold(w) > 0


@pytest.mark.parametrize(
    ("penalty", "longest"),
    [
        (sw.L1(0.1), float("inf")),
        (sw.MCP(0.1, gamma=4.0), 0.2),  # half of γλ, in units of f = MCP/λ
        (3 * sw.MCP(0.1, gamma=4.0), 0.2),
        (sw.MCP(0.1, gamma=4.0) + sw.L1(0.3), 2.0),  # half of γ: a sum has λ = 1
        (2 * (sw.MCP(0.1, gamma=4.0) + sw.L1(0.3)), 2.0),
        (sw.L1(0.2) + 3 * sw.MCP(0.1, gamma=4.0), 2.0 / 3.0),
        (sw.L1(0.2) + sw.MCP(0.1, gamma=4.0).fixed(), 2.0),
        (sw.L1(0.2) + sw.MCP(0.1, gamma=4.0).on((slice(None), slice(0, 2))), 2.0),
        (sw.GroupMCP(0.1, sw.Groups.columns(), gamma=4.0), 0.2),
    ],
    ids=repr,
)
def test_the_threshold_stays_where_the_prox_is_continuous(penalty, longest):
    normal_map = NormalMap(penalty, SHAPE)
    assert normal_map.longest == pytest.approx(longest)
    t = normal_map.threshold(100 * weights(zeros=False))
    if longest == float("inf"):
        return
    assert t == pytest.approx(longest)
    z = weights()
    line = torch.linspace(0.0, 30.0, 4001, dtype=torch.float64)
    path = torch.stack([normal_map.prox(z / z.abs().max() * s, t)[0, 0] for s in line])
    assert float((path[1:] - path[:-1]).abs().max()) <= 2.5 * float(line[1])  # slopes up to 1/(1 − 1/2)
