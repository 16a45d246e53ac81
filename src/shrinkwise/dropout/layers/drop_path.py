"""Stochastic depth: a residual branch is computed only for the samples that keep it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.fx import Proxy

from shrinkwise.dropout.bits import apply_mask
from shrinkwise.dropout.inverted import check_keep

from .noise import NoiseLayer, check_dense, mask_of_shape, transformed


def drop_path(
    branch: Callable,
    x: torch.Tensor,
    *others,
    keep=None,
    training=True,
    batch_dim=0,
    seed=None,
    generator=None,
    stream=0,
) -> torch.Tensor:
    """Residual connection with stochastic depth: x + b·branch(x)/keep, one b per sample, 1 with probability `keep`, else 0.

    The branch is computed only for the samples that keep it, so forward and backward take about `keep` of their time.

    Parameters
    ----------
    branch : callable from x (and `others`) to a tensor of the shape of x
    x : (N, ...), or any shape with the samples in `batch_dim`
    others : tensors
        Further inputs of the branch with the samples in `batch_dim`, e.g. a padding mask; their rows are selected like
        those of x.
    keep : float in (0, 1]
    training, seed, generator, stream : as in `dropout`; without training x + branch(x)

    Returns a tensor like x.

    Notes: the number of rows of the branch depends on the draw. If shapes must be static (``torch.compile``,
    ``torch.func``), the branch runs on all rows and the dropped ones are masked, with the same values but without
    saving time; BatchNorm in the branch then includes the dropped rows. If no row is kept, the branch's parameters get
    no gradient.

    References: Huang et al., Deep networks with stochastic depth, ECCV 2016, arXiv:1603.09382.
    """
    keep = check_keep(keep, (), "drop_path(branch, x, keep=0.8)")
    check_dense(x, "drop_path")
    if not training or keep == 1.0:
        return x + branch(x, *others)
    n = x.size(batch_dim)
    if any(other.size(batch_dim) != n for other in others):
        sizes = [tuple(other.shape) for other in others]
        raise ValueError(
            f"Expected {n} samples in dimension {batch_dim} of every input of the branch, got shapes {sizes}"
        )
    kept = mask_of_shape((n,), keep=keep, device=x.device, seed=seed, generator=generator, stream=stream)
    if transformed() or x.is_meta:
        along = [n if d == batch_dim % x.dim() else 1 for d in range(x.dim())]
        return x + apply_mask(branch(x, *others), kept.view(along), keep)
    rows = kept.nonzero().squeeze(1)
    if rows.numel() == 0:
        return x
    taken = [t if rows.numel() == n else t.index_select(batch_dim, rows) for t in (x, *others)]
    y = branch(*taken)
    if y.shape != taken[0].shape:
        raise ValueError(
            f"Expected a branch that keeps the shape of its input, got {tuple(y.shape)} from {tuple(taken[0].shape)}"
        )
    return x.index_add(batch_dim, rows, y.to(x.dtype), alpha=1.0 / keep)


class DropPath(NoiseLayer):
    """Residual connection around `branch` with stochastic depth, which skips the work of dropped samples.

    In training x + b·branch(x)/keep with one b per sample (see `drop_path`), in evaluation x + branch(x). The sum is
    part of the layer, so that the computation can be skipped: ``DropPath(branch, keep=0.9)(x)`` corresponds to ``x +
    drop_path(branch(x))`` in other libraries.

    Parameters
    ----------
    branch : nn.Module from x to a tensor of the shape of x
    keep : float in (0, 1]
    batch_dim : int
        The dimension of the samples.
    seed, stream, generator : as in `NoiseLayer`

    Shapes: (N, ...); the same out as in.

    >>> import torch
    >>> DropPath(nn.Identity(), keep=0.9).eval()(torch.ones(2)).tolist()
    [2.0, 2.0]
    """

    wraps = "branch"

    def __init__(
        self, branch: nn.Module, *positional, keep=None, batch_dim: int = 0, seed=None, stream=0, generator=None
    ):
        super().__init__(*positional, keep=keep, seed=seed, stream=stream, generator=generator)
        self.branch, self.batch_dim = branch, batch_dim

    def forward(self, x: torch.Tensor, *others) -> torch.Tensor:
        """x plus its branch for the samples that keep it."""
        if isinstance(x, Proxy):
            return self.recorded(x, *others)
        if not self.training:
            return x + self.branch(x, *others)
        return drop_path(self.branch, x, *others, keep=self.keep, batch_dim=self.batch_dim, **self.draw())
