"""Steps that do not reach every parameter, weights changed from outside, parameters that come later."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import shrinkwise as sw
from networks.problems import elastic_net_solution, regression

LAM = 0.1


class Branch(nn.Module):
    """A linear branch that backward reaches in every second step only, as under stochastic depth."""

    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, d, dtype=torch.float64).fill_(0.1))
        self.other = nn.Parameter(torch.zeros((1, 1), dtype=torch.float64))


@pytest.mark.one_in(5)
@pytest.mark.parametrize("method", ["normal_map", "metric", "gradient"])
@pytest.mark.parametrize("alone", [True, False], ids=["nothing is reached", "another parameter is reached"])
@pytest.mark.parametrize("make", [torch.optim.SGD, sw.optim.SGD], ids=["torch", "ours"])
def test_lambda_is_enforced_where_every_second_step_misses_the_parameter(method, alone, make):
    X, Y = regression(n=100, d=10)
    x, y = torch.as_tensor(X), torch.as_tensor(Y)
    penalty = sw.L2(LAM / 2) if method == "gradient" else sw.L1(LAM)
    exact = elastic_net_solution(X, Y[:, 0], *((0.0, LAM) if method == "gradient" else (LAM, 0.0)))
    model = Branch(10)
    optimizer = make([model.weight, model.other], lr=0.01)
    sw.attach(optimizer, model, sw.networks.rule(penalty, names="weight"), method=method)
    for k in range(2000):
        optimizer.param_groups[0]["lr"] = 0.02 * 0.5 * (1 + np.cos(np.pi * k / 2000))
        optimizer.zero_grad()
        if k % 2 == 0:  # twice the loss in half of the steps: the loss on average
            (2 * 0.5 * (x @ model.weight.T - y).square().mean()).backward()
        elif not alone:
            model.other.square().sum().backward()
        optimizer.step()
        assert (model.weight.grad is None) == (k % 2 == 1)
    w = model.weight.detach().numpy()[0]
    np.testing.assert_allclose(w, exact, atol=2e-3)
    if method == "normal_map":  # after a step of twice the loss, the prox of one step leaves small weights elsewhere
        assert ((w == 0) == (exact == 0)).all()


def test_a_step_that_reaches_nothing_gives_no_warning():
    model = Branch(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    reg = sw.attach(optimizer, model, sw.L1(0.1))
    for k in range(20):
        optimizer.zero_grad()
        if k % 3 == 0:
            model.weight.square().sum().backward()
        optimizer.step()
    assert reg.report().notes == []


@pytest.mark.parametrize("make", [torch.optim.SGD, sw.optim.SGD], ids=["torch", "ours"])
def test_weights_clamped_through_data_stay_clamped(make):
    torch.manual_seed(0)
    model = nn.Linear(6, 1, bias=False)
    optimizer = make(model.parameters(), lr=0.05)
    sw.attach(optimizer, model, sw.L1(1e-3))
    x = torch.randn(50, 6)
    y = x @ torch.tensor([[2.0, -2.0, 0.0, 0.3, 0.0, 0.0]]).T

    def clipped_training():
        for _ in range(200):
            optimizer.zero_grad()
            (model(x) - y).square().mean().backward()
            optimizer.step()
            model.weight.data.clamp_(-1.0, 1.0)

    with pytest.warns(UserWarning, match="changed by other code"):
        clipped_training()
    # Without the clamp entering the latent, the next step starts from where the step before it ended: 2, not 1.
    optimizer.zero_grad()
    (model(x) - y).square().mean().backward()
    before = model.weight.detach().clone()
    optimizer.step()
    assert float((model.weight.detach() - before).abs().max()) <= 0.05 * float(model.weight.grad.abs().max()) + 1e-3


def test_parameters_that_are_unfrozen_and_added_later_are_penalised():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
    reg = sw.attach(optimizer, model, sw.L1(5.0))
    assert ("0.weight", "frozen") in reg.report().left
    model[0].requires_grad_(True)
    optimizer.add_param_group({"params": list(model[0].parameters())})
    assert [t.name for t in reg.report().tensors] == ["1.weight", "0.weight"]
    assert "0.weight" not in dict(reg.report().left)
    for _ in range(200):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).mean().backward()
        optimizer.step()
    assert int((model[0].weight != 0).sum()) == 0


def test_parameters_that_the_model_gets_later_are_named_in_the_report():
    model = nn.Sequential(nn.Linear(4, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    reg = sw.attach(optimizer, model, sw.L1(5.0))
    model.append(nn.Linear(4, 1))
    optimizer.add_param_group({"params": list(model[1].parameters())})
    left = dict(reg.report().left)
    assert set(left) == {"0.bias", "1.weight", "1.bias"}
    assert "attach again" in left["1.weight"]


def test_only_normalisations_without_a_matrix_are_left_out_by_name():
    class NormLinear(nn.Linear):
        pass

    class MyNorm2d(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, 1, 1))

    model = nn.Sequential(NormLinear(3, 4), MyNorm2d())
    reg = sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, sw.L1(1.0))
    assert [t.name for t in reg.report().tensors] == ["0.weight"]


def test_a_bare_penalty_leaves_positions_tokens_and_scales_alone():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.pos_embed, self.cls_token = nn.Parameter(torch.ones(1, 5, 8)), nn.Parameter(torch.ones(1, 1, 8))
            self.position_embedding = nn.Parameter(torch.ones(5, 8))
            self.gamma_1, self.logit_scale = nn.Parameter(torch.ones(8)), nn.Parameter(torch.ones(()))
            self.layer_scale = nn.Parameter(torch.ones(8, 1, 1))
            self.relative_position_bias_table = nn.Parameter(torch.ones(9, 2))
            self.in_proj_weight, self.weights = nn.Parameter(torch.ones(24, 8)), nn.Parameter(torch.ones(8))
            self.scale = nn.Parameter(torch.ones(8, 8))  # a matrix is a weight whatever it is called

    model = Block()
    reg = sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, sw.L1(1.0))
    assert {t.name for t in reg.report().tensors} == {"in_proj_weight", "weights", "scale"}
    reg.detach()
    rules = [sw.networks.rule(sw.L1(1.0), roles="scale")]
    reg = sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, rules)
    assert {t.name for t in reg.report().tensors} == {"gamma_1", "logit_scale", "layer_scale"}
