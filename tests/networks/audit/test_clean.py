"""No false alarm on sound models, and bit for bit the same model afterwards."""

import random

import numpy as np
import pytest
import torch
from torch import nn

import shrinkwise as sw

from .clean import CLEAN
from .museum import EXHIBITS

OPTIMIZERS = {
    "AdamW": lambda model: torch.optim.AdamW(sw.audit.groups(model, 0.1), lr=3e-4),
    "SGD": lambda model: torch.optim.SGD(sw.audit.groups(model, 1e-4), lr=0.1, momentum=0.9, nesterov=True),
    "the default": lambda model: torch.optim.AdamW(model.parameters()),
}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("make", CLEAN, ids=lambda make: make.__name__)
def test_no_error_and_no_warning(make, optimizer):
    torch.manual_seed(0)
    model, batch, loss = make()
    sw.audit.assert_regularized(model, OPTIMIZERS[optimizer](model), batch, loss=loss)


def test_there_are_at_least_20():
    assert len(CLEAN) >= 20


def state_of(model):
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    gradients = {name: p.grad for name, p in model.named_parameters()}
    attributes = {
        (name, key): value
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, (int, float, str, type(None)))
    }
    bits = {name: (t.detach().clone().numpy().tobytes(), t.requires_grad) for name, t in tensors.items()}
    drawn = torch.get_rng_state().numpy().tobytes(), random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    return bits, gradients, attributes, drawn


@pytest.mark.parametrize("make", [*CLEAN, *EXHIBITS], ids=lambda make: make.__name__)
def test_everything_is_as_before(make):
    torch.manual_seed(1)
    made = make()
    if make in EXHIBITS:
        arguments = made[1]
    else:
        arguments = {"model": made[0], "batch": made[1], "loss": made[2]}
    model = arguments["model"]
    for k, module in enumerate(model.modules()):
        module.training = k % 3 != 0  # modes that train() and eval() do not make
    for p in model.parameters():
        p.grad = torch.full_like(p, 0.5)
    before = state_of(model)
    sw.audit(**arguments)
    bits, gradients, attributes, drawn = state_of(model)
    assert bits == before[0]
    assert all(gradients[name] is before[1][name] for name in gradients)
    assert all(bool((g == 0.5).all()) for g in gradients.values())
    assert attributes == before[2]
    assert drawn == before[3]


def test_running_statistics_and_caches_that_a_pass_changes_are_put_back():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.cache, self.calls = nn.BatchNorm1d(3), [], 0

        def forward(self, x):
            self.calls += 1
            self.cache.append(float(torch.rand(())) + random.random() + np.random.rand())  # noqa: NPY002
            return self.norm(x)

    model = Net()
    cache, batch = model.cache, torch.randn(8, 3) + 5
    before = state_of(model)
    sw.audit(model, batch=batch)
    assert state_of(model)[0] == before[0]
    assert state_of(model)[3] == before[3]
    assert model.calls == 0
    assert model.cache is cache
    assert cache == []


def test_a_pass_that_fails_leaves_the_model_as_it_was():
    class Net(nn.Sequential):
        def forward(self, x):
            super().forward(x)
            raise RuntimeError("no")

    model = Net(nn.BatchNorm1d(3)).eval()
    before = state_of(model)
    with pytest.raises(RuntimeError, match="no"):
        sw.audit(model, batch=torch.randn(8, 3) + 5)
    assert state_of(model)[0] == before[0]
    assert not model.training
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks
