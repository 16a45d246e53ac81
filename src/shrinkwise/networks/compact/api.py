"""`compact(model, example)`: trace, decide, cut a copy, compare."""

from __future__ import annotations

import copy

import torch
from torch import nn

from .classes import Pin
from .flow import Flow, run
from .liveness import Removal, inputs_used, solve
from .proof import TOLERANCE, NotEqual, Proof, differences, macs, outputs, seconds, size, trials
from .rules import has_rule, rule_of
from .rules.movement import is_attention
from .surgery import operate
from .trace import Trace, example_arguments, trace


def compact(model: nn.Module, example) -> tuple[nn.Module, Proof]:
    """Remove the channels, units and heads that do not affect the outputs of a network in evaluation.

    A channel is removed if its value is the same for all inputs (for example because its filter is zero; the constant
    moves into the biases of the layers that read it), or if nothing reads it. Channels coupled by residual sums,
    depthwise convolutions and views are removed together.

    Parameters
    ----------
    model : nn.Module
        A trained model, which is not changed.
    example : tensor, or tuple of the positional arguments of the model
        An input of the usual shape. Both models are run on it, and on random inputs of its shape and scale.

    Returns
    -------
    small : nn.Module
        A smaller copy with modules of the same classes and in the same modes. A ``nn.MultiheadAttention`` from which
        heads were removed becomes a subclass of it. It needs a new optimizer.
    proof : Proof
        The differences, parameters, multiply-adds, seconds, and the channels that could not be removed with the reason.
        Prints as a summary.

    Raises
    ------
    ValueError
        If the model cannot be traced by ``torch.export``, has recurrent layers, is random in evaluation, or if the
        outputs differ by more than 1e-5 of the largest output.

    Notes
    -----
    Convert a network in half precision to float32 first, because its rounding errors exceed the tolerance. Sizes that a
    module reads from attributes (``num_heads``, ``inner_dim``) are updated; if they are literals in the code, the
    channels are kept. Inputs are removed where the model chooses them by a buffer of their numbers, ``x[:, self.used]``;
    elsewhere those that do not matter are listed in ``proof.inputs_used``. Heads of ``nn.MultiheadAttention`` are
    removed only in self-attention.

    Only exact zeros are used; train with `attach` so that channels become exactly zero. Outputs are compared in
    evaluation mode; in training only channels that were constant or unread are missing from batch statistics.

    References
    ----------
    G. Fang, X. Ma, M. Song, M. B. Mi, X. Wang, "DepGraph: Towards Any Structural Pruning", CVPR 2023, for the grouping of
    coupled channels.

    Examples
    --------
    >>> import torch, shrinkwise as sw
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> with torch.no_grad():
    ...     _ = net[0].weight[2:].zero_()
    >>> small, proof = sw.compact(net, torch.randn(16, 4))
    >>> small[0].out_features, proof.parameters
    (2, (49, 13))
    """
    arguments = example_arguments(example)
    refuse(model)
    twin = copied(model).eval()
    graph = trace(twin, arguments, has_rule)
    flow = run(twin, graph, rule_of)
    inputs = trials(arguments)
    _check_steady(twin, inputs[0])
    extra: tuple[Pin, ...] = ()
    while True:
        removal = solve(flow, extra)
        try:
            small = operate(twin, flow, removal)
            absolute, relative = _compared(twin, small, inputs)
            break
        except Exception as error:
            more = literal_sizes(flow, error)
            if extra or not more:
                raise ValueError(
                    f"The smaller {type(model).__name__} does not reproduce the outputs of the original and is "
                    f"not returned: {error}"
                ) from error
            extra = more
    selected = inputs_used(flow)
    proof = Proof(
        absolute,
        relative,
        (size(twin), size(small)),
        (macs(twin, arguments), macs(small, arguments)),
        seconds((twin, small), arguments),
        _pinned(flow, removal, graph, extra),
        {name: used for name, (used, _) in selected.items()},
        {name: count for name, (_, count) in selected.items()},
        str(inputs_dtype(twin)).removeprefix("torch."),
    )
    for path, module in model.named_modules():
        small.get_submodule(path).training = module.training
    return small, proof


def refuse(model: nn.Module) -> None:
    """Raise an error for unsupported models."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"Expected model to be a torch.nn.Module, got {type(model).__name__}")
    if any(nn.parameter.is_lazy(tensor) or tensor.is_meta for tensor in [*model.parameters(), *model.buffers()]):
        raise ValueError(
            "Parameters on the meta device or of lazy layers have no values; give the model its weights first"
        )
    for path, module in model.named_modules():
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):
            raise ValueError(
                f"Recurrent layers are not supported, but {path or 'the model'!r} is {type(module).__name__}; "
                "compact the parts around it separately"
            )


def copied(model: nn.Module) -> nn.Module:
    """A deep copy; an error where a module keeps computed tensors, as torch.nn.utils.weight_norm does."""
    try:
        return copy.deepcopy(model)
    except RuntimeError as error:
        raise ValueError(
            f"{type(model).__name__} cannot be copied: remove the old torch.nn.utils.weight_norm or spectral_norm from it "
            f"first, for example with torch.nn.utils.remove_weight_norm ({str(error).splitlines()[0]})"
        ) from error


def inputs_dtype(model: nn.Module) -> torch.dtype:
    """The dtype of the parameters."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.get_default_dtype())


def _check_steady(model: nn.Module, arguments: tuple) -> None:
    first, second = outputs(model, arguments), outputs(model, arguments)
    if not all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(first, second, strict=True)):
        raise ValueError(
            f"{type(model).__name__} gives different outputs for the same input in evaluation mode, so outputs "
            "cannot be compared"
        )


def _compared(model: nn.Module, small: nn.Module, inputs: list[tuple]) -> tuple[float, float]:
    absolute, relative = differences(model, small, inputs)
    if relative > TOLERANCE:
        raise NotEqual(f"The outputs differ by {relative:.2g} of the largest output, more than {TOLERANCE:.0e}")
    return absolute, relative


def literal_sizes(flow: Flow, error: Exception) -> tuple[Pin, ...]:
    """Pins for everything that goes through a view or a split with sizes in a module's own code."""
    why = (
        "the sizes in its code do not adapt to a smaller tensor "
        f"({str(error).splitlines()[0] if str(error) else error!r})"
    )
    return tuple(
        Pin(resize.labels.numpy().reshape(-1), resize.path or "forward", why)
        for resize in flow.resizes
        if not is_attention(flow, resize.path)
    )


def _pinned(flow: Flow, removal: Removal, graph: Trace, extra: tuple[Pin, ...]) -> dict[str, str]:
    """The channels that are kept with the reason, by module."""
    owned = {
        int(removal.root[atom])
        for s in set(flow.sources.values())
        for a in s.labelings()
        for atom in a.reshape(-1).tolist()
    }
    found: dict[str, str] = {}
    for pin in (*extra, *flow.classes.pins):
        if not pin.implicit and pin.where != "output" and owned & set(removal.root[pin.atoms].tolist()):
            found.setdefault(pin.where, pin.why)
    for where in removal.carriers:
        found.setdefault(
            where, "one constant channel is kept because padding prevents its constant from becoming a bias"
        )
    parameters = {name for name, _ in flow.model.named_parameters()}
    idle = [graph.sources[node.name] for node in graph.nodes if node.name in graph.sources and not node.users]
    for path in sorted({name.rpartition(".")[0] for name in idle if name in parameters}):
        found.setdefault(
            path, "it is not used in evaluation, so it is unchanged and its shape may not match in training"
        )
    return found
