"""Normalizations."""

from __future__ import annotations

import torch

from ..flow import Count, place
from ..shadow import Shadow, align, shrink
from ..trace import owner_path
from .registry import bound, operator_name, rule


def _channelwise(x: Shadow, part: torch.Tensor) -> torch.Tensor:
    """A vector over channels, as it broadcasts to x."""
    return part.reshape([-1 if dim == 1 else 1 for dim in range(len(x.shape))])


def _zero_gain(x: Shadow, gain: Shadow | None, shift: Shadow | None, view) -> tuple[torch.Tensor, torch.Tensor]:
    """Constants of the result where the gain is zero: the shift."""
    if gain is None:
        return x.unknown().known, x.unknown().value
    known = view(gain.value == 0)
    value = view(shift.value) if shift is not None else torch.zeros_like(view(gain.value))
    return known, torch.where(known, value, 0.0)


@rule("batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "instance_norm")
def batch_norm(flow, node):
    """(x − mean)/√(var + ε)·γ + β, channel by channel; with the statistics of the batch a constant stays only if γ = 0."""
    arguments = bound(node)
    x = flow.shadow(arguments["input"])
    labels = flow.collapse(x, {1}, place(node), "it is normalized over all its channels")
    parts = {}
    for name in ("weight", "bias", "running_mean", "running_var"):
        if arguments[name] is not None:
            parts[name] = flow.shadow(arguments[name])
            flow.classes.tie(labels, _channelwise(x, parts[name].labels))
    known, value = _zero_gain(x, parts.get("weight"), parts.get("bias"), lambda part: _channelwise(x, part))
    fixed = operator_name(node).endswith("no_training") or not (
        arguments.get("training") or arguments.get("use_input_stats")
    )
    if fixed and "running_mean" in parts and all(x.known.shape[d] == 1 for d in range(len(x.shape)) if d != 1):
        scale = (_channelwise(x, parts["running_var"].value) + arguments["eps"]).rsqrt()
        moved = (x.value - _channelwise(x, parts["running_mean"].value)) * scale
        if "weight" in parts:
            moved = moved * _channelwise(x, parts["weight"].value)
        if "bias" in parts:
            moved = moved + _channelwise(x, parts["bias"].value)
        value = torch.where(known, value, torch.where(x.known, moved, 0.0))
        known = known | x.known
    result = Shadow(x.shape, labels, shrink(known), shrink(value))
    several = operator_name(node) in ("_native_batch_norm_legit_no_training", "cudnn_batch_norm")
    return [result, None, None, None] if several else result


@rule("group_norm")
def group_norm(flow, node):
    """Channels of one group go together; whole groups can go."""
    arguments = bound(node)
    x, groups = flow.shadow(arguments["input"]), arguments["num_groups"]
    labels = flow.collapse(x, {1}, place(node), "GroupNorm is over channels that cannot be distinguished")
    if labels.shape[1] > 1:
        flow.classes.collapse(labels.reshape(groups, -1), 1)
        if groups == 1:
            flow.classes.pin(
                labels, place(node), "GroupNorm with one group uses the mean and variance of all its channels"
            )
        flow.counts.append(Count(owner_path(node), "num_groups", labels.reshape(groups, -1)[:, 0]))
    gain, shift = (flow.shadow(arguments[name]) if arguments[name] is not None else None for name in ("weight", "bias"))
    for part in (gain, shift):
        if part is not None:
            flow.classes.tie(labels, _channelwise(x, part.labels))
    known, value = _zero_gain(x, gain, shift, lambda part: _channelwise(x, part))
    return Shadow(x.shape, labels, shrink(known), shrink(value))


@rule("layer_norm", "rms_norm")
def layer_norm(flow, node):
    """Over the last dimensions, which stay: their mean and mean square are over all of them."""
    arguments, name = bound(node), operator_name(node)
    x = flow.shadow(arguments["input"])
    last = len(arguments["normalized_shape"])
    ndim = len(x.shape)
    why = f"{'LayerNorm' if name == 'layer_norm' else 'RMSNorm'} uses the mean square of all its channels"
    labels = flow.collapse(x, set(range(ndim - last)), place(node), why)
    parts = {}
    for which in ("weight", "bias"):
        if arguments.get(which) is not None:
            flow.pin(arguments[which], place(node), why)
            parts[which] = flow.shadow(arguments[which])
    known, value = _zero_gain(x, parts.get("weight"), parts.get("bias"), lambda part: align(part, ndim))
    return Shadow(x.shape, labels, shrink(known), shrink(value))
