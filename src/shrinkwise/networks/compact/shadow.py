"""What is known of a tensor of the traced graph: the atoms of its positions, and the constants in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from .classes import FIXED


@dataclass(frozen=True)
class Shadow:
    """Three small tensors that broadcast to `shape`.

    `labels` holds the atom of each position; a dimension of size 1 there (and not in `shape`) cannot shrink. `known` says
    where the value is the same for all inputs, and `value` holds that value (0 elsewhere), in float64.
    """

    shape: torch.Size
    labels: torch.Tensor
    known: torch.Tensor
    value: torch.Tensor

    def map(self, move) -> Shadow:
        """The shadow of a tensor whose entries were only moved, by `move` applied to each part in full shape."""
        parts = [move(part.expand(self.shape)) for part in (self.labels, self.known, self.value)]
        return Shadow(parts[0].shape, *(shrink(part) for part in parts))

    def tracked(self, dim: int) -> bool:
        """Whether positions along `dim` have atoms of their own."""
        return self.labels.shape[dim] > 1

    def unknown(self) -> Shadow:
        """The same without its constants."""
        ones = [1] * len(self.shape)
        return replace(self, known=torch.zeros(ones, dtype=torch.bool), value=torch.zeros(ones, dtype=torch.float64))


def shrink(part: torch.Tensor) -> torch.Tensor:
    """Dimensions along which nothing changes get size 1."""
    for dim in range(part.dim()):
        if part.shape[dim] > 1:
            first = part.narrow(dim, 0, 1)
            if part.stride(dim) == 0 or bool((part == first).all()):
                part = first
    return part.contiguous()


def zero_along(x: Shadow, dim: int) -> torch.Tensor:
    """Where all of x along `dim` is known to be zero; size 1 there."""
    return (x.known & (x.value == 0)).all(dim, keepdim=True)


def untracked(shape) -> Shadow:
    """A tensor of which nothing is known and nothing can be removed."""
    shape = torch.Size(int(size) for size in shape)
    ones = [1] * len(shape)
    labels = torch.full(ones, FIXED)
    return Shadow(shape, labels, torch.zeros(ones, dtype=torch.bool), torch.zeros(ones, dtype=torch.float64))


def align(part: torch.Tensor, ndim: int) -> torch.Tensor:
    """With dimensions of size 1 put in front until there are `ndim`."""
    return part.reshape([1] * (ndim - part.dim()) + list(part.shape))
