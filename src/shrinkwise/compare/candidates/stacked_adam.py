"""Adam on a stack of networks, of which some settings are dropped on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.optim.adam import adam


class StackedAdam:
    """PyTorch's fused Adam by its function: the first instance of `torch.optim.Adam` imports torch._dynamo, two seconds in each
    process, and for small networks its step takes five times as long as the function.

    The first axis of every parameter is that of the settings; all have a gradient in each step.
    """

    def __init__(self, stack: nn.Module, betas: tuple[float, float] = (0.9, 0.999)):
        self.stack, self.betas = stack, betas
        values = list(stack.parameters())
        self.means, self.squares = ([torch.zeros_like(each) for each in values] for _ in range(2))
        self.steps = [torch.zeros(()) for _ in values]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step from the gradients of the parameters, with the learning rate `rate`."""
        values: list[torch.Tensor] = list(self.stack.parameters())
        adam(
            values,
            [cast(torch.Tensor, each.grad) for each in values],
            self.means,
            self.squares,
            [],
            self.steps,
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def keep(self, settings: Sequence[int]) -> None:
        """Keep what is remembered of some settings; the stack has kept the same ones."""
        kept = list(settings)
        self.means, self.squares = ([each[kept].clone() for each in both] for both in (self.means, self.squares))
