"""The graph of a model in evaluation, as torch.export sees it, with its parameters and buffers by name."""

from __future__ import annotations

import warnings
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


def trace(model: nn.Module, arguments: tuple) -> Trace:
    """Export `model` (in evaluation mode) and read its graph without in-place operations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.export about itself
        try:
            program = _export(model, few_rows(arguments), arguments)
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


def _export(model: nn.Module, small: tuple, whole: tuple):
    try:
        with torch.no_grad():
            program = torch.export.export(model, small, strict=False)
            known = torch.export.default_decompositions()
            operators = [getattr(torch.ops.aten, name).default for name in _TAKEN_APART]
            return program.run_decompositions({one: known[one] for one in operators if one in known})
    except Exception:
        if small is whole:
            raise
        return _export(model, whole, whole)


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
