"""The loss and its gradients over all data with frozen statistics, for certificates and polishing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from shrinkwise.networks.distributed.processes import summed
from shrinkwise.networks.distributed.shards import processes_of

# What is left of a normalisation's epsilon where scale invariance is looked for.
_LESS = 1e-6


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
        drawn, weight, loss_sum = [torch.zeros_like(m) for m in mean], 0.0, 0.0
        for batch_loss, size in losses(model, loss_fn, loader):
            with torch.enable_grad():
                loss = _differentiable(batch_loss())
                processes, samples, batch_sum = _together(model, size, loss.detach())
                # The mean over processes of loss · share is the mean over the samples of all of them.
                share = size * processes / samples
                for total, g in zip(drawn, slopes(model, params, loss * share), strict=True):
                    if g is not None:
                        total.add_(g.to(total.dtype), alpha=samples)
            weight, loss_sum = weight + samples, loss_sum + batch_sum
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
    total, weight = 0.0, 0.0
    for batch_loss, size in losses(model, loss_fn, loader):
        _, samples, batch_sum = _together(model, size, batch_loss())
        total, weight = total + batch_sum, weight + samples
    return total / _some(weight)


def slopes(model: nn.Module, params: list[nn.Parameter], loss: torch.Tensor) -> list[torch.Tensor | None]:
    """∇ loss; with DDP or FSDP2 averaged over the processes, which their hooks do in a backward pass."""
    if not processes_of(model):
        return list(torch.autograd.grad(loss, params, allow_unused=True))
    kept = [(p, p.grad) for p in params]
    others = [p for p in model.parameters() if p.requires_grad and not any(p is q for q in params)]
    kept += [(p, p.grad) for p in others]
    try:
        for p, _ in kept:
            p.grad = None
        loss.backward()
        return [p.grad for p in params]
    finally:
        for p, grad in kept:
            p.grad = grad


def _together(model: nn.Module, size: int, loss) -> tuple[float, float, float]:
    """(processes, samples, sum of the losses of the samples) of a batch that is divided among processes."""
    mine = torch.tensor([1.0, size, size * float(loss)], dtype=torch.float64, device=getattr(loss, "device", None))
    processes, samples, batch_sum = summed(mine, processes_of(model)).tolist()
    return processes, samples, batch_sum


def losses(model: nn.Module, loss_fn, loader) -> Iterator[tuple[Callable[[], torch.Tensor], int]]:
    """(function that gives the mean loss of a batch, number of samples in it), batch by batch."""
    if loader is None:
        yield loss_fn, 1
        return
    if iter(loader) is loader:
        raise ValueError(
            "Expected a loader that can be read several times (a list or a DataLoader), got an iterator or "
            "generator, which is exhausted after the first pass"
        )
    for batch in loader:
        x, y = pair(batch)
        yield partial(_batch_loss, model, loss_fn, x, y), _samples(x, y)


def pair(batch) -> tuple:
    """(x, y) of a batch; an error for any other batch, a tensor or a dict of two entries among them."""
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch[0], batch[1]
    got = f"{len(batch)} elements" if isinstance(batch, tuple | list) else type(batch).__name__
    raise ValueError(
        f"Expected a loader that returns batches (x, y), got a batch of {got}; batches of another form need a function "
        "or dataset that makes pairs of them"
    )


def _samples(x, y) -> int:
    """Rows of a batch: of its targets, over which the loss is a mean, or else of its inputs."""
    for part in (y, x):
        rows = {len(leaf) for leaf in pytree.tree_leaves(part) if isinstance(leaf, torch.Tensor) and leaf.dim()}
        if len(rows) == 1:
            return rows.pop()
    if hasattr(x, "__len__") and not isinstance(x, Mapping):
        return len(x)
    raise ValueError(
        "The number of samples in a batch cannot be determined, because neither its targets nor its inputs are tensors of "
        "one length; pass a function of no arguments that returns the mean loss over all data, and no loader"
    )


def is_random(model: nn.Module, loss_fn, loader) -> bool:
    """Whether the loss differs from pass to pass: it uses torch's random numbers, or two passes differ."""
    for batch_loss, _ in losses(model, loss_fn, loader):
        return _differs(model, batch_loss)
    return False  # there is no batch, which the pass over the data refuses


def _differs(model: nn.Module, batch_loss: Callable) -> bool:
    before = _random_states(model)
    with torch.enable_grad():  # as the gradients need it
        first, second = (_single(batch_loss()).detach() for _ in range(2))
    used = any(not torch.equal(a, b) for a, b in zip(before, _random_states(model), strict=True))
    # Sums on several threads may differ in their last bits. All processes have to agree.
    differ = used or bool((first - second).abs() > 1e-6 * first.abs())
    return bool(summed(torch.full_like(first, differ, dtype=torch.float64), processes_of(model)))


def _random_states(model: nn.Module) -> list[torch.Tensor]:
    return [torch.random.get_rng_state(), *(torch.cuda.get_rng_state(n) for n in _cuda_devices(model))]


def _cuda_devices(model: nn.Module) -> list[int]:
    return sorted({p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"})


@contextmanager
def at_rest(model: nn.Module, *, noise: bool, batch_statistics: bool = False):
    """Normalisations use their running statistics, dropout is on if `noise`; modes, buffers and random state are
    restored.

    With `batch_statistics` the normalisations work as in training, with a negligible ε: with the usual ε, the scale of
    strongly shrunk weights would affect the loss although the normalisation removes it.
    """
    layers: list[Any] = [module for module in model.modules() if isinstance(getattr(module, "eps", None), float)]
    epsilons = [(module, module.eps) for module in layers]
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    with torch.random.fork_rng(devices=_cuda_devices(model)):
        model.train(noise)
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase):
                module.train(batch_statistics)
        if batch_statistics:
            for module, eps in epsilons:
                module.eps = eps * _LESS
        try:
            yield
        finally:
            for module, eps in epsilons:
                module.eps = eps
            for module, mode in modes:
                module.training = mode
            with torch.no_grad():
                for buffer, saved in buffers:
                    buffer.copy_(saved)


def _batch_loss(model: nn.Module, loss_fn, x, y) -> torch.Tensor:
    return loss_fn(model(x), y)


def _differentiable(loss) -> torch.Tensor:
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        raise ValueError("Expected the loss to be a tensor with gradients; return it before any backward() or item()")
    return _single(loss)


def _single(loss) -> torch.Tensor:
    loss = torch.as_tensor(loss)
    if loss.numel() != 1:
        raise ValueError(
            f"Expected the loss to be the mean over the batch, a single number, got shape {tuple(loss.shape)}"
        )
    return loss


def _some(weight: float) -> float:
    if not weight:
        raise ValueError("The loader returned no batch")
    return weight
