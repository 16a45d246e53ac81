"""Linear maps with a weight of the model: Linear, convolutions, transposed convolutions, embeddings."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from ..flow import Count, Reader, Source, place, unfollowed
from ..shadow import Shadow, shrink, untracked
from ..trace import owner_path, shapes
from .registry import bound, operator_name, rule

_MIXED = "its channels cannot be distinguished"


@rule("linear")
def linear(flow, node):
    """y = x Wᵀ + b over the last dimension."""
    arguments = bound(node)
    weight, bias = flow.source(arguments["weight"]), flow.source(arguments["bias"])
    if weight is None or (arguments["bias"] is not None and bias is None):
        return unfollowed(flow, node, "its weight is computed from others")
    x = flow.shadow(arguments["input"])
    last = len(x.shape) - 1
    inputs = flow.collapse(x, {last}, place(node), _MIXED)
    return _dense(flow, node, x, inputs.reshape(-1), weight, bias, axes=(0, 1), channel=last, padded=False)


def product_with_matrix(flow, node, x, matrix, bias: Source | None):
    """y = x W + b for a matrix W of the model, which has its inputs along its rows."""
    weight = flow.source(matrix)
    shadow = flow.shadow(x)
    if weight is None or weight.tensor.dim() != 2 or len(shadow.shape) < 2:
        return unfollowed(flow, node, f"{operator_name(node)} of these operands")
    last = len(shadow.shape) - 1
    inputs = flow.collapse(shadow, {last}, place(node), _MIXED).reshape(-1)
    return _dense(flow, node, shadow, inputs, weight, bias, axes=(1, 0), channel=last, padded=False)


@rule("conv1d", "conv2d", "conv3d", "convolution", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def convolution(flow, node):
    """Dense ones read all input channels; in grouped and depthwise ones each group goes as a whole."""
    arguments, name = bound(node), operator_name(node)
    weight, bias = flow.source(arguments["weight"]), flow.source(arguments["bias"])
    if weight is None or (arguments["bias"] is not None and bias is None):
        return unfollowed(flow, node, "its weight is computed from others")
    transposed = "transpose" in name or bool(arguments.get("transposed"))
    x = flow.shadow(arguments["input"])
    channel = len(x.shape) - (weight.tensor.dim() - 1)
    inputs = flow.collapse(x, {channel}, place(node), _MIXED).reshape(-1)
    padding = arguments["padding"]
    padded = transposed or (padding != "valid" and any(_number(one) for one in _listed(padding)))
    if arguments["groups"] == 1:
        axes = (1, 0) if transposed else (0, 1)
        return _dense(flow, node, x, inputs, weight, bias, axes=axes, channel=channel, padded=padded)
    return _grouped(flow, node, x, inputs, weight, bias, channel, arguments["groups"], transposed, padded)


def _listed(value) -> list:
    return list(value) if isinstance(value, list | tuple) else [value]


def _number(padding) -> bool:
    """Whether there is padding: a number above zero, or "same"."""
    return padding != 0


def _strength(weight: Source, out_axis: int, in_axis: int) -> torch.Tensor:
    """(out, in): whether any entry of the kernel between them is not zero (NaN counts as not zero)."""
    nonzero = (weight.tensor != 0).movedim((out_axis, in_axis), (0, 1)).cpu()
    return nonzero if nonzero.dim() == 2 else nonzero.flatten(2).any(2)


def kernel_sums(weight: torch.Tensor, out_axis: int, in_axis: int, columns: torch.Tensor) -> torch.Tensor:
    """(out, columns) in float64: the kernels of these inputs, summed over the window."""
    chosen = weight.detach().cpu().movedim((out_axis, in_axis), (0, 1))[:, columns].double()
    return chosen if chosen.dim() == 2 else chosen.flatten(2).sum(2)


def _line(part: torch.Tensor, dim: int, size: int) -> torch.Tensor | None:
    """`part` as a vector along `dim`; None where it varies along another dimension."""
    if part.numel() != part.shape[dim]:
        return None
    return part.reshape(-1).expand(size)


def _dense(flow, node, x: Shadow, inputs, weight: Source, bias: Source | None, *, axes, channel: int, padded: bool):
    out_axis, in_axis = axes
    size = weight.tensor.shape[in_axis]
    outputs = weight.axis(out_axis)
    flow.classes.tie(weight.axis(in_axis), inputs)
    if bias is not None:
        flow.classes.tie(outputs, bias.axis(0))
    known, value = _line(x.known, channel, size), _line(x.value, channel, size)
    if known is None or value is None:
        known, value = torch.zeros(size, dtype=torch.bool), torch.zeros(size, dtype=torch.float64)
    nonzero = _strength(weight, out_axis, in_axis)
    owner = flow.owner(node)  # torch's own layers take a bias that is added later
    slot = isinstance(owner, nn.Linear | _ConvNd) and weight.name == f"{owner_path(node)}.weight".lstrip(".")
    flow.readers.append(
        Reader(
            place(node),
            weight.axis(in_axis),
            known,
            value,
            outputs,
            nonzero,
            weight,
            out_axis,
            in_axis,
            bias,
            slot,
            padded,
        )
    )
    constant, moving = known & (value != 0), ~known | (known & (value != 0) & padded)
    fixed = ~nonzero[:, moving].any(1)
    result = torch.zeros(len(outputs), dtype=torch.float64) if bias is None else bias.tensor.cpu().double()
    columns = torch.nonzero(constant & ~moving).reshape(-1)
    result = result + kernel_sums(weight.tensor, out_axis, in_axis, columns) @ value[columns]
    return _result(shapes(node), channel, outputs, fixed & result.isfinite(), result)


def _result(shape, channel: int, labels, known, value) -> Shadow:
    view = [-1 if dim == channel else 1 for dim in range(len(shape))]
    value = torch.where(known, value, 0.0)
    return Shadow(shape, labels.reshape(view), shrink(known.reshape(view)), shrink(value.reshape(view)))


def _grouped(
    flow, node, x: Shadow, inputs, weight: Source, bias, channel: int, groups: int, transposed: bool, padded: bool
):
    n_in = x.shape[channel]
    n_out = shapes(node)[channel]
    members = inputs.expand(n_in).reshape(groups, -1)
    flow.classes.tie(members, members[:, :1])
    outputs = members[:, :1].expand(groups, n_out // groups).reshape(-1)
    flow.classes.tie(weight.axis(0), members.reshape(-1) if transposed else outputs)
    if bias is not None:
        flow.classes.tie(bias.axis(0), outputs)
    flow.counts.append(Count(owner_path(node), "groups", members[:, 0]))
    known, value = _line(x.known, channel, n_in), _line(x.value, channel, n_in)
    if known is None or value is None:
        known = torch.zeros(n_in, dtype=torch.bool)
        value = torch.zeros(n_in, dtype=torch.float64)
    kernels = weight.tensor.detach().cpu().double()
    if transposed:  # (in, out of the group, …) to (group, in of the group, out of the group, …)
        kernels = kernels.reshape(groups, n_in // groups, n_out // groups, -1).transpose(1, 2)
    else:
        kernels = kernels.reshape(groups, n_out // groups, n_in // groups, -1)
    nonzero = (kernels != 0).any(3)
    steady = known & ((value == 0) | torch.tensor(not padded))
    fixed = ~(nonzero & ~steady.reshape(groups, 1, -1)).any(2).reshape(-1)
    result = (kernels.sum(3) * torch.where(steady, value, 0.0).reshape(groups, 1, -1)).sum(2).reshape(-1)
    if bias is not None:
        result = result + bias.tensor.cpu().double()
    return _result(shapes(node), channel, outputs, fixed & result.isfinite(), result)


@rule("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only")
def embedding_bag(flow, node):
    """Sums, means or maxima of rows of a table: its columns are the channels."""
    arguments = bound(node)
    weight, found = flow.source(arguments["weight"]), shapes(node)
    if weight is None:
        return unfollowed(flow, node, "its weight is computed from others")
    zero = (weight.tensor.cpu() == 0).all(0)
    first = _result(found[0], 1, weight.axis(1), zero, torch.zeros(len(zero), dtype=torch.float64))
    return [first, *(None if shape is None else untracked(shape) for shape in found[1:])]


@rule("embedding")
def embedding(flow, node):
    """Rows of a table: its columns are the channels; columns of one value are constants."""
    arguments = bound(node)
    weight = flow.source(arguments["weight"])
    if weight is None:
        return unfollowed(flow, node, "its weight is computed from others")
    if flow.source(arguments["indices"]) is None and flow.shadows.get(arguments["indices"]) is None:
        return untracked(shapes(node))
    table = weight.tensor.cpu()
    known = (table == table[:1]).all(0)
    shape = shapes(node)
    return _result(shape, len(shape) - 1, weight.axis(1), known, table[0].double())
