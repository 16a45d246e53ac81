"""Operators that only move entries: the same movement is carried out on the atoms."""

from __future__ import annotations

import functools
import operator

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from ..flow import Reader, Resize, place, unfollowed
from ..shadow import Shadow, shrink, untracked
from ..trace import owner_path, shapes
from .registry import bound, operator_name, rule

FREE = (  # they name no size that could change
    *("transpose", "permute", "t", "flatten", "squeeze", "unsqueeze", "flip", "pixel_shuffle", "pixel_unshuffle"),
    *("channel_shuffle", "numpy_T", "movedim", "swapaxes", "cat", "stack", "concat", "repeat_interleave"),
)
SIZED = ("view", "reshape", "_unsafe_view", "unflatten", "expand", "repeat", "tile", "expand_as")


def moved(flow, node):
    """Carry out the node on labels, known and value of its operands, each in full shape."""
    operands = {arg: flow.shadow(arg) for arg in node.all_input_nodes}
    parts = []
    for part in ("labels", "known", "value"):
        args, kwargs = pytree.tree_map_only(
            fx.Node, functools.partial(_in_full, operands, part), (node.args, node.kwargs)
        )
        parts.append(torch.reshape(*args) if "view" in operator_name(node) else node.target(*args, **kwargs))
    if isinstance(parts[0], torch.Tensor):
        return _shadow(*parts)
    return [_shadow(*three) for three in zip(*parts, strict=True)]


def _in_full(operands, part: str, arg: fx.Node):
    return getattr(operands[arg], part).expand(operands[arg].shape)


def _shadow(labels, known, value) -> Shadow:
    return Shadow(labels.shape, shrink(labels), shrink(known), shrink(value))


@rule(*FREE)
def free(flow, node):
    """Moved, with no more to say."""
    if any(not isinstance(flow.shadow(arg), Shadow) for arg in node.all_input_nodes):
        return unfollowed(flow, node, f"{operator_name(node)} of something that is not a tensor")
    return moved(flow, node)


@rule(*SIZED)
def sized(flow, node):
    """Moved; the sizes in the user's code have to follow, which the run of the smaller model shows."""
    if any(not isinstance(flow.shadow(arg), Shadow) for arg in node.all_input_nodes):
        return unfollowed(flow, node, f"{operator_name(node)} with a computed size")
    before, after = flow.shadow(node.args[0]), moved(flow, node)
    for shadow in (before, after):
        if shadow.labels.numel() > 1 and before.labels.shape != after.labels.shape:
            flow.resizes.append(Resize(owner_path(node), shadow.labels, shadow.shape))
    return after


@rule("select", "unbind")
def select(flow, node):
    """One index of a dimension: the dimension itself cannot shrink, so what it holds goes together."""
    x, arguments = flow.shadow(node.args[0]), bound(node)
    dim = arguments["dim"] % len(x.shape)
    if x.tracked(dim):
        flow.classes.collapse(x.labels, dim)
    return moved(flow, node)


@rule("split", "chunk", "split_with_sizes", "tensor_split")
def split(flow, node):
    """Equal pieces stay equal: their j-th positions go together. Unequal pieces stay as they are."""
    x, arguments = flow.shadow(node.args[0]), bound(node)
    dim = arguments["dim"] % len(x.shape)
    pieces = moved(flow, node)
    if x.tracked(dim) and len(pieces) > 1:
        if len({piece.shape[dim] for piece in pieces}) > 1:
            flow.pin(node.args[0], place(node), f"{operator_name(node)} cuts it into unequal pieces")
        for piece in pieces[1:]:
            if piece.shape == pieces[0].shape:
                flow.classes.tie(piece.labels.expand(piece.shape), pieces[0].labels.expand(piece.shape))
        if operator_name(node) != "chunk":
            flow.resizes.append(Resize(owner_path(node), x.labels, x.shape))
    return pieces


@rule("slice", "narrow", "roll", "constant_pad_nd", "pad")
def partial(flow, node):
    """Moved along dimensions that cannot shrink; along others the numbers in the code would mean something else."""
    x, shape = flow.shadow(node.args[0]), shapes(node)
    name = operator_name(node)
    dims = [dim for dim in range(len(shape)) if x.shape[dim] != shape[dim]]
    if name == "roll":
        dims = [dim % len(shape) for dim in (bound(node)["dims"] or range(len(shape)))]
    if any(x.tracked(dim) for dim in dims):
        labels = x.labels
        for dim in dims:
            labels = flow.classes.collapse(labels, dim)
        if labels.numel() == 1:
            flow.pin(node.args[0], place(node), f"{name} names positions of its channels by number")
        result = Shadow(shape, labels, x.known, x.value)
    else:
        result = Shadow(shape, x.labels, x.known, x.value)
    arguments = bound(node)
    if name in ("constant_pad_nd", "pad") and arguments.get("mode", "constant") == "constant":
        kept = x.known & (x.value == float(arguments["value"] or 0.0))
        result = Shadow(shape, result.labels, shrink(kept), shrink(torch.where(kept, x.value, 0.0)))
    uneven = [dim for dim in dims if x.known.shape[dim] > 1 or x.value.shape[dim] > 1]
    return result.unknown() if uneven else result


@rule("index", "index_select")
def index(flow, node):
    """Positions chosen by tensors of numbers: along these dimensions positions go together, the others stay as they are."""
    arguments = bound(node)
    if operator_name(node) == "index":
        chosen = dict(enumerate(arguments["indices"]))
        chosen = {dim: one for dim, one in chosen.items() if one is not None}
    else:
        chosen = {arguments["dim"] % max(len(shapes(node)), 1): arguments["index"]}
    x, dims = flow.shadow(arguments["self"]), sorted(chosen)
    kinds = {one.meta["val"].dtype for one in chosen.values()}
    if kinds & {torch.bool, torch.uint8} or dims != list(range(dims[0], dims[-1] + 1)):
        return unfollowed(flow, node, "index with a mask, or along dimensions that are not neighbours")
    if len(dims) == 1 and (selected := _selected_inputs(flow, node, x, dims[0], chosen[dims[0]])) is not None:
        return selected
    labels = x.labels
    for dim in dims:
        labels = flow.classes.collapse(labels, dim)
    if labels.numel() == 1 and x.labels.numel() > 1:
        flow.classes.pin(labels, place(node), "positions of its channels are chosen by number")
    steady = all(part.shape[dim] == 1 for part in (x.known, x.value) for dim in dims)
    new = len(shapes(node)) - len(x.shape) + len(dims)
    parts = (part.flatten(dims[0], dims[-1]) for part in (labels, *((x.known, x.value) if steady else ())))
    found = [part.reshape(*part.shape[: dims[0]], *[1] * new, *part.shape[dims[0] + 1 :]) for part in parts]
    return Shadow(shapes(node), *found) if steady else _unknown(shapes(node), found[0])


def _selected_inputs(flow, node, x: Shadow, dim: int, numbers) -> Shadow | None:
    """Inputs of the model chosen by a buffer of numbers, x[:, self.used]: numbers of inputs that are not read are removed."""
    buffer = flow.source(numbers)
    along = x.labels.numel() == x.labels.shape[dim] > 1
    given = any(bool(torch.isin(x.labels, one.labels).all()) for one in flow.inputs.values())
    if buffer is None or buffer.uses > 1 or buffer.tensor.dim() != 1 or not along or not given:
        return None
    chosen, n = buffer.tensor.cpu() % x.shape[dim], x.shape[dim]
    atoms, nothing = buffer.axis(0), torch.zeros(n, dtype=torch.bool)
    reads = torch.nn.functional.one_hot(chosen, n).bool()
    reader = Reader(
        place(node), x.labels.reshape(-1), nothing, nothing.double(), atoms, reads, buffer, 0, 1, None, False, False
    )
    flow.readers.append(reader)
    return _unknown(shapes(node), atoms.reshape([-1 if k == dim else 1 for k in range(len(x.shape))]))


@rule("index_add", "index_copy")
def index_add(flow, node):
    """Rows of one tensor added to chosen rows of another: along this dimension positions go together in both."""
    arguments = bound(node)
    dim = arguments["dim"] % len(shapes(node))
    x, source = (flow.shadow(arguments[name]) for name in ("self", "source"))
    labels = [flow.classes.collapse(one.labels, dim) for one in (x, source)]
    for other in range(len(x.shape)):
        if other != dim and 1 in (labels[0].shape[other], labels[1].shape[other]):
            labels = [flow.classes.collapse(one, other) for one in labels]
    flow.classes.tie(*labels)
    zero = (x.known & (x.value == 0)).all(dim, keepdim=True) & (source.known & (source.value == 0)).all(
        dim, keepdim=True
    )
    return Shadow(shapes(node), labels[0], shrink(zero), torch.zeros([1] * len(x.shape), dtype=torch.float64))


def _unknown(shape, labels) -> Shadow:
    """Nothing known of its values."""
    nothing = untracked([1] * len(shape))
    return Shadow(shape, labels, nothing.known, nothing.value)


@rule("getitem")
def getitem(flow, node):
    """One of several results."""
    found = flow.shadows.get(node.args[0])
    if node.target is operator.getitem and isinstance(found, list):
        return found[node.args[1]]
    return unfollowed(flow, node, "it is taken from a value that is not tracked")


@rule(
    "zeros",
    "ones",
    "full",
    "arange",
    "scalar_tensor",
    "empty",
    "eye",
    "linspace",
)
def made(flow, node):
    """A tensor made in the code: its sizes are what the code says."""
    return untracked(shapes(node))


@rule("zeros_like", "ones_like", "full_like")
def made_like(flow, node):
    """A tensor of one value with the sizes of another: it shrinks with it."""
    name, x = operator_name(node), flow.shadow(node.args[0])
    value = {"zeros_like": 0.0, "ones_like": 1.0}.get(name)
    value = node.args[1] if value is None else value
    ones = [1] * len(x.shape)
    return Shadow(x.shape, x.labels, torch.ones(ones, dtype=torch.bool), torch.full(ones, value, dtype=torch.float64))


@rule("_assert_tensor_metadata", "sym_size", "_assert_scalar", "_assert_async", "sym_constrain_range_for_size")
def nothing(flow, node):
    """Checks that torch.export adds, and sizes."""
    return None


def is_attention(flow, path: str) -> bool:
    """Whether a view belongs to torch's own attention, which is remade with its own number of heads."""
    try:
        return type(flow.model.get_submodule(path)) is nn.MultiheadAttention
    except AttributeError:
        return False
