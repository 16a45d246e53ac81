"""Dropout with one mask for all time steps of a sequence."""

from __future__ import annotations

import torch
from torch.fx import Proxy

from shrinkwise.dropout.bits import apply_mask
from shrinkwise.dropout.inverted import check_keep

from .noise import NoiseLayer, check_dense, mask_of_shape


def locked_dropout(
    x, *positional, keep=None, time_dim: int, training=True, seed=None, generator=None, stream=0
) -> torch.Tensor:
    """Inverted dropout whose mask is the same at every time step: one draw per sequence and feature.

    Parameters
    ----------
    x : (N, T, F) with ``time_dim=1`` or (T, N, F) with ``time_dim=0``; any shape that has that dimension
    keep : float in (0, 1]
    time_dim : int
        The dimension along which the mask is repeated. There is no default: both (T, N, F) and (N, T, F) are common,
        and the wrong one would share the mask between sequences.
    training, seed, generator, stream : as in `dropout`

    Returns a tensor like x.

    References: Gal and Ghahramani, A theoretically grounded application of dropout in recurrent neural networks, NIPS
    2016, arXiv:1512.05287.
    """
    keep = check_keep(keep, positional, "locked_dropout(x, keep=0.8, time_dim=1)")
    check_dense(x, "locked_dropout")
    if not -x.dim() <= time_dim < x.dim():
        raise ValueError(f"Expected time_dim to be within the {x.dim()} dimensions of {tuple(x.shape)}, got {time_dim}")
    if not training or keep == 1.0:
        return x
    shape = [1 if d == time_dim % x.dim() else size for d, size in enumerate(x.shape)]
    kept = mask_of_shape(shape, keep=keep, device=x.device, seed=seed, generator=generator, stream=stream)
    return apply_mask(x, kept, keep)


class LockedDropout(NoiseLayer):
    """Inverted dropout with one mask for all time steps (variational dropout of sequences); no effect in evaluation.

    Parameters
    ----------
    keep : float in (0, 1]
    time_dim : int
        The dimension of time: 1 for (N, T, F), 0 for (T, N, F).
    seed, stream, generator : as in `NoiseLayer`

    Shapes: (N, T, F), (T, N, F) or any with a time dimension; the same out as in.

    >>> LockedDropout(keep=0.8, time_dim=1)
    LockedDropout(keep=0.8, time_dim=1)
    """

    def __init__(self, *positional, keep=None, time_dim: int, seed=None, stream=0, generator=None):
        super().__init__(*positional, keep=keep, seed=seed, stream=stream, generator=generator)
        self.time_dim = time_dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Locked dropout of x in training, x itself in evaluation."""
        if isinstance(x, Proxy):
            return self.recorded(x)
        if not self.training:
            return x
        return locked_dropout(x, keep=self.keep, time_dim=self.time_dim, **self.draw())

    def extra_repr(self) -> str:
        """The probability of keeping and the dimension of time."""
        return f"{super().extra_repr()}, time_dim={self.time_dim}"
