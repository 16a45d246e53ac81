"""The certificate of λ: the distance of −∇L(w) to λ ∂f(w), tensor by tensor, from gradients over all data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from shrinkwise.networks.distributed.processes import summed
from shrinkwise.networks.distributed.shards import Part, is_shared, processes_of, reshard, whole
from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.step.optimizers_known import weight_decay
from shrinkwise.networks.terms.block import Block, blocks
from shrinkwise.networks.terms.term import Term
from shrinkwise.penalties import strength

from .full_pass import at_rest, gradients, is_random, losses, slopes
from .printing import table

# Measured on ReLU networks: an rms residual of .1 λ is good, of .3 λ usable; the largest entry is about λ whatever one does.
_GOOD, _USABLE = 0.1, 0.3
_DRAWS_WITH_NOISE = 8
# A gradient at right angles to its weights (first) that the loss does not feel when they are doubled (second) is taken for
# scale invariance. Both are loose: normalisations add an epsilon to the variance.
_RIGHT_ANGLE, _UNMOVED = 0.05, 0.01


@dataclass(frozen=True)
class TensorCertificate:
    """Residual of one penalised tensor, or of those that groups span, in units of λ: rms and largest over entries or groups."""

    name: str
    rms: float
    largest: float
    loss_pull: float  # −⟨w, ∇L⟩
    penalty_pull: float  # ⟨w, λ ∂f(w)⟩, by which λ would equal the former
    noise: float  # standard error of the gradient over dropout draws, rms, in units of λ; 0 with one draw
    zeros: int
    unreached: int  # entries with a gradient of the loss of exactly 0
    size: int
    parts: int  # entries or groups that the rms is over
    scale_invariant: bool
    invariant: tuple[str, ...] = ()  # of the tensors that groups span, those whose scale the loss does not depend on

    @property
    def lam_ratio(self) -> float:
        """λ_effective/λ = −⟨w, ∇L⟩ / ⟨w, λ ∂f(w)⟩; NaN where w = 0."""
        return _lam_ratio([self])


@dataclass(frozen=True)
class Certificate:
    """How close the weights are to a stationary point of L + λ f, over all tensors, with a sentence on the result."""

    tensors: list[TensorCertificate]
    loss: float
    objective: float
    rms: float
    largest: float
    lam_ratio: float
    status: str

    def __str__(self) -> str:
        rows = [
            (
                t.name,
                f"{t.zeros} of {t.size}",
                f"{t.rms:.2g}",
                f"{t.largest:.2g}",
                "" if math.isnan(t.lam_ratio) else f"{t.lam_ratio:.4f}",
                f"{t.noise:.1g}" if t.noise else "",
                "scale-invariant" if t.scale_invariant else "",
            )
            for t in self.tensors
        ]
        header = ("tensor", "exact zeros", "KKT/λ rms", "KKT/λ max", "λ_effective/λ", "noise/λ", "note")
        return f"{table(header, rows)}\n\nL = {self.loss:.6g}, L + λf = {self.objective:.6g}. {self.status}"


def certify(model: nn.Module, optimizer, terms: list[Term], loss_fn, loader, draws: int | None) -> Certificate:
    """The certificate of the given terms; see `Regularization.certificate`."""
    terms = [term for term in terms if term.param.requires_grad]
    params = [term.param for term in terms]
    if draws is None:
        with at_rest(model, noise=True):
            draws = _DRAWS_WITH_NOISE if is_random(model, loss_fn, loader) else 1
    with at_rest(model, noise=True):
        found = gradients(model, params, loss_fn, loader, draws)
    with at_rest(model, noise=True, batch_statistics=True):
        invariant = _scale_invariant(model, params, next(losses(model, loss_fn, loader))[0])
    decays = {id(p): weight_decay(optimizer, group) for group in optimizer.param_groups for p in group["params"]}
    measured = {
        id(term): _Measured(whole(g), whole(error), decays.get(id(term.param), (0.0, 0.0))[0], flat)
        for term, g, error, flat in zip(terms, found.mean, found.error, invariant, strict=True)
    }
    parts = blocks(terms)
    tensors = [_certify_block(block, [measured[id(term)] for term in block.terms]) for block in parts]
    decayed = any(decays.get(id(term.param), (0.0, 0.0))[1] for term in terms)
    value = sum(block.value() for block in parts)
    counted = [t for t in tensors if not t.scale_invariant]
    rms = math.sqrt(sum(t.parts * t.rms**2 for t in counted) / max(sum(t.parts for t in counted), 1))
    largest = max((t.largest for t in counted), default=0.0)
    ratio = _lam_ratio(counted)
    off = not any(_lam(term.map) for term in terms)
    status = _off(rms) if off else _status(tensors, rms, ratio, decayed)
    return Certificate(tensors, found.loss, found.loss + value, rms, largest, ratio, status)


def lam_scale(normal_map) -> float:
    """The divisor for "in units of λ": λ, or the mean of several; for a sum the total of its terms' λ; 1 if that is
    0."""
    return _lam(normal_map) or 1.0


def _lam(normal_map) -> float:
    if isinstance(normal_map.lam, torch.Tensor):
        return float(normal_map.lam.mean()) * normal_map.factor
    return strength(normal_map.penalty)


class _Measured(NamedTuple):
    """What was found of one tensor."""

    gradient: torch.Tensor
    error: torch.Tensor
    coupled: float  # weight decay
    invariant: bool


def _certify_block(block: Block, measured: list[_Measured]) -> TensorCertificate:
    penalty, scale = block.penalty, lam_scale(block.terms[0].map)
    data_gradient, error = block.stacked([m.gradient for m in measured]), block.stacked([m.error for m in measured])
    whole_tensors = [term.whole().to(m.gradient.dtype) for term, m in zip(block.terms, measured, strict=True)]
    w = block.stacked(whole_tensors)
    # Coupled weight decay is part of the loss that is minimised.
    gradient = block.stacked([m.gradient + m.coupled * v for m, v in zip(measured, whole_tensors, strict=True)])
    invariant = [term.name for term, m in zip(block.terms, measured, strict=True) if m.invariant]
    residual = penalty.violation(w, gradient) / scale
    with torch.enable_grad():
        free = w.clone().requires_grad_()
        pull = torch.autograd.grad(penalty.value(free), free)[0]
    return TensorCertificate(
        name=block.name,
        rms=float(residual.square().mean().sqrt()),
        largest=float(residual.max()),
        loss_pull=-float((w * gradient).sum()),
        penalty_pull=float((w * pull).sum()),
        noise=float(error.square().mean().sqrt()) / scale,
        zeros=int((w == 0).sum()),
        unreached=int((data_gradient == 0).sum()),
        size=w.numel(),
        parts=residual.numel(),
        scale_invariant=bool(invariant),
        invariant=tuple(invariant),
    )


def _lam_ratio(tensors: list[TensorCertificate]) -> float:
    pull = sum(t.penalty_pull for t in tensors)
    return sum(t.loss_pull for t in tensors) / pull if pull else math.nan


def _off(rms: float) -> str:
    return (
        f"The penalty is off (λ = 0), so there is no λ to certify: the gradient of the loss is {rms:.2g} (rms over the "
        "penalised weights, zeros included)."
    )


def _status(tensors: list[TensorCertificate], rms: float, ratio: float, decayed: bool) -> str:
    counted = [t for t in tensors if not t.scale_invariant]
    invariant = [name for t in tensors for name in t.invariant]
    dead = [t.name for t in counted if t.size and t.zeros == t.size == t.unreached]
    measured = f"KKT residual {rms:.2g} of λ (rms)" + ("" if math.isnan(ratio) else f", λ_effective/λ = {ratio:.4f}")
    if not counted:
        text = "No penalised tensor has a stationary point to compare with."
    elif len(dead) == len(counted):
        text = (
            "There is nothing to certify, because the network is dead: every penalised weight is zero and no gradient of "
            "the loss reaches them; use a smaller λ, or start with a schedule such as sw.networks.warmup."
        )
    elif not math.isfinite(rms):
        text = (
            "There is nothing to certify, because weights or gradients of the loss have NaN or infinite entries; lower the "
            "learning rate, or look for such entries in the data."
        )
    elif rms > _USABLE:
        text = f"Not converged: {measured}; train longer or decay the learning rate."
    elif rms <= _GOOD:
        text = f"λ is enforced: {measured}."
    else:
        text = f"λ is nearly enforced: {measured}; more training tightens it."
    if dead and len(dead) < len(counted):
        names = ", ".join(dead)
        text += (
            f" All of {names} is zero and no gradient of the loss reaches it, so its residual of 0 is not "
            "evidence for λ."
        )
    if decayed:
        text += (
            " The optimizer's decoupled weight decay is not part of L + λf, so the residual does not converge to zero."
        )
    if invariant:
        text += (
            f" The loss does not depend on the scale of {', '.join(invariant)} (a normalisation follows), so "
            "there is no stationary point for λ > 0; penalise the gain of the norm layer instead, or constrain "
            "the norm."
        )
    return text


def _scale_invariant(model: nn.Module, params: list[nn.Parameter], loss: Callable[[], torch.Tensor]) -> list[bool]:
    """For each tensor whether doubling it does not change the loss although an equally large move in another direction
    does."""
    processes = processes_of(model)

    def mean_loss() -> float:
        torch.manual_seed(0)  # the same dropout draw each time
        reshard(model)
        here = loss().double()
        return float(summed(here, processes) / summed(torch.ones_like(here), processes))

    with torch.enable_grad():
        torch.manual_seed(0)
        found = slopes(model, params, loss())
    return [g is not None and _is_scale_invariant(p, whole(g), mean_loss) for p, g in zip(params, found, strict=True)]


@torch.no_grad()
def _is_scale_invariant(param: nn.Parameter, gradient: torch.Tensor, mean_loss: Callable[[], float]) -> bool:
    w = whole(param.detach()).clone()
    lengths = float(gradient.norm() * w.norm())
    if not lengths or abs(float((gradient * w).sum())) > _RIGHT_ANGLE * lengths:
        return False

    def at(weights: torch.Tensor) -> float:
        if is_shared(param):  # FSDP2 gathers from this very memory
            local(param).copy_(Part(param).cut(weights))
        else:
            param.data = weights
        return mean_loss()

    kept = param.data
    torch.manual_seed(0)  # the same direction in all processes
    aside = torch.randn_like(w)
    try:
        here, doubled, moved = at(w), at(2 * w), at(w + aside * (w.norm() / aside.norm()))
    finally:
        if is_shared(param):
            local(param).copy_(Part(param).cut(w))
        else:
            param.data = kept
    return abs(doubled - here) <= _UNMOVED * abs(moved - here)
