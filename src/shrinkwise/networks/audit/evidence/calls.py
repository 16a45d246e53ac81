"""A tape of the torch functions that a pass calls: which module, which tensors from where, and which of them are noise."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from .noise import Noise, kind_of, noise_of

_TORCH = os.path.dirname(torch.__file__)
_HERE = os.path.dirname(__file__)


@dataclass(slots=True)
class Call:
    """One call of a torch function, or of a module that calls none (its name is then that of the module's class)."""

    index: int
    name: str
    module: str  # path of the module at work; the class in <> for one that the model does not know
    parents: tuple[int, ...]  # the calls that made its tensor arguments
    weights: tuple[int, ...] = ()  # ids of the model's parameters among its arguments
    shape: tuple[int, ...] = ()
    kind: str = ""  # "uniform", "mask", "scaled mask" or "masked" along the way from a random number to a product
    scalar: bool = False  # a product or quotient with a number
    noise: Noise | None = None
    backward: bool = False  # made while gradients were computed: a checkpoint that runs its part again


@dataclass
class Tape:
    """What one pass called."""

    calls: list[Call] = field(default_factory=list)
    entered: Counter[str] = field(default_factory=Counter)  # calls of each module
    noisy: set[str] = field(default_factory=set)  # modules within which something random ran
    inputs: dict[str, tuple] = field(default_factory=dict)  # of modules without children: shape, dtype, device
    outputs: list[int] = field(default_factory=list)  # the calls that made the model's outputs

    def noises(self) -> list[Call]:
        """The dropouts and random masks, with those that are off."""
        return [call for call in self.calls if call.noise is not None]

    def active(self) -> list[Call]:
        """The dropouts and random masks that acted."""
        return [call for call in self.noises() if call.noise is not None and call.noise.on]

    def back_through(self, index: int, names: frozenset[str]) -> Call | None:
        """The first call before this one, along first arguments, whose name is not among `names`."""
        call = self.calls[index]
        while call.parents:
            call = self.calls[call.parents[0]]
            if call.name not in names:
                return call
        return None


class Recorder(TorchFunctionMode):
    """Writes a tape while it is entered."""

    def __init__(self, model: nn.Module, inputs: list[torch.Tensor]):
        super().__init__()
        self.tape, self.backward = Tape(), False
        self._names = {id(m): name for name, m in model.named_modules()}
        self._parameters = {id(p) for p in model.parameters()}
        self._stack, self._modules = [""], [model]
        self._made = WeakTensorKeyDictionary()
        for tensor in inputs:
            self._add(Call(len(self.tape.calls), "input", "", (), shape=tuple(tensor.shape)), tensor)
        self._exit = ExitStack()

    def __enter__(self):
        # Global hooks see modules that are made during the pass too, and leave nothing in the model.
        before = hooks.register_module_forward_pre_hook(self._before)
        after = hooks.register_module_forward_hook(self._after, always_call=True)
        self._exit.callback(before.remove)
        self._exit.callback(after.remove)
        return super().__enter__()

    def __exit__(self, *exception):
        self._exit.close()
        return super().__exit__(*exception)

    @contextmanager
    def recomputing(self) -> Iterator[None]:
        """Within backward: calls of modules that run again. The whole of backward cannot be entered, it leaves the mode."""
        self.backward, depth = True, 0

        def before(module, args):
            nonlocal depth
            if depth == 0:
                super(Recorder, self).__enter__()
            depth += 1
            self._before(module, args)

        def after(module, args, output):
            nonlocal depth
            self._after(module, args, output)
            depth -= 1
            if depth == 0:
                super(Recorder, self).__exit__(None, None, None)

        first = hooks.register_module_forward_pre_hook(before)
        last = hooks.register_module_forward_hook(after, always_call=True)
        try:
            yield
        finally:
            first.remove()
            last.remove()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        noise = noise_of(name, func, args, kwargs)
        if noise is not None:
            noise.site, noise.mode = self._site(), self._modules[-1].training
            noise.look_at(args[0] if args else kwargs.get("input"))
        out = func(*args, **kwargs)
        tensors = [t for t in flat(out) if isinstance(t, torch.Tensor)]
        if tensors:
            self._write(name, args, kwargs, tensors, noise)
        return out

    def _write(self, name: str, args, kwargs, outputs, noise) -> None:
        given = [t for t in flat((args, tuple(kwargs.values()))) if isinstance(t, torch.Tensor)]
        parents = tuple(self._made[t] for t in given if t in self._made)
        weights = tuple(id(t) for t in given if id(t) in self._parameters)
        calls = self.tape.calls
        kind = kind_of(name, [calls[i].kind for i in parents], len(given))
        if noise is None and kind == "masked":
            noise = Noise(None, True, self._site())
        scalar = name.strip("_") in ("mul", "div", "truediv") and len(given) == 1
        shape = tuple(outputs[0].shape)
        call = Call(len(calls), name, self._stack[-1], parents, weights, shape, kind, scalar, noise, self.backward)
        for tensor in outputs:
            self._made[tensor] = call.index
        self._add(call)

    def _add(self, call: Call, tensor: torch.Tensor | None = None) -> None:
        self.tape.calls.append(call)
        if tensor is not None:
            self._made[tensor] = call.index
        if call.kind in ("uniform", "mask") or (call.noise is not None and call.noise.on):
            self.tape.noisy.update(self._stack)

    def _before(self, module: nn.Module, args) -> None:
        name = self._names.get(id(module), f"<{type(module).__name__}>")
        self._stack.append(name)
        self._modules.append(module)
        self.tape.entered[name] += 1
        tensors = [t for t in flat(args) if isinstance(t, torch.Tensor)]
        if not next(module.children(), None) and len(tensors) == 1:
            self.tape.inputs.setdefault(name, (tuple(tensors[0].shape), tensors[0].dtype, tensors[0].device))

    def _after(self, module: nn.Module, args, output) -> None:
        keep = getattr(module, "keep", None)
        made = [t for t in flat(output) if isinstance(t, torch.Tensor)]
        # A layer of one's own autograd functions calls nothing that a tape sees, but it says what it keeps.
        if made and (isinstance(keep, float) or any(t not in self._made for t in made)):
            parents = tuple(self._made[t] for t in flat(args) if isinstance(t, torch.Tensor) and t in self._made)
            on = module.training and isinstance(keep, float) and keep < 1
            noise = Noise(1.0 - keep, on, self._stack[-1]) if isinstance(keep, float) else None
            index, name = len(self.tape.calls), type(module).__name__
            self._add(Call(index, name, self._stack[-1], parents, shape=tuple(made[0].shape), noise=noise))
            for tensor in made:
                self._made[tensor] = index
        if len(self._stack) > 1:
            self._stack.pop()
            self._modules.pop()

    def ends_with(self, output) -> None:
        """Note which calls made the model's outputs."""
        tensors = [t for t in flat(output) if isinstance(t, torch.Tensor)]
        self.tape.outputs = [self._made[t] for t in tensors if t in self._made]

    def _site(self) -> str:
        frame = sys._getframe(2)
        while frame.f_back is not None and frame.f_code.co_filename.startswith((_TORCH, _HERE)):
            frame = frame.f_back
        return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def flat(value) -> list:
    """The leaves of tuples, lists, dicts and data classes, one after another."""
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in flat(item)]
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in flat(item)]
    if hasattr(value, "__dataclass_fields__"):
        return [leaf for item in vars(value).values() for leaf in flat(item)]
    return [value]
