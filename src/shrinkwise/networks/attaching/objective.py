"""The penalty of a whole model as a differentiable scalar, to be added to the loss by hand."""

from __future__ import annotations

import torch
from torch import nn

from shrinkwise.networks.distributed.shards import whole

from .rules import Chosen, select


def penalty(model: nn.Module, rules) -> torch.Tensor:
    """Σ_k λ_k f_k(θ_k) over the parameters selected by the rules, as a scalar with gradients.

    ``loss + penalty(model, sw.L2(1e-3))`` is exact for smooth penalties. For L1 and groups it gives the right objective
    but **no exact zeros** under any optimizer: weights oscillate around 0 with the step size. It acts in every backward
    call (accumulating gradients over k batches multiplies it by k unless the loss is divided by k), and gradient
    clipping and a GradScaler also apply to it. `attach` has none of these limits.

    Parameters
    ----------
    model : nn.Module
    rules : Penalty, Rule or list of them
        As for `attach`.
    """
    chosen = select(model, rules).chosen
    if not chosen:
        raise ValueError(f"The rules match no parameter of this {type(model).__name__}; print(model) shows its names")
    together: dict[int, list[Chosen]] = {}
    for c in chosen:
        together.setdefault(c.rule if c.tensor else -1, []).append(c)
    alone = together.pop(-1, [])
    return sum(c.penalty.value(whole(c.param)) for c in alone) + sum(_spanning(some) for some in together.values())


def _spanning(chosen: list[Chosen]) -> torch.Tensor:
    """The value of a penalty whose groups span the tensors."""
    here = {c.tensor: c for c in chosen}
    missing = [name for name in chosen[0].penalty.groups.tensors if name not in here]
    if missing:
        raise ValueError(
            f"The groups of {chosen[0].penalty!r} have entries in {missing[0]}, which another rule takes; give all of them "
            "to one rule"
        )
    entries = [whole(here[name].param).reshape(-1) for name in chosen[0].penalty.groups.tensors]
    return chosen[0].penalty.value(torch.cat(entries))
