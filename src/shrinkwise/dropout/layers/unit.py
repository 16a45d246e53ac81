"""Dropout of the same units for a whole batch, so that the matrix products are smaller."""

from __future__ import annotations

import torch
from torch import nn
from torch.fx import Proxy
from torch.nn.functional import linear

from shrinkwise.dropout.bits import apply_mask

from .noise import ELEMENTWISE, NoiseLayer, mask_of_shape, transformed


class UnitDropout(NoiseLayer):
    """Drop hidden units of a chain of Linear layers for a whole batch and compute only the kept ones.

    In training every hidden unit is kept with probability `keep`, the same units for all rows of the batch; their
    activations are divided by `keep`, and the others are not computed: a product of (N, a) with (a, b) shrinks to (N,
    keep·a) with (keep·a, keep·b), forward and backward. In evaluation the chain is unchanged. The expectation is that
    of dropout, but the noise is shared by the rows of a batch, so it does not average out within a batch and is
    stronger for the same `keep`. Inputs and outputs of the chain are not dropped.

    Parameters
    ----------
    network : nn.Sequential of at least two nn.Linear and elementwise activations between them
    keep : float in (0, 1]
    seed, stream, generator : as in `NoiseLayer`

    Shapes: (N, ..., in_features of the first) → (N, ..., out_features of the last).

    Raises TypeError for other modules in the chain.

    Notes: gradients of dropped weights are exactly zero. If shapes must be static (``torch.compile``, ``torch.func``),
    units are masked, with the same values but without saving time.
    """

    one_draw_a_batch = True
    wraps = "network"

    def __init__(self, network: nn.Sequential, *positional, keep=None, seed=None, stream=0, generator=None):
        super().__init__(*positional, keep=keep, seed=seed, stream=stream, generator=generator)
        if not isinstance(network, nn.Sequential):
            raise TypeError(f"UnitDropout expects an nn.Sequential of Linear layers, got {type(network).__name__}")
        other = [type(m).__name__ for m in network if not isinstance(m, (nn.Linear, *ELEMENTWISE))]
        if other:
            raise TypeError(
                f"UnitDropout supports nn.Linear and elementwise activations, got {', '.join(other)} in the chain"
            )
        if sum(isinstance(m, nn.Linear) for m in network) < 2:
            raise TypeError(
                "UnitDropout drops the units between two nn.Linear layers, but the chain has fewer than two"
            )
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The chain on one subset of its hidden units in training, on all of them in evaluation."""
        if isinstance(x, Proxy):
            return self.recorded(x)
        if not self.training or self.keep == 1.0:
            return self.network(x)
        last = max(k for k, m in enumerate(self.network) if isinstance(m, nn.Linear))
        run = self._masked if transformed() or x.is_meta else self._thin
        return run(x, last)

    def _kept(self, layer: nn.Linear) -> torch.Tensor:
        return mask_of_shape((layer.out_features,), keep=self.keep, device=layer.weight.device, **self.draw())

    def _thin(self, x, last: int):
        columns = None
        for k, module in enumerate(self.network):
            if not isinstance(module, nn.Linear):
                x = module(x)
                continue
            x = x if columns is None else x * (1.0 / self.keep)
            rows = None if k == last else self._kept(module).nonzero().squeeze(1)
            bias = module.bias if module.bias is None or rows is None else module.bias.index_select(0, rows)
            x = linear(x, _TakenBlock.apply(module.weight, rows, columns), bias)
            columns = rows
        return x

    def _masked(self, x, last: int):
        kept = None
        for k, module in enumerate(self.network):
            if isinstance(module, nn.Linear):
                x = module(x if kept is None else apply_mask(x, kept, self.keep))
                kept = None if k == last else self._kept(module)
            else:
                x = module(x)
        return x


class _TakenBlock(torch.autograd.Function):
    """Rows and columns of a matrix (None: all of them); backward puts the gradient into zeros."""

    @staticmethod
    def forward(ctx, weight, rows, columns):
        ctx.where, ctx.shape = (rows, columns), weight.shape
        # Here and below what copies fastest on the CPU: along a row index_select and index_copy_ take several times as long.
        block = weight if rows is None else torch.embedding(weight, rows)
        return block if columns is None else block.gather(1, columns.expand(len(block), -1))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        rows, columns = ctx.where
        if columns is not None:
            grad = grad.new_zeros(len(grad), ctx.shape[1]).scatter_(1, columns.expand(len(grad), -1), grad)
        if rows is not None:
            grad = grad.new_zeros(ctx.shape).index_add_(0, rows, grad)
        return grad, None, None
