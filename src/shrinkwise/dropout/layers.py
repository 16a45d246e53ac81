"""Dropout as a layer: a thin module around the pure function."""

from __future__ import annotations

import torch
from torch import nn

from .functional import check_keep, check_seed, dropout, keep_from_drop


class Dropout(nn.Module):
    """Inverted dropout: in training each element is kept with probability `keep` and divided by it; in evaluation nothing.

    Parameters
    ----------
    keep : float in (0, 1]
        Probability of keeping a unit. ``torch.nn.Dropout(p)`` takes the probability of dropping: `from_drop` converts.
    seed : int, optional
        Gives the layer its own masks, one after another, whatever else draws from torch's generator. The count of the
        masks drawn is not part of the ``state_dict``. Without a seed ``torch.manual_seed`` rules.
    stream : int from 0 to 2³¹ − 1
        Tells apart layers that share a seed, or the processes that train one model (DDP): ``stream=rank``.
    generator : torch.Generator, optional
        Where the layer draws its seeds from, instead of `seed`; on the device of its input.
    inplace : bool
        True overwrites the input.

    Shapes: any, the same out as in.

    References: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.

    >>> Dropout.from_drop(0.25)
    Dropout(keep=0.75)
    """

    draws: torch.Tensor

    def __init__(self, *positional, keep=None, seed: int | None = None, stream: int = 0, generator=None, inplace=False):
        super().__init__()
        self.keep = check_keep(keep, positional, "Dropout(keep=0.8) or Dropout.from_drop(0.2)")
        if seed is not None:
            check_seed(seed)
            if generator is not None:
                raise ValueError(
                    "Dropout takes seed= or generator=, not both: a generator's only use is to draw the seed"
                )
        if isinstance(stream, bool) or not isinstance(stream, int) or not 0 <= stream < 2**31:
            raise ValueError(f"expected stream as an integer from 0 to 2**31 - 1, got {stream!r}")
        if stream and seed is None:
            raise ValueError("a stream tells apart layers that share a seed: give seed= beside it")
        self.seed, self.stream, self.generator, self.inplace = seed, stream, generator, inplace
        if seed is not None:
            # A tensor and not a number: a compiled model then counts on without compiling again.
            self.register_buffer("draws", torch.zeros((), dtype=torch.int64), persistent=False)

    @classmethod
    def from_drop(cls, drop: float, **options) -> Dropout:
        """The layer that drops with probability `drop`, as ``torch.nn.Dropout(drop)`` does."""
        return cls(keep=keep_from_drop(drop), **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Dropout of x in training, x itself in evaluation."""
        if not self.training:
            return x
        if self.seed is None:
            return dropout(x, keep=self.keep, generator=self.generator, inplace=self.inplace)
        if not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
            raise RuntimeError(
                "a Dropout with its own seed cannot be run again inside backward (activation checkpointing): its next mask "
                "would differ from the first; leave seed=None there, which checkpointing repeats exactly"
            )
        stream = self.draws + (self.stream << 32)  # 2³² masks a stream
        self.draws.add_(1)
        return dropout(x, keep=self.keep, seed=self.seed, stream=stream, inplace=self.inplace)

    def extra_repr(self) -> str:
        """The probability of keeping, and what was asked beyond it."""
        asked = {"seed": self.seed, "stream": self.stream or None, "inplace": self.inplace or None}
        return ", ".join([f"keep={self.keep:g}", *(f"{name}={v}" for name, v in asked.items() if v is not None)])
