"""Dropout of whole feature maps, because neighbouring pixels of a map are correlated."""

from __future__ import annotations

import torch
from torch.fx import Proxy

from shrinkwise.dropout.bits import apply_mask
from shrinkwise.dropout.inverted import check_keep

from .noise import NoiseLayer, check_dense, mask_of_shape


def channel_dropout(
    x, *positional, keep=None, channel_dim: int | None = None, training=True, seed=None, generator=None, stream=0
) -> torch.Tensor:
    """Inverted dropout of channels: each map (sample, channel) is x/keep with probability `keep`, else exactly 0.

    Parameters
    ----------
    x : (N, C, H, W) or (N, C, D, H, W); any other layout with `channel_dim`
    keep : float in (0, 1]
    channel_dim : int, optional
        The dimension of the channels. Dimension 0 is that of the samples, unless ``channel_dim=0``, in which case x is
        one sample. Required for 2 and 3 dimensions, which may mean (N, C, L), (N, L, C) or (C, H, W).
    training, seed, generator, stream : as in `dropout`

    Returns a tensor like x.

    Raises ValueError for a layout that is ambiguous.

    References: Tompson et al., Efficient object localization using convolutional networks, CVPR 2015, arXiv:1411.4280.
    """
    keep = check_keep(keep, positional, "channel_dropout(x, keep=0.8)")
    check_dense(x, "channel_dropout")
    dim = _channel_dim(x, channel_dim)
    if not training or keep == 1.0:
        return x
    shape = [size if d in (0, dim) else 1 for d, size in enumerate(x.shape)]
    kept = mask_of_shape(shape, keep=keep, device=x.device, seed=seed, generator=generator, stream=stream)
    return apply_mask(x, kept, keep)


def _channel_dim(x: torch.Tensor, channel_dim: int | None) -> int:
    if channel_dim is None:
        if x.dim() not in (4, 5):
            raise ValueError(
                f"Expected (N, C, H, W) or (N, C, D, H, W), got shape {tuple(x.shape)}, whose channel dimension "
                "is ambiguous; specify it with channel_dim=, e.g. 1 for (N, C, L), -1 for (N, L, C), 0 for one "
                "sample (C, H, W)"
            )
        return 1
    if not -x.dim() <= channel_dim < x.dim():
        raise ValueError(
            f"Expected channel_dim to be within the {x.dim()} dimensions of {tuple(x.shape)}, got {channel_dim}"
        )
    return channel_dim % x.dim()


class ChannelDropout(NoiseLayer):
    """Inverted dropout of whole feature maps: in training each map is kept with probability `keep`; no effect in
    evaluation.

    Parameters
    ----------
    keep : float in (0, 1]
    channel_dim : int, optional
        The dimension of the channels (see `channel_dropout`); required for inputs of 2 and 3 dimensions, where
        torch's ``Dropout1d`` silently drops time steps of a (batch, time, channel) tensor.
    seed, stream, generator : as in `NoiseLayer`

    Shapes: (N, C, H, W) or (N, C, D, H, W), any layout with `channel_dim`; the same out as in.

    >>> ChannelDropout(keep=0.8, channel_dim=-1)
    ChannelDropout(keep=0.8, channel_dim=-1)
    """

    def __init__(self, *positional, keep=None, channel_dim: int | None = None, seed=None, stream=0, generator=None):
        super().__init__(*positional, keep=keep, seed=seed, stream=stream, generator=generator)
        self.channel_dim = channel_dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Channel dropout of x in training, x itself in evaluation."""
        if isinstance(x, Proxy):
            return self.recorded(x)
        if not self.training:
            return x
        return channel_dropout(x, keep=self.keep, channel_dim=self.channel_dim, **self.draw())

    def extra_repr(self) -> str:
        """The probability of keeping and the channel dimension, if given."""
        return super().extra_repr() + ("" if self.channel_dim is None else f", channel_dim={self.channel_dim}")
