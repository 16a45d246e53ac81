"""Inverted dropout as a pure function, with a mask that is recomputed in backward and not stored."""

from __future__ import annotations

import math
import numbers

import torch

from . import fused, routes
from .routes import thinned, thinned_


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
        False returns x unchanged, because evaluation needs no correction.
    seed : int or int64 scalar tensor, optional
        Key of the random bits. By default drawn from `generator` or torch's global generator, so that
        ``torch.manual_seed`` applies. The same seed, stream and shape give the same mask on any device.
    generator : torch.Generator, optional
        Generator of the seed, on the device of x.
    stream : int or int64 scalar tensor
        Distinguishes draws that share a seed.
    inplace : bool
        True writes the result into x, whose elements must not share memory, and returns x.

    Returns a tensor like x. A dropped element is exactly 0 even where x is infinite or NaN.

    Notes: whether an element is dropped depends only on its offset in the dense storage of x (see `bits`). Backward
    stores the seed and the stream, 16 bytes per call. Processes that train one model (DDP) draw different masks if each
    seeds torch differently, ``torch.manual_seed(seed + rank)``, or passes ``stream=rank`` with a common seed. A
    compiled model has the masks of eager mode if `seed` is given; seeds drawn by inductor differ unless
    ``torch._inductor.config.fallback_random`` is set.

    References: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.

    >>> import torch
    >>> y = dropout(torch.ones(8), keep=0.5, seed=0)
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]
    """
    keep = check_call(x, keep, positional, seed, generator, "dropout(x, keep=0.8)")
    if not training or keep == 1.0:
        return x
    if not inplace:
        return thinned(x, keep, seed, stream, generator=generator)
    if _overlaps(x):
        raise ValueError(
            "Dropout in place expects a tensor whose elements do not share memory, got one of shape "
            f"{tuple(x.shape)} with strides {x.stride()} (an expanded one?); leave inplace=False or pass "
            "x.contiguous()"
        )
    return thinned_(x, keep, seed, stream, generator=generator)


def bias_relu_dropout(
    x: torch.Tensor, bias: torch.Tensor, *positional, keep=None, training=True, seed=None, generator=None, stream=0
) -> torch.Tensor:
    """dropout(relu(x + bias)) in one pass over memory; backward needs only the output.

    Parameters
    ----------
    x : floating-point tensor of shape (..., features)
        The output of a linear layer without its bias.
    bias : tensor of shape (features,)
        Cast to the type of x.
    keep, training, seed, generator, stream : as in `dropout`
        The mask is that of ``dropout(torch.relu(x + bias), ...)``. In evaluation the result is relu(x + bias).

    Returns a tensor like x. Half-precision numbers are computed in float32 and rounded once.

    >>> import torch
    >>> bias_relu_dropout(torch.tensor([[1.0, 2.0]]), torch.tensor([-3.0, 4.0]), keep=1.0)
    tensor([[0., 6.]])
    """
    keep = check_call(x, keep, positional, seed, generator, "bias_relu_dropout(x, bias, keep=0.8)")
    if not isinstance(bias, torch.Tensor) or x.dim() == 0 or bias.shape != x.shape[-1:]:
        got = tuple(bias.shape) if isinstance(bias, torch.Tensor) else type(bias).__name__
        raise ValueError(f"Expected a bias of shape (features,) for x of shape {tuple(x.shape)}, got {got}")
    bias = bias.to(x.dtype)
    if not training or keep == 1.0:
        return torch.relu(x + bias)
    return fused.bias_relu(x, bias, keep, seed, stream, generator)


def dropout_residual(
    x: torch.Tensor, residual: torch.Tensor, *positional, keep=None, training=True, seed=None, generator=None, stream=0
) -> torch.Tensor:
    """residual + dropout(x) in one pass over memory: the end of a residual branch.

    Parameters
    ----------
    x : floating-point tensor of any shape
        The output of the branch.
    residual : tensor of the same shape and type
        The input of the skip connection.
    keep, training, seed, generator, stream : as in `dropout`

    Returns a tensor like x. Half-precision numbers are computed in float32 and rounded once.

    >>> import torch
    >>> dropout_residual(torch.ones(3), torch.ones(3), keep=1.0)
    tensor([2., 2., 2.])
    """
    keep = check_call(x, keep, positional, seed, generator, "dropout_residual(x, residual, keep=0.8)")
    if not isinstance(residual, torch.Tensor) or residual.shape != x.shape or residual.dtype != x.dtype:
        got = (
            f"{tuple(residual.shape)}, {residual.dtype}"
            if isinstance(residual, torch.Tensor)
            else type(residual).__name__
        )
        raise ValueError(f"Expected a residual of the shape and type of x ({tuple(x.shape)}, {x.dtype}), got {got}")
    if not training or keep == 1.0:
        return residual + x
    return fused.residual(x, residual, keep, seed, stream, generator)


def check_call(x, keep, positional: tuple, seed, generator, example: str) -> float:
    """`keep` as a float if the call is valid, an error otherwise; optimized for valid calls."""
    if positional or type(keep) is not float or not 0.0 < keep <= 1.0:
        keep = check_keep(keep, positional, example)
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        raise not_floating(x, "dropout")
    if x.layout is not torch.strided:
        raise TypeError(
            f"Dropout expects a dense tensor, got layout {x.layout}; pass x.to_dense() or drop its values()"
        )
    if generator is not None:
        _check_generator(x, seed, generator)
    elif seed is not None and type(seed) is not int:
        check_seed(seed)
    return keep


def not_floating(x, name: str) -> TypeError:
    """The error for an input that is not a tensor of real floating-point numbers."""
    if isinstance(x, torch.fx.Proxy):
        return TypeError(
            f"The function {name} cannot be traced by torch.fx; use its layer, which is one node of the graph"
        )
    kind = x.dtype if isinstance(x, torch.Tensor) else type(x).__name__
    return TypeError(f"{name} expects a tensor of real floating-point numbers, got {kind}; convert it first")


def _check_generator(x, seed, generator) -> None:
    if seed is not None:
        raise ValueError("Expected seed= or generator=, not both, because a generator is used only to draw the seed")
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            f"Expected generator to be a torch.Generator, got {type(generator).__name__}; pass an integer as seed="
        )
    if generator.device.type != x.device.type:
        raise ValueError(
            f"Expected a generator on the device of x ({x.device.type}), got one on {generator.device.type}; make it with "
            f'torch.Generator("{x.device.type}")'
        )
    if not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
        raise RuntimeError(
            "Dropout with its own generator cannot be recomputed in backward (activation checkpointing), because "
            "its next mask would differ from the first; use generator=None with checkpointing, which then "
            "repeats the mask exactly"
        )


def check_seed(seed) -> None:
    """Raise TypeError for a seed that is neither an integer nor an int64 scalar tensor."""
    if isinstance(seed, torch.Tensor):
        if seed.dtype != torch.int64 or seed.dim() != 0:
            raise TypeError(
                f"Expected seed to be an int64 scalar tensor, got {seed.dtype} of shape {tuple(seed.shape)}"
            )
    elif isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise TypeError(f"Expected seed to be an integer, got {type(seed).__name__}")


def _overlaps(x: torch.Tensor) -> bool:
    """Whether two elements may share memory: sorted by stride, a dimension must step over all that lie inside it."""
    reach = 0
    for stride, size in sorted((stride, size) for stride, size in zip(x.stride(), x.shape, strict=True) if size > 1):
        if stride <= reach:
            return x.numel() > 0
        reach += stride * (size - 1)
    return False


def check_keep(keep, positional: tuple, example: str) -> float:
    """`keep` as a float in (0, 1]; an error for a positional, missing or invalid value."""
    if positional or keep is None:
        got = f"got the bare number {positional[0]!r}" if positional else "keep= is missing"
        raise TypeError(
            f"Expected keep= by name, as in {example}, {got}; a bare 0.8 could mean keeping 80 % of the units "
            "(keep=0.8) or dropping 80 % of them (torch's p=0.8, which is keep=0.2)"
        )
    keep = _probability(keep, "keep, the probability of keeping a unit,")
    if not 0.0 < keep <= 1.0:
        because = "; keep=0 would drop every unit, so omit the layer instead" * (keep == 0.0)
        raise ValueError(f"Expected keep, the probability of keeping a unit, to be in (0, 1], got {keep}{because}")
    return keep


def keep_from_drop(drop) -> float:
    """1 − drop, for the `from_drop` constructors: a probability of dropping, in [0, 1), as torch's p."""
    drop = _probability(drop, "drop, the probability of dropping a unit,")
    if not 0.0 <= drop < 1.0:
        raise ValueError(f"Expected drop, the probability of dropping a unit, to be in [0, 1), got {drop}")
    return 1.0 - drop


def _probability(value, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"Expected {name} to be a number, got {type(value).__name__}")
    return float(value)


def keep_mask(shape, *, keep: float, seed, stream=0, device=None) -> torch.Tensor:
    """The elements kept by one draw: a bool tensor of the given shape (an int or a tuple), True = kept.

    `seed` and `stream` are integers or int64 scalar tensors; a contiguous tensor of this shape is dropped by exactly this
    mask in ``dropout(x, keep=keep, seed=seed, stream=stream)``.

    >>> keep_mask((2, 3), keep=0.5, seed=0).shape
    torch.Size([2, 3])
    """
    keep = check_keep(keep, (), "keep_mask((4, 5), keep=0.8, seed=0)")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    device = torch.device("cpu" if device is None else device)
    return routes.kept(math.prod(shape), keep, seed, stream, device).view(shape)
