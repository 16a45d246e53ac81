"""Groups of weights such that a zero group can be removed from the network."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from shrinkwise.penalties import SpanningGroups

from .api import copied, literal_sizes, refuse
from .classes import Pin
from .flow import Flow, run
from .liveness import Removal, solve
from .proof import outputs
from .rules import has_rule, rule_of
from .surgery import operate
from .trace import example_arguments, few_rows, trace


@dataclass(frozen=True)
class RemovableGroup:
    """The entries that produce one channel, unit or head.

    Attributes
    ----------
    members : tuple of (str, tuple)
        Name of a parameter and an index into it: ``parameter[index]`` are the entries of the group in that parameter.
        If all of them are zero, the channel is zero before its activation for every input.
    size : int
        Number of entries.
    """

    members: tuple[tuple[str, tuple], ...]
    size: int


class Removable(SpanningGroups):
    """All groups of a model; no entry is in two of them.

    As groups of a penalty they span tensors: ``sw.attach(optimizer, model, sw.GroupLasso(lam, groups=removable))`` gives each
    of them one norm over all its tensors.
    """

    def __init__(self, groups: tuple[RemovableGroup, ...], shapes: dict[str, tuple]):
        self.groups = groups
        found: dict[str, list] = defaultdict(list)
        for number, group in enumerate(groups):
            for name, index in group.members:
                found[name].append((number, index))
        labels = {name: _labels(shapes[name], members) for name, members in found.items()}
        super().__init__(labels, shapes, len(groups))

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> RemovableGroup:
        return self.groups[index]

    def norms(self, w):
        """‖w_g‖₂ of each group, shape (n_groups,): of a model, in float64, or of the vector of the entries of all tensors."""
        if not isinstance(w, nn.Module):
            return super().norms(w)
        parameters = dict(w.named_parameters(remove_duplicate=False))
        return super().norms(torch.cat([parameters[name].detach().double().reshape(-1).cpu() for name in self.tensors]))

    def zero_(self, model: nn.Module, which) -> None:
        """Set the groups with these indices to zero in `model`."""
        parameters = dict(model.named_parameters(remove_duplicate=False))
        gone: dict[tuple[str, int], list[int]] = defaultdict(list)
        for number in which:
            for name, (*before, indices) in self.groups[int(number)].members:
                gone[name, len(before)] += indices
        with torch.no_grad():
            for (name, dim), indices in gone.items():
                where: tuple[Any, ...] = (*[slice(None)] * dim, indices)
                parameters[name][where] = 0.0


def _labels(shape: tuple, members: list) -> np.ndarray:
    """The group of each index of the one axis that the members of a parameter are along, or else of each entry."""
    dims = {len(index) - 1 for _, index in members}
    axis = dims.pop() if len(dims) == 1 else None
    labels = np.full([n if axis in (None, k) else 1 for k, n in enumerate(shape)], -1)
    for number, index in members:
        labels[index] = number
    return labels


def removable(model: nn.Module, example) -> Removable:
    """The groups of weights of a model that `compact` can remove if they are zero.

    Such a group contains all weights that produce one channel: a filter's row, its bias, the γ and β of its
    normalization, the rows of every layer coupled to it by a residual sum; for a head the rows of q, k and v and the
    columns of the output layer.

    Parameters
    ----------
    model : nn.Module
        It is not changed.
    example : tensor, or tuple of the positional arguments of the model
        An input of the usual shape.

    Notes
    -----
    `GroupLasso` shrinks the groups that remain, which costs accuracy; `GroupMCP` does not shrink groups of norm beyond
    γλc_g, where c_g = √size by default. Attach it before the network is trained, with γλ above the root mean square of
    the entries at the start: in a trained network, groups that are beyond γλc_g are not penalized and are not removed.
    `Regularization.refit` after about two thirds of the steps of the same training run keeps the zeros and trains the
    groups that remain without the penalty.

    Examples
    --------
    >>> import torch
    >>> from shrinkwise.networks import removable
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> groups = removable(net, torch.randn(2, 4))
    >>> len(groups), groups[0].size, groups[0].members
    (8, 5, (('0.bias', ([0],)), ('0.weight', ([0],))))
    """
    refuse(model)
    twin = copied(model).eval()
    with torch.no_grad():
        for parameter in twin.parameters():  # zeros that are there already must not hide what could go
            if parameter.is_floating_point():
                parameter.fill_(1.0)
    arguments = example_arguments(example)
    graph = trace(twin, arguments, has_rule)
    flow = run(twin, graph, rule_of)
    groups = _grouped(flow, _candidates(flow))
    # Code with literal sizes shows when every second group is removed.
    groups.zero_(twin, range(0, len(groups), 2))
    flow = run(twin, graph, rule_of)
    try:
        outputs(operate(twin, flow, solve(flow)), few_rows(arguments))
    except Exception as error:
        return _grouped(flow, _candidates(flow, literal_sizes(flow, error)))
    return groups


def _candidates(flow: Flow, extra: tuple[Pin, ...] = ()) -> Removal:
    """Every class that is not pinned."""
    root = flow.classes.roots()
    gone = np.ones(int(root.max()) + 1, bool)
    for pin in (*flow.classes.pins, *extra):
        gone[root[pin.atoms]] = False
    return Removal(root, gone, {})


def _grouped(flow: Flow, removal: Removal) -> Removable:
    members: dict[int, list] = defaultdict(list)
    parameters = {name for name, _ in flow.model.named_parameters(remove_duplicate=False)}
    outputs = _producing(flow)
    heads = {int(c) for labels in flow.heads for c in removal.root[labels.numpy()].reshape(-1)}
    for source in sorted(set(flow.sources.values()), key=lambda one: one.name):
        if source.name in parameters:
            for dim, atoms in source.axes.items():
                is_input, entries = (source, dim) not in outputs, _entries(source, dim)
                for number, indices in _by_class(removal, atoms).items():
                    if not is_input or (number in heads and _rows_stay(source, dim, removal)):
                        members[number].append((source.name, (*[slice(None)] * dim, indices), len(indices) * entries))
    groups = []
    for number in sorted(members):
        found = members[number]
        groups.append(
            RemovableGroup(tuple((name, index) for name, index, _ in found), sum(count for *_, count in found))
        )
    shapes = {name: tuple(p.shape) for name, p in flow.model.named_parameters(remove_duplicate=False)}
    return Removable(tuple(groups), shapes)


def _producing(flow: Flow) -> set:
    """Axes of parameters whose zero makes a channel zero: all but the input axes of linear maps."""
    axes = {(source, dim) for source in flow.sources.values() for dim in source.axes}
    return axes - {(reader.weight, reader.in_axis) for reader in flow.readers}


def _entries(source, dim: int) -> int:
    return source.tensor.numel() // source.tensor.shape[dim]


def _by_class(removal: Removal, atoms: torch.Tensor) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(removal.root[atoms.numpy()].tolist()):
        if removal.gone[number]:
            found[number].append(index)
    return found


def _rows_stay(source, dim: int, removal: Removal) -> bool:
    """Whether no other axis of the parameter belongs to groups."""
    return not any(removal.of(atoms).any() for other, atoms in source.axes.items() if other != dim)
