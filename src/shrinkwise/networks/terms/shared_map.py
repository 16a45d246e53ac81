"""The normal map of a tensor of which this process holds a part, or that is one of several that groups span."""

from __future__ import annotations

from typing import Any

import torch

from shrinkwise.networks.distributed.shards import Part, SharedGroups, whole, with_arrays
from shrinkwise.penalties import Penalty, rebuild

from .normal_map import NormalMap
from .stack import Piece


class SharedMap(NormalMap):
    """The normal map of the part that is here; what it knows of all weights (t, lengths of steps) is of the whole tensor.

    The part of several tensors that groups span is one of them.
    """

    def __init__(self, penalty: Penalty, part: Part | Piece):
        super().__init__(penalty, part.shape)
        part.penalty(penalty)  # what is refused is refused by the name it was given
        self.part: Any = part
        if isinstance(part, Piece):
            self.stack, self.place, self.is_whole = part.stack, part.member.index, part.stack.is_whole
        else:
            self.is_whole = False
        self.unit = part.penalty(self.unit)
        self._weightless = self.unit.with_lam(0.0)
        self.local_shape = part.local_shape
        self._sampled = part.sample()
        if not self.is_constraint and not self.smooth:
            # Kept from here on, since a function run in rounds asks the same questions each time.
            self._zeroing_step_of_ones  # noqa: B018

    @property
    def penalty(self) -> Penalty:
        """λ f of the whole tensor."""
        return rebuild(super().penalty, lambda leaf: with_arrays(leaf.penalty, whole))

    @property
    def penalty_here(self) -> Penalty:
        """λ f of the part."""
        if isinstance(self.lam, torch.Tensor):
            return self.part.penalty(self.penalty)
        return self.unit.with_lam(self.lam * self.factor)

    def strength_like(self, z: torch.Tensor) -> float | torch.Tensor:
        """λ now, as a number or as a tensor that broadcasts with the part z."""
        if not isinstance(self.lam, torch.Tensor):
            return self.lam * self.factor
        lam, groups = self.factor * self.lam.to(z), self.unit.groups
        if groups is None:
            return self.part.cut(lam)
        if not isinstance(groups, SharedGroups):
            lam = lam[self.part.slices[groups.whole_axis]]
        return groups.spread(lam, z)

    def sample(self, z: torch.Tensor) -> torch.Tensor:
        """Those of the entries that one process would take of the whole that are here."""
        self._sampled = self._sampled.to(z.device)
        return z.reshape(-1)[self._sampled]

    def __getstate__(self) -> dict:
        return dict(self.__dict__)

    def agreed(self, *flags: bool) -> list[bool]:
        """Whether each of the flags is up in some process."""
        return (self.part.total(torch.tensor(flags, dtype=torch.float64)) > 0).tolist()

    def _mean(self, x: torch.Tensor) -> torch.Tensor:
        sums = self.part.total(torch.stack([x.sum(dtype=torch.float64), x.new_tensor(x.numel(), dtype=torch.float64)]))
        return sums[0] / sums[1]

    def _n_kinked(self, radii: torch.Tensor) -> int:
        return int(self.part.total((radii > 0).sum().double()))

    def mean_zeroing_step(self, d: torch.Tensor) -> float:
        """Mean over the entries or groups of the whole tensor of the smallest t with prox_{t f}(d) = 0."""
        radii = self._kinks.radii.to(d)
        steps = self._weightless.violation(torch.zeros_like(d), d)
        share = torch.ones(steps.numel(), dtype=torch.float64, device=d.device)
        if isinstance(self.unit.groups, SharedGroups) and not self._weightless.residual_at(d):
            # Groups in several parts come first, and every process counts them.
            share[: self.unit.groups.count(self.shape)] = 1.0 / self.part.count
        share = share * (radii > 0)
        # In the type of d, in which a single process would count.
        steps = torch.where(share > 0, steps.reshape(-1) / torch.where(radii > 0, radii, torch.ones_like(radii)), 0.0)
        sums = self.part.total(torch.stack([(share * steps).sum(), share.sum()]))
        return float(sums[0] / sums[1])
