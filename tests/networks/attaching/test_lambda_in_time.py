"""λ that changes: by hand, one for each weight, by a schedule; and starts that shrink."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import shrinkwise as sw
from networks.problems import elastic_net_solution, group_solution, linear, regression, train
from shrinkwise.networks import ramp, warmup

LAM = 0.05


def run(penalty, steps=600, outputs=1, make=lambda p: torch.optim.Adam(p, lr=0.05), **options):
    model, loss = linear(*regression(outputs=outputs))
    optimizer = make(model.parameters())
    reg = sw.attach(optimizer, model, penalty, **options)
    train(optimizer, loss, steps)
    return model, loss, optimizer, reg


@pytest.mark.parametrize("method", ["normal_map", "metric"])
def test_a_lambda_for_each_weight(method):
    X, Y = regression()
    each = np.linspace(0.0, 0.2, 20)
    exact = elastic_net_solution(X, Y[:, 0], each)
    model, loss, optimizer, reg = run(sw.L1(LAM), steps=1, method=method)
    reg.set_lam(torch.tensor(each)[None])
    train(optimizer, loss, 600)
    w = model.weight.detach().numpy()[0]
    np.testing.assert_allclose(w, exact, atol=1e-5)
    assert ((w == 0) == (exact == 0)).all()
    assert reg.value() == pytest.approx(float((each * np.abs(w)).sum()))
    assert reg.certificate(loss).lam_ratio == pytest.approx(1.0, abs=1e-4)


def test_a_lambda_for_each_group():
    X, Y = regression(outputs=3)
    model, loss, optimizer, reg = run(sw.GroupLasso(1.0, groups=sw.Groups.columns()), steps=1, outputs=3)
    reg.set_lam(torch.full((20,), 0.15, dtype=torch.float64))
    train(optimizer, loss, 600)
    np.testing.assert_allclose(model.weight.detach().numpy(), group_solution(X, Y, 0.15), atol=1e-6)
    assert reg.value() == pytest.approx(0.15 * np.sqrt(3) * float(model.weight.detach().norm(dim=0).sum()))


@pytest.mark.parametrize(
    ("penalty", "lam", "says"),
    [
        (
            sw.L1(1.0),
            torch.ones(20),
            r"weight: Expected λ to be a number or a tensor of the shape of the weights, \(1, 20\), got",
        ),
        (sw.L1(1.0), -torch.ones(1, 20), "finite and ≥ 0"),
        (sw.L1(1.0), torch.full((1, 20), float("nan")), "finite and ≥ 0"),
        (sw.L1(1.0), float("inf"), "finite and ≥ 0"),
        (
            sw.GroupLasso(1.0, groups=sw.Groups.columns()),
            torch.ones(1, 20),
            r"one λ per group, \(20,\), got shape \(1, 20\)",
        ),
        (sw.MCP(1.0), torch.ones(1, 20), "Expected λ to be one number"),
    ],
)
def test_a_wrong_lambda_changes_nothing(penalty, lam, says):
    _, _, _, reg = run(penalty, steps=1)
    before = reg.value()
    with pytest.raises(ValueError, match=says):
        reg.set_lam(lam)
    assert reg.value() == before


def test_a_lambda_that_is_no_number():
    _, _, _, reg = run(sw.L1(1.0), steps=0)
    with pytest.raises(TypeError, match="to be a number"):
        reg.set_lam("0.1")


def test_schedules_multiply_lambda_step_by_step():
    seen = []

    def schedule(step):
        seen.append(step)
        return 1.0 if step % 2 else 0.0

    model = nn.Linear(3, 1, bias=False).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    reg = sw.attach(optimizer, model, sw.L2(0.5), method="gradient", schedule=schedule)
    w = model.weight.detach().clone()
    for k in range(4):
        model.weight.grad = torch.zeros_like(model.weight)
        optimizer.param_groups[0]["lr"] = 0.0 if k == 2 else 0.1
        optimizer.step()
        w = w * (1 - 0.1 * 1.0) if k in (1,) else w
        if k == 3:  # step 2 moved nothing and did not count: this one is step 2 again
            assert seen == [0, 1, 2, 2]
    torch.testing.assert_close(model.weight.detach(), w)
    assert reg.value() == 0.0
    reg.set_lam(2.0)
    model.weight.grad = torch.zeros_like(model.weight)
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), w * (1 - 0.1 * 4.0))


def test_a_ramp_ends_at_the_lambda_written():
    X, Y = regression()
    exact = elastic_net_solution(X, Y[:, 0], LAM)
    for schedule in (warmup(100), ramp(50, 150, low=5.0)):
        model, loss, _, reg = run(sw.L1(LAM), schedule=schedule)
        np.testing.assert_allclose(model.weight.detach().numpy()[0], exact, atol=1e-6)
        assert reg.certificate(loss).largest <= 1e-5
    assert [ramp(1, 3, low=2.0, high=4.0)(k) for k in range(5)] == [2.0, 2.0, 3.0, 4.0, 4.0]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_schedules_are_copied_and_go_on(copied):
    model, _, optimizer, _ = run(sw.L1(LAM), steps=5, schedule=warmup(10))
    twin, other = copied((model, optimizer))
    for m, o in ((model, optimizer), (twin, other)):
        for _ in range(3):
            m.weight.grad = torch.ones_like(m.weight)
            o.step()
    assert torch.equal(model.weight, twin.weight)
    assert sw.networks.attached(other, twin).value() == pytest.approx(
        0.7 * LAM * float(twin.weight.detach().abs().sum())
    )


@pytest.mark.parametrize("factor", [-1.0, float("nan"), "1", None, True])
def test_a_schedule_that_gives_no_factor_stops_before_anything_moves(factor):
    model, loss, optimizer, _ = run(sw.L1(LAM), steps=2)
    sw.networks.attached(optimizer)._stepper.options.schedule = lambda step: factor
    before = model.weight.detach().clone()
    loss().backward()
    with pytest.raises(ValueError, match="schedule to return a finite factor"):
        optimizer.step()
    assert torch.equal(model.weight, before)


def test_ramps_are_checked():
    for call, says in (
        (lambda: ramp(-1, 3), "start to be a number of steps"),
        (lambda: ramp(4, 3), "start ≤ stop"),
        (lambda: warmup(2.5), "stop to be a number of steps"),
        (lambda: ramp(1, 2, low=-1.0), "low to be a factor"),
    ):
        with pytest.raises(ValueError, match=says):
            call()
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TypeError, match="schedule to be a function"):
        sw.attach(optimizer, model, sw.L1(1.0), schedule=3)
    with pytest.raises(ValueError, match="partly fixed"):
        sw.attach(optimizer, model, sw.L1(1.0) + sw.L2(1.0).fixed(), schedule=warmup(2))


def test_a_start_that_shrinks_makes_zeros_in_few_steps():
    torch.manual_seed(0)
    found = {}
    for start in ("keep", "shrink"):
        model = nn.Linear(50, 40, bias=False)
        w = model.weight.detach().clone()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
        reg = sw.attach(optimizer, model, sw.L1(1e-3), start=start)
        for _ in range(3):
            model.weight.grad = torch.zeros_like(model.weight)
            optimizer.step()
        found[start] = reg.zeros()["weight"] / w.numel()
        t = reg.report().tensors[0].threshold
        assert t == pytest.approx(float(w.abs().mean()) * (0.3 if start == "shrink" else 1.0))
    assert found["keep"] < 0.01
    assert 0.1 < found["shrink"] < 0.2  # |w| ≤ .3 mean|w| of uniform weights: .15
    with pytest.raises(ValueError, match="start='keep' or 'shrink'"):
        sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, sw.L1(1.0), start="dense")


def test_a_start_that_shrinks_ends_at_the_same_lambda():
    X, Y = regression()
    model, *_ = run(sw.L1(LAM), start="shrink")
    np.testing.assert_allclose(model.weight.detach().numpy()[0], elastic_net_solution(X, Y[:, 0], LAM), atol=1e-6)
