"""Gaussian dropout, and alpha dropout, which preserves the moments of self-normalising networks."""

from __future__ import annotations

import math

import torch
from torch.fx import Proxy

from shrinkwise.dropout.inverted import check_keep, dropout

from .channel import channel_dropout
from .noise import NoiseLayer, check_dense, check_floating, drawn_seed, uniform

# −λα of the SELU, its value at −∞ (Klambauer et al. 2017).
SELU_FLOOR = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717


def gaussian_dropout(x, *positional, keep=None, training=True, seed=None, generator=None, stream=0) -> torch.Tensor:
    """Gaussian dropout: x · (1 + sd·ε), ε standard normal, sd² = (1 − keep)/keep: mean and variance of inverted dropout.

    Parameters
    ----------
    x : floating-point tensor of any shape
    keep : float in (0, 1]
        The `keep` of dropout with the same mean and variance.
    training, generator, stream : as in `dropout`
    seed : int or int64 scalar tensor, optional
        If given, ε of element i is a pure function of (seed, stream, i), the same on every device, at several times the
        cost of torch's normal numbers, which are used otherwise.

    Returns a tensor like x.

    References: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014, section 10.
    """
    keep = check_keep(keep, positional, "gaussian_dropout(x, keep=0.8)")
    check_floating(x, "gaussian_dropout")
    if not training or keep == 1.0:
        return x
    if seed is None:
        noise = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
    else:
        seed = drawn_seed(seed, generator, x.device)
        noise = _normal(x.numel(), seed, stream, x.device).to(x.dtype).view(x.shape)
    return x * (noise * math.sqrt((1.0 - keep) / keep) + 1.0)


def _normal(n: int, seed, stream, device) -> torch.Tensor:
    """Standard normal numbers by the method of Box and Muller."""
    u, v = uniform(2 * n, seed=seed, stream=stream, device=device).view(2, n)
    return torch.sqrt(-2.0 * torch.log(u)) * torch.cos(2.0 * math.pi * v)


def alpha_dropout(
    x, *positional, keep=None, channel_dim=None, training=True, seed=None, generator=None, stream=0
) -> torch.Tensor:
    """Alpha dropout: dropped elements become SELU's floor α' = −λα, then a·(·) + b restores mean 0 and variance 1.

    y = a·(m·x + (1 − m)·α') + b with m = 1 (probability `keep`) or 0, a = (keep + α'²·keep·(1 − keep))^(−1/2) and
    b = −a·(1 − keep)·α'. For x of mean 0 and variance 1, as SELU activations have, y has them too.

    Parameters
    ----------
    x : floating-point tensor of any shape
    keep : float in (0, 1]
    channel_dim : int, optional
        If given, whole feature maps are dropped, as in `channel_dropout`.
    training, seed, generator, stream : as in `dropout`

    Returns a tensor like x.

    References: Klambauer et al., Self-normalizing neural networks, NIPS 2017, arXiv:1706.02515.
    """
    keep = check_keep(keep, positional, "alpha_dropout(x, keep=0.9)")
    check_dense(x, "alpha_dropout")
    if not training or keep == 1.0:
        return x
    a = (keep + SELU_FLOOR**2 * keep * (1.0 - keep)) ** -0.5
    # m·x + (1 − m)·α' = keep·dropout(x − α') + α': the mask is never stored, as in plain dropout.
    options = {"keep": keep, "seed": seed, "generator": generator, "stream": stream}
    if channel_dim is None:
        moved = dropout(x - SELU_FLOOR, **options)
    else:
        moved = channel_dropout(x - SELU_FLOOR, channel_dim=channel_dim, **options)
    return (moved + SELU_FLOOR) * (a * keep)


class GaussianDropout(NoiseLayer):
    """Multiplication by 1 + sd·ε in training, ε standard normal and sd² = (1 − keep)/keep; no effect in evaluation.

    Parameters
    ----------
    keep : float in (0, 1], that of dropout with the same variance
    seed, stream, generator : as in `NoiseLayer`

    Shapes: any, the same out as in.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Noisy x in training, x itself in evaluation."""
        if isinstance(x, Proxy):
            return self.recorded(x)
        if not self.training:
            return x
        return gaussian_dropout(x, keep=self.keep, **self.draw())


class AlphaDropout(NoiseLayer):
    """Dropout for SELU networks: it preserves mean 0 and variance 1 (see `alpha_dropout`); no effect in evaluation.

    Parameters
    ----------
    keep : float in (0, 1]
    channel_dim : int, optional
        If given, whole feature maps are dropped.
    seed, stream, generator : as in `NoiseLayer`

    Shapes: any, the same out as in.
    """

    def __init__(self, *positional, keep=None, channel_dim: int | None = None, seed=None, stream=0, generator=None):
        super().__init__(*positional, keep=keep, seed=seed, stream=stream, generator=generator)
        self.channel_dim = channel_dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Alpha dropout of x in training, x itself in evaluation."""
        if isinstance(x, Proxy):
            return self.recorded(x)
        if not self.training:
            return x
        return alpha_dropout(x, keep=self.keep, channel_dim=self.channel_dim, **self.draw())

    def extra_repr(self) -> str:
        """The probability of keeping and the channel dimension, if given."""
        return super().extra_repr() + ("" if self.channel_dim is None else f", channel_dim={self.channel_dim}")
