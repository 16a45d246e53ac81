"""The graph of a model in evaluation, as torch.export sees it, with its parameters and buffers by name."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils import _pytree as pytree

# Products in other notations, which torch has decompositions of into products and movements.
_TAKEN_APART = (
    "einsum",
    "tensordot",
    "inner",
    "linalg_multi_dot",
    "chain_matmul",
    "cosine_similarity",
    "pairwise_distance",
)
# Not element by element, and their result shares no memory with their operands.
_NEW = frozenset({"conv1d", "conv2d", "conv3d", "linear", "batch_norm", "layer_norm", "group_norm", "cat"})
LARGEST = 1 << 22  # a tensor with more entries than this gets no atom for each of them


@dataclass(frozen=True)
class Trace:
    """Nodes in the order of execution; `sources` maps the placeholders of parameters and buffers to their names."""

    nodes: list
    sources: dict[str, str]
    inputs: list[str]
    outputs: set


def example_arguments(example) -> tuple:
    """The positional arguments that `example` stands for."""
    if isinstance(example, tuple):
        return example
    if isinstance(example, torch.Tensor):
        return (example,)
    raise TypeError(
        f"Expected example to be a tensor, or a tuple of the model's positional arguments, got {type(example).__name__}"
    )


def few_rows(arguments: tuple) -> tuple:
    """Two rows of a batch where all tensors agree on its size: the graph is the same, the analysis cheaper."""
    sizes = {leaf.shape[:1] for leaf in pytree.tree_leaves(arguments) if isinstance(leaf, torch.Tensor)}
    if len(sizes) != 1 or not sizes == {size for size in sizes if size and size[0] > 2}:
        return arguments
    return pytree.tree_map_only(torch.Tensor, lambda leaf: leaf[:2].clone(), arguments)


def trace(model: nn.Module, arguments: tuple, has_rule: Callable) -> Trace:
    """Export `model` (in evaluation mode) and read its graph without in-place operations.

    torch's decompositions trace the graph once more, which takes twice as long as the export. They are used only if
    `has_rule(node)` is false for an operator, or if a tensor is written to that others may read.
    """
    _check_runs(model, arguments)  # torch.export logs pages of traceback where the model itself fails
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.export about itself
        try:
            program = _export(model, few_rows(arguments), arguments, has_rule)
        except Exception as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ValueError(
                f"The model {type(model).__name__} cannot be compacted, because torch.export cannot trace it on "
                f"this example: {first}"
            ) from error
    signature = program.graph_signature
    nodes = list(program.graph.nodes)
    outputs = {node for node in pytree.tree_leaves(nodes[-1].args) if isinstance(node, torch.fx.Node)}
    sources = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    return Trace(nodes, sources, list(signature.user_inputs), outputs)


def _check_runs(model: nn.Module, arguments: tuple) -> None:
    try:
        with torch.no_grad():
            model(*arguments)
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"The model {type(model).__name__} fails on this example: {first}") from error


def _export(model: nn.Module, small: tuple, whole: tuple, has_rule: Callable):
    try:
        with torch.no_grad():
            program = torch.export.export(model, small, strict=False)
            if _is_plain(program.graph, has_rule):
                return program
            known = torch.export.default_decompositions()
            products = [getattr(torch.ops.aten, name).default for name in _TAKEN_APART]
            return program.run_decompositions({one: known[one] for one in products if one in known})
    except Exception:
        if small is whole:
            raise
        return _export(model, whole, whole, has_rule)


def _is_plain(graph: torch.fx.Graph, has_rule: Callable) -> bool:
    """Whether every operator has a rule and none writes to its operands; in-place operators are exchanged for those that
    return a new tensor where nothing else sees the tensor that is written to."""
    calls = [node for node in graph.nodes if node.op not in ("placeholder", "output")]
    if not all(isinstance(node.target, torch._ops.OpOverload) or node.target is operator.getitem for node in calls):
        return False
    exchanged: dict = {}
    for node in calls:
        if node.target is not operator.getitem and node.target._schema.is_mutable:
            exchanged[node] = _without_writing(node, exchanged)
    if None in exchanged.values():
        return False
    for node, target in exchanged.items():
        node.target = target
    return all(map(has_rule, calls))


def _without_writing(node, exchanged: dict):
    """The operator that returns what this one writes; None where another node may see it in the tensor written to."""
    schema, written = node.target._schema, node.args[0]
    name = schema.name.removeprefix("aten::").removesuffix("_")
    idle = name in ("dropout", "feature_dropout", "alpha_dropout") and node.args[2] is False
    if not idle and (len(written.users) > 1 or not (written in exchanged or _is_new(written))):
        return None
    return getattr(getattr(torch.ops.aten, name, None), schema.overload_name or "default", None)


def _is_new(node) -> bool:
    """Whether the tensor of this node shares no memory with another one."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    shares = any(result.alias_info for result in node.target._schema.returns)
    return not shares and (torch.Tag.pointwise in node.target.tags or node.target._schema.name[6:] in _NEW)


def owner_path(node) -> str:
    """Path of the module whose forward made this node; "" for the model itself."""
    stack = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return path.split("@")[0]


def shapes(node):
    """Shape of a node's value; a list of them for several values; None where it has none."""
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor):
        return value.shape
    if isinstance(value, tuple | list):
        return [item.shape if isinstance(item, torch.Tensor) else None for item in value]
    return None
