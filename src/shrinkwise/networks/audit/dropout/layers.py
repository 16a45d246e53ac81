"""Which modules are dropout layers, and how much they drop."""

from __future__ import annotations

from torch import nn


def is_dropout(module: nn.Module) -> bool:
    """Whether a module without children is named dropout or has a keep probability."""
    named = "drop" in type(module).__name__.lower()
    return (named or isinstance(getattr(module, "keep", None), float)) and not next(module.children(), None)


def drop_of(module: nn.Module) -> float:
    """The probability of dropping, from p, drop_prob or keep; 0 if there is none."""
    keep = getattr(module, "keep", None)
    if isinstance(keep, float):
        return 1.0 - keep
    values = [getattr(module, name, None) for name in ("p", "drop_prob", "drop_rate", "rate")]
    return next((float(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)), 0.0)
