"""Which positions must go together: atoms, the ties between them, and those that have to stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

FIXED = 0  # the atom of everything that is not followed: never removed


@dataclass(frozen=True)
class Pin:
    """Atoms that stay, where this was decided and why; an `implicit` one only says that the model's inputs stay."""

    atoms: np.ndarray
    where: str
    why: str
    implicit: bool = False


class Classes:
    """Atoms are numbered positions of tensors; tied atoms form a class, which is removed as a whole or not at all.

    Ties are collected as pairs of arrays and resolved once, as the connected components of a graph.
    """

    def __init__(self):
        self.n_atoms = 1
        self.pins: list[Pin] = [Pin(np.array([FIXED]), "", "", True)]
        self._pairs: list[tuple[np.ndarray, np.ndarray]] = []

    def fresh(self, *shape: int) -> torch.Tensor:
        """New atoms, one for each position of `shape`."""
        count = int(np.prod(shape, dtype=np.int64))
        atoms = torch.arange(self.n_atoms, self.n_atoms + count).reshape(shape)
        self.n_atoms += count
        return atoms

    def tie(self, a: torch.Tensor, b: torch.Tensor) -> None:
        """From now on a[i] and b[i] (broadcast) are of one class."""
        if a is not b:
            a, b = torch.broadcast_tensors(a, b)
            self._pairs.append((a.reshape(-1).numpy(), b.reshape(-1).numpy()))

    def collapse(self, labels: torch.Tensor, dim: int) -> torch.Tensor:
        """Tie the positions along `dim` with each other; the result has size 1 there."""
        first = labels.narrow(dim, 0, 1)
        if labels.shape[dim] > 1:
            self.tie(labels, first)
        return first

    def pin(self, labels: torch.Tensor, where: str, why: str, implicit: bool = False) -> None:
        """These atoms stay."""
        self.pins.append(Pin(np.unique(labels.numpy()), where, why, implicit))

    def roots(self) -> np.ndarray:
        """Number of the class of each atom."""
        rows = np.concatenate([a for a, _ in self._pairs] or [np.empty(0, int)])
        columns = np.concatenate([b for _, b in self._pairs] or [np.empty(0, int)])
        shape = (self.n_atoms, self.n_atoms)
        graph = coo_matrix((np.ones(len(rows), np.int8), (rows, columns)), shape=shape)
        return connected_components(graph, directed=False)[1]
