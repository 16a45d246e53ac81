"""Dropout as pure functions; each is defined next to its layer, plain inverted dropout in `inverted`."""

from .bits import apply_mask
from .inverted import bias_relu_dropout, dropout, dropout_residual, keep_mask
from .layers.channel import channel_dropout
from .layers.concrete import concrete_dropout
from .layers.drop_path import drop_path
from .layers.gaussian import alpha_dropout, gaussian_dropout
from .layers.locked import locked_dropout

__all__ = [
    "alpha_dropout",
    "apply_mask",
    "bias_relu_dropout",
    "channel_dropout",
    "concrete_dropout",
    "drop_path",
    "dropout",
    "dropout_residual",
    "gaussian_dropout",
    "keep_mask",
    "locked_dropout",
]
