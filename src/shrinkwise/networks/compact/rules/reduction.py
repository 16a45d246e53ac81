"""Pooling and resizing channel by channel; means, sums and extrema over dimensions."""

from __future__ import annotations

import math

import torch

from ..flow import place, unfollowed
from ..shadow import Shadow, shrink, untracked, zero_along
from ..trace import shapes
from .pointwise import pointwise
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


@rule("max", "min", "median", "mode")
def extremum(flow, node):
    """Over one dimension with the positions, over all, or of two tensors entry by entry."""
    found = shapes(node)
    if "other" in bound(node):
        return pointwise(flow, node)
    if isinstance(found, list):
        value = _extremes(flow, node, found[0])
        return [value, *(None if shape is None else untracked(shape) for shape in found[1:])]
    flow.collapse(flow.shadow(node.args[0]), set(), place(node), f"{operator_name(node)} is over its channels")
    return untracked(found)


def _extremes(flow, node, shape) -> Shadow:
    x, arguments = flow.shadow(node.args[0]), bound(node)
    dim = arguments["dim"] % len(x.shape)
    keep = set(range(len(x.shape))) - {dim}
    labels = flow.collapse(x, keep, place(node), f"{operator_name(node)} is over its channels")
    # The largest of equal constants.
    same = (x.value == x.value.narrow(dim, 0, 1)).all(dim, keepdim=True)
    known = x.known.all(dim, keepdim=True) & same
    value = torch.where(known, x.value.narrow(dim, 0, 1), 0.0)
    parts = (labels, known, value) if arguments.get("keepdim") else (one.squeeze(dim) for one in (labels, known, value))
    return Shadow(shape, *parts)


@rule("topk", "sort", "cummax", "cummin")
def ordered(flow, node):
    """Positions along one dimension in another order, with their numbers."""
    x, arguments, found = flow.shadow(node.args[0]), bound(node), shapes(node)
    dim = arguments["dim"] % len(x.shape)
    keep = set(range(len(x.shape))) - {dim}
    labels = flow.collapse(x, keep, place(node), f"{operator_name(node)} orders its channels")
    zero = zero_along(x, dim)
    return [Shadow(found[0], labels, zero, torch.zeros([1] * len(x.shape), dtype=torch.float64)), untracked(found[1])]


@rule("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def sampled(flow, node):
    """Each channel is read at the places of the grid; beyond the border it may be zero."""
    x, shape = flow.shadow(node.args[0]), shapes(node)
    flow.pin(node.args[1], place(node), "it is a grid of places")
    labels = flow.collapse(x, {0, 1}, place(node), "it is resampled with channels that cannot be distinguished")
    return _zeros_stay(shape, labels, x)


@rule("im2col")
def windows(flow, node):
    """The entries of a window as channels: those of one channel go together."""
    x, shape = flow.shadow(node.args[0]), shapes(node)
    channel = len(x.shape) - 3
    labels = flow.collapse(x, set(range(channel + 1)), place(node), "its channels cannot be distinguished")
    zero = (x.known & (x.value == 0)).expand(x.shape).flatten(channel + 1).all(-1)
    size = math.prod(_listed(bound(node)["kernel_size"]))
    labels, zero = (part.repeat_interleave(size, channel).unsqueeze(-1) for part in (labels.flatten(channel), zero))
    return Shadow(shape, shrink(labels), shrink(zero), torch.zeros([1] * len(shape), dtype=torch.float64))


def _zeros_stay(shape, labels, x: Shadow) -> Shadow:
    """Known where a whole channel is zero."""
    zero = (x.known & (x.value == 0)).expand(x.shape).all(dim=tuple(range(2, len(x.shape))), keepdim=True)
    return Shadow(shape, labels, shrink(zero), torch.zeros([1] * len(shape), dtype=torch.float64))


def _without(part: torch.Tensor, dims) -> torch.Tensor:
    """Without these dimensions, which have size 1."""
    return shrink(part.reshape([size for dim, size in enumerate(part.shape) if dim not in set(dims)]))
