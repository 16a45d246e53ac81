"""Refit: training on the support with the penalty off. Zeros stay exactly zero, and other weights are no longer
shrunk."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from shrinkwise.networks.distributed.shards import wrap
from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.step.plan import ParameterStep, StepPlan, StepResult
from shrinkwise.networks.step.stepper import Stepper


@dataclass(frozen=True, kw_only=True)
class SupportPlan(StepPlan):
    """A parameter and where it is zero."""

    zeros: torch.Tensor


class SupportStepper(Stepper[SupportPlan]):
    """The optimizer's own step on the weights that are not exactly zero."""

    method = "refit"
    penalizes_unreached = False

    def plan_step(self, optimizer, moving: list[ParameterStep]) -> list[SupportPlan]:
        """No gradient at the zeros, which would enter momentum and second moments."""
        plans = []
        for item in moving:
            zeros = local(item.term.param).detach() == 0
            borrowed = wrap(local(item.grad).masked_fill(zeros, 0.0), item.term.param)
            plans.append(
                SupportPlan(term=item.term, group=item.group, user_grad=item.user_grad, borrowed=borrowed, zeros=zeros)
            )
        return plans

    def after_step(self, optimizer, plans: list[SupportPlan]) -> list[StepResult]:
        """The zeros again: momentum from before moves them."""
        for plan in plans:
            local(plan.term.param).masked_fill_(plan.zeros, 0.0)
        return []
