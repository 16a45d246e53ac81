"""Base class of noise layers: a probability of keeping, an optional seed or generator, and the masks of structured
dropout."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.fx import Proxy

from shrinkwise.dropout.bits import random_words
from shrinkwise.dropout.inverted import check_keep, dropout, keep_from_drop, not_floating

_WORDS_A_BLOCK = 4


class NoiseLayer(nn.Module):
    """A layer that is random in training and has no effect, or runs its wrapped module unchanged, in evaluation.

    Parameters
    ----------
    keep : float in (0, 1]
        Probability of keeping, which must be passed by name.
    seed : int, optional
        Gives the layer its own sequence of masks, independent of torch's generator. The number of masks drawn is not
        part of the ``state_dict``. Without a seed ``torch.manual_seed`` applies.
    stream : int from 0 to 2³¹ − 1
        Distinguishes layers that share a seed, or the processes that train one model (DDP): ``stream=rank``.
    generator : torch.Generator, optional
        Generator of the seeds instead of torch's global one; on the device of the input.
    """

    draws: torch.Tensor
    replaces: tuple[type[nn.Module], bool]  # the layer of torch that `convert` took out for this one, and its `inplace`
    one_draw_a_batch = False  # True: all rows of a batch share the draw, so repeating rows gives no further samples
    wraps = ""  # what the constructor takes first, for the sentences

    def __new__(cls, *given, **options):
        """Raise TypeError for torch's argument p, the opposite probability."""
        if "p" in options:
            name, wrapped = cls.__name__, cls.wraps and f"{cls.wraps}, "
            raise TypeError(
                f"{name} takes keep, the probability of keeping a unit, but torch's p is the probability of "
                f"dropping it; use {name}({wrapped}keep=1 - p) or {name}.from_drop({wrapped}p)"
            )
        return super().__new__(cls)

    def __init__(self, *positional, keep=None, seed: int | None = None, stream: int = 0, generator=None):
        super().__init__()
        name, wrapped = type(self).__name__, self.wraps and f"{self.wraps}, "
        example = f"{name}({wrapped}keep=0.8) or {name}.from_drop({wrapped}0.2)"
        self.keep = check_keep(keep, positional, example)
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise TypeError(f"Expected seed to be an integer, got {type(seed).__name__}")
        if generator is not None and not isinstance(generator, torch.Generator):
            raise TypeError(f"Expected generator to be a torch.Generator, got {type(generator).__name__}")
        if seed is not None and generator is not None:
            raise ValueError(
                f"{name} takes seed= or generator=, not both, because a generator is used only to draw seeds"
            )
        if isinstance(stream, bool) or not isinstance(stream, int) or not 0 <= stream < 2**31:
            raise ValueError(f"Expected stream to be an integer from 0 to 2**31 - 1, got {stream!r}")
        if stream and seed is None:
            raise ValueError("Expected seed= together with stream=, which distinguishes layers that share a seed")
        self.seed, self.stream, self.generator = seed, stream, generator
        if seed is not None:
            # A tensor and not a number: a compiled model then counts on without compiling again.
            self.register_buffer("draws", torch.zeros((), dtype=torch.int64), persistent=False)

    @classmethod
    def from_drop(cls, *wrapped_and_drop, **options):
        """The layer that drops with probability `drop`, as in torch: the last positional argument."""
        *wrapped, drop = wrapped_and_drop
        return cls(*wrapped, keep=keep_from_drop(drop), **options)

    @property
    def p(self) -> float:
        """The probability of dropping, 1 − keep, for code written for the layers of torch and timm (`drop_prob`)."""
        return round(1.0 - self.keep, 15)  # 1 − .8 is off by 4e-17, and the drop given was .2

    @p.setter
    def p(self, value: float) -> None:
        self.keep = keep_from_drop(value)

    drop_prob = p

    def recorded(self, *inputs, **named):
        """The layer as one node of a `torch.fx` graph, as torch's layers are: it draws when the graph runs."""
        tracer: Any = next(value.tracer for value in (*inputs, *named.values()) if isinstance(value, Proxy))
        declared = getattr(tracer, "skipped_module_classes", None)  # of torch.ao.quantization's tracers alone
        if self.wraps and self.training and declared is not None and type(self) not in declared:
            raise ValueError(
                f"The module inside {type(self).__name__} cannot be quantized by prepare_qat_fx; pass it "
                f"PrepareCustomConfig().set_non_traceable_module_classes([{type(self).__name__}])"
            )
        return tracer.create_proxy("call_module", tracer.path_of_module(self), inputs, named)

    def __prepare_scriptable__(self):
        raise TypeError(
            f"{type(self).__name__} cannot be compiled by torch.jit.script; use torch.export or torch.jit.trace, or convert "
            'the model to torch\'s layers first with shrinkwise.dropout.convert(model, to="torch")'
        )

    def _replicate_for_data_parallel(self):
        if self.seed is not None:
            raise ValueError(
                f"With seed={self.seed} every replica of nn.DataParallel would have the same masks of this "
                f"{type(self).__name__}; omit seed=, or use DistributedDataParallel with stream=rank"
            )
        return super()._replicate_for_data_parallel()

    def draw(self) -> dict:
        """The next draw as options of a dropout function: nothing, `generator`, or `seed` and `stream`."""
        if self.seed is None and self.generator is None:
            return {}
        if not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
            raise RuntimeError(
                f"{type(self).__name__} with its own seed or generator cannot be recomputed in backward "
                "(activation checkpointing), because its next mask would differ from the first; omit both, "
                "because torch's generator is repeated exactly"
            )
        if self.generator is not None:
            return {"generator": self.generator}
        stream = self.draws + (self.stream << 32)  # 2³² masks a stream
        self.draws.add_(1)
        return {"seed": self.seed, "stream": stream}

    def extra_repr(self) -> str:
        """The probability of keeping, and other options if given."""
        asked = {"seed": self.seed, "stream": self.stream or None}
        return ", ".join([f"keep={self.keep:g}", *(f"{name}={v}" for name, v in asked.items() if v is not None)])


# Activations that act on each unit alone: a unit that is not read behind one of them need not be computed before it.
ELEMENTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Softsign),
    *(nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Tanhshrink, nn.Identity),
)


def mask_of_shape(shape, *, keep: float, device, **draw) -> torch.Tensor:
    """A bool tensor of the given shape, True = kept, by the specification in `bits`; `draw` is the result of
    `NoiseLayer.draw`."""
    return dropout(torch.ones(tuple(shape), device=device), keep=keep, **draw) != 0  # the bits by the fastest road


def drawn_seed(seed, generator, device):
    """The given seed, or one drawn from the given generator or torch's global one."""
    if seed is not None and generator is not None:
        raise ValueError("Expected seed= or generator=, not both, because a generator is used only to draw the seed")
    if seed is not None:
        return seed
    # As a tensor: no wait for the device, and CUDA graphs replay the draw.
    return torch.randint(-(2**63), 2**63 - 1, (), dtype=torch.int64, device=device, generator=generator)


def uniform(n: int, *, seed, stream, device) -> torch.Tensor:
    """n float64 numbers in (0, 1), number i a pure function of (seed, stream, i): (word + ½)/2³² of Philox's words."""
    blocks = torch.arange((n + _WORDS_A_BLOCK - 1) // _WORDS_A_BLOCK, device=device)
    # The tie stream: a layer whose masks use this seed and stream too does not see these words in them.
    words = torch.stack(random_words(blocks, seed, stream, tie=True), -1).reshape(-1)[:n]
    return (words.double() + 0.5) * 2.0**-32


def transformed() -> bool:
    """Whether a program is being recorded or transformed, so that shapes may not depend on a draw."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active() or is_traced()


def is_traced() -> bool:
    """Whether torch.jit.trace is recording."""
    return torch._C._get_tracing_state() is not None


def check_floating(x, name: str) -> None:
    """Raise TypeError unless x is a tensor of real floating-point numbers."""
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        raise not_floating(x, name)


def check_dense(x, name: str) -> None:
    """Raise TypeError unless x is a dense tensor of real floating-point numbers: of others torch has not every operation."""
    check_floating(x, name)
    if x.layout is not torch.strided or x.is_nested:
        kind = "a nested tensor" if x.is_nested else f"layout {x.layout}"
        raise TypeError(f"{name} expects a dense tensor, got {kind}; convert it first")
