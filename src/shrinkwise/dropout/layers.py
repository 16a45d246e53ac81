"""Dropout as a layer: a thin module around the pure function."""

from __future__ import annotations

import torch
from torch import nn

from .functional import check_keep, dropout, keep_from_drop


class Dropout(nn.Module):
    """Inverted dropout: in training each element is kept with probability `keep` and divided by it; in evaluation nothing.

    Parameters
    ----------
    keep : float in (0, 1]
        Probability of keeping a unit. ``torch.nn.Dropout(p)`` takes the probability of dropping: `from_drop` converts.
    seed : int, optional
        Gives the layer its own masks, one after another, whatever else draws from torch's generator. The count of the
        masks drawn is not part of the ``state_dict``. Without a seed ``torch.manual_seed`` rules.

    Shapes: any, the same out as in.

    References: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.

    >>> Dropout.from_drop(0.25)
    Dropout(keep=0.75)
    """

    draws: torch.Tensor

    def __init__(self, *positional, keep=None, seed: int | None = None):
        super().__init__()
        self.keep = check_keep(keep, positional, "Dropout(keep=0.8) or Dropout.from_drop(0.2)")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise TypeError(f"expected seed as an integer, got {type(seed).__name__}")
        self.seed = seed
        if seed is not None:
            # A tensor and not a number: a compiled model then counts on without compiling again.
            self.register_buffer("draws", torch.zeros((), dtype=torch.int64), persistent=False)

    @classmethod
    def from_drop(cls, drop: float, *, seed: int | None = None) -> Dropout:
        """The layer that drops with probability `drop`, as ``torch.nn.Dropout(drop)`` does."""
        return cls(keep=keep_from_drop(drop), seed=seed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Dropout of x in training, x itself in evaluation."""
        if self.seed is None or not self.training:
            return dropout(x, keep=self.keep, training=self.training)
        if not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
            raise RuntimeError(
                "a Dropout with its own seed cannot be run again inside backward (activation checkpointing): its next mask "
                "would differ from the first; leave seed=None there, which checkpointing repeats exactly"
            )
        stream = self.draws.clone()
        self.draws.add_(1)
        return dropout(x, keep=self.keep, seed=self.seed, stream=stream)

    def extra_repr(self) -> str:
        """The probability of keeping, and the seed when there is one."""
        return f"keep={self.keep:g}" + ("" if self.seed is None else f", seed={self.seed}")
