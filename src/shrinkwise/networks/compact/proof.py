"""The comparison of both models on the same inputs: sizes, speed and differences of the outputs."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

TOLERANCE = 1e-5
DRAWS = 2  # random inputs beside the example


@dataclass(frozen=True)
class Proof:
    """Before and after, as (before, after); differences over the example and random inputs like it.

    Attributes
    ----------
    max_abs_diff : float
        max |Δy| over all outputs, in the units of the outputs.
    relative_diff : float
        The largest max |Δy| / max |y| of an output tensor.
    parameters, macs : (int, int)
        Number of parameters, and of multiply-adds of one forward pass on the example.
    seconds : (float, float)
        Median seconds of one forward pass on the example, in evaluation, without gradients.
    pinned : dict of str to str
        Modules whose channels could not be removed, and the reason.
    inputs_used : dict of str to list of int, or None
        For each floating-point input, the channels that the outputs depend on.
    """

    max_abs_diff: float
    relative_diff: float
    parameters: tuple[int, int]
    macs: tuple[int, int]
    seconds: tuple[float, float]
    pinned: dict[str, str] = field(default_factory=dict)
    inputs_used: dict[str, list[int]] = field(default_factory=dict)
    n_inputs: dict[str, int] = field(default_factory=dict)
    dtype: str = "float32"

    def __str__(self) -> str:
        lines = [
            _line("parameters", *self.parameters, "{:,}"),
            _line("multiply-adds", *self.macs, "{:,}"),
            _line("milliseconds per pass", 1000 * self.seconds[0], 1000 * self.seconds[1], "{:.3g}"),
            f"outputs: max |Δy| = {self.max_abs_diff:.2g}, relative {self.relative_diff:.2g} ({self.dtype}; the example and "
            f"{DRAWS} random inputs)",
        ]
        for name, used in self.inputs_used.items():
            if len(used) < self.n_inputs.get(name, 0):
                lines.append(f"input {name!r}: {len(used)} of {self.n_inputs[name]} channels affect the outputs")
        lines += [f"kept in {where}: {why}" for where, why in self.pinned.items()]
        return "\n".join(lines)


def _line(what: str, before: float, after: float, form: str) -> str:
    ratio = f"{before / after:.2f}× fewer" if what != "milliseconds per pass" else f"{before / after:.2f}× faster"
    return f"{what}: {form.format(before)} → {form.format(after)} ({ratio})" if after else f"{what}: {before} → {after}"


class NotEqual(ValueError):
    """The outputs of the smaller model differ."""


def outputs(model: nn.Module, arguments: tuple) -> list[torch.Tensor]:
    """All tensors that the model returns, in evaluation."""
    with torch.no_grad():
        leaves = pytree.tree_leaves(model(*arguments))
    return [leaf.clone() for leaf in leaves if isinstance(leaf, torch.Tensor)]


def trials(arguments: tuple) -> list[tuple]:
    """The example, and random inputs with its mean, spread and range."""
    generator = torch.Generator().manual_seed(0)

    def like(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float32).to(tensor)
            spread = tensor.std() if tensor.numel() > 1 else tensor.abs().sum()
            return tensor.mean() + noise * spread.clamp_min(1e-3)
        order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
        return tensor.reshape(-1)[order].reshape(tensor.shape)

    return [arguments] + [pytree.tree_map_only(torch.Tensor, like, arguments) for _ in range(DRAWS)]


def differences(model: nn.Module, small: nn.Module, inputs: list[tuple]) -> tuple[float, float]:
    """Largest absolute and relative difference over all inputs; raises NotEqual where shapes or NaNs differ."""
    absolute = relative = 0.0
    for arguments in inputs:
        before, after = outputs(model, arguments), outputs(small, arguments)
        if [y.shape for y in before] != [y.shape for y in after]:
            raise NotEqual("The outputs have different shapes")
        for y, z in zip(before, after, strict=True):
            y, z = y.double(), z.double()
            if not torch.equal(y.isfinite(), z.isfinite()):
                raise NotEqual("The outputs are non-finite at different positions")
            if y.numel():
                worst = float((y - z).nan_to_num(0.0, 0.0, 0.0).abs().max())
                scale = float(y.nan_to_num(0.0, 0.0, 0.0).abs().max())
                absolute = max(absolute, worst)
                relative = max(relative, worst / scale if scale else float(worst > 0))
    return absolute, relative


def size(model: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def macs(model: nn.Module, arguments: tuple) -> int:
    """Multiply-adds of matrix products, convolutions and attention in one pass."""
    with FlopCounterMode(display=False) as counter, torch.enable_grad():  # keeps torch's fused encoder out, uncounted
        model(*arguments)
    return counter.get_total_flops() // 2


def seconds(models: tuple[nn.Module, nn.Module], arguments: tuple, budget: float = 0.6) -> tuple[float, float]:
    """Median time of a pass of each, measured alternately so that both run under the same load."""
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + budget
    with torch.no_grad():
        while len(times[0]) < 3 or (time.perf_counter() < end and len(times[0]) < 200):
            for model, taken in zip(models, times, strict=True):
                start = time.perf_counter()
                model(*arguments)
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                taken.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])
