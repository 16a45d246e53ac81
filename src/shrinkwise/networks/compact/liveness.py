"""Which classes can go: the largest set that no kept output depends on.

Start with every class that is not pinned, and put back, until nothing changes, each class that
* a linear map reads with a kept output, where the value is no constant that its bias can take over;
* would leave a tensor empty, or with a hole that is no whole slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .classes import Pin
from .flow import INPUT, Flow, Reader


@dataclass(frozen=True)
class Removal:
    """The solution: `root[atom]` is the class of an atom, `gone[class]` whether it is removed."""

    root: np.ndarray
    gone: np.ndarray
    carriers: dict[str, int]

    def of(self, atoms: torch.Tensor) -> torch.Tensor:
        """Whether these atoms are removed."""
        return torch.from_numpy(self.gone[self.root[atoms.numpy()]])


class _Reading:
    """A reader with its atoms replaced by classes."""

    def __init__(self, reader: Reader, root: np.ndarray):
        self.reader = reader
        self.inputs, self.outputs = root[reader.inputs.numpy()], root[reader.outputs.numpy()]
        self.known, self.value = reader.known.numpy(), reader.value.numpy()
        self._live: np.ndarray | None = None
        self._needed: np.ndarray | None = None
        shared = reader.weight.uses > 1 or (reader.bias is not None and reader.bias.uses > 1)
        self.foldable = not reader.padded and not shared and (reader.bias is not None or reader.has_bias_slot)
        self.carried = not self.foldable and not shared

    def needed(self, gone: np.ndarray) -> np.ndarray:
        """Inputs that a kept output reads."""
        live = ~gone[self.outputs]
        if self._live is None or not np.array_equal(live, self._live):
            self._live = live
            self._needed = self.reader.nonzero[torch.from_numpy(live)].any(0).numpy()
        return self._needed  # type: ignore[return-value]

    def blocked(self, gone: np.ndarray) -> np.ndarray:
        """Classes that have to come back."""
        taken = self.known & ((self.value == 0) | self.foldable | self.carried)
        return self.inputs[self.needed(gone) & gone[self.inputs] & ~taken]

    def carrier(self, gone: np.ndarray) -> int | None:
        """The class that has to stay so that constants in front of a padded map have a channel left."""
        constant = self.known & (self.value != 0)
        lost = constant & gone[self.inputs] & self.needed(gone)
        if not self.carried or not lost.any() or (constant & ~gone[self.inputs]).any():
            return None
        return int(self.inputs[np.where(lost, np.abs(self.value), -1).argmax()])


def solve(flow: Flow, extra: tuple[Pin, ...] = (), *, inputs_too: bool = False) -> Removal:
    """The classes that can be removed; with `inputs_too`, as if the model's inputs could be removed as well."""
    root = flow.classes.roots()
    gone = np.ones(int(root.max()) + 1, bool)
    for pin in (*flow.classes.pins, *extra):
        if not (inputs_too and pin.why == INPUT):
            gone[root[pin.atoms]] = False
    readings = [_Reading(reader, root) for reader in flow.readers]
    layouts = _layouts(flow, root)
    carriers: dict[str, int] = {}
    while True:
        back = [reading.blocked(gone) for reading in readings]
        if not sum(map(len, back)):  # only then: a tensor that looks empty may hold classes that are read
            back = [_uneven(layout, gone) for layout in layouts]
        if not sum(map(len, back)):
            found = next(((r.reader.where, c) for r in readings if (c := r.carrier(gone)) is not None), None)
            if found is None:
                return Removal(root, gone, carriers)
            carriers[found[0]] = found[1]
            back = [np.array([found[1]])]
        gone[np.concatenate(back)] = False


def _layouts(flow: Flow, root: np.ndarray) -> list[np.ndarray]:
    """The distinct arrays of classes that tensors have, with every dimension of size 1 left out."""
    found = {}
    arrays = [labels for source in set(flow.sources.values()) for labels in source.labelings()]
    for shadow in flow.shadows.values():
        arrays += [one.labels for one in (shadow if isinstance(shadow, list) else [shadow]) if one is not None]
    seen = set()
    for labels in arrays:
        if id(labels) not in seen:
            seen.add(id(labels))
            layout = root[labels.numpy()].squeeze()
            found[layout.shape, layout.tobytes()] = layout
    return list(found.values())


def _uneven(layout: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Classes to put back: one where all would go, and those that do not go as whole slices."""
    mask = gone[layout]
    if not mask.any():
        return np.empty(0, int)
    if mask.all():
        return layout.reshape(-1)[:1]
    if mask.ndim < 2:
        return np.empty(0, int)
    slices = np.zeros_like(mask)
    for dim in range(mask.ndim):
        others = tuple(d for d in range(mask.ndim) if d != dim)
        slices |= mask.all(others, keepdims=True)
    return layout[mask & ~slices]


def inputs_used(flow: Flow) -> dict[str, tuple[list[int], int]]:
    """For each floating-point input, the indices of its channels that matter to the output, and how many it has."""
    free = solve(flow, inputs_too=True)
    found = {}
    for name, shadow in flow.inputs.items():
        classes = torch.from_numpy(free.root[shadow.labels[0].numpy()])
        varied = [dim for dim in range(classes.dim()) if bool((classes != classes.narrow(dim, 0, 1)).any())]
        matters = _any_but(~free.of(shadow.labels)[0], varied[0] if varied else 0)
        found[name] = torch.nonzero(matters).reshape(-1).tolist(), len(matters)
    return found


def _any_but(mask: torch.Tensor, dim: int) -> torch.Tensor:
    return mask.movedim(dim, 0).reshape(mask.shape[dim], -1).any(1)
