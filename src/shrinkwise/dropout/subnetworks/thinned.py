"""The sub-network of one draw of dropout as a separate model: smaller if possible, masked elsewhere."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator

import torch
from torch import nn

from shrinkwise.dropout.bits import apply_mask
from shrinkwise.dropout.inverted import keep_mask
from shrinkwise.dropout.layers.dropout import Dropout
from shrinkwise.dropout.layers.noise import ELEMENTWISE, NoiseLayer
from shrinkwise.figures.thinned import thinned as draw_thinned

from .convert import built_in_dropout


class FixedMask(nn.Module):
    """Dropout of a fixed set of units, in training and evaluation, for sub-networks.

    Defined either by `kept`, a bool tensor of the shape of one sample's units, or by the draw (seed, stream), for any
    shape.

    Shapes: (N, ...), the same out as in; the mask is shared by the rows.
    """

    kept: torch.Tensor | None

    def __init__(self, *, keep: float, kept: torch.Tensor | None = None, seed: int = 0, stream: int = 0):
        super().__init__()
        self.keep, self.seed, self.stream = keep, seed, stream
        self.register_buffer("kept", kept, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Kept units divided by keep, the others 0."""
        return apply_mask(x, self.mask(x.shape[1:]).to(x.device), self.keep)

    def mask(self, shape) -> torch.Tensor:
        """The kept units of a sample of this shape."""
        if self.kept is not None:
            return self.kept.expand(shape)
        return keep_mask(tuple(shape), keep=self.keep, seed=self.seed, stream=self.stream)

    def extra_repr(self) -> str:
        """The definition of the mask."""
        if self.kept is not None:
            return f"{int(self.kept.sum())} of {self.kept.numel()} units, keep={self.keep:g}"
        return f"keep={self.keep:g}, seed={self.seed}, stream={self.stream}"


def thinned(model: nn.Module, seed: int, *, shrink: bool = True) -> nn.Module:
    """The sub-network of one draw of dropout: a copy of the model without its dropped units, in evaluation mode.

    Layer k of the model's dropout layers (torch's or ours) keeps the units that ``keep_mask`` draws from `seed` and stream
    k, the same for all rows. Between Linear layers in an ``nn.Sequential`` the dropped units are removed from the
    weights, which are multiplied by 1/keep, so that the network is smaller. Elsewhere, and with ``shrink=False``, a
    `FixedMask` sets them to zero, with the same outputs. A layer that is called twice drops the same positions both
    times.

    Parameters
    ----------
    model : nn.Module, which is not changed
    seed : int
    shrink : bool

    Raises TypeError for noise layers that do not drop units one by one (DropConnect, DropPath, ...). Warns about
    dropout inside ``nn.LSTM`` and ``nn.MultiheadAttention``, which is off in the result.

    References: Srivastava et al., Dropout, JMLR 2014: training with dropout trains all these networks, with shared weights.
    """
    draws = {}
    for k, (name, layer) in enumerate(unit_dropout(model)):
        draws[name] = FixedMask(keep=layer_keep(layer), seed=seed, stream=k)
    return with_masks(model, draws, shrink=shrink)


def with_masks(model: nn.Module, masks: dict[str, FixedMask], *, shrink: bool = True) -> nn.Module:
    """A copy of the model, in evaluation mode, whose dropout layers are replaced by these masks."""
    network = copy.deepcopy(model)
    for name, mask in masks.items():
        if not name:
            return mask.eval()
        parent, _, last = name.rpartition(".")
        setattr(network.get_submodule(parent), last, mask)
    if shrink:
        for module in list(network.modules()):
            if isinstance(module, nn.Sequential):
                _cut(module)
    return network.eval()


def subnetworks(model: nn.Module, n: int, *, seed: int = 0, shrink: bool = True) -> Iterator[nn.Module]:
    """The sub-networks of n draws, seeds seed, seed + 1, ..., in order (see `thinned`)."""
    return (thinned(model, seed + k, shrink=shrink) for k in range(n))


def plot_thinned(model: nn.Sequential, seed: int, *, axes=None):
    """Draw a chain of Linear layers next to the sub-network of one draw of its dropout.

    Parameters
    ----------
    model : nn.Sequential of Linear layers, elementwise activations and dropout
    seed : int, the seed of the draw (see `thinned`)
    axes : two matplotlib axes, optional

    Returns the two axes.
    """
    sizes: list[int] = []
    kept: list[torch.Tensor] = []
    stream = 0
    for module in model if isinstance(model, nn.Sequential) else ():
        if isinstance(module, nn.Linear):
            sizes += [module.out_features] if sizes else [module.in_features, module.out_features]
            kept += [torch.ones(size, dtype=torch.bool) for size in sizes[len(kept) :]]
        elif isinstance(module, (nn.Dropout, Dropout)):
            sizes = sizes or [_first_linear(model).in_features]
            kept = kept or [torch.ones(sizes[0], dtype=torch.bool)]
            kept[-1] &= keep_mask(sizes[-1], keep=layer_keep(module), seed=seed, stream=stream)
            stream += 1
        elif not isinstance(module, ELEMENTWISE):
            raise TypeError(
                f"Expected Linear layers, activations and dropout for plot_thinned, got {type(module).__name__}"
            )
    if len(sizes) < 2:
        raise TypeError("Expected an nn.Sequential with at least one nn.Linear for plot_thinned")
    return draw_thinned([k.numpy() for k in kept], axes=axes)


def unit_dropout(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers that drop single units, by name, in the order of the model; raises an error or warns about others."""
    found, other = [], []
    for name, module in model.named_modules(remove_duplicate=False):  # a shared layer draws at each of its places
        if type(module) in (nn.Dropout, Dropout):
            found.append((name, module))
        elif isinstance(module, (NoiseLayer, nn.modules.dropout._DropoutNd)):
            other.append(f"{name or 'the model'} ({type(module).__name__})")
    if other:
        raise TypeError(
            "Expected only Dropout layers, because a sub-network is a selection of single units, got "
            f"{', '.join(other)}"
        )
    if not found:
        raise ValueError("Expected a model with Dropout layers, found none")
    for name, kind, drop in built_in_dropout(model):
        warnings.warn(f"The dropout {drop:g} inside {kind} {name or 'the model'} is off in sub-networks", stacklevel=3)
    return found


def layer_keep(layer) -> float:
    """The probability of keeping of one of torch's or our dropout layers."""
    return layer.keep if isinstance(layer, Dropout) else 1.0 - layer.p


def _first_linear(model) -> nn.Linear:
    return next(m for m in model if isinstance(m, nn.Linear))


def _cut(chain: nn.Sequential) -> None:
    """Cut the units that a mask in front of a Linear layer drops out of that layer and of the Linear layer that made them."""
    for k in range(1, len(chain) - 1):
        mask, reader = chain[k], chain[k + 1]
        made = next((j for j in reversed(range(k)) if type(chain[j]) not in ELEMENTWISE), k)
        maker = chain[made]
        # Inputs of the chain, and units of another kind of layer, stay masked.
        if isinstance(mask, FixedMask) and isinstance(reader, nn.Linear) and isinstance(maker, nn.Linear):
            units = mask.mask((reader.in_features,)).nonzero().squeeze(1).to(reader.weight.device)
            chain[made] = _linear(maker.weight[units], None if maker.bias is None else maker.bias[units])
            chain[k], chain[k + 1] = nn.Identity(), _linear(reader.weight[:, units] / mask.keep, reader.bias)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    new = nn.utils.skip_init(nn.Linear, weight.size(1), weight.size(0), bias=bias is not None, device=weight.device)
    new.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        new.bias = nn.Parameter(bias.detach().clone())
    return new


def count_subnetworks(model: nn.Module, x: torch.Tensor) -> int:
    """The number of sub-networks of dropout: 2 to the power of the number of units that can drop in one sample of x.

    `x` is one batch, (N, ...): the model is run once, in evaluation, to see how many units each dropout layer has.

    >>> count_subnetworks(nn.Sequential(nn.Linear(3, 10), nn.Dropout(0.5), nn.Linear(10, 1)), torch.zeros(1, 3))
    1024
    """
    return 2 ** sum(math.prod(shape) for shape in unit_shapes(model, x).values())


@torch.no_grad()
def unit_shapes(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Size]:
    """The shape of one sample's units at each dropout layer that can drop something."""
    shapes: dict[str, torch.Size] = {}

    def remember(name):
        def hook(layer, inputs):
            if name in shapes:
                raise ValueError(
                    f"Expected each dropout layer to be called once, but {name} is called again; use a second layer"
                )
            shapes[name] = inputs[0].shape[1:]

        return hook

    layers = [(name, layer) for name, layer in unit_dropout(model) if layer_keep(layer) < 1.0]
    handles = [layer.register_forward_pre_hook(remember(name)) for name, layer in layers]
    modes = {m: m.training for m in model.modules()}
    try:
        model.eval()
        model(x[:1])
    finally:
        for handle in handles:
            handle.remove()
        for m, training in modes.items():
            m.training = training
    return shapes
