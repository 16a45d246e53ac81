"""Training of small networks, several of one shape side by side.

A stack of B networks is one module whose layers hold B weight matrices; its loss is the sum of the B losses, and Adam
works entry by entry, so every network is trained as it would be alone, in little more time than one.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from shrinkwise.compare.candidates import Problem
from shrinkwise.compare.options import NetworkOptions
from shrinkwise.compare.predictors import NetworkPredictor
from shrinkwise.dropout import Dropout
from shrinkwise.networks import attach
from shrinkwise.penalties import L2


@dataclass(frozen=True)
class Setting:
    """How a network is regularized: by L2 of strength lam on its weights, by dropout that keeps units with probability keep."""

    lam: float = 0.0
    keep: float = 1.0
    drops_inputs: bool = False

    def named(self) -> dict:
        """The setting as it is said to the user."""
        if self.lam:
            return {"λ": self.lam}
        if self.keep < 1:
            return {"keep": self.keep, "of": "inputs too" if self.drops_inputs else "hidden units"}
        return {}


class StackedLinear(nn.Module):
    """B linear layers with equal starts: x (B, m, in) ↦ x_b W_b' + c_b, (B, m, out)."""

    def __init__(self, n_networks: int, n_inputs: int, n_outputs: int):
        super().__init__()
        start = nn.Linear(n_inputs, n_outputs)
        self.weight = nn.Parameter(start.weight.detach().repeat(n_networks, 1, 1))
        self.bias = nn.Parameter(start.bias.detach().repeat(n_networks, 1, 1))

    def forward(self, x):
        """All B layers at once."""
        return torch.baddbmm(self.bias, x, self.weight.transpose(1, 2))


def train_networks(problems: list[Problem], setting: Setting, network: NetworkOptions) -> list[NetworkPredictor]:
    """Train one network per problem, all with one setting, and hand them back as arrays.

    The problems differ in their rows only. A regression target is standardised for training. The seed is the first
    problem's; PyTorch's own random state is left as it was.
    """
    targets = [_Target.of(problem) for problem in problems]
    X = [torch.tensor(problem.X, dtype=torch.float32) for problem in problems]
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(problems[0].seed)
        model = _network(len(problems), X[0].shape[1], targets[0].n_outputs, setting, network)
        _minimise(model, X, [target.values for target in targets], setting, network)
    layers = [layer for layer in model if isinstance(layer, StackedLinear)]
    return [
        target.predictor([layer.weight[b] for layer in layers], [layer.bias[b, 0] for layer in layers])
        for b, target in enumerate(targets)
    ]


@dataclass(frozen=True)
class _Target:
    """A target as the loss takes it: class codes, or numbers of mean 0 and variance 1."""

    values: torch.Tensor
    n_outputs: int
    centre: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, problem: Problem) -> _Target:
        if problem.has_classes:
            return cls(torch.tensor(problem.y, dtype=torch.long), problem.n_classes)
        centre, scale = problem.y.mean(), problem.y.std() or 1.0
        return cls(torch.tensor((problem.y - centre) / scale, dtype=torch.float32), 1, centre, scale)

    def predictor(self, weights, biases) -> NetworkPredictor:
        weights, biases = ([v.detach().double().numpy() for v in values] for values in (weights, biases))
        weights[-1], biases[-1] = weights[-1] * self.scale, biases[-1] * self.scale + self.centre
        return NetworkPredictor(weights, biases, not self.values.is_floating_point())


def _network(
    n_networks: int, n_inputs: int, n_outputs: int, setting: Setting, network: NetworkOptions
) -> nn.Sequential:
    def noise(acts: bool) -> list[nn.Module]:
        return [Dropout(keep=setting.keep)] if acts and setting.keep < 1 else []

    return nn.Sequential(
        *noise(setting.drops_inputs),
        StackedLinear(n_networks, n_inputs, network.hidden),
        nn.ReLU(),
        *noise(True),
        StackedLinear(n_networks, network.hidden, n_outputs),
    )


def _minimise(model, X: list, y: list, setting: Setting, network: NetworkOptions) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=network.learning_rate, fused=True)
    if setting.lam:
        attach(optimizer, model, L2(setting.lam))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, network.steps)
    for batch, target in _batches(X, y, network):
        optimizer.zero_grad()
        _summed_loss(model(batch), target).backward()
        optimizer.step()
        schedule.step()


def _summed_loss(output, target):
    """Over the stack the sum, over the rows of each network the mean."""
    if target.is_floating_point():
        return torch.nn.functional.mse_loss(output[..., 0], target, reduction="sum") / target.shape[1]
    loss = torch.nn.functional.cross_entropy(output.flatten(0, 1), target.flatten(), reduction="sum")
    return loss / target.shape[1]


def _batches(X: list, y: list, network: NetworkOptions):
    """`steps` batches (X, y), stacked. Every network sees its rows in one random order after another.

    Where all rows of all networks fit into one batch it is the same every time; where the networks differ by a few rows,
    an order leaves out the rows that the smallest does not have.
    """
    smallest, largest = min(map(len, X)), max(map(len, X))
    if smallest == largest <= network.batch_size:
        stacked = torch.stack(X), torch.stack(y)
        yield from (stacked for _ in range(network.steps))
        return
    size = min(smallest, network.batch_size)
    a_pass = smallest // size
    for step in range(network.steps):
        if step % a_pass == 0:
            orders = [torch.randperm(len(rows)) for rows in X]
        start = step % a_pass * size
        rows = [order[start : start + size] for order in orders]
        yield (
            torch.stack([values[r] for values, r in zip(X, rows, strict=True)]),
            torch.stack([values[r] for values, r in zip(y, rows, strict=True)]),
        )


@contextmanager
def _one_thread():
    """PyTorch on one thread, said to itself: threadpoolctl misses it when it is loaded later than the limit is set."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
