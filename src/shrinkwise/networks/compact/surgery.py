"""The smaller model: constants folded, tensors cut, and the integers that modules hold set to the new sizes."""

from __future__ import annotations

import copy
import re

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from .attention import CompactAttention
from .flow import Flow, Source
from .liveness import Removal
from .rules.linear_maps import kernel_sums

# Names of attributes that count channels or heads; a length or a window of the same size is left alone.
_WIDTHS = re.compile("head|dim|inner|embed|channel|hidden|width|feature|group|split|^nf$|^nx$")
_HEADS = re.compile("heads?$")  # where heads are as many as each has channels


def operate(model: nn.Module, flow: Flow, removal: Removal) -> nn.Module:
    """A copy of `model` without the classes that are gone."""
    small = copy.deepcopy(model)
    sources = set(flow.sources.values())
    values = {source: source.tensor for source in sources}
    new_biases = _fold(flow, removal, values)
    changed = {}
    for source in sources:
        cut = _cut(values[source], source, removal)
        if cut is not source.tensor:
            changed[source.name] = cut
    _assign(small, changed)
    for path, bias in new_biases.items():
        module = small.get_submodule(path)
        module.register_parameter("bias", nn.Parameter(bias))
        changed[f"{path}.bias"] = bias
    counts = {(count.path, count.name): int((~removal.of(count.labels)).sum()) for count in flow.counts}
    _resize_attributes(small, flow, removal)
    for path in {name.rpartition(".")[0] for name in changed}:
        _refresh(small, path, counts)
    return small


def _fold(flow: Flow, removal: Removal, values: dict[Source, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Move the constants of removed inputs into biases or onto a carrier; returns the biases that did not exist before."""
    new = {}
    for reader in flow.readers:
        constant = reader.known & (reader.value != 0)
        outputs_stay = ~removal.of(reader.outputs)
        lost = constant & removal.of(reader.inputs) & reader.nonzero[outputs_stay].any(0)
        if not lost.any():
            continue
        weight = values[reader.weight]
        columns = torch.nonzero(lost).reshape(-1)
        if reader.bias is not None or reader.has_bias_slot:
            if not reader.padded:
                shift = kernel_sums(weight, reader.out_axis, reader.in_axis, columns) @ reader.value[columns]
                if reader.bias is not None:
                    bias = values[reader.bias]
                    values[reader.bias] = (bias.double() + shift.to(bias.device)).to(bias.dtype)
                else:
                    kept = shift[outputs_stay].to(weight.device, weight.dtype)
                    new[reader.weight.name.rpartition(".")[0]] = kept
                continue
        kept = torch.where(constant & ~removal.of(reader.inputs), reader.value.abs(), -1.0)
        values[reader.weight] = _carried(weight, reader.in_axis, columns, reader.value, int(kept.argmax()))
    return new


def _carried(weight: torch.Tensor, axis: int, columns: torch.Tensor, value: torch.Tensor, carrier: int) -> torch.Tensor:
    """W_k + Σ_j (c_j / c_k) W_j for the carrier k, in float64."""
    exact = weight.double().movedim(axis, 0)
    share = (value[columns] / value[carrier]).to(weight.device)
    result = exact.clone()
    result[carrier] += torch.tensordot(share, exact[columns.to(weight.device)], 1)
    return result.movedim(0, axis).to(weight.dtype)


def _cut(tensor: torch.Tensor, source: Source, removal: Removal) -> torch.Tensor:
    for labels in source.labelings():
        gone = removal.of(labels)
        for dim in range(gone.dim()):
            others = [d for d in range(gone.dim()) if d != dim]
            stays = ~(gone.all(dim=tuple(others)) if others else gone)
            if gone.shape[dim] > 1 and not stays.all():
                # Not yet cut along this dimension: one array of atoms an axis, or one for all of them.
                if tensor.shape[dim] == len(stays):
                    tensor = tensor.index_select(dim, torch.nonzero(stays).reshape(-1).to(tensor.device))
    return tensor


def _assign(small: nn.Module, changed: dict[str, torch.Tensor]) -> None:
    """Put the tensors in, under every name they have."""
    names: dict[int, list[str]] = {}
    for name, tensor in [*small.named_parameters(remove_duplicate=False), *small.named_buffers(remove_duplicate=False)]:
        names.setdefault(id(tensor), []).append(name)
    old = dict(small.named_parameters(remove_duplicate=False)) | dict(small.named_buffers(remove_duplicate=False))
    for name, tensor in changed.items():
        value = _laid_out(tensor, old[name])
        if isinstance(old[name], nn.Parameter):
            value = nn.Parameter(value, requires_grad=old[name].requires_grad)
        for alias in names[id(old[name])]:
            path, _, leaf = alias.rpartition(".")
            module = small.get_submodule(path)
            if isinstance(value, nn.Parameter):
                module._parameters[leaf] = value
            else:
                module._buffers[leaf] = value


def _laid_out(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A copy whose dimensions have the order in memory that those of `like` have: channels last stay last."""
    # Of dimensions with the same stride, those of size 1 are inner ones.
    strides = like.stride()
    order = sorted(range(like.dim()), key=lambda d: (-strides[d], -like.shape[d]))
    copied = tensor.permute(order).clone(memory_format=torch.contiguous_format)
    return copied.permute([order.index(d) for d in range(like.dim())])


def _refresh(small: nn.Module, path: str, counts: dict[tuple[str, str], int]) -> None:
    """Set the integers of torch's own modules from the tensors they hold."""
    module = small.get_submodule(path)
    if type(module) is nn.MultiheadAttention:
        if module.embed_dim != module.out_proj.weight.shape[1]:
            fewer = CompactAttention(module)
            for alias, other in list(small.named_modules(remove_duplicate=False)):
                if other is module:
                    parent, _, leaf = alias.rpartition(".")
                    setattr(small.get_submodule(parent), leaf, fewer)
        return
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor):
        return
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = weight.shape
    elif isinstance(module, _ConvNd):
        module.groups = counts.get((path, "groups"), module.groups)
        rows, columns = (weight.shape[1], weight.shape[0]) if module.transposed else weight.shape[:2]
        module.out_channels = rows * module.groups if module.transposed else rows
        module.in_channels = columns if module.transposed else columns * module.groups
    elif isinstance(module, _NormBase):
        module.num_features = weight.shape[0]
    elif isinstance(module, nn.GroupNorm):
        module.num_channels = weight.shape[0]
        module.num_groups = counts.get((path, "num_groups"), module.num_groups)
    elif isinstance(module, nn.Embedding | nn.EmbeddingBag):
        module.embedding_dim = weight.shape[1]
    elif isinstance(module, nn.PReLU):
        module.num_parameters = weight.shape[0]


def _resize_attributes(small: nn.Module, flow: Flow, removal: Removal) -> None:
    """Numbers of heads and of channels that a module's own code reads from its attributes before it makes a view."""
    wanted: dict[tuple[str, int], set[int]] = {}
    for resize in flow.resizes:
        gone = removal.of(resize.labels)
        for dim in range(gone.dim()):
            others = tuple(d for d in range(gone.dim()) if d != dim)
            stays = int((~(gone.all(dim=others) if others else gone)).sum())
            if gone.shape[dim] > 1:
                wanted.setdefault((resize.path, gone.shape[dim]), set()).add(stays)
    for (path, before), after in wanted.items():
        shrunk = after - {before}
        if len(shrunk) != 1:
            continue
        named = _HEADS if before in after else _WIDTHS
        module = small.get_submodule(path)
        if type(module).__module__.startswith("torch.nn."):
            continue
        for name, value in list(vars(module).items()):
            if value == before and type(value) is int and named.search(name):
                setattr(module, name, *shrunk)
