"""Dropout fused with adjacent operations of a network in one pass over memory.

Each has a compiled kernel for plain CPU tensors; every other route composes torch's operations with dropout, by the same bits.
"""

from __future__ import annotations

import torch

from shrinkwise.kernels.networks import dropout as kernel

from . import bits, routes


def bias_relu(x, bias, keep: float, seed, stream, generator) -> torch.Tensor:
    """dropout(relu(x + bias)), bias along the last dimension."""
    if not (routes.runs_in_c(x) and x.is_contiguous() and routes.runs_in_c(bias)):
        positive = torch.relu(_wide(x) + _wide(bias))
        return routes.thinned(positive, keep, seed, stream, generator=generator).to(x.dtype)
    seed = routes.draw_seed(generator) if seed is None else int(seed)
    return _BiasRelu.apply(x, bias.contiguous(), keep, seed, int(stream))


def residual(x, added, keep: float, seed, stream, generator) -> torch.Tensor:
    """added + dropout(x)."""
    if not (routes.runs_in_c(x) and routes.runs_in_c(added)):
        order = bits.storage_order(x)
        return (_wide(added) + routes.thinned(_wide(x), keep, seed, stream, generator=generator, order=order)).to(
            x.dtype
        )
    seed = routes.draw_seed(generator) if seed is None else int(seed)
    return _Residual.apply(x, added, keep, seed, int(stream))


def _wide(x: torch.Tensor) -> torch.Tensor:
    """Half precision is computed in float32 and rounded once, as the kernels do."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class _BiasRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bias, keep, seed, stream):
        out = torch.empty_like(x)
        routes.run(kernel.BIAS_RELU, x, out, bias, keep, seed, stream)
        ctx.keep = keep
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad):
        (out,) = ctx.saved_tensors
        if torch.is_grad_enabled() or routes.is_batched(grad) or not routes.runs_in_c(grad):
            back = torch.where(out.detach() <= 0, 0.0, grad * (1.0 / ctx.keep))
        else:
            back, grad = torch.empty_like(out), grad.contiguous()
            routes.run(kernel.RELU_BACK, grad, back, out, ctx.keep, 0, 0)
        for_bias = back.sum(tuple(range(back.dim() - 1))) if back.dim() > 1 else back
        return back, for_bias, None, None, None


class _Residual(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, added, keep, seed, stream):
        x = routes.dense(x)
        ctx.draw = (keep, seed, stream)
        ctx.order = None if x.is_contiguous() else bits.storage_order(x)
        added = added.contiguous() if ctx.order is None else routes.in_order(added, ctx.order)
        out = torch.empty_like(x)
        routes.run(kernel.RESIDUAL, x, out, added, keep, seed, stream)
        return out

    @staticmethod
    def backward(ctx, grad):
        return routes.thinned_gradient(grad, ctx.draw, ctx.order), grad, None, None, None
