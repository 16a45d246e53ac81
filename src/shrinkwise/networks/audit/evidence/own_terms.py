"""The part of a loss that depends on the weights and not on the data: a penalty written by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from .calls import flat

_EXACT = 1e-4  # relative: the gradient of a sum of squares or absolute values is exact to a few eps
_MANY = 1 << 16  # entries of a tensor that are looked at


@dataclass
class OwnTerm:
    """Which parameters the loss penalises, and how."""

    l1: dict[int, float]  # λ of λ Σ|w|, by id of the parameter
    l2: dict[int, float]  # λ of λ Σw²
    other: list[int]  # some other function of the parameter
    dead: list[int]  # read through .data, detach() or a state_dict: no gradient reaches them


class _Reads(TorchFunctionMode):
    """Notes which parameters' memory the calls read."""

    def __init__(self, owners: dict[int, int]):
        super().__init__()
        self.owners = owners
        self.read: set[int] = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name not in ("__get__", "detach", "detach_", "size", "dim", "numel"):
            for leaf in flat((args, tuple((kwargs or {}).values()))):
                if isinstance(leaf, torch.Tensor) and leaf.numel() and leaf.layout == torch.strided:
                    owner = self.owners.get(leaf.untyped_storage().data_ptr())
                    if owner is not None:
                        self.read.add(owner)
        return func(*args, **(kwargs or {}))


def term_of_the_weights(model: nn.Module, loss: Callable[[], torch.Tensor]) -> OwnTerm | None:
    """What `loss`, of outputs without history, takes from the parameters; None if nothing."""
    params = [p for p in model.parameters() if p.numel()]
    reads = _Reads({p.untyped_storage().data_ptr(): id(p) for p in params})
    with reads:
        value = loss()
    if not reads.read and not value.requires_grad:
        return None
    trained = [p for p in params if p.requires_grad]
    found: list[torch.Tensor | None] = [None] * len(trained)
    if value.requires_grad and trained:
        found = list(torch.autograd.grad(value, trained, allow_unused=True))
    term = OwnTerm({}, {}, [], [])
    for p, g in zip(trained, found, strict=True):
        if g is not None and bool(g.any()):
            _sort_in(term, _some(p.detach()), _some(g), id(p))
        elif g is None and id(p) in reads.read:
            term.dead.append(id(p))
    return term if term.l1 or term.l2 or term.other or term.dead else None


def _some(x: torch.Tensor) -> torch.Tensor:
    """Entries from everywhere in a large tensor; an odd step does not stay in the same columns."""
    return x.reshape(-1)[:: max(x.numel() // _MANY, 1) | 1]


def _sort_in(term: OwnTerm, w: torch.Tensor, g: torch.Tensor, key: int) -> None:
    """File a parameter by the formula that its gradient g fits, at entries w and g of it."""
    if w.numel() == 1:  # one number fits every formula
        term.other.append(key)
        return
    slack = g.abs().max() * max(_EXACT, 4 * torch.finfo(w.dtype).eps)
    lam = g.abs().sum() / (w != 0).sum().clamp_min(1)
    if bool(((g - lam * w.sign()).abs() <= slack).all()):
        term.l1[key] = float(lam)
        return
    double = (g * w).sum() / w.square().sum().clamp_min(torch.finfo(w.dtype).tiny)
    if bool(((g - double * w).abs() <= slack).all()):
        term.l2[key] = float(double) / 2
        return
    term.other.append(key)
