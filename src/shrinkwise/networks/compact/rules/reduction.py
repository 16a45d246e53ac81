"""Pooling and resizing channel by channel; means, sums and extrema over dimensions."""

from __future__ import annotations

import math

import torch

from ..flow import place, unfollowed
from ..shadow import Shadow, shrink
from ..trace import shapes
from .registry import bound, operator_name, rule

_POOLS = [f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)]
_WITH_INDICES = ["max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices"]
_RESIZED = [
    f"{kind}{n}d"
    for kind in (
        "upsample_nearest",
        "_upsample_nearest_exact",
        "upsample_linear",
        "upsample_bilinear",
        "upsample_bicubic",
        "upsample_trilinear",
    )
    for n in (1, 2, 3)
]


@rule(*_POOLS, *_WITH_INDICES, "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", *_RESIZED)
def pool(flow, node):
    """Each channel for itself; a constant channel stays one unless padding enters its averages."""
    x, arguments, name = flow.shadow(node.args[0]), bound(node), operator_name(node)
    found = shapes(node)
    shape = found[0] if isinstance(found, list) else found
    spatial = next(n for n in (1, 2, 3) if f"{n}d" in name)
    channel = len(x.shape) - spatial - 1
    labels = flow.collapse(
        x, set(range(channel + 1)), place(node), "it is pooled with channels that cannot be distinguished"
    )
    padded = name.startswith("avg_pool") and any(_listed(arguments["padding"])) and arguments["count_include_pad"]
    steady = all(x.known.shape[d] == 1 and x.value.shape[d] == 1 for d in range(channel + 1, len(x.shape)))
    known = (x.known & (x.value == 0)) if padded else x.known
    result = Shadow(shape, labels, known, torch.where(known, x.value, 0.0))
    if not steady or arguments.get("divisor_override"):
        result = result.unknown()
    return [result, *[None] * (len(found) - 1)] if isinstance(found, list) else result


def _listed(value) -> list:
    return list(value) if isinstance(value, list | tuple) else [value]


@rule(
    "mean", "sum", "amax", "amin", "var", "std", "linalg_vector_norm", "norm", "argmax", "argmin", "logsumexp", "prod"
)
def reduce(flow, node):
    """Over some dimensions. What is summed over goes together."""
    x, arguments, name = flow.shadow(node.args[0]), bound(node), operator_name(node)
    shape = shapes(node)
    if not isinstance(shape, torch.Size):
        return unfollowed(flow, node, f"{name} gives no tensor")
    ndim = len(x.shape)
    dims = arguments.get("dim")
    dims = range(ndim) if dims is None or dims == [] else [dim % ndim for dim in _listed(dims)]
    keep = set(range(ndim)) - set(dims)
    labels = flow.collapse(x, keep, place(node), f"{name} is over its channels")
    steady = all(x.known.shape[dim] == 1 and x.value.shape[dim] == 1 for dim in dims)
    known, value = x.known, x.value
    if name == "sum":
        value = value * math.prod(x.shape[dim] for dim in dims)
    elif name not in ("mean", "amax", "amin"):
        steady = False
    if len(shape) != ndim:
        labels, known, value = (
            _without(part, dims) if steady or part is labels else part for part in (labels, known, value)
        )
    result = Shadow(shape, labels, known, value)
    return result if steady else result.unknown()


def _without(part: torch.Tensor, dims) -> torch.Tensor:
    """Without these dimensions, which have size 1."""
    return shrink(part.reshape([size for dim, size in enumerate(part.shape) if dim not in set(dims)]))
