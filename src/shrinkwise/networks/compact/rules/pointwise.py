"""Operators that act entry by entry: activations, sums and products with broadcasting, casts, dropout in evaluation."""

from __future__ import annotations

import torch
from torch import fx
from torch.utils import _pytree as pytree

from ..flow import place, unfollowed
from ..shadow import Shadow, align, shrink, untracked, zero_along
from ..trace import shapes
from .registry import bound, operator_name, rule

ACTIVATIONS = (
    *(
        "hardswish",
        "hardsigmoid",
        "hardtanh",
        "relu6",
        "selu",
        "celu",
        "mish",
        "softplus",
        "log_sigmoid",
        "elu",
        "silu",
    ),
    *("leaky_relu", "threshold", "softshrink", "hardshrink", "square", "true_divide", "div", "rsub", "gelu", "relu"),
)


@rule("pointwise", *ACTIVATIONS)
def pointwise(flow, node):
    """Positions that meet are tied; a constant operation on constants is executed."""
    shape = shapes(node)
    if not isinstance(shape, torch.Size):
        return unfollowed(flow, node, f"{operator_name(node)} gives no tensor")
    operands = [flow.shadow(arg) for arg in node.all_input_nodes if _is_tensor(flow, arg)]
    labels = _tied(flow, node, operands, shape) if operands else untracked(shape).labels
    known, value = _constants(flow, node, operands, len(shape))
    return Shadow(shape, labels, known, value)


def _is_tensor(flow, arg) -> bool:
    return flow.source(arg) is not None or isinstance(flow.shadows.get(arg), Shadow)


def _tied(flow, node, operands: list[Shadow], shape: torch.Size) -> torch.Tensor:
    """Labels of the result. Where one operand has a dimension that cannot shrink, it cannot shrink in any."""
    ndim = len(shape)
    sizes = [align(torch.tensor(list(s.shape), dtype=torch.int64).reshape(-1), 1).tolist() for s in operands]
    sizes = [[1] * (ndim - len(size)) + size for size in sizes]
    labels = [align(s.labels, ndim) for s in operands]
    for dim in range(ndim):
        whole = [i for i, size in enumerate(sizes) if size[dim] > 1]
        if any(labels[i].shape[dim] == 1 for i in whole):
            for i in whole:
                labels[i] = flow.classes.collapse(labels[i], dim)
    base = max(range(len(labels)), key=lambda i: labels[i].numel())
    for i, other in enumerate(labels):
        meets = [dim for dim in range(ndim) if labels[base].shape[dim] > 1 and sizes[i][dim] > 1]
        outside = [dim for dim in range(ndim) if other.shape[dim] > 1 and labels[base].shape[dim] == 1]
        if outside:
            flow.classes.pin(other, place(node), "it meets a tensor that varies along other dimensions")
        elif i != base and (meets or labels[base].numel() == 1):
            flow.classes.tie(labels[base], other)
    return labels[base]


def _constants(flow, node, operands: list[Shadow], ndim: int):
    """Where the result is the same for all inputs, and what it is."""
    nothing = untracked([1] * ndim)
    shadows = {arg: flow.shadow(arg) for arg in node.all_input_nodes if _is_tensor(flow, arg)}
    if not any(bool(s.known.any()) for s in shadows.values()):
        return nothing.known, nothing.value
    known = torch.ones([1] * ndim, dtype=torch.bool)
    for shadow in shadows.values():
        known = known & align(shadow.known, ndim)
    args, kwargs = pytree.tree_map_only(
        fx.Node, lambda arg: align(shadows[arg].value, ndim) if arg in shadows else None, (node.args, node.kwargs)
    )
    try:
        value = node.target(*args, **kwargs).to(torch.float64)
    except Exception:  # an operator that wants integers, say: then nothing is known, which is always allowed
        return nothing.known, nothing.value
    known = known & value.isfinite()
    if operator_name(node) == "mul":  # zero times a finite number
        for shadow in shadows.values():
            known = known | align(shadow.known & (shadow.value == 0), ndim)
    value = torch.where(known, value.nan_to_num(), 0.0)
    return shrink(known), shrink(value)


@rule("clone", "contiguous", "alias", "detach", "lift_fresh_copy", "to", "_to_copy", "type_as", "positive")
def same(flow, node):
    """Copies and casts between floating types."""
    shape = shapes(node)
    source = node.args[0]
    if not _is_tensor(flow, source):
        return None if shape is None else untracked(shape)
    shadow = flow.shadow(source)
    kinds = [arg.meta["val"].dtype.is_floating_point for arg in (node, source)]
    return shadow if all(kinds) else shadow.unknown()


@rule("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout")
def dropout(flow, node):
    """No effect in evaluation; active dropout is random, so outputs cannot be compared."""
    arguments = bound(node)
    if arguments["train"] and arguments["p"]:
        raise ValueError(
            f"Dropout is active in evaluation in {place(node)!r}, so outputs cannot be compared; pass "
            "training=self.training to it"
        )
    return flow.shadow(node.args[0])


@rule("prelu")
def prelu(flow, node):
    """One slope for all channels, or one per channel (dimension 1)."""
    x, slope = flow.shadow(node.args[0]), flow.shadow(node.args[1])
    view = [1] * len(x.shape)
    if slope.shape.numel() > 1:
        view[1] = -1
        labels = flow.collapse(x, {1}, place(node), "PReLU has one slope per channel")
        flow.classes.tie(labels, slope.labels.reshape(view))
    else:
        labels = x.labels
    value = torch.where(x.value > 0, x.value, x.value * slope.value.reshape(view))
    known = x.known.expand(torch.broadcast_shapes(x.known.shape, value.shape))
    return Shadow(x.shape, labels, shrink(known), shrink(torch.where(known, value, 0.0)))


@rule("glu")
def glu(flow, node):
    """a · sigmoid(b) for the halves a, b along one dimension."""
    x, dim = flow.shadow(node.args[0]), bound(node)["dim"]
    shape = shapes(node)
    first, second = (x.map(lambda part, i=i: part.chunk(2, dim)[i]) for i in (0, 1))
    flow.classes.tie(first.labels.expand(shape), second.labels.expand(shape))
    value = first.value * second.value.sigmoid()
    known = (first.known & second.known) | (first.known & (first.value == 0))
    return Shadow(shape, first.labels, shrink(known), shrink(torch.where(known, value, 0.0)))


@rule("cumsum")
def cumulated(flow, node):
    """Sums along one dimension, which are zero where all is."""
    x, mixed = flow.shadow(node.args[0]), along(flow, node)
    return Shadow(x.shape, mixed.labels, zero_along(x, node.args[1] % len(x.shape)), mixed.value)


@rule("softmax", "_softmax", "log_softmax", "_log_softmax", "logcumsumexp")
def along(flow, node):
    """Mixes positions along one dimension."""
    x, dim = flow.shadow(node.args[0]), node.args[1] % max(len(shapes(node)), 1)
    keep = set(range(len(x.shape))) - {dim}
    labels = flow.collapse(x, keep, place(node), f"{operator_name(node)} mixes its channels")
    return Shadow(x.shape, labels, x.known, x.value).unknown()
