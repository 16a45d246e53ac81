"""A block in which a model may run in any mode and is restored bit for bit afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn

_CONTAINERS = (dict, list, set)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Restore everything that forward and backward passes change: modes, buffers, attributes, frozen tensors, random
    states.

    Trainable parameters are not copied: a pass does not write into them, and a copy would double the memory.
    """
    modules = list(model.modules())
    attributes = [(module.__dict__, dict(module.__dict__)) for module in modules]
    containers = [
        (value, value.copy()) for _, own in attributes for value in own.values() if isinstance(value, _CONTAINERS)
    ]
    trained = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    still = [*model.buffers(), *(p for p in model.parameters() if not p.requires_grad)]
    tensors = [(t, t.detach().clone()) for t in still]
    with ExitStack() as stack:
        stack.callback(_put_back, attributes, containers, trained, tensors)
        stack.enter_context(_random_states(model, [value for _, own in attributes for value in own.values()]))
        yield


def _put_back(attributes, containers, trained, tensors) -> None:
    for current, saved in attributes:
        current.clear()
        current.update(saved)
    for container, saved in containers:
        if isinstance(container, list):
            container[:] = saved
        else:
            container.clear()
            container.update(saved)
    for p, requires_grad, grad in trained:
        if p.requires_grad != requires_grad:
            p.requires_grad_(requires_grad)
        if p.grad is not grad:
            p.grad = grad
    with torch.no_grad():
        for tensor, saved in tensors:
            if not _same_bits(tensor, saved):
                tensor.copy_(saved)


def _same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a, b) and not (a.is_floating_point() and bool((a.signbit() != b.signbit()).any()))


@contextmanager
def _random_states(model: nn.Module, attributes: list) -> Iterator[None]:
    devices = sorted({p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"})
    generators = [(value, value.get_state()) for value in attributes if isinstance(value, torch.Generator)]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the state that user code may draw from
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
            for generator, state in generators:
                generator.set_state(state)
