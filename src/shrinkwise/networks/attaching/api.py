"""`attach`: two lines that make any torch optimizer minimise L(θ) + Σ_k λ_k f_k(θ_k), with exact zeros."""

from __future__ import annotations

import copy
import math
import warnings
from functools import partial

import numpy as np
import torch
from torch import nn

from shrinkwise.networks.distributed.processes import in_rounds
from shrinkwise.networks.distributed.shards import Part, is_shared, whole
from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.methods.gradient import GradientStepper
from shrinkwise.networks.methods.metric import MetricStepper
from shrinkwise.networks.methods.normal_map import NormalMapStepper
from shrinkwise.networks.step.arming import arm, stepper_of
from shrinkwise.networks.step.optimizers_known import check_optimizer
from shrinkwise.networks.step.plan import StepOptions
from shrinkwise.networks.step.stepper import Stepper
from shrinkwise.networks.terms.normal_map import NormalMap
from shrinkwise.networks.terms.shared_map import SharedMap
from shrinkwise.networks.terms.stack import Piece, Stack
from shrinkwise.networks.terms.term import Term
from shrinkwise.penalties import Penalty, SpanningGroups, rebuild

from .regularization import Regularization
from .rules import Chosen, Selection, select

_METHODS: dict[str, type[Stepper]] = {cls.method: cls for cls in (NormalMapStepper, MetricStepper, GradientStepper)}


def attach(
    optimizer,
    model: nn.Module,
    penalty,
    *,
    method: str = "normal_map",
    schedule=None,
    start: str = "keep",
    threshold=None,
    max_norm=None,
) -> Regularization:
    """Make `optimizer` minimise the loss plus a penalty on the model's weights. The training loop does not change.

    The loss is whatever is backpropagated; λ f is added to it once per step, regardless of gradient accumulation or
    scaling. Weights that the penalty removes are exactly 0.0. Nothing changes before the first step.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any but LBFGS and SparseAdam; the penalty is cheapest with those of `shrinkwise.optim`, which include it in
        their own pass. The optimizer keeps its class name, its state_dict has one more tensor per penalised parameter
        (none for the other methods), and its copies and pickles keep the penalty.
    model : nn.Module
    penalty : Penalty, Rule or list of them
        A bare penalty applies to all weights (not to biases, normalisations, embeddings, class tokens or LayerScale);
        see `rule`.
        ``sw.GroupLasso(lam, groups=sw.Groups.removable(model, example))`` has groups that span tensors, one norm each, and
        is for all tensors of these; a group with entries in a parameter that is frozen or left out is not penalised.
    method : "normal_map", "metric" or "gradient"
        "normal_map": the optimizer trains a latent z with ∇L(w) + (λ/t)(z − w), the model uses w = prox_{t f}(z); a
        fixed point satisfies 0 ∈ ∇L(w) + λ ∂f(w). Convergence is not guaranteed for every optimizer; check
        `certificate()`. "metric": no extra memory; applies the prox in the optimizer's metric after the step, for SGD,
        Adam, AdamW, RMSprop and Adagrad. The same λ, with fewer zeros if gradients are noisy. "gradient": adds λ∇f(w)
        to the gradient for the step; sufficient for smooth penalties (L2).
    schedule : callable, optional
        ``schedule(step)``, step = 0, 1, ..., is the factor of λ at a step: `shrinkwise.networks.warmup`, `ramp` or any
        function. Skipped steps do not count; a resumed run continues at its step (pass the same schedule again).
    start : "keep" or "shrink"
        "keep": only the optimizer moves weights at the first step. "shrink": the weights become the latents, with .3 of
        the default t, so that small weights are zero after the first step. This is for fine-tuning that is too short
        for a weight to reach zero in steps of about lr.
    threshold : float > 0, optional
        t, in units of the weights for L1. By default the mean of |w| (of ‖w_g‖/c_g for groups) of each tensor at its first
        step, increased if the steps are long compared with it. It affects the speed of convergence, not the solution.
    max_norm : float > 0, optional
        Clips the norm of the gradient of the whole sum over all parameters. The usual clipping of the gradients of the
        loss before the step weakens the loss relative to the penalty, so that λ is effectively larger than specified.

    Returns a `Regularization`: `report()`, `summary()`, `zeros()`, `value()`, `set_lam()`, `certificate()`, `averaged()`,
    `polish()`, `refit()`, `detach()`.

    Notes: the optimizer's weight decay acts on w as before. Weights changed by other code between steps replace the
    latents, with a warning the first time; a change through ``param.data``, which torch does not track, is detected on
    the CPU if it affects one of the (at most 8192) compared entries. A parameter that had gradients in earlier steps
    and has none in this one (stochastic depth) is treated as having a zero gradient and is penalised;
    ``requires_grad_(False)`` pauses it. Frozen parameters that ``add_param_group`` adds to the optimizer later are
    penalised from then on. Weights averaged over steps (EMA) are not exactly zero; use `averaged()`. The learning rate
    should decay to zero for an accurate certificate. λ, method, threshold and steps are saved and loaded with the
    optimizer, like its learning rate; a checkpoint of another penalty is an error. With the normal map a step whose
    gradients have NaN or infinite entries raises FloatingPointError before anything changes.

    DDP, FSDP2 (``fully_shard``) and tensor parallelism: create the optimizer for the wrapped model and attach in every
    process; the result is the same as with one process. It takes one all_reduce before and one after each step. Methods
    such as `report`, `value` and `certificate` must be called in every process, with the same number of batches, and
    return results for the whole model. Penalties that are sums over weights or groups can be sharded; others are an
    error. Checkpoints by ``torch.distributed.checkpoint`` resume bit for bit. Lightning, transformers, skorch:
    ``PenaltyCallback`` in `shrinkwise.networks.lightning`, ``.transformers``, ``.skorch``. Accelerate, Fabric: attach,
    then ``prepare``, ``setup``.

    References: Qiu, Jiang, Milzarek, arXiv 2305.05828.

    >>> import torch
    >>> import shrinkwise as sw
    >>> model = nn.Linear(3, 1)
    >>> reg = sw.attach(torch.optim.Adam(model.parameters()), model, sw.L1(1e-4))
    """
    options = StepOptions(threshold, max_norm, schedule, start)
    _check(optimizer, model, method, options)
    selection = select(model, penalty)
    # An optimizer of `shrinkwise.optim` takes the penalty into its own pass.
    methods = {**_METHODS, **getattr(type(optimizer).step, "steppers", {})}
    terms, waiting = _terms(optimizer, selection, options)
    stepper = methods[method](terms, options, selection.left, waiting)
    stepper.check(optimizer)
    for unused in selection.unused:
        warnings.warn(f"The rule {unused} matches no parameter", stacklevel=2)
    stepper.take_over(optimizer)
    arm(optimizer, stepper)
    return Regularization(optimizer, model)


def attached(optimizer, model: nn.Module | None = None) -> Regularization:
    """The `Regularization` of an optimizer, for example of a copied or unpickled one."""
    if stepper_of(optimizer) is None:
        raise ValueError("This optimizer has no penalty attached; call sw.attach(optimizer, model, penalty)")
    return Regularization(optimizer, model)


def _check(optimizer, model, method: str, options: StepOptions) -> None:
    if method not in _METHODS:
        raise ValueError(f"Expected method to be one of {', '.join(map(repr, _METHODS))}, got {method!r}")
    if options.start not in ("keep", "shrink"):
        raise ValueError(f"Expected start='keep' or 'shrink', got {options.start!r}")
    if options.schedule is not None and not callable(options.schedule):
        raise TypeError(f"Expected schedule to be a function of the step, got {type(options.schedule).__name__}")
    for name, value in {"threshold": options.threshold, "max_norm": options.max_norm}.items():
        if value is not None and not (isinstance(value, (int, float)) and 0 < value < math.inf):
            raise ValueError(f"Expected {name} to be a number > 0 or None, got {value!r}")
    if not isinstance(model, nn.Module):
        raise TypeError(f"Expected the model to be a torch.nn.Module, got {type(model).__name__}")
    check_optimizer(optimizer)
    if stepper_of(optimizer) is not None:
        raise ValueError(
            "This optimizer already has a penalty attached; call detach() first, or pass all rules in one call"
        )


def _terms(optimizer, selection: Selection, options: StepOptions) -> tuple[list[Term], list[Term]]:
    """A term for each selected parameter that the optimizer trains, and for each frozen one that it may get later."""
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    terms: list[Term] = []
    waiting: list[Term] = []
    spanning: dict[int, list[Chosen]] = {}
    for c in selection.chosen:
        if not c.param.numel():
            selection.left.append((c.name, "empty"))
        elif id(c.param) not in trained and not c.param.requires_grad:
            if c.tensor:
                selection.left.append((c.name, "frozen, and so no group that has entries in it is penalised"))
                continue
            selection.left.append((c.name, "frozen"))
            waiting.append(Term(c.name, c.param, _normal_map(c), c.rule, c.note))
        elif id(c.param) not in trained:
            raise ValueError(
                f"The optimizer does not train {c.name}; pass only the part of the model that it trains, "
                f'or exclude the parameter with sw.rule(None, names="{c.name}")'
            )
        elif c.tensor:
            spanning.setdefault(c.rule, []).append(c)
        else:
            terms.append(Term(c.name, c.param, _normal_map(c), c.rule, c.note))
    for some in spanning.values():
        terms += _spanning_terms(some, selection)
    for term in terms:
        if options.schedule is not None and term.map.has_fixed:
            raise ValueError(f"The λ of {term.map.penalty!r} is partly fixed, so a schedule cannot change it")
    if not terms:
        reasons = "; ".join(f"{name}: {why}" for name, why in selection.left[:5])
        raise ValueError(f"There is no parameter to penalise ({reasons or 'the model has none'})")
    return terms, waiting


def _spanning_terms(chosen: list[Chosen], selection: Selection) -> list[Term]:
    """A term for each tensor of the groups of one rule; groups with entries in a tensor that is left out are left out."""
    rule, penalty, here = chosen[0].rule, chosen[0].penalty, {c.tensor: c for c in chosen}
    for other in selection.chosen:
        if other.rule != rule and other.tensor_in(penalty.groups):
            raise ValueError(
                f"{other.name} is in groups that span tensors, but rule {other.rule + 1} takes it first; write both penalties "
                "as one sum in one rule, such as sw.GroupLasso(lam, groups=removable) + sw.L1(lam)"
            )
    groups, kept = penalty.groups.within(here)
    if not groups.n_groups:
        raise ValueError(f"Every group of {penalty!r} has entries in a parameter that is left out or frozen")
    w = {name: here[name].param.detach() for name in groups.tensors}
    stack = Stack(groups, not any(map(is_shared, w.values())))
    entries = torch.cat([whole(w[name]).reshape(-1) for name in groups.tensors])
    restricted = rebuild(penalty, lambda leaf: _regrouped(leaf.penalty, groups, kept)).resolve(entries)
    maps = in_rounds([partial(SharedMap, restricted, Piece(w[name], name, stack)) for name in groups.tensors])
    in_rounds([partial(f.prox, local(w[name]), 1.0) for f, name in zip(maps, groups.tensors, strict=True)])
    selection.left += [
        (c.name, "every group with entries in it has others in a parameter that is left out")
        for name, c in here.items()
        if name not in groups.tensors
    ]
    return [
        Term(here[name].name, here[name].param, f, rule, here[name].note)
        for f, name in zip(maps, groups.tensors, strict=True)
    ]


def _regrouped(penalty: Penalty, groups: SpanningGroups, kept) -> Penalty:
    """The penalty on some of its groups."""
    if penalty.groups is None:
        return penalty
    other = copy.copy(penalty)
    other.groups = groups
    weights = penalty.get_params().get("weights")
    if weights is not None:
        if len(weights) != penalty.groups.n_groups:
            raise ValueError(f"Expected one weight per group ({penalty.groups.n_groups}), got {len(weights)}")
        other.set_params(weights=np.asarray(weights, dtype=float)[kept])
    return other


def _normal_map(chosen: Chosen) -> NormalMap:
    # anchor="initial" means the weights at this moment.
    w = chosen.param.detach()
    penalty: Penalty = chosen.penalty.resolve(w)
    try:
        found = SharedMap(penalty, Part(w)) if is_shared(w) else NormalMap(penalty, w.shape)
        fits = found.prox(local(w), 1.0).shape == local(w).shape
        reason = "its weights have a different shape"
    except (ValueError, RuntimeError) as error:
        if is_shared(w) and isinstance(error, RuntimeError):
            raise  # a process that does not answer
        fits, reason = False, str(error).splitlines()[0]
    if not fits:
        raise ValueError(f"{penalty!r} does not fit {chosen.name} of shape {tuple(w.shape)}: {reason}")
    return found
