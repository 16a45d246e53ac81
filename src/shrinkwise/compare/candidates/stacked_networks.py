"""Training of several small networks of the same shape together.

A stack of B networks is one module whose layers hold B weight matrices; its loss is the sum of the B losses, and Adam
works entry by entry, so every network is trained as it would be alone, in little more time than a single one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from shrinkwise.compare.options import NetworkOptions
from shrinkwise.dropout import Dropout
from shrinkwise.models.predictors import NetworkPredictor, Response
from shrinkwise.networks.attaching.api import attach
from shrinkwise.penalties import L1, L2

from .base import TrainingRows
from .setting import Setting


class StackedLinear(nn.Module):
    """B linear layers: x (B, m, in) ↦ x_b W_b' + c_b, (B, m, out). Layers with the same start have equal initial
    weights."""

    def __init__(self, starts: Sequence[int], n_inputs: int, n_outputs: int):
        super().__init__()
        made = {start: nn.Linear(n_inputs, n_outputs) for start in sorted(set(starts))}
        self.weight = nn.Parameter(torch.stack([made[start].weight.detach() for start in starts]))
        self.bias = nn.Parameter(torch.stack([made[start].bias.detach()[None] for start in starts]))

    def forward(self, x):
        """All B layers at once."""
        return torch.baddbmm(self.bias, x, self.weight.transpose(1, 2))


def train_networks(
    problems: list[TrainingRows], setting: Setting, network: NetworkOptions, starts: Sequence[int] | None = None
) -> list[NetworkPredictor]:
    """Train one network per problem, all with the same setting, and return them as arrays.

    The problems differ only in their rows and in `starts`, the numbers of their random starts; by default all starts
    are equal. A regression target is standardised for training. The seed is that of the first problem; PyTorch's global
    random state is unchanged.
    """
    targets = [_Target.of(problem) for problem in problems]
    numbers = {id(problem): torch.tensor(problem.dense(), dtype=torch.float32) for problem in problems}
    X = [numbers[id(problem)] for problem in problems]
    network = replace(network, steps=network.steps_on(min(map(len, X))))
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(problems[0].seed)
        model = _network(starts or [0] * len(problems), X[0].shape[1], targets[0].n_outputs, setting, network)
        _minimise(model, X, targets, setting, network)
    layers = [layer for layer in model if isinstance(layer, StackedLinear)]
    return [
        target.predictor([layer.weight[b] for layer in layers], [layer.bias[b, 0] for layer in layers])
        for b, target in enumerate(targets)
    ]


@dataclass(frozen=True)
class _Target:
    """A target in the form that the loss takes: class codes, numbers of mean 0 and variance 1, or counts of mean 1."""

    values: torch.Tensor
    weights: torch.Tensor | None
    n_outputs: int
    centre: float = 0.0
    scale: float = 1.0
    has_counts: bool = False

    @classmethod
    def of(cls, problem: TrainingRows) -> _Target:
        given, weights = problem.rows.weights, None
        if given is not None:
            weights = torch.tensor(given / given.mean(), dtype=torch.float32)
        if problem.has_classes:
            return cls(torch.tensor(problem.y, dtype=torch.long), weights, problem.n_classes)
        if problem.has_counts:
            scale = problem.y.mean()
            return cls(torch.tensor(problem.y / scale, dtype=torch.float32), weights, 1, 0.0, scale, True)
        centre, scale = problem.y.mean(), problem.y.std() or 1.0
        return cls(torch.tensor((problem.y - centre) / scale, dtype=torch.float32), weights, 1, centre, scale)

    def predictor(self, weights, biases) -> NetworkPredictor:
        weights, biases = ([v.detach().double().numpy() for v in values] for values in (weights, biases))
        if self.has_counts:
            return NetworkPredictor(weights, [*biases[:-1], biases[-1] + np.log(self.scale)], False, Response(log=True))
        weights[-1], biases[-1] = weights[-1] * self.scale, biases[-1] * self.scale + self.centre
        return NetworkPredictor(weights, biases, not self.values.is_floating_point())


def _network(
    starts: Sequence[int], n_inputs: int, n_outputs: int, setting: Setting, network: NetworkOptions
) -> nn.Sequential:
    def noise(acts: bool) -> list[nn.Module]:
        return [Dropout(keep=setting.keep)] if acts and setting.keep < 1 else []

    return nn.Sequential(
        *noise(setting.drops_inputs),
        StackedLinear(starts, n_inputs, network.hidden),
        nn.ReLU(),
        *noise(True),
        StackedLinear(starts, network.hidden, n_outputs),
    )


def _minimise(model, X: list, targets: list[_Target], setting: Setting, network: NetworkOptions) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=network.learning_rate, fused=True)
    if setting.lam:
        attach(optimizer, model, {"L1": L1, "L2": L2}[setting.norm](setting.lam))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, network.steps)
    weights = [target.weights for target in targets if target.weights is not None]
    for batch, target, *weight in _batches(X, [target.values for target in targets], network, weights):
        optimizer.zero_grad()
        _summed_loss(model(batch), target, *weight, counts=targets[0].has_counts).backward()
        optimizer.step()
        schedule.step()


def _summed_loss(output, target, weight=None, *, counts=False):
    """The sum over the stack of the mean loss of each network; the outputs for counts are logarithms of their means."""
    how = "sum" if weight is None else "none"
    if counts:
        loss = torch.nn.functional.poisson_nll_loss(output[..., 0], target, reduction=how)
    elif target.is_floating_point():
        loss = torch.nn.functional.mse_loss(output[..., 0], target, reduction=how)
    else:
        loss = torch.nn.functional.cross_entropy(output.flatten(0, 1), target.flatten(), reduction=how)
    loss = loss if weight is None else (loss.view(target.shape) * weight).sum()
    return loss / target.shape[1]


def _batches(X: list, y: list, network: NetworkOptions, weights: list | None = None):
    """`steps` batches (X, y), or (X, y, weights), stacked. Every network runs through its rows in a new random order
    each time.

    If all rows of all networks fit into one batch, it is always the same; if the networks have different numbers of
    rows, an order omits the surplus rows.
    """
    smallest, largest = min(map(len, X)), max(map(len, X))
    if smallest == largest <= network.batch_size:
        stacked = [torch.stack(values) for values in (X, y, weights) if values]
        yield from (stacked for _ in range(network.steps))
        return
    size = min(smallest, network.batch_size)
    a_pass = smallest // size
    for step in range(network.steps):
        if step % a_pass == 0:
            orders = [torch.randperm(len(rows)) for rows in X]
        start = step % a_pass * size
        rows = [order[start : start + size] for order in orders]
        yield [
            torch.stack([own[r] for own, r in zip(values, rows, strict=True)]) for values in (X, y, weights) if values
        ]


@contextmanager
def _one_thread():
    """Limit PyTorch to one thread directly, because threadpoolctl misses it if it is loaded after the limit is set."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
