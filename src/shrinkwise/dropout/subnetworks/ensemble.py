"""Dropout as an ensemble: every mask of a layer is a thinned network, and training averages over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import nn

from shrinkwise.dropout.inverted import check_keep

from .thinned import FixedMask, layer_keep, unit_dropout, unit_shapes, with_masks

_MOST_UNITS = 20


class Subnetworks(NamedTuple):
    """All thinned versions of a layer of m units: `masks` (2^m, m), True = kept, and their `probabilities` (2^m,)."""

    masks: torch.Tensor
    probabilities: torch.Tensor


def enumerate_subnetworks(n_units: int, *, keep: float) -> Subnetworks:
    """All 2^m masks of a layer of m units, with the probability keep^kept · (1 − keep)^dropped of each.

    It makes an expectation over dropout a finite sum. More than 20 units (a million masks) are an error.

    >>> masks, probabilities = enumerate_subnetworks(2, keep=0.75)
    >>> masks.tolist()
    [[False, False], [True, False], [False, True], [True, True]]
    >>> probabilities.tolist()
    [0.0625, 0.1875, 0.1875, 0.5625]
    """
    keep = check_keep(keep, (), "enumerate_subnetworks(4, keep=0.8)")
    if not 0 <= n_units <= _MOST_UNITS:
        raise ValueError(f"Expected between 0 and {_MOST_UNITS} units, because all 2^m masks are listed, got {n_units}")
    numbers = torch.arange(2**n_units)
    masks = (numbers[:, None] >> torch.arange(n_units)) & 1 == 1
    kept = masks.sum(1).double()
    probabilities = torch.pow(keep, kept) * torch.pow(1.0 - keep, n_units - kept)
    return Subnetworks(masks, probabilities)


@torch.no_grad()
def ensemble(
    networks: Iterable[nn.Module], x: torch.Tensor, *, task: str, average: str = "arithmetic", weights=None
) -> torch.Tensor:
    """The prediction of a mixture of networks, such as `subnetworks` gives.

    arithmetic: Σ_s w_s p_s(x). geometric, normalised: softmax(Σ_s w_s ln p_s(x)), the softmax of the mean logits.

    Parameters
    ----------
    networks : modules from x to logits (N, K), or (N, 1) for two classes; for regression to values of any shape
    x : the input of the networks
    task : "classification" or "regression"
    average : "arithmetic" or "geometric"; regression supports only the arithmetic mean
    weights : numbers that sum to 1, one per network, optional; equal by default

    Returns class probabilities (N, K), or (N, 1) that of the class 1, or the mean value.

    References: Warde-Farley et al., An empirical analysis of dropout in piecewise linear networks, ICLR 2014,
    arXiv:1312.6197.
    """
    if task not in ("classification", "regression") or average not in ("arithmetic", "geometric"):
        raise ValueError(
            'Expected task="classification" or "regression" and average="arithmetic" or "geometric", '
            f"got {task!r} and {average!r}"
        )
    if task == "regression" and average == "geometric":
        raise ValueError('Expected average="arithmetic" for a regression, because its values may be negative')
    outputs = torch.stack([network(x) for network in networks])
    n = len(outputs)
    weights = torch.full((n,), 1.0 / n) if weights is None else torch.as_tensor(weights, dtype=torch.float64)
    if weights.shape != (n,):
        raise ValueError(f"Expected one weight for each of the {n} networks, got shape {tuple(weights.shape)}")
    # The mean of logits, log-probabilities up to a constant per row, is the geometric mean once it is normalised.
    late = task == "classification" and average == "geometric"
    values = _probabilities(outputs) if task == "classification" and not late else outputs
    mean = torch.tensordot(weights.to(values), values, dims=1)
    return _probabilities(mean) if late else mean


def exact_ensemble(model: nn.Module, x: torch.Tensor, *, task: str, average: str = "arithmetic") -> torch.Tensor:
    """The mixture of all sub-networks of a small model, weighted by probability, which MC dropout estimates.

    Parameters as in `ensemble`; `model` has Dropout layers with at most 20 units in all, each drawn once for all rows
    (which makes no difference for a model with independent rows).
    """
    networks, probabilities = zip(*_all_subnetworks(model, x), strict=True)
    return ensemble(networks, x, task=task, average=average, weights=probabilities)


def _all_subnetworks(model: nn.Module, x: torch.Tensor) -> Iterator[tuple[nn.Module, float]]:
    shapes = unit_shapes(model, x)
    keeps = {name: layer_keep(layer) for name, layer in unit_dropout(model) if name in shapes}
    sizes = [math.prod(shape) for shape in shapes.values()]
    masks, _ = enumerate_subnetworks(sum(sizes), keep=0.5)
    rates = torch.cat(
        [torch.full((size,), keeps[name], dtype=torch.float64) for name, size in zip(shapes, sizes, strict=True)]
    )
    probabilities = torch.where(masks, rates, 1.0 - rates).prod(1)
    for mask, probability in zip(masks, probabilities, strict=True):
        parts = zip(shapes.items(), mask.split(sizes), strict=True)
        chosen = {name: FixedMask(keep=keeps[name], kept=part.view(shape)) for (name, shape), part in parts}
        yield with_masks(model, chosen, shrink=False), probability.item()


def _probabilities(logits: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(logits) if logits.size(-1) == 1 else torch.softmax(logits, -1)
