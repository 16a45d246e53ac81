"""The prox in the optimizer's own metric, after its step: λ as written, without a latent.

A step of the optimizer at rest is w ← w − s · ∇L(w), entry by entry with

    SGD       s = lr κ,   κ = (1 − dampening)/(1 − momentum)     (1/(1 − momentum) with Nesterov)
    Adam(W)   s = lr / (√v̂ + ε)                                  (AMSGrad: the largest v̂ so far)
    RMSprop   s = lr / (√v + ε) / (1 − momentum)                 (centred: v less the square of the mean gradient)
    Adagrad   s = lr_k / (√Σg² + ε),   lr_k = lr/(1 + (k−1) lr_decay)

and w = prox_{s λf}(w − s ∇L(w)) holds exactly where 0 ∈ ∇L(w) + λ ∂f(w). With any other step a different λ is enforced:
a plain lr·λ enforces a tenth of λ under momentum .9, and almost none under Adam. With noisy gradients zeros appear more
slowly than with the normal map.

References: Yun, Lozano, Yang, Adaptive proximal gradient methods for structured neural networks, NeurIPS 2021 (ProxGen).
Deleu and Bengio, Structured sparsity inducing adaptive optimizers, arXiv 2102.03869 (groups).
"""

from __future__ import annotations

import inspect
import math
from typing import NamedTuple

import torch
from torch import optim

from shrinkwise.networks.distributed.shards import put_proxes
from shrinkwise.networks.memory.kernels import in_reach, local, metric_prox
from shrinkwise.networks.step.plan import ParameterStep, StepPlan, StepResult
from shrinkwise.networks.step.stepper import Stepper
from shrinkwise.networks.terms.block import Block, blocks
from shrinkwise.penalties import concavity, l1_l2_of_all


class Metric(NamedTuple):
    """Steps s = rate / (√v · scale + eps), or s = rate if there is no v."""

    rate: float
    v: torch.Tensor | None = None
    scale: float = 1.0
    eps: float = 0.0

    def steps(self):
        """s, a number or a tensor."""
        return self.rate if self.v is None else self.rate / (self.v.sqrt() * self.scale + self.eps)


def metric_of(optimizer, group: dict, state: dict) -> Metric:
    """The metric of the step just taken, for one parameter."""
    lr = float(group["lr"])
    if isinstance(optimizer, optim.SGD):
        mu = group["momentum"]
        return Metric(lr * (1.0 if group["nesterov"] else 1.0 - group["dampening"] * (mu != 0)) / (1.0 - mu))
    if isinstance(optimizer, (optim.Adam, optim.AdamW)):
        beta2 = float(group["betas"][1])
        v = state["max_exp_avg_sq"] if group["amsgrad"] else state["exp_avg_sq"]
        return Metric(lr, v, 1.0 / math.sqrt(1.0 - beta2 ** float(state["step"])), group["eps"])
    if isinstance(optimizer, optim.RMSprop):
        v = state["square_avg"]
        if group["centered"]:
            v = (v - state["grad_avg"].square()).clamp_min(0.0)
        return Metric(lr / (1.0 - group["momentum"]), v, 1.0, group["eps"])
    rate = lr / (1.0 + (float(state["step"]) - 1.0) * group["lr_decay"])
    return Metric(rate, state["sum"], 1.0, group["eps"])


class MetricStepper(Stepper[StepPlan]):
    """The optimizer's own step on the loss, then the prox of λ f in the metric of that step."""

    method = "metric"

    def check(self, optimizer) -> None:
        """Raise ValueError for optimizers, penalties and options that this method does not support."""
        _check_known(optimizer)
        instead = "use method='normal_map'"
        given: dict = {"max_norm": self.options.max_norm, "threshold": self.options.threshold}
        given["start"] = None if self.options.start == "keep" else self.options.start
        for name in (name for name, value in given.items() if value is not None):
            raise ValueError(f"The option {name} is not available with method='metric'; {instead}")
        for term in self.terms:
            p, penalty = term.param, term.map.penalty
            if p.dtype not in (torch.float32, torch.float64):
                raise ValueError(f"{term.name} is {p.dtype}, in which steps of lr·λ are lost to rounding; {instead}")
            if isinstance(optimizer, optim.SGD):
                continue
            if concavity(penalty) or not penalty.convex:
                raise ValueError(
                    f"{penalty!r} is not convex, and where it is flat the steps of {type(optimizer).__name__} "
                    f"grow without bound; {instead}, or SGD"
                )
            try:
                if term.map.stack is not None and term.map.is_whole:
                    continue
                here = local(p).detach()
                term.map.penalty_here.prox(here, torch.linspace(1.0, 2.0, here.numel()).to(here).reshape(here.shape))
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"{penalty!r} has no prox with a different step for every weight; {instead}"
                ) from error

    def plan_step(self, optimizer, moving: list[ParameterStep]) -> list[StepPlan]:
        """The optimizer's step is unchanged, but ValueError if it is too long for a concave penalty."""
        for item in moving:
            bend = concavity(item.term.map.penalty_here)
            # From 1/ρ on the prox jumps between zero and staying put, and rests where the penalty still pulls.
            if bend and not metric_of(optimizer, item.group, {}).rate * bend < 1.0:
                raise ValueError(
                    f"Expected steps lr/(1 − momentum) below {1.0 / bend:g} for {item.term.map.penalty!r} with "
                    f"method='metric', got {metric_of(optimizer, item.group, {}).rate:g}"
                )
        return [
            StepPlan(
                term=item.term,
                group=item.group,
                user_grad=item.user_grad,
                borrowed=item.grad if item.user_grad is None else None,
            )
            for item in moving
        ]

    def after_step(self, optimizer, plans: list[StepPlan]) -> list[StepResult]:
        """The prox in the metric of the step."""
        uniform, diagonal = [], []
        metrics = [metric_of(optimizer, plan.group, optimizer.state.get(plan.term.param, {})) for plan in plans]
        together = dict(zip((id(plan.term) for plan in plans), metrics, strict=True))
        for block in blocks([plan.term for plan in plans]):
            if block.terms[0].map.stack is not None and together[id(block.terms[0])].v is not None:
                _stacked_prox(block, [together[id(term)].steps() for term in block.terms])
        for plan, metric in zip(plans, metrics, strict=True):
            p, penalty = local(plan.term.param), plan.term.map.penalty_here
            if metric.v is not None and plan.term.map.stack is not None:
                continue
            if metric.v is None:
                uniform.append((penalty, p.data, metric.rate, p))
                continue
            v = local(metric.v)
            metric = metric._replace(v=v)
            slopes = l1_l2_of_all(penalty, p)
            if slopes is not None and in_reach(p) and in_reach(v) and p.dtype == v.dtype:
                diagonal.append((p, v, metric.rate, metric.scale, metric.eps, *slopes))
            else:
                p.copy_(penalty.prox(p.detach(), metric.steps()))
        put_proxes(uniform)
        metric_prox(diagonal)
        return []


def _stacked_prox(block: Block, steps: list[torch.Tensor]) -> None:
    """The prox of groups that span tensors, with a step of its own for every weight."""
    new = block.penalty.prox(block.whole(), block.stacked(steps))
    params = [term.param for term in block.terms]
    for p, values in zip(params, new.split([p.numel() for p in params]), strict=True):
        p.copy_(values.reshape(p.shape))


def _check_known(optimizer) -> None:
    if not any(_steps_as(optimizer, cls) for cls in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad)):
        raise ValueError(
            f"The metric of {type(optimizer).__name__} is not known (known are SGD, Adam, AdamW, RMSprop and "
            "Adagrad); use method='normal_map', which works with any optimizer"
        )


def _steps_as(optimizer, cls) -> bool:
    """Whether the optimizer is a `cls` that does not override its step."""
    return isinstance(optimizer, cls) and inspect.unwrap(type(optimizer).step) is inspect.unwrap(cls.step)
