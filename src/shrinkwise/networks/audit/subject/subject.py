"""The subject of an audit: a model, its optimizers, and the evidence from passes and a record of its training."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn, optim

from shrinkwise.networks.attaching.rules import NamedParameter, candidates
from shrinkwise.networks.audit.evidence.passes import Passes
from shrinkwise.networks.audit.evidence.record import Record


@dataclass
class Subject:
    """The input of every detector; a detector returns no findings if what it needs is missing."""

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
        """The model's name of an optimizer's parameter."""
        candidate = self.by_id.get(id(param))
        return candidate.name if candidate else f"a tensor of shape {tuple(param.shape)} that is not in the model"

    def held(self) -> set[int]:
        """The ids of all parameters that an optimizer holds."""
        return {id(p) for opt in self.optimizers for group in opt.param_groups for p in group["params"]}


def averaged(module: nn.Module) -> list[nn.Parameter]:
    """The parameters of what torch's AveragedModel or a module named after an EMA holds."""
    counts = "n_averaged" in dict(module.named_buffers(recurse=False))
    named = any(word in type(module).__name__.lower() for word in ("ema", "averag"))
    return list(module.parameters()) if counts or (named and hasattr(module, "module")) else []
