"""Products of two computed tensors: matrix products and attention."""

from __future__ import annotations

import torch

from ..flow import place, unfollowed
from ..shadow import Shadow, align, shrink, zero_along
from ..trace import shapes
from .linear_maps import product_with_matrix
from .registry import bound, operator_name, rule


@rule("matmul", "mm", "bmm", "baddbmm")
def matmul(flow, node):
    """Batch dimensions (heads among them) go together in both; what is multiplied stays.

    Without them the rows of the left operand, or else the columns of the right one, are those of the result.
    """
    name = operator_name(node)
    pair = node.args[1:3] if name == "baddbmm" else node.args[:2]
    if name != "baddbmm" and flow.source(pair[1]) is not None and flow.source(pair[0]) is None:
        return product_with_matrix(flow, node, pair[0], pair[1], None)
    beta = bound(node).get("beta", 0)
    a, b = (flow.shadow(arg) for arg in pair)
    if min(len(a.shape), len(b.shape)) < 2 or (
        name == "baddbmm" and beta != 0 and flow.source(node.args[0]) is not None
    ):
        return unfollowed(flow, node, f"{name} of these shapes")
    shape = shapes(node)
    labels = _tied_batches(flow, node, (a, b), len(shape))
    if name == "baddbmm" and isinstance(flow.shadows.get(node.args[0]), Shadow):
        flow.pin(node.args[0], place(node), f"{name} multiplies over its channels")
    known = align(zero_along(a, -1), len(shape)) | align(zero_along(b, -2), len(shape))
    if name == "baddbmm" and beta != 0:
        known = torch.zeros_like(known)
    return Shadow(shape, labels, shrink(known), torch.zeros([1] * len(shape), dtype=torch.float64))


@rule("addmm")
def addmm(flow, node):
    """b + x W with a matrix and a vector of the model."""
    arguments = bound(node)
    bias = flow.source(arguments["self"])
    if bias is None or bias.tensor.dim() != 1 or not arguments["beta"] == arguments["alpha"] == 1:
        return unfollowed(flow, node, "addmm of these operands")
    return product_with_matrix(flow, node, arguments["mat1"], arguments["mat2"], bias)


def _tied_batches(flow, node, pair: tuple[Shadow, Shadow], ndim: int) -> torch.Tensor:
    """Labels of the result: those of the batch dimensions, or else of the rows or the columns."""
    why = f"{operator_name(node)} multiplies over its channels"
    free = None if operator_name(node) == "baddbmm" else _free_dimension(pair)  # its sum has sizes of its own
    labels = []
    for number, x in enumerate(pair):
        keep = set(range(len(x.shape) - 2)) | ({len(x.shape) + free[1]} if free and free[0] == number else set())
        labels.append(align(flow.collapse(x, keep, place(node), why), ndim))
    sizes = [[1] * (ndim - len(x.shape)) + list(x.shape) for x in pair]
    for dim in range(ndim - 2):
        whole = [i for i in (0, 1) if sizes[i][dim] > 1]
        if any(labels[i].shape[dim] == 1 for i in whole):
            for i in whole:
                labels[i] = flow.classes.collapse(labels[i], dim)
    base = 0 if labels[0].numel() >= labels[1].numel() else 1
    for one in labels:
        if one.numel() == 1:
            flow.classes.pin(one, place(node), why)
    if labels[base].numel() > 1 and labels[1 - base].numel() > 1:
        flow.classes.tie(labels[0], labels[1])
    return labels[base]


def _free_dimension(pair: tuple[Shadow, Shadow]) -> tuple[int, int] | None:
    """(operand, its dimension) that is one of the result: where no batch dimension can shrink."""
    if any(x.tracked(dim) for x in pair for dim in range(len(x.shape) - 2)):
        return None
    return next(((number, dim) for number, dim in ((1, -1), (0, -2)) if pair[number].tracked(dim)), None)


@rule("scaled_dot_product_attention")
def attention(flow, node):
    """softmax(q kᵀ/√d + mask) v: a head of q, k, v and the result goes as a whole; a constant v gives a constant result."""
    arguments = bound(node)
    q, k, v = (flow.shadow(arguments[name]) for name in ("query", "key", "value"))
    if arguments["dropout_p"]:
        raise ValueError(
            f"Attention dropout is active in evaluation in {place(node)!r}, so outputs cannot be compared; pass "
            "dropout_p=0 in evaluation"
        )
    ndim, why = len(q.shape), "attention multiplies over the channels of a head"
    labels = [flow.collapse(x, set(range(ndim - 2)), place(node), why) for x in (q, k, v)]
    sizes = [x.shape[:-2] for x in (q, k, v)]
    if len(set(sizes)) > 1 or len({one.shape for one in labels}) > 1:
        labels = [_collapsed(flow, one, place(node)) for one in labels]
    flow.classes.tie(labels[0], labels[1])
    flow.classes.tie(labels[0], labels[2])
    mask = arguments["attn_mask"]
    if mask is not None:
        shadow = flow.shadow(mask)
        if shadow.labels.numel() > 1 or flow.source(mask) is not None:
            flow.pin(mask, place(node), "it is an attention mask")
            if len(shadow.shape) == ndim and any(size > 1 for size in shadow.shape[:-2][1:]):
                labels = [_collapsed(flow, one, place(node)) for one in labels]
        elif len(shadow.shape) > 2 and any(size > 1 for size in shadow.shape[-3:-2]):
            labels = [_collapsed(flow, one, place(node)) for one in labels]
    flow.heads.append(labels[0])
    known = _same_along(v.value) & v.known.all(-2, keepdim=True)
    value = v.value[..., :1, :] if v.value.shape[-2] > 1 else v.value
    if mask is not None or arguments["is_causal"]:  # a row that may attend to nothing gives 0, or NaN
        known = known & (value == 0)
    return Shadow(shapes(node), labels[0], shrink(known), shrink(torch.where(known, value, 0.0)))


def _collapsed(flow, labels: torch.Tensor, where: str) -> torch.Tensor:
    for dim in range(labels.dim()):
        labels = flow.classes.collapse(labels, dim)
    flow.classes.pin(labels, where, "its heads differ in number, or something has a size for each of them")
    return labels


def _same_along(value: torch.Tensor) -> torch.Tensor:
    """Where the value is the same for all keys."""
    return (value == value[..., :1, :]).all(-2, keepdim=True)
