"""A record of some steps of a training script: modes at the forward passes, gradients before and at the optimizer's step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from .passes import noisy_modules


@dataclass
class Record:
    """The result of `record`."""

    forwards: int = 0
    steps: int = 0
    validations: int = 0  # forward passes without gradients
    noisy_validations: list[str] = field(default_factory=list)  # kinds of modules in training mode during one of them
    silent_steps: int = 0  # steps after a forward pass with all dropout in evaluation
    clipped: list[float] = field(default_factory=list)  # norm of the gradient at each step / norm after backward


@contextmanager
def record(model: nn.Module, optimizer=None) -> Iterator[Record]:
    """Record some training steps and a validation, for ``sw.audit(model, optimizer, batch, record=record)``.

    Parameters
    ----------
    model : nn.Module
        The model that the loop calls.
    optimizer : torch.optim.Optimizer, optional

    Nothing is changed except for hooks, which are removed at the end. Detecting clipping needs the optimizer.

    >>> import torch
    >>> from shrinkwise import audit
    >>> model = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(3, 1))
    >>> with audit.record(model) as seen, torch.no_grad():
    ...     _ = model(torch.ones(2, 3))
    >>> audit(model, record=seen).codes
    {'eval-not-called'}
    """
    found, watch = Record(), _Watch()
    handles = [model.register_forward_pre_hook(lambda module, args: watch.forward(module, found))]
    if optimizer is not None:
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.requires_grad:
                    handles.append(p.register_post_accumulate_grad_hook(watch.gradient))
        handle = optimizer.register_step_pre_hook(lambda opt, args, kwargs: watch.step(opt, found))
        optimizer._optimizer_step_pre_hooks.move_to_end(handle.id, last=False)  # before those that change gradients
        handles.append(handle)
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


class _Watch:
    """The state between the hooks."""

    def __init__(self):
        self.squares: dict[int, torch.Tensor] = {}
        self.silent = False

    def forward(self, model: nn.Module, found: Record) -> None:
        found.forwards += 1
        awake, asleep = noisy_modules(model, training=True), noisy_modules(model, training=False)
        if torch.is_grad_enabled():
            dropouts = [name for name in asleep if "drop" in name.lower()]
            self.silent = bool(dropouts) and not any("drop" in name.lower() for name in awake)
        else:
            found.validations += 1
            found.noisy_validations.extend(name for name in awake if name not in found.noisy_validations)

    def gradient(self, p: torch.Tensor) -> None:
        if p.grad is not None and not p.grad.is_sparse:
            self.squares[id(p)] = p.grad.detach().double().square().sum()

    def step(self, optimizer, found: Record) -> None:
        found.steps += 1
        found.silent_steps += self.silent
        before = after = 0.0
        for group in optimizer.param_groups:
            for p in group["params"]:
                if id(p) in self.squares and p.grad is not None:
                    before += float(self.squares[id(p)])
                    after += float(p.grad.detach().double().square().sum())
        self.squares.clear()
        if 0 < before < math.inf and not _unscaled(ratio := math.sqrt(after / before)):
            found.clipped.append(ratio)


def _unscaled(ratio: float) -> bool:
    """Whether a GradScaler divided by its scale, a large power of two."""
    return 0 < ratio <= 2.0**-8 and abs(math.log2(ratio) - round(math.log2(ratio))) < 1e-6
