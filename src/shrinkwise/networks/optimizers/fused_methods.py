"""Penalties inside the pass of a `shrinkwise.optim` optimizer: nothing is lent, and the step itself moves the latents.

The parameter holds its weights all the time. What does not fit (low-precision weights, λ by weight, clipping of the sum,
options that are torch's alone) goes the way it goes with any other optimizer, to the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from shrinkwise.kernels.networks import optimizer as kernel
from shrinkwise.networks.memory.layout import beside, same_layout
from shrinkwise.networks.methods.metric import MetricStepper, metric_of
from shrinkwise.networks.methods.normal_map import LATENT, LatentPlan, NormalMapStepper, not_finite
from shrinkwise.networks.step.plan import ParameterStep, StepPlan, StepResult
from shrinkwise.penalties import l1_l2_of_all


@dataclass
class PassPlan:
    """What a penalty adds to one parameter's step in the pass: see `kernels.optimizer_reference`."""

    mode: int = kernel.PLAIN
    latent: torch.Tensor | None = None
    numbers: dict = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class FusedLatentPlan(LatentPlan):
    """A parameter whose latent is moved by the optimizer's pass."""

    in_pass: PassPlan

    def latent_after(self) -> torch.Tensor:
        """The latent after the step."""
        return self.latent

    def written_by_step(self) -> bool:
        """Whether the pass has written the weights too."""
        return self.in_pass.done and self.in_pass.mode == kernel.MAP


class FusedNormalMapStepper(NormalMapStepper):
    """The normal map in the optimizer's own pass."""

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self.plans: dict[torch.Tensor, PassPlan] = {}

    def plan_step(self, optimizer, moving: list[ParameterStep]) -> list[LatentPlan]:
        """Plans for the pass; what does not fit is planned as for any optimizer."""
        fits = [self._fits(optimizer, item) for item in moving]
        inside = [item for item, fit in zip(moving, fits, strict=True) if fit]
        outside = [item for item, fit in zip(moving, fits, strict=True) if not fit]
        plans = super().plan_step(optimizer, outside)
        return [
            *plans,
            *(self._inside(optimizer, item, new) for item, new in zip(inside, self._changed(inside), strict=True)),
        ]

    def _fits(self, optimizer, item: ParameterStep) -> bool:
        if item.term.map.stack is not None:  # the norms of its groups are asked of other tensors too
            return False
        if item.still or self.options.max_norm is not None or isinstance(item.term.map.lam, torch.Tensor):
            return False
        return optimizer.takes(item.group, item.term.param)

    def _inside(self, optimizer, item: ParameterStep, changed: bool) -> FusedLatentPlan:
        p, plan = item.term.param, self._plan(optimizer, item, changed)
        z, t = plan.latent, plan.threshold
        if plan.fresh or not same_layout(p, z):
            z = beside(p, 1).copy_(z)
        given = plan.separable_map
        numbers = {"slope": item.term.map.strength_like(z) / t if t else 0.0}
        if given is not None:
            numbers["threshold"], numbers["shrink"] = given
        return FusedLatentPlan(
            term=item.term,
            group=item.group,
            user_grad=item.user_grad,
            borrowed=item.grad if item.user_grad is None else None,
            latent=z,
            threshold=t,
            weights=p.data,
            before=plan.before,
            fresh=plan.fresh,
            in_pass=PassPlan(kernel.PULL if given is None else kernel.MAP, z, numbers),
        )

    def before_step(self, optimizer, plans: list[LatentPlan]) -> None:
        """Latents outside the pass into their parameters; parameters inside hold their weights all the time."""
        inside = [plan for plan in plans if isinstance(plan, FusedLatentPlan)]
        super().before_step(optimizer, [plan for plan in plans if not isinstance(plan, FusedLatentPlan)])
        for plan in inside:
            plan.borrow()
        self.plans = {plan.term.param: plan.in_pass for plan in inside}

    def refuse(self, optimizer, params) -> None:
        """Everything as it was, and one sentence: the pass found these parameters' gradients not finite."""
        names = [plan.term.name for plan in self._plans if plan.term.param in params]
        self.undo()
        raise not_finite(names)

    def after_step(self, optimizer, plans: list[LatentPlan]) -> list[StepResult]:
        """As for any optimizer; a latent that a longer threshold rescales stays in its memory."""
        results = []
        for plan, result in zip(plans, super().after_step(optimizer, plans), strict=True):
            if isinstance(plan, FusedLatentPlan) and result.latent is not plan.latent:
                latent = plan.latent.copy_(result.latent)
                optimizer.state[plan.term.param][LATENT] = latent
                result = StepResult(latent, result.threshold)
            results.append(result)
        return results

    def give_back(self, plans: list[LatentPlan], results: list[StepResult]) -> None:
        """The weights of latents whose weights the pass has not written."""
        self.plans = {}
        super().give_back(plans, results)


class FusedMetricStepper(MetricStepper):
    """The prox in the metric of the step, in the optimizer's own pass."""

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self.plans: dict[torch.Tensor, PassPlan] = {}

    def before_step(self, optimizer, plans: list[StepPlan]) -> None:
        """Plans for the penalties Σ a|w| + ½ b w²."""
        super().before_step(optimizer, plans)
        for plan in plans:
            p = plan.term.param
            slopes = l1_l2_of_all(plan.term.map.penalty, p)
            if slopes is None or not optimizer.takes(plan.group, p):
                continue
            sgd = isinstance(optimizer, torch.optim.SGD)
            pace = metric_of(optimizer, plan.group, {}).rate if sgd else float(plan.group["lr"])
            self.plans[p] = PassPlan(kernel.PROX, None, {"pace": pace, "a": slopes[0], "b": slopes[1]})

    def after_step(self, optimizer, plans: list[StepPlan]) -> list[StepResult]:
        """The prox where the pass has not done it."""
        return super().after_step(
            optimizer, [plan for plan in plans if not self.plans.get(plan.term.param, PassPlan()).done]
        )

    def give_back(self, plans: list[StepPlan], results: list[StepResult]) -> None:
        """As for any optimizer."""
        self.plans = {}
        super().give_back(plans, results)
