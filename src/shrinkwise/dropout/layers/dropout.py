"""Dropout as a layer: a thin module around the pure function."""

from __future__ import annotations

import torch
from torch.fx import Proxy

from shrinkwise.dropout.inverted import dropout

from .noise import NoiseLayer


class Dropout(NoiseLayer):
    """Inverted dropout: in training each element is kept with probability `keep` and divided by it; no effect in
    evaluation.

    Parameters
    ----------
    keep : float in (0, 1]
        Probability of keeping a unit. ``torch.nn.Dropout(p)`` takes the probability of dropping: `from_drop` converts.
    seed, stream, generator : as in `NoiseLayer`
    inplace : bool
        True overwrites the input.

    Shapes: any, the same out as in.

    References: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.

    >>> Dropout.from_drop(0.25)
    Dropout(keep=0.75)
    """

    def __init__(self, *positional, keep=None, seed=None, stream=0, generator=None, inplace=False):
        super().__init__(*positional, keep=keep, seed=seed, stream=stream, generator=generator)
        self.inplace = inplace

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Dropout of x in training, x itself in evaluation."""
        if isinstance(x, Proxy):
            return self.recorded(x)
        if not self.training:
            return x
        if self.seed is None:  # the shortest road, for most layers are small
            return dropout(x, keep=self.keep, generator=self.generator, inplace=self.inplace)
        return dropout(x, keep=self.keep, inplace=self.inplace, **self.draw())

    def extra_repr(self) -> str:
        """The probability of keeping, and other options if given."""
        return super().extra_repr() + (", inplace=True" if self.inplace else "")
