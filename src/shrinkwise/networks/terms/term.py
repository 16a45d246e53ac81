"""A penalised parameter with its penalty."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from shrinkwise.networks.distributed.shards import whole

from .normal_map import NormalMap


@dataclass
class Term:
    """A penalised parameter and its penalty."""

    name: str
    param: torch.nn.Parameter
    map: NormalMap
    rule: int
    note: str = ""

    def whole(self) -> torch.Tensor:
        """The weights; those of a sharded parameter are gathered, so every process has to call this."""
        return whole(self.param.detach())
