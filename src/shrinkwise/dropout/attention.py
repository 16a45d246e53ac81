"""Attention with dropout on its weights, a block of queries at a time, so that the weights never leave the cache.

torch's CPU attention gives up its blocked form when it drops: it then writes all L × S weights, a mask of the same size and
their product. Here the mask of a block is made where the block is, and made again in backward.
"""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..kernels import dropout as kernel
from ..kernels.pool import threads_for
from . import routes
from .functional import check_call

_BLOCK_BYTES = 1024 * 1024  # weights of one block of queries: a common second-level cache


def attention(
    q,
    k,
    v,
    *positional,
    keep=None,
    training=True,
    mask=None,
    causal=False,
    scale=None,
    seed=None,
    generator=None,
    stream=0,
) -> torch.Tensor:
    """Scaled dot-product attention with inverted dropout on its weights: dropout(softmax(q k' · scale)) v.

    Parameters
    ----------
    q : tensor (..., L, E);  k : (..., S, E);  v : (..., S, V)
        Queries, keys and values.
    keep : float in (0, 1]
        Probability of keeping a weight. ``F.scaled_dot_product_attention(dropout_p=)`` takes the probability of dropping,
        and drops in evaluation too.
    training : bool
        False gives attention without dropout.
    mask : tensor that broadcasts to (..., L, S), optional
        True where a query may look at a key, or numbers added to the scores. A query that may look nowhere gives 0.
    causal : bool
        A query looks at no later key; not together with `mask`.
    scale : float, optional
        1/√E by default.
    seed, generator, stream : as in `dropout`
        The weights, as a contiguous tensor (..., L, S), are dropped by the mask of ``dropout(weights, ...)``.

    Returns a tensor (..., L, V).

    Notes: half-precision inputs are computed in float32. Gradients of the second order, `torch.func`, `torch.compile` and
    devices other than the CPU take the formula as it stands above, with all weights in memory.

    >>> import torch
    >>> attention(torch.ones(2, 3), torch.ones(4, 3), torch.ones(4, 5), keep=0.5, training=False).shape
    torch.Size([2, 5])
    """
    keep = check_call(q, keep, positional, seed, generator, "attention(q, k, v, keep=0.9)")
    _check_shapes(q, k, v, mask, causal)
    if not training or keep == 1.0:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, scale=scale)
    scale = q.shape[-1] ** -0.5 if scale is None else float(scale)
    if causal:
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
    learned = mask is not None and mask.requires_grad
    one_batch = q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
    if one_batch and not learned and all(routes.runs_in_c(t) for t in (q, k, v)):
        seed = routes.draw_seed(generator) if seed is None else int(seed)
        wide = torch.float64 if q.dtype == torch.float64 else torch.float32
        draw = _Draw(keep, seed, int(stream))
        return _Blocked.apply(q.to(wide), k.to(wide), v.to(wide), mask, scale, draw).to(q.dtype)
    weights = _weights(q @ k.transpose(-2, -1) * scale, mask)
    return routes.thinned(weights.contiguous(), keep, seed, stream, generator=generator) @ v


class _Draw(NamedTuple):
    keep: float
    seed: int
    stream: int


def _weights(scores: torch.Tensor, mask) -> torch.Tensor:
    """Softmax of the scores that the mask leaves; a row of zeros where it leaves none."""
    if mask is None:
        return scores.softmax(-1)
    scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    nowhere = (scores == -torch.inf).all(-1, keepdim=True)
    return scores.masked_fill(nowhere, 0.0).softmax(-1).masked_fill(nowhere, 0.0)


class _Blocked(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, mask, scale, draw):
        out = q.new_empty(*q.shape[:-1], v.shape[-1])
        values = _flat(v)
        factors = q.new_empty(len(_buffer(q, k)), 1)
        for batch, first, scores, allowed, (result,) in _blocks(q * scale, k, mask, out):
            if allowed is None and _thin_exponentials_(scores, factors, draw, first):
                torch.mm(scores, values[batch], out=result).mul_(factors[: len(scores)])
            else:
                weights = _softmax_(scores, allowed)
                _thin_(weights, draw, first)
                torch.mm(weights, values[batch], out=result)
        ctx.save_for_backward(q, k, v, out)
        ctx.mask, ctx.scale, ctx.draw = mask, scale, draw
        return out

    @staticmethod
    def backward(ctx, grad):
        q, k, v, out = ctx.saved_tensors
        if torch.is_grad_enabled() or routes.is_batched(grad) or not routes.runs_in_c(grad):
            return *_composed_backward(ctx, q, k, v, grad), None, None, None
        gradients = [t.new_zeros(t.shape) for t in (q, k, v)]
        for_q, for_k, for_v = map(_flat, gradients)
        keys, values = _flat(k), _flat(v)
        along = (grad * out).sum(-1, keepdim=True)  # Σ_j weight_ij · gradient_ij, by way of the output
        buffer = _buffer(q, k)
        blocks = _blocks(q * ctx.scale, k, ctx.mask, q, grad, along, for_q)
        for batch, first, scores, allowed, (query, above, summed, result) in blocks:
            weights = _softmax_(scores, allowed)
            of_scores = torch.mm(above, values[batch].mT, out=buffer[: len(weights)])
            _thin_(of_scores, ctx.draw, first)
            of_scores.sub_(summed).mul_(weights).mul_(ctx.scale)
            torch.mm(of_scores, keys[batch], out=result)
            for_k[batch].addmm_(of_scores.mT, query)
            _thin_(weights, ctx.draw, first)
            for_v[batch].addmm_(weights.mT, above)
        return *gradients, None, None, None


def _composed_backward(ctx, q, k, v, grad):
    """The gradient through the formula, which can be differentiated again."""
    with torch.enable_grad():
        inputs = [t if t.requires_grad else t.detach().requires_grad_() for t in (q, k, v)]
        weights = _weights(inputs[0] @ inputs[1].mT * ctx.scale, ctx.mask)
        out = routes.thinned(weights, *ctx.draw) @ inputs[2]
        return torch.autograd.grad(out, inputs, grad, create_graph=True)


def _blocks(scaled_q, k, mask, *others):
    """For each block of queries: its batch entry, the index of its first weight, scores, mask, the same rows of the others.

    The scores lie in one buffer, so they are those of the block until the next one is asked for.
    """
    lead, n_queries, n_keys = scaled_q.shape[:-2], scaled_q.shape[-2], k.shape[-2]
    buffer = _buffer(scaled_q, k)
    allowed = None if mask is None else mask.expand(*lead, n_queries, n_keys)
    entries = zip(product(*map(range, lead)), _flat(k), *map(_flat, (scaled_q, *others)), strict=True)
    for batch, (place, keys, *rows) in enumerate(entries):
        first = batch * n_queries * n_keys
        for start, (query, *rest) in enumerate(zip(*(t.split(len(buffer)) for t in rows), strict=True)):
            scores = torch.mm(query, keys.mT, out=buffer[: len(query)])
            here = None if allowed is None else allowed[place].narrow(0, start * len(buffer), len(query))
            yield batch, first + start * buffer.numel(), scores, here, rest


def _softmax_(scores: torch.Tensor, allowed) -> torch.Tensor:
    return torch.softmax(scores, -1, out=scores) if allowed is None else _weights(scores, allowed)


def _thin_exponentials_(scores: torch.Tensor, factors: torch.Tensor, draw: _Draw, first: int) -> bool:
    """Scores into thinned weights but for a factor a row, in one pass; False where no kernel does that."""
    if scores.dtype != torch.float32 or not scores.numel():
        return False
    threads = threads_for(scores.numel())
    pool = kernel.openmp() if threads > 1 else 0
    keep, seed, stream = draw
    addresses = scores.data_ptr(), factors.data_ptr()
    return bool(kernel.softmax()(*scores.shape, first, *addresses, seed, stream, keep, threads, pool))


def _thin_(weights: torch.Tensor, draw: _Draw, first: int) -> None:
    routes.run(kernel.SCALE, weights, weights, None, *draw, first=first)


def _flat(t: torch.Tensor) -> torch.Tensor:
    """All leading dimensions as one."""
    return t.reshape(math.prod(t.shape[:-2]), *t.shape[-2:])


def _buffer(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """Room for the weights of one block: new memory for each would cost a page fault every thousand weights."""
    rows = _BLOCK_BYTES // max(1, k.shape[-2] * q.element_size())
    return q.new_empty(max(1, min(q.shape[-2], rows)), k.shape[-2])


def _check_shapes(q, k, v, mask, causal) -> None:
    for name, t in (("k", k), ("v", v)):
        if not isinstance(t, torch.Tensor) or t.dtype != q.dtype:
            got = t.dtype if isinstance(t, torch.Tensor) else type(t).__name__
            raise TypeError(f"expected {name} as a tensor of q's type {q.dtype}, got {got}; convert it first")
    if min(q.dim(), k.dim(), v.dim()) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        shapes = ", ".join(str(tuple(t.shape)) for t in (q, k, v))
        raise ValueError(f"expected q (..., L, E), k (..., S, E) and v (..., S, V), got {shapes}")
    if causal and mask is not None:
        raise ValueError("attention takes mask= or causal=True, not both: combine them in the mask")
