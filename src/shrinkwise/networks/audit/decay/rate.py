"""How fast an optimizer's weight decay shrinks each parameter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import optim

from shrinkwise.networks.attaching.rules import NamedParameter
from shrinkwise.networks.audit.subject.subject import Subject
from shrinkwise.networks.step.optimizers_known import weight_decay

_ADAPTIVE = (optim.Adam, optim.NAdam, optim.RAdam, optim.Adamax, optim.Adagrad, optim.Adadelta, optim.RMSprop)
_USUAL_RUN = 10_000  # steps, where nothing is said
MATERIAL = 0.1  # a decay that takes less of a weight in the whole run is not worth a warning


@dataclass(frozen=True)
class Decayed:
    """A parameter with weight decay."""

    candidate: NamedParameter
    optimizer: str
    decay: float
    lr: float
    rate: float | None  # share of the weight that decay takes each step; None where √v of the optimizer decides it
    in_gradient: bool  # added to the gradient instead of shrinking the weight

    @property
    def adaptive(self) -> bool:
        """Whether the decay is divided by the root of the gradients' second moment."""
        return self.rate is None

    def shrinks(self, steps: int | None) -> float:
        """The share of the weight by which decay alone shrinks it in a run."""
        return 1.0 if self.rate is None else -math.expm1(-self.rate * (steps or _USUAL_RUN))


def decayed(subject: Subject) -> Iterator[Decayed]:
    """Every parameter of the model that an optimizer decays, once per optimizer."""
    for optimizer in subject.optimizers:
        for group in optimizer.param_groups:
            try:
                coupled, decoupled = weight_decay(optimizer, group)
            except ValueError:  # an optimizer of others: how its decay acts is not known
                continue
            if not coupled and not decoupled:
                continue
            lr = max(float(group.get("lr", 0.0)), float(group.get("initial_lr", 0.0)))  # a warm-up starts near 0
            adaptive = bool(coupled) and isinstance(optimizer, _ADAPTIVE)
            momentum = 1.0 - group.get("momentum", 0.0) if coupled and not adaptive else 1.0
            rate = None if adaptive else lr * (coupled + decoupled) / momentum
            for p in group["params"]:
                if p.requires_grad and id(p) in subject.by_id:
                    name = type(optimizer).__name__
                    yield Decayed(subject.by_id[id(p)], name, coupled + decoupled, lr, rate, bool(coupled))


def over_the_run(found: list[Decayed], steps: int | None) -> str:
    """The effect of decay alone on these parameters, in words."""
    if found[0].rate is None:
        return f"weight_decay={found[0].decay:g} of {found[0].optimizer} shrinks them towards 0 at every step"
    run = f"the planned {steps:,} steps" if steps else f"{_USUAL_RUN:,} steps"
    return (
        f"weight_decay={found[0].decay:g} at lr={found[0].lr:g} alone shrinks them by "
        f"{100 * max(d.shrinks(steps) for d in found):.2g} % in {run}"
    )
