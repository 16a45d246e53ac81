"""Conversion between torch's dropout layers and those of this package, and detection of dropout inside other layers."""

from __future__ import annotations

import warnings

from torch import nn

from shrinkwise.dropout.inverted import check_keep
from shrinkwise.dropout.layers.channel import ChannelDropout
from shrinkwise.dropout.layers.dropout import Dropout
from shrinkwise.dropout.layers.gaussian import AlphaDropout
from shrinkwise.dropout.layers.noise import NoiseLayer

_CHANNELS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_TORCH = (nn.Dropout, *_CHANNELS, nn.AlphaDropout, nn.FeatureAlphaDropout)


def convert(model: nn.Module, *, keep: float | None = None, to: str = "shrinkwise") -> nn.Module:
    """Replace every torch dropout layer of a model by that of this package, or the reverse; the ``state_dict`` is
    unchanged.

    Parameters
    ----------
    model : nn.Module, changed in place
    keep : float in (0, 1], optional
        The probability of keeping of all replaced layers; by default that of each layer (torch's p is 1 − keep).
    to : "shrinkwise" or "torch"

    Returns the model (a new object only if the model is itself a dropout layer). Shared layers remain shared, and modes
    are unchanged.

    Warns about dropout inside other layers (``nn.LSTM``, ``nn.MultiheadAttention``), subclasses of torch's layers and,
    with to="torch", layers that torch does not have; these are not replaced.

    Notes: torch's ``Dropout1d``, ``2d``, ``3d`` become ``ChannelDropout(channel_dim=1)``, which is the same for batches
    but treats an unbatched sample (C, L) as (N, C).

    >>> convert(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.25)))[1]
    Dropout(keep=0.75)
    """
    if to not in ("shrinkwise", "torch"):
        raise ValueError(f'Expected to="shrinkwise" or to="torch", got {to!r}')
    if keep is not None:
        keep = check_keep(keep, (), "convert(model, keep=0.8)")
    make = _ours if to == "shrinkwise" else _torchs
    swapped: dict[nn.Module, nn.Module] = {}
    left = []
    for name, module in model.named_modules():
        new = make(module, keep)
        if new is not None:
            swapped[module] = new.train(module.training)
        elif isinstance(module, _TORCH if to == "shrinkwise" else NoiseLayer):
            left.append(f"{name or 'the model'} ({type(module).__name__})")
    if to == "shrinkwise":
        left += [
            f"{name or 'the model'} (inside {kind}, drop {drop:g})" for name, kind, drop in built_in_dropout(model)
        ]
    if left:
        warnings.warn(f"There is no counterpart for {'; '.join(left)}, so convert did not replace it", stacklevel=2)
    for module in list(model.modules()):
        for name, child in module._modules.items():
            if child in swapped:
                module._modules[name] = swapped[child]
    return swapped.get(model, model)


def _ours(layer, keep):
    if type(layer) not in _TORCH:
        return None
    keep = keep or check_keep(1.0 - layer.p, (), "")
    if isinstance(layer, nn.Dropout):
        new: NoiseLayer = Dropout(keep=keep, inplace=layer.inplace)
    elif isinstance(layer, _CHANNELS):
        new = ChannelDropout(keep=keep, channel_dim=1)
    else:
        new = AlphaDropout(keep=keep, channel_dim=1 if isinstance(layer, nn.FeatureAlphaDropout) else None)
    new.replaces = type(layer), layer.inplace
    return new


def _torchs(layer, keep):
    kind, inplace = getattr(layer, "replaces", (_counterpart(layer), False))
    return kind and kind(p=1.0 - keep if keep else layer.p, inplace=inplace)


def _counterpart(layer):
    if type(layer) is Dropout:
        return nn.Dropout
    if type(layer) is ChannelDropout and layer.channel_dim in (None, 1):
        return nn.Dropout2d
    if type(layer) is AlphaDropout:
        return {None: nn.AlphaDropout, 1: nn.FeatureAlphaDropout}.get(layer.channel_dim)
    return None


def built_in_dropout(model: nn.Module) -> list[tuple[str, str, float]]:
    """Dropout inside torch's recurrent and attention layers: (name, kind, drop probability)."""
    return [
        (name, type(module).__name__, module.dropout)
        for name, module in model.named_modules()
        if isinstance(module, (nn.RNNBase, nn.MultiheadAttention)) and module.dropout > 0
    ]
