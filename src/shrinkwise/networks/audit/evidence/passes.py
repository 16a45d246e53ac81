"""One forward and backward pass in training mode, one forward pass in evaluation: what they call and what they say."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from .batches import Batch, detached
from .calls import Recorder, Tape, flat
from .own_terms import OwnTerm, term_of_the_weights
from .untouched import untouched


@dataclass
class Passes:
    """What the passes showed; a field is None where its pass was not run."""

    batch: Batch
    train: Tape
    evaluation: Tape
    gradients: dict[int, torch.Tensor | None] = field(
        default_factory=dict
    )  # by id of the parameter; None = not reached
    differentiated: bool = False  # whether there was something to differentiate
    strangers: list[tuple[int, ...]] = field(default_factory=list)  # shapes of trained tensors the model does not list
    eval_change: float = (
        0.0  # largest change between two evaluations of the batch, in standard deviations of the output
    )
    eval_draws: bool = False  # whether evaluation drew random numbers
    again: Tape | None = None  # training mode after an evaluation that changed an attribute of a module
    own_term: OwnTerm | None = None  # what the loss takes from the weights alone
    asleep: list[str] = field(default_factory=list)  # modules that train() leaves in evaluation
    spread: bool | None = None  # whether two passes in the modes as given differ, where dropout alone is in training


def run_passes(model: nn.Module, batch: Batch) -> Passes:
    """All passes, after which model, gradients and random states are as before."""
    batch.fit(model)
    with untouched(model):
        monte_carlo = _differ(model, batch) if _dropout_alone_in_training(model) else None
    with untouched(model), torch.enable_grad():
        model.train()
        recorder = Recorder(model, batch.tensors())
        with recorder:
            output = batch.run(model)
            recorder.ends_with(output)
        asleep = [name for name, module in model.named_modules() if not module.training]
        passes = Passes(batch, recorder.tape, Tape(), asleep=asleep, spread=monte_carlo)
        _differentiate(model, output, passes, recorder)
        if batch.loss is not None:
            passes.own_term = _own_term(model, output, batch)
        del output
        _evaluate(model, passes)
    return passes


def _differentiate(model: nn.Module, output, passes: Passes, recorder: Recorder) -> None:
    objective = passes.batch.objective(output)
    if objective is None or not objective.requires_grad:
        return
    params = [p for p in model.parameters() if p.requires_grad]
    leaves, reentrant = _graph(objective)
    known = {id(p) for p in params}
    passes.strangers = [tuple(p.shape) for p in leaves if isinstance(p, nn.Parameter) and id(p) not in known]
    # Reentrant checkpoints need backward(). Hooks that wait for a gradient, such as an optimizer's, must not run.
    if not params or (reentrant and any(getattr(p, "_post_accumulate_grad_hooks", None) for p in params)):
        return
    passes.differentiated = True
    with recorder.recomputing():
        if reentrant:
            found = _by_backward(objective, params)
        else:
            found = list(torch.autograd.grad(objective, params, allow_unused=True))
    passes.gradients = {id(p): g for p, g in zip(params, found, strict=True)}


def _by_backward(objective: torch.Tensor, params: list[nn.Parameter]) -> list[torch.Tensor | None]:
    kept = [p.grad for p in params]
    for p in params:
        p.grad = None
    try:
        objective.backward()
        return [p.grad for p in params]
    finally:
        for p, grad in zip(params, kept, strict=True):
            p.grad = grad


def _graph(objective: torch.Tensor) -> tuple[list[torch.Tensor], bool]:
    """The leaves of the graph that gradients are for, and whether a part of it is a reentrant checkpoint."""
    leaves, reentrant, seen, stack = [], False, set(), [objective.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            leaves.append(leaf)
        reentrant = reentrant or node.name().startswith("CheckpointFunction")
        stack.extend(parent for parent, _ in node.next_functions)
    return leaves, reentrant


def _own_term(model: nn.Module, output, batch: Batch) -> OwnTerm | None:
    still = detached(output)
    if any(isinstance(leaf, torch.Tensor) and leaf.requires_grad for leaf in flat(still)):
        return None
    return term_of_the_weights(model, lambda: batch.of_loss(still))


def _evaluate(model: nn.Module, passes: Passes) -> None:
    """Evaluation without gradients; a second one if the first drew random numbers; training again if it left a trace."""
    before = _plain_attributes(model)
    model.eval()
    recorder, batch = Recorder(model, passes.batch.tensors()), passes.batch
    with torch.no_grad():
        state = torch.get_rng_state()
        with recorder:
            first = batch.run(model)
        passes.evaluation = recorder.tape
        passes.eval_draws = not torch.equal(state, torch.get_rng_state()) or bool(recorder.tape.active())
        if passes.eval_draws:
            passes.eval_change = _distance(first, batch.run(model))
        del first
        model.train()
        changed = [key for key, value in _plain_attributes(model).items() if before.get(key, value) != value]
        if changed:
            recorder = Recorder(model, batch.tensors())
            with recorder:
                batch.run(model)
            passes.again = recorder.tape


def _plain_attributes(model: nn.Module) -> dict:
    """Numbers that are attributes of modules, but for their modes."""
    return {
        (name, key): value
        for name, module in model.named_modules()
        for key, value in module.__dict__.items()
        if key != "training" and isinstance(value, (int, float)) and value == value
    }


def noisy_modules(model: nn.Module, *, training: bool) -> list[str]:
    """The classes of dropout with p > 0 and of normalisations with running statistics that are in the given mode."""
    found = []
    for module in model.modules():
        p = getattr(module, "p", None)
        keep = getattr(module, "keep", None)
        drops = "drop" in type(module).__name__.lower() and ((isinstance(p, float) and p > 0) or p is None)
        drops = drops or (isinstance(keep, float) and keep < 1)
        running = getattr(module, "running_mean", None) is not None
        if module.training == training and (drops or running):
            found.append(type(module).__name__)
    return list(dict.fromkeys(found))


def _dropout_alone_in_training(model: nn.Module) -> bool:
    """Whether the model is in evaluation but for its dropout: Monte Carlo dropout is meant."""
    awake = [m for m in model.modules() if m.training]
    return not model.training and bool(awake) and all("dropout" in type(m).__name__.lower() for m in awake)


@torch.no_grad()
def _differ(model: nn.Module, batch: Batch) -> bool:
    return _distance(batch.run(model), batch.run(model)) > 0


def _distance(a, b) -> float:
    """The largest difference of two outputs, in standard deviations of the first."""
    largest = 0.0
    for x, y in zip(flat(a), flat(b), strict=False):
        if isinstance(x, torch.Tensor) and x.is_floating_point() and x.numel() and x.shape == y.shape:
            scale = float(x.float().std(correction=0)) or 1.0
            largest = max(largest, float((x.float() - y.float()).abs().nan_to_num().max()) / scale)
    return largest
