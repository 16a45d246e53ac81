"""Input that is refused changes nothing: not the optimizer, not its state, not a weight."""

import copy

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import shrinkwise as sw

METHODS = ("normal_map", "metric")


def complex_layer():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2, dtype=torch.complex64))
    return model, model.parameters(), sw.L1(0.1)


def partly_trained():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    return model, model[0].parameters(), sw.L1(0.1)


def all_frozen():
    model = nn.Linear(3, 2).requires_grad_(False)
    return model, [nn.Parameter(torch.zeros(1))], sw.L1(0.1)


def misfit():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 5))
    rules = [sw.rule(sw.L1(0.1), names="0.weight"), sw.rule(sw.L1(0.1, weights=[1.0] * 3))]
    return model, model.parameters(), rules


def matching_nothing():
    model = nn.Linear(3, 2)
    return model, model.parameters(), [sw.rule(sw.L1(0.1)), sw.rule(sw.L1(0.1), names="decoder.*")]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (complex_layer, TypeError, r"1\.weight is complex, but penalties need real weights; exclude it"),
        (partly_trained, ValueError, r"The optimizer does not train 1\.weight; pass only the part"),
        (all_frozen, ValueError, r"There is no parameter to penalise \(.*weight: frozen"),
        (misfit, ValueError, r"does not fit 1\.weight of shape \(5, 2\)"),
        (matching_nothing, UserWarning, "matches no parameter"),
    ],
)
def test_an_attach_that_fails_leaves_the_optimizer_alone(make, error, says):
    model, params, penalty = make()
    optimizer = torch.optim.SGD(params, lr=0.1)
    before = set(optimizer.__dict__)
    with pytest.raises(error, match=says) as caught:
        sw.attach(optimizer, model, penalty)
    assert "\n" not in str(caught.value)
    assert type(optimizer) is torch.optim.SGD
    assert set(optimizer.__dict__) == before
    assert not optimizer.state
    assert not optimizer._optimizer_step_pre_hooks
    assert not any(key.startswith("shrinkwise") for key in optimizer.param_groups[0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [0, 2])
def test_a_sparse_gradient_stops_a_step_before_anything_moves(method, steps):
    torch.manual_seed(0)
    linear, table = nn.Linear(2, 2, bias=False), nn.Embedding(4, 2)
    model = nn.ModuleDict({"linear": linear, "table": table})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    rules = [sw.rule(sw.L1(0.1), types=(nn.Linear, nn.Embedding))]
    reg = sw.attach(optimizer, model, rules, method=method, schedule=sw.networks.warmup(4))

    def step(sparse):
        table.sparse = sparse
        optimizer.zero_grad()
        linear(table(torch.tensor([1]))).square().sum().backward()
        optimizer.step()

    for _ in range(steps):
        step(sparse=False)
    optimizer.zero_grad()
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    with pytest.raises(RuntimeError, match=r"table\.weight has a sparse gradient"):
        step(sparse=True)
    assert table.weight.grad.is_sparse
    assert reg.report().steps == steps
    after = (model.state_dict(), optimizer.state_dict())
    assert all(torch.equal(after[0][key], value) for key, value in before[0].items())
    assert after[1]["state"].keys() == before[1]["state"].keys()
    for key, state in before[1]["state"].items():
        torch.testing.assert_close(after[1]["state"][key], state, rtol=0, atol=0)
    step(sparse=False)
    assert reg.report().steps == steps + 1
