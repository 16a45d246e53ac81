"""The prox in the optimizer's metric and the gradient of smooth penalties: the same λ, or a sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import shrinkwise as sw
from networks.problems import Lion, elastic_net_solution, group_solution, linear, regression, train

LAM = 0.05
KNOWN = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.2),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "dampened": lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.8, dampening=0.5),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.0, fused=True),
    "large epsilon": lambda p: torch.optim.Adam(p, lr=0.2, eps=1.0),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.02),
    "RMSprop, all options": lambda p: torch.optim.RMSprop(p, lr=0.03, centered=True, momentum=0.5, eps=0.1),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.3, lr_decay=1e-3),
}
STEPS = 600


def fitted(make, outputs, penalty, method="metric", steps=STEPS):
    X, Y = regression(outputs=outputs)
    model, loss = linear(X, Y)
    optimizer = make(model.parameters())
    reg = sw.attach(optimizer, model, penalty, method=method)
    train(optimizer, loss, steps)
    assert not [key for key in optimizer.state.get(model.weight, {}) if key.startswith("shrinkwise")]  # no memory
    return model.weight.detach().numpy(), reg.certificate(loss)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", KNOWN)
def test_the_lasso_in_the_metric_of_the_step(name):
    X, Y = regression()
    exact = elastic_net_solution(X, Y[:, 0], LAM)
    W, certificate = fitted(KNOWN[name], 1, sw.L1(LAM))
    assert ((W[0] == 0) == (exact == 0)).all()
    np.testing.assert_allclose(W[0], exact, atol=1e-4)
    assert certificate.lam_ratio == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("name", ["momentum", "Adam"])
def test_elastic_net_in_the_metric(name):
    X, Y = regression()
    W, _ = fitted(KNOWN[name], 1, sw.ElasticNet(0.1, 0.4))
    exact = elastic_net_solution(X, Y[:, 0], 0.04, 0.06)
    assert ((W[0] == 0) == (exact == 0)).all()
    np.testing.assert_allclose(W[0], exact, atol=1e-6)


@pytest.mark.parametrize("name", ["momentum", "Adam", "RMSprop"])
def test_groups_in_the_metric(name):
    X, Y = regression(outputs=3)
    exact = group_solution(X, Y, 0.15)
    W, _ = fitted(KNOWN[name], 3, sw.GroupLasso(0.15, groups=sw.Groups.columns()))
    zero = np.linalg.norm(exact, axis=0) == 0
    assert 0 < zero.sum() < 20
    assert ((W == 0).all(0) == zero).all()
    np.testing.assert_allclose(W, exact, atol=1e-4)


def test_the_metrics_prox_of_float32_goes_through_the_kernel_and_is_the_formula():
    torch.manual_seed(0)
    model = nn.Linear(30, 20, bias=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    sw.attach(optimizer, model, sw.ElasticNet(0.5, 0.5), method="metric")
    twin = nn.Linear(30, 20, bias=False)
    twin.load_state_dict(model.state_dict())
    plain = torch.optim.Adam(twin.parameters(), lr=0.01)
    for _ in range(3):
        model.weight.grad = torch.randn(20, 30)
        twin.weight.grad = model.weight.grad.clone()
        version = model.weight._version
        optimizer.step()
        plain.step()
        state = plain.state[twin.weight]
        steps = 0.01 / ((state["exp_avg_sq"] / (1 - 0.999 ** state["step"].item())).sqrt() + 1e-8)
        with torch.no_grad():
            twin.weight.copy_(sw.ElasticNet(0.5, 0.5).prox(twin.weight, steps))
        torch.testing.assert_close(model.weight, twin.weight, atol=1e-6, rtol=1e-5)
        assert model.weight._version > version + 1  # autograd knows that the kernel wrote


def test_a_concave_penalty_in_the_metric_of_sgd_is_stationary():
    W, certificate = fitted(KNOWN["momentum"], 1, sw.MCP(LAM, gamma=4.0))
    assert certificate.largest <= 1e-5
    assert (W == 0).any()


def test_steps_too_long_for_a_concave_penalty_are_refused_before_they_are_made():
    model, loss = linear(*regression())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4, momentum=0.9)
    sw.attach(optimizer, model, sw.MCP(LAM, gamma=4.0), method="metric")
    before = model.weight.detach().clone()
    loss().backward()
    with pytest.raises(ValueError, match=r"Expected steps lr/\(1 − momentum\) below 4 .* got 4"):
        optimizer.step()
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("make", "penalty", "options", "says"),
    [
        (torch.optim.NAdam, sw.L1(1.0), {}, "metric of NAdam is not known"),
        (Lion, sw.L1(1.0), {}, "metric of Lion is not known"),
        (torch.optim.Adam, sw.MCP(1.0), {}, "is not convex"),
        (torch.optim.Adam, sw.L1(1.0) + 2 * sw.MCP(1.0), {}, "is not convex"),
        (torch.optim.Adam, sw.NuclearNorm(1.0), {}, "no prox with a different step for every weight"),
        (torch.optim.Adam, sw.L1(1.0), {"max_norm": 1.0}, "The option max_norm is not available"),
        (torch.optim.Adam, sw.L1(1.0), {"start": "shrink"}, "The option start is not available"),
        (torch.optim.Adam, sw.L1(1.0), {"threshold": 1.0}, "The option threshold is not available"),
    ],
)
def test_what_the_metric_would_do_wrongly_is_refused(make, penalty, options, says):
    model = nn.Linear(4, 3)
    optimizer = make(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=says):
        sw.attach(optimizer, model, penalty, method="metric", **options)
    assert "_shrinkwise" not in optimizer.__dict__


def test_a_subclass_with_a_step_of_its_own_has_no_known_metric():
    class Slower(torch.optim.Adam):
        def step(self, closure=None):
            return super().step(closure)

    model = nn.Linear(4, 3)
    with pytest.raises(ValueError, match="metric of Slower is not known"):
        sw.attach(Slower(model.parameters()), model, sw.L1(1.0), method="metric")


def test_low_precision_weights_have_no_metric():
    model = nn.Linear(4, 3).bfloat16()
    with pytest.raises(ValueError, match="lost to rounding"):
        sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, sw.L1(1.0), method="metric")


def test_the_gradient_of_a_ridge_is_coupled_weight_decay_bit_by_bit():
    runs = [linear(*regression()) for _ in range(2)]
    penalised = torch.optim.Adam(runs[0][0].parameters(), lr=0.05)
    sw.attach(penalised, runs[0][0], sw.L2.from_weight_decay(0.3), method="gradient")
    decayed = torch.optim.Adam(runs[1][0].parameters(), lr=0.05, weight_decay=0.3)
    for optimizer, (_, loss) in zip((penalised, decayed), runs, strict=True):
        train(optimizer, loss, 50)
    torch.testing.assert_close(runs[0][0].weight, runs[1][0].weight, atol=1e-14, rtol=1e-12)


def test_the_gradient_is_given_back_and_clipped_as_a_sum():
    model, loss = linear(*regression())
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    sw.attach(optimizer, model, sw.L2(50.0), method="gradient", max_norm=0.1)
    loss().backward()
    gradient, before = model.weight.grad.clone(), model.weight.detach().clone()
    optimizer.step()
    assert torch.equal(model.weight.grad, gradient)
    assert float((model.weight.detach() - before).norm()) == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    "penalty",
    [
        sw.L1(1.0),
        sw.GroupLasso(1.0, groups=sw.Groups.columns()),
        sw.L2(1.0) + sw.MCP(1.0),
        sw.FusedLasso(1.0),
        sw.NuclearNorm(1.0),
        sw.SLOPE(1.0),
        sw.NonNegative(),
        sw.L1(1.0, anchor=torch.ones(3, 4)),
    ],
    ids=lambda p: type(p).__name__,
)
def test_penalties_with_kinks_have_no_gradient(penalty):
    model = nn.Linear(4, 3)
    with pytest.raises(ValueError, match="kinks or bounds"):
        sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, penalty, method="gradient")


def test_smooth_penalties_have_a_gradient():
    smooth = sw.Penalty.from_function(lambda w: (w * w + 1).sqrt().sum(), lam=0.2, elementwise=True)
    for penalty in (sw.L2(1.0), sw.L2(1.0, anchor="initial"), smooth, sw.L2(1.0) + smooth):
        model = nn.Linear(4, 3)
        sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, penalty, method="gradient")
