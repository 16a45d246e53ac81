"""The loss and its gradients over all the data, with the model at rest: what certificates and polishing are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn


@dataclass
class Gradients:
    """Mean gradient of each tensor over the data and over the draws, and the standard error of the latter."""

    mean: list[torch.Tensor]
    error: list[torch.Tensor]
    loss: float


def gradients(model: nn.Module, params: list[nn.Parameter], loss_fn, loader, draws: int = 1) -> Gradients:
    """Gradients of the mean loss over all the data, averaged over `draws` passes."""
    kinds = [torch.float64 if p.dtype == torch.float64 else torch.float32 for p in params]
    mean = [torch.zeros_like(p, dtype=kind) for p, kind in zip(params, kinds, strict=True)]
    spread = [torch.zeros_like(m) for m in mean]
    total_loss = 0.0
    for draw in range(1, draws + 1):
        drawn, weight, loss_sum = [torch.zeros_like(m) for m in mean], 0, 0.0
        for batch_loss, size in losses(model, loss_fn, loader):
            with torch.enable_grad():
                loss = _differentiable(batch_loss())
                for total, g in zip(drawn, torch.autograd.grad(loss, params, allow_unused=True), strict=True):
                    if g is not None:
                        total.add_(g.to(total.dtype), alpha=size)
            weight, loss_sum = weight + size, loss_sum + size * float(loss.detach())
        total_loss += loss_sum / _some(weight)
        for m, s, total in zip(mean, spread, drawn, strict=True):  # Welford's running mean and sum of squares
            delta = total / weight - m
            m.add_(delta / draw)
            s.add_(delta * (total / weight - m))
    error = [(s / max(draws * (draws - 1), 1)).sqrt() for s in spread]
    return Gradients(mean, error, total_loss / draws)


@torch.no_grad()
def mean_loss(model: nn.Module, loss_fn, loader) -> float:
    """The mean loss over all the data."""
    total, weight = 0.0, 0
    for batch_loss, size in losses(model, loss_fn, loader):
        total, weight = total + size * float(batch_loss()), weight + size
    return total / _some(weight)


def losses(model: nn.Module, loss_fn, loader) -> Iterator[tuple[Callable[[], torch.Tensor], int]]:
    """(function that gives the mean loss of a batch, number of samples in it), batch by batch."""
    if loader is None:
        yield loss_fn, 1
        return
    for x, y in loader:
        yield partial(_batch_loss, model, loss_fn, x, y), len(x)


def has_dropout(model: nn.Module) -> bool:
    """Whether a module of the model is a dropout."""
    return any("dropout" in type(module).__name__.lower() for module in model.modules())


@contextmanager
def at_rest(model: nn.Module, *, noise: bool, batch_statistics: bool = False):
    """Normalisations at their running statistics, dropout on where `noise`; modes, buffers and random state are put back.

    With `batch_statistics` the normalisations work as in training.
    """
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    devices = sorted({p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices):
        model.train(noise)
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase):
                module.train(batch_statistics)
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            with torch.no_grad():
                for buffer, saved in buffers:
                    buffer.copy_(saved)


def _batch_loss(model: nn.Module, loss_fn, x, y) -> torch.Tensor:
    return loss_fn(model(x), y)


def _differentiable(loss) -> torch.Tensor:
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        raise ValueError("expected the loss as a tensor with gradients: return it before any backward() or item()")
    return loss


def _some(weight: int) -> int:
    if not weight:
        raise ValueError("the loader gave no batch; a generator is empty the second time, give a list or a DataLoader")
    return weight
