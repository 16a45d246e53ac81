"""Penalties inside the pass of a `shrinkwise.optim` optimizer: nothing is lent, and the step itself moves the latents.

The parameter holds its weights all the time. What does not fit (low-precision weights, λ by weight, clipping of the sum,
options that are torch's alone) goes the way it goes with any other optimizer, to the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from shrinkwise.kernels.networks import optimizer as kernel
from shrinkwise.networks.memory.layout import beside, same_layout
from shrinkwise.networks.methods.metric import MetricStepper, metric_of
from shrinkwise.networks.step.normal_map_stepper import LATENT, Aloft, NormalMapStepper, not_finite
from shrinkwise.networks.step.stepper import Flight, Moving
from shrinkwise.penalties import l1_l2_of_all


@dataclass
class Plan:
    """What a penalty adds to one parameter's step: see `kernels.optimizer_reference`."""

    mode: int = kernel.PLAIN
    latent: torch.Tensor | None = None
    numbers: dict = field(default_factory=dict)
    done: bool = False


@dataclass
class Inside(Aloft):
    """A parameter whose latent is moved by the optimizer's pass."""

    plan: Plan = None  # type: ignore[assignment]

    def latent_after(self) -> torch.Tensor:
        """The latent after the step."""
        return self.latent


class FusedNormalMapStepper(NormalMapStepper):
    """The normal map in the optimizer's own pass."""

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self.plans: dict[torch.Tensor, Plan] = {}

    def lift(self, optimizer, moving: list[Moving]) -> None:
        """Plans for the pass; what does not fit is lent as usual."""
        inside: list[Moving] = []
        outside: list[Moving] = []
        for item in moving:
            (inside if self._fits(optimizer, item) else outside).append(item)
        planned = [self._inside(optimizer, *item, new) for item, new in zip(inside, self._changed(inside), strict=True)]
        super().lift(optimizer, outside)
        self.plans = {flight.term.param: flight.plan for flight in planned}
        self._flights = [*self._flights, *planned]

    def _fits(self, optimizer, item: Moving) -> bool:
        if item.still or self.options.max_norm is not None or isinstance(item.term.map.lam, torch.Tensor):
            return False
        return optimizer.takes(item.group, item.term.param)

    def _inside(self, optimizer, term, group: dict, grad: torch.Tensor, still: bool, changed: bool) -> Inside:
        p = term.param
        flight = self._plan(optimizer, term, group, grad, still, changed)
        z, t = flight.latent, flight.threshold
        if flight.fresh or not same_layout(p, z):
            z = beside(p, 1).copy_(z)
        flight = Inside(term, group, grad, None, z, t, p.data, fresh=flight.fresh, before=flight.before)
        given = flight.separable_map()
        numbers = {"slope": term.map.strength_like(z) / t if t else 0.0}
        if given is not None:
            numbers["threshold"], numbers["shrink"] = given
        flight.plan = Plan(kernel.PULL if given is None else kernel.MAP, z, numbers)
        return flight

    def refuse(self, optimizer, params) -> None:
        """Everything as it was, and one sentence: the pass found these parameters' gradients not finite."""
        names = [flight.term.name for flight in self._flights if flight.term.param in params]
        self.undo()
        raise not_finite(names)

    def land(self, optimizer, flights: list) -> None:
        """As for any optimizer; a latent that a longer threshold rescales stays in its memory."""
        super().land(optimizer, flights)
        for flight in flights:
            if isinstance(flight, Inside):
                z = flight.plan.latent
                flight.written = flight.plan.done and flight.plan.mode == kernel.MAP and flight.latent is z
                if z is not None and flight.latent is not z:
                    optimizer.state[flight.term.param][LATENT] = flight.latent = z.copy_(flight.latent)

    def restore(self, flights: list) -> None:
        """The weights of latents whose weights the pass has not written."""
        self.plans = {}
        super().restore(flights)


class FusedMetricStepper(MetricStepper):
    """The prox in the metric of the step, in the optimizer's own pass."""

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self.plans: dict[torch.Tensor, Plan] = {}

    def lift(self, optimizer, moving: list[Moving]) -> None:
        """Plans for the penalties Σ a|w| + ½ b w²."""
        super().lift(optimizer, moving)
        for term, group, _, _ in moving:
            slopes = l1_l2_of_all(term.map.penalty, term.param)
            if slopes is None or not optimizer.takes(group, term.param):
                continue
            sgd = isinstance(optimizer, torch.optim.SGD)
            pace = metric_of(optimizer, group, {}).rate if sgd else float(group["lr"])
            self.plans[term.param] = Plan(kernel.PROX, None, {"pace": pace, "a": slopes[0], "b": slopes[1]})

    def land(self, optimizer, flights: list[Flight]) -> None:
        """The prox where the pass has not done it."""
        super().land(optimizer, [f for f in flights if not self.plans.get(f.term.param, Plan()).done])

    def restore(self, flights: list[Flight]) -> None:
        """As for any optimizer."""
        self.plans = {}
        super().restore(flights)
