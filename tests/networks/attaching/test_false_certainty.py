"""What must not be called enforced, accepted or loaded: dead networks, scale invariance, λ after a refit, other penalties."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import shrinkwise as sw

ENTROPY = nn.functional.cross_entropy


def images():
    torch.manual_seed(0)
    x = torch.randn(256, 3, 6, 6)
    return x, (x[:, 0].mean((1, 2)) > 0).long()


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d, lambda c: nn.GroupNorm(2, c)])
def test_a_convolution_before_a_normalisation_is_named_however_small_its_weights(norm):
    x, y = images()
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), norm(8), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    )
    with torch.no_grad():
        model[0].weight.mul_(
            0.02
        )  # as a penalty leaves them: their variance is beside the epsilon of the normalisation
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    reg = sw.attach(optimizer, model, sw.networks.rule(sw.L1(0.01), names="0.weight"))
    buffers = [b.clone() for b in model.buffers()]
    epsilon = model[1].eps
    certificate = reg.certificate(ENTROPY, [(x, y)])
    assert certificate.tensors[0].scale_invariant
    assert "does not depend on the scale of 0.weight" in certificate.status
    assert "enforced" not in certificate.status
    assert "train longer" not in certificate.status
    assert model[1].eps == epsilon
    assert all(torch.equal(a, b) for a, b in zip(buffers, model.buffers(), strict=True))


def test_a_dead_network_is_not_called_enforced():
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    reg = sw.attach(torch.optim.Adam(model.parameters()), model, sw.L1(1.0))
    x = torch.randn(20, 4)
    status = reg.certificate(lambda out, y: (out - y).square().mean(), [(x, x[:, :1])]).status
    assert "dead" in status
    assert "enforced: " not in status


def test_an_empty_lasso_whose_gradient_is_there_is_enforced():
    model = nn.Linear(4, 1)
    with torch.no_grad():
        model.weight.zero_()
    reg = sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, sw.L1(100.0))
    x = torch.randn(20, 4)
    status = reg.certificate(lambda out, y: (out - y).square().mean(), [(x, x[:, :1])]).status
    assert status.startswith("λ is enforced")


def test_one_dead_layer_is_named():
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.fill_(-1.0)
    reg = sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, sw.networks.rule(sw.L1(1.0), names="*.weight"))
    x = torch.randn(20, 4)
    status = reg.certificate(lambda out, y: (out - y).square().mean(), [(x, x[:, :1])]).status
    assert "All of 0.weight is zero and no gradient" in status


def attached(penalty):
    torch.manual_seed(0)
    model = nn.Linear(5, 3)
    optimizer = torch.optim.Adam(model.parameters())
    reg = sw.attach(optimizer, model, penalty)
    model(torch.ones(2, 5)).sum().backward()
    optimizer.step()
    return model, optimizer, reg


@pytest.mark.parametrize("change", [lambda reg: reg.refit(), lambda reg: reg.detach()], ids=["refit", "detach"])
def test_lambda_without_effect_is_refused(change):
    _, _, reg = attached(sw.L1(0.1))
    change(reg)
    with pytest.raises(ValueError, match=r"off since refit\(\)|detached"):
        reg.set_lam(1.0)


@pytest.mark.parametrize(
    "other", [sw.GroupLasso(0.1, groups=sw.Groups.rows()), sw.L2(0.1), sw.L1(0.1, weights=[[1.0] * 5] * 3)]
)
def test_a_checkpoint_of_another_penalty_is_refused(other):
    _, optimizer, _ = attached(sw.L1(0.1))
    _, here, _ = attached(other)
    with pytest.raises(ValueError, match="saved with L1"):
        here.load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize(
    ("saved", "here"),
    [
        (sw.L1(0.1, weights=[[1.0] * 5] * 3), sw.L1(0.1, weights=[[1.0] * 4 + [2.0]] * 3)),
        (
            sw.GroupLasso(0.1, groups=sw.Groups([[0] * 5, [1] * 5, [2] * 5])),
            sw.GroupLasso(0.1, groups=sw.Groups([[0, 1, 2, 0, 1]] * 3)),
        ),
    ],
    ids=["weights", "groups"],
)
def test_a_checkpoint_of_a_penalty_that_only_prints_alike_is_refused(saved, here):
    _, optimizer, _ = attached(saved)
    _, other, _ = attached(here)
    with pytest.raises(ValueError, match="other groups or other weights"):
        other.load_state_dict(optimizer.state_dict())
    _, same, _ = attached(saved)
    same.load_state_dict(optimizer.state_dict())


def test_a_checkpoint_of_rules_in_another_order_is_refused():
    def two_rules(order):
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        rules = [sw.networks.rule(sw.L1(lam), names=f"{layer}.weight") for layer, lam in order]
        return optimizer, sw.attach(optimizer, model, rules)

    saved = two_rules([(0, 0.1), (1, 0.5)])[0].state_dict()
    swapped, reg = two_rules([(1, 0.5), (0, 0.1)])
    with pytest.raises(ValueError, match="for other parameters of the optimizer"):
        swapped.load_state_dict(saved)
    assert {term.name: term.map.lam for term in reg.terms} == {"0.weight": 0.1, "1.weight": 0.5}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda model, reg: reg.refit(), "The penalty is off"),
        (lambda model, reg: reg.set_lam(0.0), "The penalty is off"),
        (lambda model, reg: model.weight.data.fill_(math.nan), "NaN or infinite entries"),
    ],
    ids=["refit", "zero", "nan"],
)
def test_nothing_is_certified_without_a_lambda_or_numbers(change, says):
    model, _, reg = attached(sw.L1(0.1))
    change(model, reg)
    status = reg.certificate(nn.functional.mse_loss, [(torch.ones(2, 5), torch.ones(2, 3))]).status
    assert says in status
    assert "enforced" not in status


def test_a_checkpoint_of_the_same_penalty_at_another_lambda_is_taken():
    _, optimizer, _ = attached(sw.L1(0.1))
    _, here, reg = attached(sw.L1(0.7))
    here.load_state_dict(optimizer.state_dict())
    assert reg.terms[0].map.lam == 0.1


@pytest.mark.parametrize("ask", ["certificate", "polish"])
def test_a_loader_that_is_read_once_is_refused_in_a_sentence(ask):
    _, _, reg = attached(sw.L1(0.1))
    batches = ((torch.ones(2, 5), torch.ones(2, 3)) for _ in range(2))
    with pytest.raises(ValueError, match="Expected a loader that can be read several times"):
        getattr(reg, ask)(nn.functional.mse_loss, batches)
