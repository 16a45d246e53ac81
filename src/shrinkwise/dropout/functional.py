"""Dropout as a pure function: inverted, with a mask that is computed again in backward and never stored."""

from __future__ import annotations

import math
import numbers

import torch

from . import bits
from .bits import lay_out, storage_order


def dropout(
    x: torch.Tensor, *positional, keep=None, training: bool = True, seed=None, generator=None, stream=0, inplace=False
) -> torch.Tensor:
    """Inverted dropout: each element is x/keep with probability `keep` and 0 otherwise, so that E[output] = x.

    Parameters
    ----------
    x : floating-point tensor of any shape
    keep : float in (0, 1]
        Probability of keeping an element. Note that torch's ``F.dropout(x, p)`` takes the probability of dropping.
    training : bool
        False returns x itself: evaluation needs no correction.
    seed : int or int64 scalar tensor, optional
        Key of the random bits. Drawn from `generator`, by default torch's own, when not given, so ``torch.manual_seed``
        rules. The same seed, stream and shape give the same mask on any device.
    generator : torch.Generator, optional
        Where the seed is drawn from; on the device of x.
    stream : int or int64 scalar tensor
        Tells apart draws that share a seed.
    inplace : bool
        True writes the result into x, which must not overlap itself in memory, and returns x.

    Returns a tensor like x. A dropped element is exactly 0 even where x is infinite or NaN.

    Notes: which element drops depends on its offset in the dense storage of x and on nothing else (see `bits`). Backward
    keeps the seed alone, 8 bytes a call.

    References: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.

    >>> import torch
    >>> y = dropout(torch.ones(8), keep=0.5, seed=0)
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]
    """
    keep = check_keep(keep, positional, "dropout(x, keep=0.8)")
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, torch.Tensor) else type(x).__name__
        raise TypeError(f"dropout expects a tensor of real floating-point numbers, got {kind}; convert it first")
    if seed is not None and generator is not None:
        raise ValueError("dropout takes seed= or generator=, not both: a generator's only use is to draw the seed")
    if not training or keep == 1.0:
        return x
    if seed is None:
        # As a tensor: no wait for the device, and CUDA graphs replay the draw.
        seed = torch.randint(-(2**63), 2**63 - 1, (), dtype=torch.int64, device=x.device, generator=generator)
    if inplace:
        return x.copy_(dropout(x, keep=keep, seed=seed, stream=stream))
    order = storage_order(x)
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return _thinned(x, keep, seed, stream, order)
    return _Dropout.apply(x, keep, seed, stream, order)


def apply_mask(x: torch.Tensor, kept: torch.Tensor, keep: float) -> torch.Tensor:
    """x/keep where `kept`, exactly 0 elsewhere: what one draw does to x."""
    return torch.where(kept, x * (1.0 / keep), 0.0)


def check_keep(keep, positional: tuple, example: str) -> float:
    """`keep` as a float in (0, 1]; one sentence for a bare number, a missing one or one outside."""
    if positional or keep is None:
        got = f"got the bare number {positional[0]!r}" if positional else "keep= is missing"
        raise TypeError(
            f"say which probability you mean, as in {example}: {got}, and 0.8 could be read as keeping 80 % of the units "
            "(keep=0.8, the convention here) or as dropping 80 % of them (torch's p=0.8, here keep=0.2)"
        )
    keep = _probability(keep, "keep, the probability of keeping a unit,")
    if not 0.0 < keep <= 1.0:
        because = "; keep=0 would drop every unit and there is nothing to divide by: leave the layer out" * (
            keep == 0.0
        )
        raise ValueError(f"expected keep, the probability of keeping a unit, in (0, 1], got {keep}{because}")
    return keep


def keep_from_drop(drop) -> float:
    """1 − drop, for the `from_drop` constructors: a probability of dropping, in [0, 1), as torch's p."""
    drop = _probability(drop, "drop, the probability of dropping a unit,")
    if not 0.0 <= drop < 1.0:
        raise ValueError(f"expected drop, the probability of dropping a unit, in [0, 1), got {drop}")
    return 1.0 - drop


def _probability(value, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"expected {name} as a number, got {type(value).__name__}")
    return float(value)


def keep_mask(shape, *, keep: float, seed, stream=0, device=None) -> torch.Tensor:
    """Which elements one draw keeps: a bool tensor of the given shape (an int or a tuple), True = kept.

    `seed` and `stream` are integers or int64 scalar tensors; a contiguous tensor of this shape is dropped by exactly this
    mask in ``dropout(x, keep=keep, seed=seed, stream=stream)``.

    >>> keep_mask((2, 3), keep=0.5, seed=0).shape
    torch.Size([2, 3])
    """
    keep = check_keep(keep, (), "keep_mask((4, 5), keep=0.8, seed=0)")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return bits.keep_mask(math.prod(shape), keep=keep, seed=seed, stream=stream, device=device).view(shape)


def _thinned(x, keep, seed, stream, order):
    kept = bits.keep_mask(x.numel(), keep=keep, seed=seed, stream=stream, device=x.device)
    return apply_mask(x, lay_out(kept, x.shape, order), keep)


class _Dropout(torch.autograd.Function):
    """Linear in x with a diagonal matrix, so backward and forward-mode derivatives are the same map again."""

    @staticmethod
    def forward(ctx, x, keep, seed, stream, order):
        ctx.draw = (keep, seed, stream, order)
        return _thinned(x, keep, seed, stream, order)

    @staticmethod
    def backward(ctx, grad):
        return _Dropout.apply(grad, *ctx.draw), None, None, None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return _thinned(tangent, *ctx.draw)
