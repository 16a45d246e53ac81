"""`compact(model, example)`: trace, decide, cut a copy, compare."""

from __future__ import annotations

import copy

import torch
from torch import nn

from .classes import Pin
from .flow import Flow, run
from .liveness import Removal, inputs_used, solve
from .proof import TOLERANCE, NotEqual, Proof, differences, macs, outputs, seconds, size, trials
from .rules import rule_of
from .rules.movement import is_attention
from .surgery import operate
from .trace import Trace, example_arguments, trace


def compact(model: nn.Module, example) -> tuple[nn.Module, Proof]:
    """Take the channels, units and heads that no longer matter out of a network; its outputs in evaluation stay equal.

    A channel goes when its value is the same for all inputs (its filter is zero, say; the constant that is left moves into
    the biases of the layers that read it), or when nothing reads it. Channels that residual sums, depthwise convolutions
    and views tie together go together.

    Parameters
    ----------
    model : nn.Module
        Trained or in training; neither its weights, nor its mode, nor anything else of it changes.
    example : tensor, or tuple of the positional arguments of the model
        An input of the usual shape. Both models are run on it, and on random inputs like it.

    Returns
    -------
    small : nn.Module
        A smaller copy with modules of the same classes, in the modes they had. ``nn.MultiheadAttention`` that lost heads
        becomes a subclass of it. It needs a new optimizer.
    proof : Proof
        The differences, parameters, multiply-adds, seconds, and what had to stay and why. Prints as a summary.

    Raises
    ------
    ValueError
        If the model cannot be traced by ``torch.export``, holds recurrent layers, is random in evaluation, or if the
        outputs differ by more than 1e-5 of the largest output.

    Notes
    -----
    Convert a network in half precision to float32 first: its rounding alone exceeds the tolerance. Sizes that a module's own
    code takes from attributes (``num_heads``, ``inner_dim``) are set to what is left; where the code has them as numbers,
    the channels stay. Heads of ``nn.MultiheadAttention`` go in self-attention only.

    Only exact zeros are used: train with an exact penalty (`attach`) and channels become zero. Equality is that of
    evaluation mode; batch statistics in training see fewer channels only where those were constant or unread.

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
    twin = copy.deepcopy(model).eval()
    graph = trace(twin, arguments)
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
            more = _literal_sizes(flow, error)
            if extra or not more:
                raise ValueError(
                    f"the smaller {type(model).__name__} does not give the outputs of the original and is not "
                    f"returned: {error}"
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
    """Models that are not supported, with what to do instead."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"Expected model to be a torch.nn.Module, got {type(model).__name__}")
    for path, module in model.named_modules():
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):
            raise ValueError(
                f"compact does not support recurrent layers, and {path or 'the model'!r} is {type(module).__name__}; compact "
                "the parts around it on their own"
            )


def inputs_dtype(model: nn.Module) -> torch.dtype:
    """The dtype of the parameters."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.get_default_dtype())


def _check_steady(model: nn.Module, arguments: tuple) -> None:
    first, second = outputs(model, arguments), outputs(model, arguments)
    if not all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(first, second, strict=True)):
        raise ValueError(
            f"{type(model).__name__} gives different outputs for the same input in evaluation, so equal outputs cannot be shown"
        )


def _compared(model: nn.Module, small: nn.Module, inputs: list[tuple]) -> tuple[float, float]:
    absolute, relative = differences(model, small, inputs)
    if relative > TOLERANCE:
        raise NotEqual(f"they differ by {relative:.2g} of the largest output, more than {TOLERANCE:.0e}")
    return absolute, relative


def _literal_sizes(flow: Flow, error: Exception) -> tuple[Pin, ...]:
    """Pins for everything that goes through a view or a split with sizes in a module's own code."""
    why = f"the sizes in its code do not follow a smaller tensor ({str(error).splitlines()[0] if str(error) else error!r})"
    return tuple(
        Pin(resize.labels.numpy().reshape(-1), resize.path or "forward", why)
        for resize in flow.resizes
        if not is_attention(flow, resize.path)
    )


def _pinned(flow: Flow, removal: Removal, graph: Trace, extra: tuple[Pin, ...]) -> dict[str, str]:
    """What stays and why, by the place where that was decided."""
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
        found.setdefault(where, "one constant channel stays because padding keeps its constant from becoming a bias")
    parameters = {name for name, _ in flow.model.named_parameters()}
    idle = [graph.sources[node.name] for node in graph.nodes if node.name in graph.sources and not node.users]
    for path in sorted({name.rpartition(".")[0] for name in idle if name in parameters}):
        found.setdefault(path, "it takes no part in evaluation, so it was left as it is and may not fit in training")
    return found
