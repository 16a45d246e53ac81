"""What is audited: a model, its optimizers, and what passes and a record of its training showed."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn, optim

from shrinkwise.networks.attaching.rules import NamedParameter, candidates
from shrinkwise.networks.audit.evidence.passes import Passes
from shrinkwise.networks.audit.evidence.record import Record


@dataclass
class Subject:
    """Given to every detector, which returns nothing where what it needs is missing."""

    model: nn.Module
    optimizers: list[optim.Optimizer] = field(default_factory=list)
    steps: int | None = None
    passes: Passes | None = None
    record: Record | None = None

    def __post_init__(self) -> None:
        self.parameters: list[NamedParameter] = candidates(self.model)
        self.by_id = {id(c.param): c for c in self.parameters}
        self.modules = dict(self.model.named_modules())

    def name_of(self, param) -> str:
        """What the model calls a parameter of an optimizer."""
        candidate = self.by_id.get(id(param))
        return candidate.name if candidate else f"a tensor of shape {tuple(param.shape)} that is not in the model"

    def held(self) -> set[int]:
        """The ids of all parameters that an optimizer holds."""
        return {id(p) for opt in self.optimizers for group in opt.param_groups for p in group["params"]}
