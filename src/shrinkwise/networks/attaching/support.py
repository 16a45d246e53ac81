"""Refit: training on the support with the penalty off. What is zero stays exactly zero, the rest is no longer shrunk."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from shrinkwise.networks.distributed.shards import wrap
from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.step.stepper import Flight, Moving, Stepper


@dataclass
class Held(Flight):
    """A parameter whose zeros are held."""

    zeros: torch.Tensor = None  # type: ignore[assignment]


class SupportStepper(Stepper):
    """The optimizer's own step on the weights that are not exactly zero."""

    method = "refit"

    def lift(self, optimizer, moving: list[Moving]) -> None:
        """No gradient at the zeros: it would stir momentum and second moments."""
        for term, group, grad, _ in moving:
            zeros = local(term.param).detach() == 0
            lent = wrap(local(grad).masked_fill(zeros, 0.0), term.param)
            self._flights.append(Held(term, group, grad, lent, zeros))
        for flight in self._flights:
            flight.term.param.grad = flight.lent

    def land(self, optimizer, flights: list[Held]) -> None:  # type: ignore[override]
        """The zeros again: momentum from before moves them."""
        for flight in flights:
            local(flight.term.param).masked_fill_(flight.zeros, 0.0)
