"""One pass forward through the graph: a shadow for every tensor, and who reads what."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from .classes import Classes
from .shadow import Shadow, shrink, untracked
from .trace import LARGEST, Trace, owner_path, shapes

INPUT = "it is an input of the model"


class Source:
    """A parameter or buffer: atoms for its axes (asked for by linear maps), or for each entry (by everything else)."""

    def __init__(self, name: str, tensor: torch.Tensor, uses: int, classes: Classes):
        self.name, self.tensor, self.uses = name, tensor.detach(), uses
        self.axes: dict[int, torch.Tensor] = {}
        self.whole: torch.Tensor | None = None
        self._classes = classes

    def axis(self, dim: int) -> torch.Tensor:
        """Atoms of the indices along one axis."""
        if dim not in self.axes:
            self.axes[dim] = self._classes.fresh(self.tensor.shape[dim])
        return self.axes[dim]

    def entries(self) -> torch.Tensor:
        """One atom an entry, in full shape."""
        if self.whole is None:
            long = [dim for dim, size in enumerate(self.tensor.shape) if size > 1]
            if len(long) == 1:
                view = [-1 if dim == long[0] else 1 for dim in range(self.tensor.dim())]
                self.whole = self.axis(long[0]).reshape(view)
            else:
                self.whole = self._classes.fresh(*self.tensor.shape)
        return self.whole

    def labelings(self) -> list[torch.Tensor]:
        """All atoms given so far, each array broadcasting to the tensor's shape."""
        ndim = self.tensor.dim()
        along = [atoms.reshape([-1 if d == dim else 1 for d in range(ndim)]) for dim, atoms in self.axes.items()]
        return along + ([self.whole] if self.whole is not None else [])

    def shadow(self) -> Shadow:
        """As an operand of any operation: every entry known."""
        tensor = self.tensor
        if tensor.numel() > LARGEST or tensor.is_complex():
            self.pin("", "it is too large to be tracked entry by entry")
            return untracked(tensor.shape)
        value = tensor.to("cpu", torch.float64)
        return Shadow(
            tensor.shape, shrink(self.entries()), torch.ones([1] * tensor.dim(), dtype=torch.bool), shrink(value)
        )

    def pin(self, where: str, why: str) -> None:
        """Nothing of it can be removed."""
        for dim in range(self.tensor.dim()):
            self._classes.pin(self.axis(dim), where or self.name, why)
        if self.whole is not None:
            self._classes.pin(self.whole, where or self.name, why)


@dataclass(frozen=True)
class Reader:
    """A linear map: output o reads input i where `nonzero[o, i]`. Constants of its inputs move into its bias.

    `padded` says that the map is not the same everywhere, so that a constant input does not act as a constant; such
    constants are carried by one of the inputs.
    """

    where: str
    inputs: torch.Tensor
    known: torch.Tensor
    value: torch.Tensor
    outputs: torch.Tensor
    nonzero: torch.Tensor
    weight: Source
    out_axis: int
    in_axis: int
    bias: Source | None
    has_bias_slot: bool
    padded: bool


@dataclass(frozen=True)
class Count:
    """An integer that a module holds (groups, num_groups, num_heads …): the number of `labels` that stay."""

    path: str
    name: str
    labels: torch.Tensor


@dataclass(frozen=True)
class Resize:
    """A view in a module's own code: sizes before and after are the products over `labels` of what stays."""

    path: str
    labels: torch.Tensor
    shape: torch.Size


@dataclass
class Flow:
    """Everything the rules find out."""

    model: nn.Module
    classes: Classes = field(default_factory=Classes)
    sources: dict[str, Source] = field(default_factory=dict)
    shadows: dict = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    resizes: list[Resize] = field(default_factory=list)
    inputs: dict[str, Shadow] = field(default_factory=dict)
    heads: list[torch.Tensor] = field(default_factory=list)

    def source(self, node) -> Source | None:
        """The parameter or buffer that this argument is, if it is one."""
        return self.sources.get(getattr(node, "name", ""))

    def shadow(self, node) -> Shadow:
        """What is known of this argument."""
        source = self.source(node)
        return source.shadow() if source is not None else self.shadows[node]

    def owner(self, node) -> nn.Module | None:
        """The module whose forward made this node."""
        try:
            return self.model.get_submodule(owner_path(node))
        except AttributeError:
            return None

    def pin(self, arg, where: str, why: str) -> None:
        """Nothing of this argument can be removed."""
        source = self.source(arg)
        if source is not None:
            source.pin(where, why)
        else:
            shadow = self.shadows[arg]
            for one in shadow if isinstance(shadow, list) else [shadow]:
                if one is not None:
                    self.classes.pin(one.labels, where, why)

    def collapse(self, shadow: Shadow, keep: set[int], where: str, why: str) -> torch.Tensor:
        """The labels with every dimension but `keep` collapsed; pinned with `why` if no positions can be
        distinguished."""
        labels = shadow.labels
        for dim in range(labels.dim()):
            if dim not in keep:
                labels = self.classes.collapse(labels, dim)
        if labels.numel() == 1:
            # A single position is not mixed up with others.
            single = math.prod(shadow.shape[dim] for dim in keep) == 1
            self.classes.pin(labels, where, why, implicit=single or shadow.labels.numel() == 1)
        return labels


def place(node) -> str:
    """What a user calls the place of a node: the module's path, else the node's name."""
    return owner_path(node) or node.name


def run(model: nn.Module, graph: Trace, rule_of: Callable) -> Flow:
    """Apply the rule of each operator, in order."""
    flow = Flow(model)
    tensors = {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }
    shared: dict[int, Source] = {}
    for node in graph.nodes:
        if node.op == "placeholder" and node.name in graph.sources:
            name = graph.sources[node.name]
            tensor = tensors[name]
            known = shared.get(id(tensor))
            if known is None:
                shared[id(tensor)] = flow.sources[node.name] = Source(name, tensor, len(node.users), flow.classes)
            else:  # tied weights: one tensor under two names
                known.uses += len(node.users)
                flow.sources[node.name] = known
        elif node.op == "placeholder":
            flow.shadows[node] = _placeholder(flow, node, graph.inputs)
        elif node.op != "output":
            flow.shadows[node] = _applied(flow, node, rule_of(node))
    for node in graph.outputs:
        flow.pin(node, "output", "it is an output of the model")
    for source in set(flow.sources.values()):
        if source.whole is not None:
            for labels in source.labelings():
                flow.classes.tie(source.whole, labels)
    return flow


def _applied(flow: Flow, node, rule: Callable):
    """The shadow that the rule finds; an operator called in a way that the rule does not cover is one without a rule."""
    try:
        return rule(flow, node)
    except (RuntimeError, TypeError, IndexError, KeyError, AttributeError) as error:
        return unfollowed(flow, node, f"the rule of {node.target} does not cover this call ({type(error).__name__})")


def _placeholder(flow: Flow, node, inputs: list[str]) -> Shadow | None:
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return None
    shadow = untracked(value.shape)
    if node.name in inputs and value.dim() > 1 and value[0].numel() <= LARGEST and value.is_floating_point():
        labels = flow.classes.fresh(1, *value.shape[1:])
        flow.classes.pin(labels, node.name, INPUT, implicit=True)
        shadow = Shadow(value.shape, labels, shadow.known, shadow.value)
        flow.inputs[node.name] = shadow
    return shadow


def unfollowed(flow: Flow, node, why: str):
    """The fallback rule: all operands are kept, and nothing is known about the result."""
    for operand in node.all_input_nodes:
        if flow.source(operand) is not None or flow.shadows.get(operand) is not None:
            flow.pin(operand, place(node), why)
    found = shapes(node)
    if isinstance(found, list):
        return [None if shape is None else untracked(shape) for shape in found]
    return None if found is None else untracked(found)
