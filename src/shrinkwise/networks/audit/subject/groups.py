"""Parameter groups with weight decay as in common recipes."""

from __future__ import annotations

from torch import nn

from shrinkwise.networks.attaching.rules import NamedParameter, candidates


def groups(model: nn.Module, weight_decay: float, *, embeddings: bool = False) -> list[dict]:
    """Parameter groups for an optimizer: `weight_decay` on weights of products, and no decay on all other parameters.

    Parameters
    ----------
    model : nn.Module
    weight_decay : float ≥ 0
    embeddings : bool
        True decays embeddings too (nanoGPT does; minGPT and BERT do not decay all of them).

    Returns a list of two dicts, or one if a group is empty: first the parameters with decay. Frozen parameters are
    excluded, tied ones are listed once. Gains and shifts of normalisations, biases, slopes, scalars and vectors have no
    decay.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    >>> [(len(group["params"]), group["weight_decay"]) for group in groups(model, 0.1)]
    [(1, 0.1), (3, 0.0)]
    """
    if isinstance(weight_decay, bool) or not isinstance(weight_decay, (int, float)) or not weight_decay >= 0:
        raise ValueError(f"Expected weight_decay to be a number ≥ 0, got {weight_decay!r}")
    kept = ("weight", "embedding") if embeddings else ("weight",)
    decayed: list[nn.Parameter] = []
    left: list[nn.Parameter] = []
    for candidate in candidates(model):
        if candidate.param.requires_grad:
            (decayed if kind(candidate) in kept else left).append(candidate.param)
    if not decayed and not left:
        raise ValueError(f"This {type(model).__name__} has no trainable parameters to group")
    made = [{"params": decayed, "weight_decay": float(weight_decay)}, {"params": left, "weight_decay": 0.0}]
    return [group for group in made if group["params"]]


def kind(candidate: NamedParameter) -> str:
    """A parameter's kind with respect to weight decay: "norm", "bias", "embedding", "scalar" or "weight"."""
    if candidate.role in ("norm", "bias", "embedding"):
        return candidate.role
    if candidate.role == "slope" or candidate.param.dim() < 2:
        return "scalar"
    return "weight"
