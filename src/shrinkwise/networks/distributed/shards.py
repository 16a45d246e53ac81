"""Penalties on a tensor of which every process holds a part (DTensor: FSDP2, tensor parallelism).

A penalty that is a sum over entries acts on the part as it does on the whole. Groups that lie in several parts need one
number each from the other processes, Σ w² of their part; other penalties (on a matrix's spectrum, on an order of all
weights) would need the whole tensor in one process and are an error.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.memory.layout import sampled_places
from shrinkwise.penalties import GroupLasso, Groups, Leaf, Penalty, prox_into, rebuild

from .processes import Member, in_rounds, sum_of


def is_shared(x) -> bool:
    """Whether x is a tensor of which each process holds a part (or a copy)."""
    return hasattr(x, "device_mesh") and hasattr(x, "placements")


def whole(x) -> torch.Tensor:
    """x itself, or all parts of it put together: every process has to call this."""
    return x.full_tensor() if is_shared(x) else x


def wrap(part: torch.Tensor, like) -> torch.Tensor:
    """The tensor, distributed as `like` is, of which this process holds `part`, on the same memory."""
    if not is_shared(like):
        return part
    from torch.distributed.tensor import DTensor

    placing = (like.device_mesh, like.placements)
    return DTensor.from_local(part, *placing, run_check=False, shape=like.shape, stride=like.stride())


def processes_of(model: torch.nn.Module) -> list:
    """The process groups among which the model's gradients are averaged: those of DDP or of sharded parameters, or none."""
    if isinstance(model, torch.nn.parallel.DistributedDataParallel):
        return [model.process_group]
    mesh = next((p.device_mesh for p in model.parameters() if is_shared(p)), None)  # type: ignore[attr-defined]
    return [] if mesh is None else [mesh.get_group(k) for k in range(mesh.ndim)]


def reshard(model: torch.nn.Module) -> None:
    """Let FSDP2 forget the whole parameters that it keeps after a forward pass without a backward pass."""
    module: Any
    for module in model.modules():
        if hasattr(module, "reshard"):
            module.reshard()


class Part:
    """Where the part of a distributed tensor lies in the whole, and which processes hold the others."""

    def __init__(self, x):
        from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

        self.shape, self.mesh, self.placements = tuple(x.shape), x.device_mesh, tuple(x.placements)
        here, offset = compute_local_shape_and_global_offset(self.shape, self.mesh, self.placements)
        if tuple(here) != tuple(local(x).shape):
            raise ValueError(f"Expected a part of shape {tuple(here)} of a sharded tensor, got {tuple(local(x).shape)}")
        self.local_shape = tuple(here)
        # A part of no entries may be said to begin beyond the end.
        self.slices = tuple(
            slice(min(o, n), min(o, n) + k) for o, n, k in zip(offset, self.shape, self.local_shape, strict=True)
        )
        # FSDP2 on top of tensor parallelism splits by strides, which is_shard() does not count.
        self.split = [k for k, p in enumerate(self.placements) if not p.is_replicate() and self.mesh.size(k) > 1]
        self.axes = {self.placements[k].dim % max(len(self.shape), 1) for k in self.split}

    def total(self, vector: torch.Tensor) -> torch.Tensor:
        """Σ of a vector over the processes that hold a part."""
        return self.total_of(lambda: vector).to(vector.device)

    def total_of(self, vector: Callable[[], torch.Tensor], member: Member | None = None) -> torch.Tensor:
        """`total` of a vector that is computed when it is needed; with `member`, over the tensors of a stack too."""
        groups = [self.mesh.get_group(k) for k in self.split]
        # Parameters may be kept elsewhere than processes talk.
        return sum_of(lambda: vector().to(self.mesh.device_type), groups, member)

    @property
    def count(self) -> int:
        """How many parts there are."""
        return math.prod(self.mesh.size(k) for k in self.split)

    def cut(self, values):
        """The part of an array that broadcasts to the shape of the whole."""
        if is_shared(values):
            values = local(values) if tuple(values.placements) == self.placements else values.full_tensor()
            if tuple(values.shape) == self.local_shape:
                return values
        values = values if isinstance(values, torch.Tensor) else np.asarray(values)
        given = tuple(values.shape)
        if len(given) > len(self.shape) or any(
            m not in (1, n) for m, n in zip(given[::-1], self.shape[::-1], strict=False)
        ):
            raise ValueError(f"Expected an array of shape {self.shape}, or one that broadcasts to it, got {given}")
        along = self.slices[len(self.shape) - len(given) :]
        return values[tuple(slice(None) if n == 1 else s for n, s in zip(given, along, strict=True))]

    def penalty(self, penalty: Penalty) -> Penalty:
        """What the penalty is on this part; one sentence where it needs more than sums over the parts."""
        return rebuild(penalty, self._term)

    def _term(self, leaf: Leaf) -> Penalty:
        penalty = leaf.penalty
        if not self.split:
            return with_arrays(penalty, self.cut)
        if penalty.group_sum:
            return self._grouped(penalty)
        if not penalty.separable or leaf.where:
            raise TypeError(
                f"{penalty!r} needs all weights of a tensor in one process, but they are sharded over "
                f"{self.count} processes; do not shard this parameter (ignored_params= of fully_shard), or use a "
                "sum over weights or groups"
            )
        return with_arrays(penalty, self.cut)

    def _grouped(self, penalty):
        other = copy.copy(penalty)
        axis, groups = penalty.groups.whole_axis, penalty.groups
        GroupLasso(1.0, groups, weights=penalty.weights).strengths(np.broadcast_to(0.0, self.shape))  # refuses a misfit
        if axis is not None and self.axes == {axis % len(self.shape)}:  # every group lies in one part
            if penalty.weights is not None:
                other.weights = penalty.weights[self.slices[axis % len(self.shape)]]
        else:
            other.groups = SharedGroups(groups, self)
        return other

    def sample(self, places: torch.Tensor | None = None) -> torch.Tensor:
        """Those of some entries that lie here, by default of those at which lengths of steps are measured: flat indices."""
        places = sampled_places(math.prod(self.shape)) if places is None else places
        place, here = torch.zeros((), dtype=torch.int64), torch.ones((), dtype=torch.bool)
        for at, n, s in zip(
            torch.unravel_index(places, self.shape),
            self.local_shape,
            self.slices,
            strict=True,
        ):
            here = here & (at >= s.start) & (at < s.stop)
            place = place * n + (at - s.start)
        return place[here]

    def __deepcopy__(self, memo) -> Part:
        return self  # it does not change, and process groups have no copies


class SharedGroups(Groups):
    """Groups of a whole tensor as seen from one part: norms are of whole groups, the same in every process."""

    def __init__(self, groups: Groups, part: Part):
        self._whole, self._part = groups, part
        axis = groups.whole_axis
        self._dim = None if axis is None else axis % len(part.shape)
        self._n = groups.count(part.shape)
        if self._dim is None:
            labels = groups.spread(np.arange(self._n, dtype=float), np.broadcast_to(0.0, part.shape), outside=-1.0)
            here = np.broadcast_to(labels, part.shape)[part.slices]
            self._labels = torch.as_tensor(np.where(here < 0, self._n, here).astype(np.int64))

    whole_axis = None

    def norms(self, w):
        """Euclidean norm of each group, shape (n_groups,), with gradients for the entries that are here."""
        if not torch.is_grad_enabled() or not w.requires_grad:
            return self._part.total_of(lambda: self._sums(w)).sqrt().to(w)
        sums = self._sums(w)
        total = self._part.total(sums.detach())
        # The gradient of the whole norm along the entries here; 0 at 0.
        sums = sums + (total - sums.detach())
        return (torch.where(total > 0, sums, torch.ones_like(sums)).sqrt() * (total > 0)).to(w.dtype)

    def _sums(self, w: torch.Tensor) -> torch.Tensor:
        """Σ w² over the entries of each group that are here, in float64."""
        squares = w.double().square()
        if self._dim is None:
            sums = squares.new_zeros(self._n + 1)
            return sums.index_add(0, self._labels_at(squares).reshape(-1), squares.reshape(-1))[: self._n]
        sums = squares.movedim(self._dim, 0).reshape(squares.shape[self._dim], -1).sum(1)
        here = self._part.slices[self._dim]
        return torch.nn.functional.pad(sums, (here.start, self._n - here.stop))

    def spread(self, per_group, w, outside: float = 0.0):
        """A value per group laid over the entries that are here."""
        if self._dim is not None:
            here = per_group[self._part.slices[self._dim]]
            return here.reshape([-1 if k == self._dim else 1 for k in range(len(self._part.shape))])
        if isinstance(per_group, np.ndarray):
            return np.append(per_group, per_group.dtype.type(outside))[self._labels.cpu().numpy()]
        return torch.cat([per_group, per_group.new_full((1,), outside)])[self._labels_at(per_group)]

    def _labels_at(self, x: torch.Tensor) -> torch.Tensor:
        self._labels = self._labels.to(x.device)
        return self._labels

    def gather(self, w):
        """Refused: the entries of a group are in several processes."""
        raise TypeError(
            "A prox with a step for each weight does not support groups that are distributed over several processes"
        )

    def count(self, shape) -> int:
        """Number of groups of the whole tensor."""
        return self._n

    def sizes(self, w):
        """Number of entries of each group of the whole tensor."""
        sizes = np.array(self._whole.sizes(self._part.shape))
        return torch.as_tensor(sizes, device=w.device) if isinstance(w, torch.Tensor) else sizes

    def __repr__(self) -> str:
        return repr(self._whole)

    def __getstate__(self) -> dict:
        return dict(self.__dict__)


def put_proxes(jobs) -> None:
    """`prox_into`; the norms of groups that lie in several processes travel in one message."""
    several = [isinstance(job[0].groups, SharedGroups) for job in jobs]
    prox_into([job for job, shared in zip(jobs, several, strict=True) if not shared])
    in_rounds([partial(prox_into, [job]) for job, shared in zip(jobs, several, strict=True) if shared])


def with_arrays(penalty: Penalty, change) -> Penalty:
    """The penalty with its arrays (factors of λ, anchors, bounds) changed."""
    other = copy.copy(penalty)
    for name, value in penalty.get_params().items():
        if isinstance(value, (np.ndarray, list, tuple, torch.Tensor)) and np.ndim(value) > 0:
            setattr(other, name, change(value))
    return other
