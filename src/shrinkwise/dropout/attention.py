"""Attention with dropout on its weights, computed in blocks of queries so that the weights stay in the cache.

With dropout, torch's CPU attention does not use blocks: it stores all L × S weights, a mask of the same size and their
product. Here the mask of a block is computed with the block, and again in backward.
"""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import torch
import torch.nn.functional as F

from shrinkwise.kernels.networks import dropout as kernel
from shrinkwise.kernels.pool import threads_for

from . import routes
from .inverted import check_call

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
        Probability of keeping a weight. ``F.scaled_dot_product_attention(dropout_p=)`` takes the probability of
        dropping, and also drops in evaluation.
    training : bool
        False gives attention without dropout.
    mask : tensor that broadcasts to (..., L, S), optional
        True where a query attends to a key, or numbers added to the scores. A query without keys gives 0.
    causal : bool
        A query does not attend to later keys; cannot be combined with `mask`.
    scale : float, optional
        1/√E by default.
    seed, generator, stream : as in `dropout`
        The weights, as a contiguous tensor (..., L, S), are dropped by the mask of ``dropout(weights, ...)``.

    Returns a tensor (..., L, V).

    Notes: half-precision inputs are computed in float32. With `causal` a block of queries is multiplied only with the
    keys up to its last query, so later weights have no cost. Second-order gradients, `torch.func`, `torch.compile` and
    other devices than the CPU use the formula above, with all weights in memory.

    >>> import torch
    >>> attention(torch.ones(2, 3), torch.ones(4, 3), torch.ones(4, 5), keep=0.5, training=False).shape
    torch.Size([2, 5])
    """
    keep = check_call(q, keep, positional, seed, generator, "attention(q, k, v, keep=0.9)")
    _check_shapes(q, k, v, mask, causal)
    if not training or keep == 1.0:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, scale=scale)
    scale = q.shape[-1] ** -0.5 if scale is None else float(scale)
    learned = mask is not None and mask.requires_grad
    one_batch = q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
    if one_batch and not learned and all(routes.runs_in_c(t) for t in (q, k, v)):
        seed = routes.draw_seed(generator) if seed is None else int(seed)
        wide = torch.float64 if q.dtype == torch.float64 else torch.float32
        draw = _Draw(keep, seed, int(stream))
        return _Blocked.apply(q.to(wide), k.to(wide), v.to(wide), mask, causal, scale, draw).to(q.dtype)
    weights = _weights(q @ k.transpose(-2, -1) * scale, _triangle(q, k) if causal else mask)
    return routes.thinned(weights.contiguous(), keep, seed, stream, generator=generator) @ v


class _Draw(NamedTuple):
    keep: float
    seed: int
    stream: int


class _QueryBlock(NamedTuple):
    """Some queries of one batch entry, and the keys that one of them at least may look at."""

    batch: int
    scores: torch.Tensor
    first: int  # index of the first weight
    n_keys: int  # how far a row of weights is from the next
    visible: int  # keys that the first query sees when causal, each one more than the last
    mask: torch.Tensor | None
    causal: bool

    def softmax_(self) -> torch.Tensor:
        """The scores as weights."""
        if self.mask is not None:
            return _weights(self.scores, self.mask)
        if self.causal:
            later = self.scores[:, self.visible :]
            later.masked_fill_(torch.ones(later.shape, dtype=torch.bool).triu_(), -torch.inf)
        return torch.softmax(self.scores, -1, out=self.scores)

    def thin_exponentials_(self, factors: torch.Tensor, draw: _Draw) -> bool:
        """Turn scores into thinned weights up to a factor per row, in one pass; False if there is no kernel for it."""
        scores = self.scores
        if self.mask is not None or scores.dtype != torch.float32 or not scores.numel():
            return False
        addresses = scores.data_ptr(), factors.data_ptr()
        return bool(kernel.softmax()(*self._shape(), *addresses, draw.seed, draw.stream, draw.keep, *self._threads()))

    def thin_(self, weights: torch.Tensor, draw: _Draw) -> None:
        """Dropout of weights, or of their gradients, by the bits of this block."""
        if not self.causal:
            routes.run(kernel.SCALE, weights, weights, None, *draw, first=self.first)
        elif weights.numel():
            place = routes.CODES[weights.dtype], *self._shape(), weights.data_ptr()
            kernel.rows()(*place, draw.seed, draw.stream, draw.keep, *self._threads())

    def _shape(self) -> tuple[int, ...]:
        n_queries, reach = self.scores.shape
        return n_queries, reach, self.n_keys, self.visible if self.causal else reach, self.first

    def _threads(self) -> tuple[int, int]:
        threads = threads_for(self.scores.numel())
        return threads, kernel.openmp() if threads > 1 else 0


def _triangle(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """The mask of causal attention."""
    return torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()


def _weights(scores: torch.Tensor, mask) -> torch.Tensor:
    """Softmax of the scores that the mask leaves; a row of zeros where it leaves none."""
    if mask is None:
        return scores.softmax(-1)
    scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    nowhere = (scores == -torch.inf).all(-1, keepdim=True)
    return scores.masked_fill(nowhere, 0.0).softmax(-1).masked_fill(nowhere, 0.0)


class _Blocked(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, mask, causal, scale, draw):
        out = q.new_empty(*q.shape[:-1], v.shape[-1])
        values = _flat(v)
        factors = q.new_empty(_rows(q, k), 1)
        for block, (result,) in _blocks(q * scale, k, mask, causal, out):
            weights, seen = block.scores, values[block.batch, : block.scores.shape[1]]
            if block.thin_exponentials_(factors, draw):
                torch.mm(weights, seen, out=result).mul_(factors[: len(weights)])
            else:
                weights = block.softmax_()
                block.thin_(weights, draw)
                torch.mm(weights, seen, out=result)
        ctx.save_for_backward(q, k, v, out)
        ctx.mask, ctx.causal, ctx.scale, ctx.draw = mask, causal, scale, draw
        return out

    @staticmethod
    def backward(ctx, grad):
        q, k, v, out = ctx.saved_tensors
        if torch.is_grad_enabled() or routes.is_batched(grad) or not routes.runs_in_c(grad):
            return *_composed_backward(ctx, q, k, v, grad), None, None, None, None
        gradients = [t.new_zeros(t.shape) for t in (q, k, v)]
        for_q, for_k, for_v = map(_flat, gradients)
        keys, values = _flat(k), _flat(v)
        along = (grad * out).sum(-1, keepdim=True)  # Σ_j weight_ij · gradient_ij, by way of the output
        buffer = q.new_empty(_rows(q, k) * k.shape[-2])
        blocks = _blocks(q * ctx.scale, k, ctx.mask, ctx.causal, q, grad, along, for_q)
        for block, (query, above, summed, result) in blocks:
            weights = block.softmax_()
            place = block.batch, slice(weights.shape[1])
            of_scores = torch.mm(above, values[place].mT, out=buffer[: weights.numel()].view(weights.shape))
            block.thin_(of_scores, ctx.draw)
            of_scores.sub_(summed).mul_(weights).mul_(ctx.scale)
            torch.mm(of_scores, keys[place], out=result)
            for_k[place].addmm_(of_scores.mT, query)
            block.thin_(weights, ctx.draw)
            for_v[place].addmm_(weights.mT, above)
        return *gradients, None, None, None, None


def _composed_backward(ctx, q, k, v, grad):
    """The gradient through the formula, which can be differentiated again."""
    with torch.enable_grad():
        inputs = [t if t.requires_grad else t.detach().requires_grad_() for t in (q, k, v)]
        scores = inputs[0] @ inputs[1].mT * ctx.scale
        weights = _weights(scores, _triangle(q, k) if ctx.causal else ctx.mask)
        out = routes.thinned(weights, *ctx.draw) @ inputs[2]
        return torch.autograd.grad(out, inputs, grad, create_graph=True)


def _blocks(scaled_q, k, mask, causal, *others):
    """Each block of queries, with the same rows of the others.

    All blocks share one buffer for the scores, so they are valid until the next block.
    """
    lead, n_queries, n_keys = scaled_q.shape[:-2], scaled_q.shape[-2], k.shape[-2]
    rows = _rows(scaled_q, k)
    buffer = scaled_q.new_empty(
        rows * n_keys
    )  # new memory for each block would cost a page fault every thousand weights
    allowed = None if mask is None else mask.expand(*lead, n_queries, n_keys)
    entries = zip(product(*map(range, lead)), _flat(k), *map(_flat, (scaled_q, *others)), strict=True)
    for batch, (place, keys, *parts) in enumerate(entries):
        for number, (query, *rest) in enumerate(zip(*(t.split(rows) for t in parts), strict=True)):
            start, length = number * rows, len(query)
            reach = min(n_keys, start + length) if causal else n_keys
            scores = torch.mm(query, keys[:reach].mT, out=buffer[: length * reach].view(length, reach))
            here = None if allowed is None else allowed[place].narrow(0, start, length)
            first = (batch * n_queries + start) * n_keys
            yield _QueryBlock(batch, scores, first, n_keys, start + 1, here, causal), rest


def _flat(t: torch.Tensor) -> torch.Tensor:
    """All leading dimensions as one."""
    return t.reshape(math.prod(t.shape[:-2]), *t.shape[-2:])


def _rows(q: torch.Tensor, k: torch.Tensor) -> int:
    """The number of queries in a block."""
    return max(1, min(q.shape[-2], _BLOCK_BYTES // max(1, k.shape[-2] * q.element_size())))


def _check_shapes(q, k, v, mask, causal) -> None:
    for name, t in (("k", k), ("v", v)):
        if not isinstance(t, torch.Tensor) or t.dtype != q.dtype:
            got = t.dtype if isinstance(t, torch.Tensor) else type(t).__name__
            raise TypeError(f"Expected {name} to be a tensor of q's type {q.dtype}, got {got}; convert it first")
    if min(q.dim(), k.dim(), v.dim()) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        shapes = ", ".join(str(tuple(t.shape)) for t in (q, k, v))
        raise ValueError(f"Expected q (..., L, E), k (..., S, E) and v (..., S, V), got {shapes}")
    if causal and mask is not None:
        raise ValueError("Expected mask= or causal=True, not both; combine them in the mask")
