"""The penalty's gradient added to that of the parameters before the step, which is sufficient for smooth penalties."""

from __future__ import annotations

import torch

from shrinkwise.networks.distributed.shards import wrap
from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.step.optimizers_known import gradient_scale
from shrinkwise.networks.step.plan import ParameterStep, StepPlan
from shrinkwise.networks.step.stepper import Stepper
from shrinkwise.penalties import Penalty, has_constraint


class GradientStepper(Stepper[StepPlan]):
    """The optimizer's own step with ∇L(w) + λ ∇f(w)."""

    method = "gradient"

    def check(self, optimizer) -> None:
        """Raise ValueError for a penalty that is not smooth, and for options of the normal map."""
        for term in self.terms:
            if not is_smooth(term.map.penalty, tuple(term.map.shape)):
                raise ValueError(
                    f"{term.map.penalty!r} has kinks or bounds, for which method='gradient' gives no exact zeros; "
                    "use method='normal_map' or 'metric'"
                )
        if self.options.threshold is not None or self.options.start != "keep":
            raise ValueError("The options threshold and start are not available with method='gradient'; omit them")

    def plan_step(self, optimizer, moving: list[ParameterStep]) -> list[StepPlan]:
        """The optimizer uses the sum of both gradients."""
        scale, plans = float(gradient_scale(optimizer)), []
        for item in moving:
            term, grad = item.term, item.grad
            with torch.enable_grad():
                w = local(term.param).detach().requires_grad_()
                (slope,) = torch.autograd.grad(term.map.penalty_here.value(w), w)
            borrowed = wrap(local(grad) + scale * slope.to(grad.dtype), term.param)
            plans.append(StepPlan(term=term, group=item.group, user_grad=item.user_grad, borrowed=borrowed))
        return plans


def is_smooth(penalty: Penalty, shape: tuple) -> bool:
    """Whether the penalty is differentiable, as its pieces say, or as it looks from zero."""
    if has_constraint(penalty):
        return False
    pieces = penalty.pieces(torch.zeros(shape, dtype=torch.float64))
    if pieces is not None:
        return not pieces.kinked and not pieces.bounded
    # f(εv) + f(−εv) − 2f(0) falls as ε at a kink, as ε² where f is smooth. All kinks known have zero among their places.
    v = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    bend = [float(penalty.value(e * v) + penalty.value(-e * v) - 2 * penalty.value(0 * v)) for e in (1e-3, 2e-3)]
    return not bend[1] > 0 or bend[0] / bend[1] < 0.375
