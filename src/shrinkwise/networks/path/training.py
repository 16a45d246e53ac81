"""Minibatch training of a network on rows in memory, which a path repeats at every λ."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from shrinkwise.networks.attaching.full_pass import pair


def _adam(parameters) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=2e-3, fused=True)


@dataclass(frozen=True)
class Training:
    """Settings of the training at each λ of a path.

    Parameters
    ----------
    optimizer : callable
        ``optimizer(parameters)`` returns a torch optimizer; by default Adam with learning rate .002. At each λ its
        learning rate decays from its initial value to zero along a cosine.
    epochs : int ≥ 1
        Passes over the data at each λ, and for a refit.
    start_epochs : int ≥ 0
        Passes without the penalty before the first λ.
    batch_size : int ≥ 1
        Maximum number of rows of a minibatch; the rows are split into parts of equal size.
    """

    optimizer: Callable = _adam
    epochs: int = 5
    start_epochs: int = 30
    batch_size: int = 64

    def __post_init__(self):
        if not callable(self.optimizer):
            raise TypeError(
                "Expected optimizer to be a function of the parameters, such as lambda p: torch.optim.Adam(p, "
                f"lr=1e-3), got {type(self.optimizer).__name__}"
            )
        for name, least in {"epochs": 1, "start_epochs": 0, "batch_size": 1}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"Expected {name} to be an integer ≥ {least}, got {value!r}")

    def run(self, model: nn.Module, optimizer, rows: TensorRows, loss, epochs: int) -> None:
        """`epochs` passes in a new random order each, the learning rates falling to zero; then they are what they were."""
        model.train()
        rates = [group["lr"] for group in optimizer.param_groups]
        batches = math.ceil(len(rows) / self.batch_size)
        for epoch in range(epochs):
            for number, index in enumerate(torch.randperm(len(rows)).tensor_split(batches)):
                done = (epoch + number / batches) / epochs
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * 0.5 * (1.0 + math.cos(math.pi * done))
                optimizer.zero_grad()
                _checked(loss(model(rows.x[index]), rows.y[index])).backward()
                optimizer.step()
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate


@dataclass(frozen=True)
class TensorRows:
    """Inputs and targets of the same rows, as tensors."""

    x: torch.Tensor
    y: torch.Tensor

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index) -> TensorRows:
        """Some of the rows."""
        index = torch.as_tensor(np.asarray(index), device=self.x.device)
        return TensorRows(self.x[index], self.y[index])

    def like(self, model: nn.Module) -> TensorRows:
        """On the device of the model, floating-point numbers in its precision."""
        weights = next((p for p in model.parameters() if p.is_floating_point()), None)
        return self if weights is None else TensorRows(_moved(self.x, weights), _moved(self.y, weights))

    def batches(self, size: int = 1024) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """All rows, in order."""
        return list(zip(self.x.split(size), self.y.split(size), strict=True))

    @classmethod
    def of(cls, X, y=None) -> TensorRows:
        """From arrays or tensors X (n, ...) and y (n, ...), or from a loader or dataset of (x, y), read once."""
        if y is None:
            X, y = _read(X)
        x, y = as_tensor(X, "X"), as_tensor(y, "y")
        if not len(x):
            raise ValueError("Expected X with at least one row, got none")
        if len(x) != len(y):
            raise ValueError(f"Expected X and y of equal length, got {len(x)} and {len(y)} rows")
        return cls(x, y)


@contextmanager
def seeded(*seed: int):
    """Torch's random numbers from this seed inside, and as they were afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]) >> 1)
        yield


@torch.no_grad()
def outputs(model: nn.Module, rows: TensorRows) -> torch.Tensor:
    """The model's output in evaluation, row by row."""
    model.eval()
    return torch.cat([model(x) for x, _ in rows.batches()])


def _checked(loss) -> torch.Tensor:
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise TypeError(f"Expected loss(output, y) to return the mean over the batch as a scalar tensor, got {got}")
    if not torch.isfinite(loss):
        raise FloatingPointError(f"The loss became {loss.item()} in training; lower the optimizer's learning rate")
    return loss


def _read(source) -> tuple[torch.Tensor, torch.Tensor]:
    if isinstance(source, (np.ndarray, torch.Tensor)) or (not hasattr(source, "__iter__") and not _is_dataset(source)):
        raise ValueError("Expected X and y, or a single DataLoader or Dataset of (x, y); y is missing")
    if _is_dataset(source):
        source = torch.utils.data.DataLoader(source, batch_size=1024)
    pairs = [pair(batch) for batch in source]
    if not pairs:
        raise ValueError("Expected a loader that returns batches (x, y), got no batch")
    return torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])


def _is_dataset(source) -> bool:
    return isinstance(source, torch.utils.data.Dataset)


def as_tensor(values, name: str) -> torch.Tensor:
    """A tensor of finite numbers with rows, from an array or tensor."""
    tensor = values.detach() if isinstance(values, torch.Tensor) else _array(values, name)
    if not tensor.dim():
        raise ValueError(f"Expected {name} to have rows, got a single number")
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} has NaN or infinite entries; impute or drop them first")
    return tensor


def _array(values, name: str) -> torch.Tensor:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"Expected {name} to be numbers, got dtype {array.dtype}; encode labels as 0 … K−1 "
            "(sklearn.preprocessing.LabelEncoder)"
        )
    if array.dtype.kind in "iu":
        array = array.astype(np.int64)
    return torch.from_numpy(np.array(array, order="C"))


def _moved(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return values.to(weights.device, weights.dtype if values.is_floating_point() else None)
