"""Tensors under one penalty whose groups span them: each is to all of them what a shard is to its tensor.

The penalty is that of the vector of all their entries (`SpanningGroups`), which is never made in training: a tensor works on
its own entries, and Σ w² of a group is summed over the tensors, and over processes, in the rounds of `processes.in_rounds`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from shrinkwise.networks.distributed.processes import Member, sum_of
from shrinkwise.networks.distributed.shards import Part, SharedGroups, is_shared, with_arrays
from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.memory.layout import sampled_places
from shrinkwise.penalties import Leaf, Penalty, SpanningGroups, rebuild


class Stack:
    """The tensors that groups span, in their order; `is_whole` says that all of each is in this process."""

    def __init__(self, groups: SpanningGroups, is_whole: bool):
        self.groups, self.is_whole = groups, is_whole
        lengths = [math.prod(shape) for shape in groups.tensors.values()]
        self.starts = dict(zip(groups.tensors, np.cumsum([0, *lengths]).tolist(), strict=False))


class Piece:
    """One tensor of a stack, or the part of it that is here."""

    def __init__(self, x, name: str, stack: Stack):
        self.stack, self.name, self.shape = stack, name, (stack.groups.size,)
        self.tensor_shape, self.local_shape = tuple(x.shape), tuple(local(x).shape)
        self.part = Part(x) if is_shared(x) else None
        names = list(stack.groups.tensors)
        self.member = Member(stack, names.index(name), len(names))

    @property
    def count(self) -> int:
        """So many pieces, each of which has the numbers of all groups, that their parts of one make one."""
        return self.member.count * (self.part.count if self.part else 1)

    def total(self, vector: torch.Tensor) -> torch.Tensor:
        """Σ of a vector over the tensors of the stack and the processes that hold parts of them."""
        return self.total_of(lambda: vector).to(vector.device)

    def total_of(self, vector: Callable[[], torch.Tensor]) -> torch.Tensor:
        """`total` of a vector that is computed when it is needed."""
        return sum_of(vector, [], self.member) if self.part is None else self.part.total_of(vector, self.member)

    def cut(self, values):
        """The part that is here of an array with the entries of all tensors."""
        values = values if isinstance(values, torch.Tensor) else np.asarray(values)
        if tuple(values.shape) != self.shape:
            raise ValueError(f"Expected an array with the {self.shape[0]} entries of all tensors, got {values.shape}")
        start = self.stack.starts[self.name]
        mine = values[start : start + math.prod(self.tensor_shape)].reshape(self.tensor_shape)
        return mine if self.part is None else self.part.cut(mine)

    def sample(self) -> torch.Tensor:
        """Those of the entries at which lengths of steps are measured that lie here: flat indices."""
        start, places = self.stack.starts[self.name], sampled_places(self.shape[0])
        places = places[(places >= start) & (places < start + math.prod(self.tensor_shape))] - start
        return places if self.part is None else self.part.sample(places)

    def penalty(self, penalty: Penalty) -> Penalty:
        """What the penalty is on this tensor; an error unless it is a sum over groups that span tensors, and over entries."""
        return rebuild(penalty, self._term)

    def _term(self, leaf: Leaf) -> Penalty:
        penalty = leaf.penalty
        if penalty.groups is None and penalty.separable and not leaf.where:
            return with_arrays(penalty, self.cut)
        if leaf.where or not penalty.group_sum or penalty.groups != self.stack.groups:
            raise TypeError(
                f"{penalty!r} cannot act on several tensors at once; groups that span tensors go with GroupLasso, "
                "SparseGroupLasso and GroupMCP, and with sums of them and of penalties on single weights"
            )
        other = copy.copy(penalty)
        other.groups = PieceGroups(self)
        return other

    def __deepcopy__(self, memo) -> Piece:
        return self  # it does not change, and its stack is known by identity


class PieceGroups(SharedGroups):
    """Groups that span tensors as seen from one of them: norms are of whole groups."""

    def __init__(self, piece: Piece):
        groups, shape = piece.stack.groups, piece.tensor_shape
        self._whole, self._n = groups, groups.n_groups
        self._part: Any = piece
        given, slices = groups.labels_in[piece.name], piece.part.slices if piece.part else ()
        long = [k for k, n in enumerate(given.shape) if n > 1]
        self._dim = None if len(long) > 1 or not shape else (long or [0])[0]
        kept = [n if self._dim in (None, k) else 1 for k, n in enumerate(shape)]
        labels = np.broadcast_to(given, kept)
        labels = labels[tuple(s if n > 1 else slice(None) for n, s in zip(kept, slices, strict=False))]
        self._labels = torch.as_tensor(np.where(labels < 0, self._n, labels).astype(np.int64))

    def _sums(self, w: torch.Tensor) -> torch.Tensor:
        others = [k for k in range(w.ndim) if k != self._dim]
        if self._dim is None or not others:
            squares = w.double().square()
        else:
            # In one pass: the squares of a large tensor in float64 are never in memory.
            squares = torch.linalg.vector_norm(w, dim=others, dtype=torch.float64).square()
        sums = squares.new_zeros(self._n + 1)
        return sums.index_add(0, self._labels_at(w).reshape(-1), squares.reshape(-1))[: self._n]

    def spread(self, per_group: Any, w, outside: float = 0.0):
        """A value per group laid over the entries that are here, as an array that broadcasts to them."""
        if isinstance(per_group, np.ndarray):
            return np.append(per_group, per_group.dtype.type(outside))[self._labels.cpu().numpy()]
        return torch.cat([per_group, per_group.new_full((1,), outside)])[self._labels_at(per_group)]

    def sizes(self, w):
        """Number of entries of each group in all tensors."""
        sizes = self._whole.sizes(self._part.shape)
        return torch.as_tensor(sizes, device=w.device) if isinstance(w, torch.Tensor) else sizes

    def gather(self, w):
        """Refused: the entries of a group are in several tensors."""
        raise TypeError("These groups lie in several tensors, which a prox with a step for each weight cannot follow")
