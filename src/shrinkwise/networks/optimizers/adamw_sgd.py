"""Torch's AdamW and SGD with a step of one pass over memory on the CPU, which includes an attached penalty.

They are equivalent to torch's in options, state, checkpoints and `isinstance`; only the computation of the step
differs. If no kernel is available (other devices and types, AMSGrad, capturable, differentiable, no compiler at
installation), the step is torch's code.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass

import torch

from shrinkwise.kernels.networks import optimizer as kernel
from shrinkwise.networks.memory.layout import beside, in_pass, same_layout
from shrinkwise.networks.memory.rollback import take_back, taken_back_exactly
from shrinkwise.networks.step.arming import stepper_of
from shrinkwise.networks.step.optimizers_known import gradient_scale, step_is_skipped

from .fused_methods import FusedMetricStepper, FusedNormalMapStepper, PassPlan

_NO_PLAN = PassPlan()
_TORCHS = torch.optim.AdamW, torch.optim.SGD


@dataclass
class Job:
    """One parameter's step in the pass."""

    p: torch.Tensor
    plan: PassPlan
    algorithm: int
    arrays: tuple  # x, w, m, v, g
    numbers: dict
    made: tuple = ()  # keys of the state that were made for this step

    def row(self) -> tuple:
        """As the kernel takes it."""
        addresses = (0 if array is None else array.data_ptr() for array in self.arrays)
        return (*addresses, self.p.numel(), self.plan.mode, *(self.numbers.get(key, 0.0) for key in kernel.NUMBERS))


class _OnePass:
    """What the two have in common."""

    def takes(self, group: dict, p: torch.Tensor) -> bool:
        """Whether the pass takes this parameter of the group."""
        arrays = self._arrays(self.state.get(p, {}))  # type: ignore[attr-defined]
        fits = kernel.compiled() and self._options_fit(group) and in_pass(p)  # type: ignore[attr-defined]
        return fits and all(array is None or same_layout(p, array) for array in arrays)


class AdamW(_OnePass, torch.optim.AdamW):
    """AdamW with one pass over memory per step; a subclass of `torch.optim.AdamW` with equal results up to rounding.

    A penalty of `shrinkwise.attach` is part of this pass and adds almost no cost. The kernel supports dense float32 and
    float64 parameters on the CPU; torch's code is used for other devices and types, and for the options amsgrad,
    capturable and differentiable. `foreach` and `fused` select torch's code for these; with fused=True a GradScaler
    leaves the unscaling to the step, as with torch's.

    Parameters, state (`step`, `exp_avg`, `exp_avg_sq`) and checkpoints are those of `torch.optim.AdamW`, both ways.

    Reference: Loshchilov and Hutter, Decoupled weight decay regularization, arXiv 1711.05101.

    >>> import shrinkwise as sw
    >>> model = torch.nn.Linear(3, 1)
    >>> optimizer = sw.optim.AdamW(model.parameters(), lr=1e-3)
    >>> reg = sw.attach(optimizer, model, sw.L1(1e-4))
    """

    def step(self, closure=None):
        """One step. `closure`, if given, recomputes loss and gradients, and its loss is returned."""
        return (_uncompiled if torch.compiler.is_compiling() else _advance)(self, _TORCHS[0], closure)

    def _options_fit(self, group: dict) -> bool:
        return not (group["amsgrad"] or group["capturable"] or group["differentiable"])

    def _arrays(self, state: dict) -> tuple:
        return state.get("exp_avg"), state.get("exp_avg_sq")

    def _algorithm(self, p, group: dict) -> tuple[int, dict, tuple]:
        state = self.state[p]
        made = () if "exp_avg" in state else ("step", "exp_avg", "exp_avg_sq")
        if made:
            exact = torch.get_default_dtype() == torch.float64 and not group["fused"]
            state["step"] = torch.zeros((), dtype=torch.float64 if exact else torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = beside(p, 2), beside(p, 3)
        lr, (beta1, beta2), k = float(group["lr"]), map(float, group["betas"]), float(state["step"]) + 1.0
        numbers = {
            "decoupled": lr * group["weight_decay"],
            **{"keep": beta1, "take": 1.0 - beta1, "keep2": beta2, "take2": 1.0 - beta2},
            **{"rate": lr / (1.0 - beta1**k), "scale": 1.0 / math.sqrt(1.0 - beta2**k), "eps": group["eps"]},
        }
        return kernel.ADAM, numbers, made


class SGD(_OnePass, torch.optim.SGD):
    """SGD with one pass over memory per step; a subclass of `torch.optim.SGD` with equal results up to rounding.

    A penalty of `shrinkwise.attach` is part of this pass. The kernel supports dense float32 and float64 parameters on
    the CPU; torch's code is used for others and for sparse gradients.

    Parameters, state (`momentum_buffer`) and checkpoints are those of `torch.optim.SGD`, both ways.

    >>> import shrinkwise as sw
    >>> model = torch.nn.Linear(3, 1)
    >>> optimizer = sw.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> reg = sw.attach(optimizer, model, sw.L1(1e-4))
    """

    def step(self, closure=None):
        """One step. `closure`, if given, recomputes loss and gradients, and its loss is returned."""
        return (_uncompiled if torch.compiler.is_compiling() else _advance)(self, _TORCHS[1], closure)

    def _options_fit(self, group: dict) -> bool:
        return not group["differentiable"]

    def _arrays(self, state: dict) -> tuple:
        return state.get("momentum_buffer"), None

    def _algorithm(self, p, group: dict) -> tuple[int, dict, tuple]:
        momentum, numbers = group["momentum"], {"coupled": group["weight_decay"], "rate": float(group["lr"])}
        if not momentum:
            return kernel.SGD, numbers, ()
        state = self.state[p]
        made = () if state.get("momentum_buffer") is not None else ("momentum_buffer",)
        if made:  # the first buffer is the gradient itself, undampened
            state["momentum_buffer"] = beside(p, 2)
        numbers["keep"], numbers["take"] = (0.0, 1.0) if made else (momentum, 1.0 - group["dampening"])
        numbers["direct"], numbers["through"] = (1.0, momentum) if group["nesterov"] else (0.0, 1.0)
        return kernel.MOMENTUM, numbers, made


def _advance(optimizer, torchs, closure):
    """A step: penalised parameters first, for theirs may be refused; then the other ones of the pass; then torch's."""
    loss = None
    if closure is not None:
        with torch.enable_grad():
            loss = closure()
    plans = getattr(stepper_of(optimizer), "plans", {})
    taken = [
        (p, group)
        for group in optimizer.param_groups
        for p in group["params"]
        if p.grad is not None and p.grad.layout == torch.strided and optimizer.takes(group, p)
    ]
    if not taken or not step_is_skipped(optimizer):
        with torch.no_grad():
            jobs = [_job(optimizer, p, group, plans[p]) for p, group in taken if p in plans]
            _run_penalised(optimizer, jobs)
            others = [_job(optimizer, p, group, _NO_PLAN) for p, group in taken if p not in plans]
            _run(others)
            jobs += others
            counts = [optimizer.state[job.p]["step"] for job in jobs if job.algorithm == kernel.ADAM]
            if counts:
                torch._foreach_add_(counts, 1)
    _rest_by_torch(optimizer, torchs, {p for p, _ in taken})
    return loss


_uncompiled = torch.compiler.disable(_advance)


def _job(optimizer, p: torch.Tensor, group: dict, plan: PassPlan) -> Job:
    g: torch.Tensor = p.grad  # type: ignore[assignment]
    if not same_layout(p, g):
        g = torch.empty_like(p, memory_format=torch.preserve_format).copy_(g)
    algorithm, numbers, made = optimizer._algorithm(p, group)
    gain = 1.0 / float(gradient_scale(optimizer))
    numbers |= {"gain": -gain if group["maximize"] else gain, **plan.numbers}
    x, w = (p, None) if plan.latent is None else (plan.latent, p)
    return Job(p, plan, algorithm, (x, w, *optimizer._arrays(optimizer.state.get(p, {})), g), numbers, made)


def _run_penalised(optimizer, jobs: list[Job]) -> None:
    """All of them, or none and one sentence where a gradient is not finite."""
    refused = [job for job in jobs if not taken_back_exactly(job) and not _finite(job.arrays[-1])]
    if not refused:
        refused = _run(jobs)
        for job in jobs if refused else ():
            take_back(job)
    if refused:
        for job in jobs:
            for key in job.made:
                del optimizer.state[job.p][key]
            if not optimizer.state.get(job.p, True):
                del optimizer.state[job.p]
        stepper_of(optimizer).refuse(optimizer, {job.p for job in refused})
    for job in jobs:
        job.plan.done = True


def _finite(g: torch.Tensor) -> bool:
    total = float(g.sum())
    return total - total == 0 or bool(torch.isfinite(g).all())  # a sum may overflow where no entry does


def _run(jobs: list[Job]) -> list[Job]:
    """Run the pass; the jobs whose gradient is not finite, where there is a latent."""
    refused: list[Job] = []
    batches: dict[tuple, list[Job]] = {}
    for job in jobs:
        batches.setdefault((job.algorithm, job.p.dtype == torch.float64), []).append(job)
    for (algorithm, is_double), batch in batches.items():
        finite = kernel.optimizer(algorithm, is_double, [job.row() for job in batch])
        refused += [job for job, good in zip(batch, finite, strict=True) if not good]
        for job in batch:
            torch.autograd.graph.increment_version(job.p)  # written past torch
    return refused


def _rest_by_torch(optimizer, torchs, done: set) -> None:
    """Torch's step on the parameters that are not done, without the hooks that run around this one already."""
    hidden = {p: p.grad for p in done}
    if not any(p.grad is not None for group in optimizer.param_groups for p in group["params"] if p not in hidden):
        return
    step = inspect.unwrap(torchs.step, stop=lambda function: not getattr(function, "hooked", False))
    for p in hidden:
        p.grad = None
    try:
        step(optimizer)
    finally:
        for p, grad in hidden.items():
            p.grad = grad


for _class in (AdamW, SGD):
    # What `attach` asks of a step: who lets the penalty join it, and whose step it is to the rounding.
    _class.step.steppers = {cls.method: cls for cls in (FusedNormalMapStepper, FusedMetricStepper)}  # type: ignore[attr-defined, union-attr]
    _class.step.__wrapped__ = getattr(torch.optim, _class.__name__).step  # type: ignore[attr-defined, union-attr]
