"""Around the steps of an optimizer: hooks, closures, steps that are skipped, the schedule of λ, checkpoints.

What is done in a step is decided by the method: `NormalMapStepper`, `MetricStepper`, `GradientStepper`, `SupportStepper`.
"""

from __future__ import annotations

import math
import warnings
from itertools import chain
from typing import Generic, TypeVar

import torch

from shrinkwise.networks.terms.term import Term

from .checkpoint_record import GIVEN_THRESHOLD, LAM, METHOD, PREFIX, STEPS, check_record, record
from .optimizers_known import gradient_scale, step_is_skipped
from .plan import ParameterStep, StepOptions, StepPlan, StepResult

# A single step without any gradient may be chance: stochastic depth can drop everything that is trained.
_MANY_STEPS = 10

Plan = TypeVar("Plan", bound=StepPlan)


class Stepper(Generic[Plan]):
    """Acts around every real step of one optimizer on the given terms."""

    method = ""

    # Whether a parameter that backward did not reach in a step is penalised in it, with a gradient of the loss of 0.
    penalizes_unreached = True

    def __init__(
        self,
        terms: list[Term],
        options: StepOptions,
        left: list[tuple[str, str]] | None = None,
        waiting: list[Term] | None = None,
    ):
        self.terms, self.options = terms, options
        self.waiting = waiting or []  # chosen by the rules, but not in the optimizer yet
        self.left = left if left is not None else []  # parameters not penalised, and why
        self.notes: list[str] = []  # what happened since
        self.steps = 0
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.averages: list = []
        self._handles: list = []
        self._plans: list[Plan] = []
        self._counts = False
        self._reached: set[int] = set()  # parameters (by id) that backward has reached in some step
        self._unreached_steps = 0  # in a row
        self._incoming: dict[torch.nn.Parameter, dict] = {}

    # --- what a method does ----------------------------------------------------------------------------
    def plan_step(self, optimizer, moving: list[ParameterStep]) -> list[Plan]:
        """A plan for every parameter. Whatever has to be refused is refused here, before anything has changed."""
        raise NotImplementedError

    def before_step(self, optimizer, plans: list[Plan]) -> None:
        """Parameters and gradients as the optimizer shall see them."""
        for plan in plans:
            plan.borrow()

    def after_step(self, optimizer, plans: list[Plan]) -> list[StepResult]:
        """What the step has made of the latents, in the order of the plans; empty for methods without latents."""
        return []

    def give_back(self, plans: list[Plan], results: list[StepResult]) -> None:
        """Return the users' weights and gradients, after a step (with its results) or after an interrupted one (without)."""
        for plan in plans:
            plan.term.param.grad = plan.grad_to_return()

    def concerned_when_still(self, optimizer, p) -> bool:
        """Whether there is something to do around a step that does not move p."""
        return False

    def check(self, optimizer) -> None:
        """Raise an error, before anything is attached, if this method would enforce a different λ."""

    def take_over(self, optimizer) -> None:
        """What a checkpoint that was loaded before attaching left in the optimizer: the steps count on, latents are gone."""
        self.steps = int(optimizer.param_groups[0].get(STEPS, 0))
        for term in self.terms:
            state = optimizer.state.get(term.param, {})
            for key in [key for key in state if key.startswith(PREFIX)]:
                del state[key]

    def forget(self, optimizer) -> None:
        """Leave nothing of the method in the optimizer."""
        self.undo()
        for key in [key for key in optimizer.param_groups[0] if key.startswith(PREFIX)]:
            del optimizer.param_groups[0][key]

    # --- hooks -----------------------------------------------------------------------------------------
    def add_hooks(self, optimizer) -> None:
        """Register with the optimizer. A traced hook breaks a compiled step, hence the compiler is kept out."""
        off = torch.compiler.disable
        self._handles = []
        for register, hook in (
            (optimizer.register_step_pre_hook, off(self._before)),
            (optimizer.register_step_post_hook, off(self._after)),
            (optimizer.register_state_dict_pre_hook, self._before_saving),
            (optimizer.register_load_state_dict_pre_hook, self._before_loading),
            (optimizer.register_load_state_dict_post_hook, self._after_loading),
        ):
            self._handles.append(register(hook))  # one by one, so that `remove_hooks` undoes a registration that failed

    def remove_hooks(self) -> None:
        """Undo `add_hooks`."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __getstate__(self) -> dict:
        return {name: getattr(self, name) for name in ("terms", "options", "left", "notes", "steps", "waiting")}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._start_afresh()

    @torch.no_grad()
    def _before(self, optimizer, args, kwargs):
        self.undo()
        self._counts = False
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if closure is None:
            self._begin(optimizer)
            return None

        def at_the_weights():
            # The model must be evaluated at w, and the closure's zero_grad must not erase the added term.
            if self._plans:
                self.undo()
                raise RuntimeError(
                    f"{type(optimizer).__name__} runs its closure twice per step, which attach does not support"
                )
            loss = closure()
            self._begin(optimizer)
            return loss

        if "closure" in kwargs:
            return args, {**kwargs, "closure": at_the_weights}
        return (args[0], at_the_weights, *args[2:]), kwargs

    @torch.no_grad()
    def _after(self, optimizer, args, kwargs) -> None:
        plans, self._plans = self._plans, []
        results: list[StepResult] = []
        try:
            results = self.after_step(optimizer, plans)
        finally:
            self.give_back(plans, results)
        if self._counts:
            self.steps += 1
            for average in self.averages:
                average.update()

    def gradients_have_graphs(self) -> bool:
        """Whether a gradient of the step that is under way was made by backward(create_graph=True)."""
        return any(plan.user_grad is not None and plan.user_grad.requires_grad for plan in self._plans)

    @torch.no_grad()
    def undo(self) -> None:
        """Bring weights and gradients back if a step was interrupted between the hooks."""
        plans, self._plans = self._plans, []
        self.give_back(plans, [])

    # --- one step --------------------------------------------------------------------------------------
    def _begin(self, optimizer) -> None:
        self._follow_schedule()
        moving = self._moving(optimizer)
        self._counts = any(not item.still for item in moving)
        self._plans = self.plan_step(optimizer, moving)
        self.before_step(optimizer, self._plans)
        if self.options.max_norm is not None and self._plans and not step_is_skipped(optimizer):
            everything = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(everything, self.options.max_norm * float(gradient_scale(optimizer)))

    def _moving(self, optimizer) -> list[ParameterStep]:
        """The penalised parameters that this step concerns. It moves none if a scaler skips it or the learning rate is 0."""
        self.adopt(optimizer)
        skipped, terms = step_is_skipped(optimizer), {id(term.param): term for term in self.terms}
        self._count_reached(optimizer)
        found: list[ParameterStep] = []
        stacks = self._stacks_that_move(optimizer, skipped, terms)
        for group in optimizer.param_groups:
            for p in group["params"]:
                term = terms.get(id(p))
                if term is None:
                    continue
                still = stacks.get(term.map.stack, skipped or not group.get("lr", 1.0))
                taken_along = term.map.stack in stacks
                if p.grad is None and not taken_along and (still or not self._counts_as_zero(optimizer, p)):
                    continue
                self._reached.add(id(p))
                if p.grad is not None and p.grad.layout != torch.strided:
                    raise RuntimeError(
                        f"{term.name} has a sparse gradient, so most of its weights would not be penalised; use a "
                        "dense gradient"
                    )
                if not still or self.concerned_when_still(optimizer, p):
                    found.append(ParameterStep(term, group, p.grad, still))
        return found

    def _stacks_that_move(self, optimizer, skipped: bool, terms: dict[int, Term]) -> dict:
        """{stack: whether the step leaves it} of the tensors that groups span and that the step concerns: all, or none."""
        found: dict = {}
        if not self.penalizes_unreached:
            return found
        members = [
            (terms[id(p)], skipped or not group.get("lr", 1.0))
            for group in optimizer.param_groups
            for p in group["params"]
            if id(p) in terms and terms[id(p)].map.stack is not None
        ]
        for term, still in members:
            if term.param.grad is not None or (not still and self._counts_as_zero(optimizer, term.param)):
                found[term.map.stack] = found.get(term.map.stack, True) and still
        for term, _ in members:
            if not found.get(term.map.stack, True) and not term.param.requires_grad:
                raise ValueError(
                    f"{term.name} is frozen, but its groups have entries in tensors that are trained; freeze all of these or "
                    "none, or attach again"
                )
        return found

    def adopt(self, optimizer) -> None:
        """Penalize the parameters that the rules chose and that `add_param_group` has given to the optimizer since."""
        if not self.waiting:
            return
        trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
        arrived = [term for term in self.waiting if id(term.param) in trained]
        if arrived:
            self.waiting = [term for term in self.waiting if id(term.param) not in trained]
            self.terms.extend(arrived)
            names = {term.name for term in arrived}
            self.left[:] = [(name, why) for name, why in self.left if name not in names]

    def _counts_as_zero(self, optimizer, p) -> bool:
        """Whether a missing gradient is one that happens to be zero: the parameter had gradients in earlier steps.

        Stochastic depth and branches leave parameters out of some steps. Without the penalty in these, λ would be enforced in
        proportion to the others only. A parameter that was never reached is left alone.
        """
        return self.penalizes_unreached and p.requires_grad and (id(p) in self._reached or bool(optimizer.state.get(p)))

    def _count_reached(self, optimizer) -> None:
        if any(p.grad is not None for group in optimizer.param_groups for p in group["params"]):
            self._unreached_steps = 0
            return
        self._unreached_steps += 1
        if self._unreached_steps == _MANY_STEPS:
            self.say(
                f"No parameter of the optimizer had a gradient in {_MANY_STEPS} consecutive steps; if the model "
                "was replaced after attach, create a new optimizer and attach again"
            )

    def _follow_schedule(self) -> None:
        if self.options.schedule is None:
            return
        factor = self.options.schedule(self.steps)
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 <= factor < math.inf:
            raise ValueError(
                f"Expected the schedule to return a finite factor of λ ≥ 0, got {factor!r} at step {self.steps}"
            )
        for term in self.terms:
            term.map.factor = float(factor)

    def say(self, note: str) -> None:
        """Note it for the report, and warn the first time."""
        if note not in self.notes:
            self.notes.append(note)
            warnings.warn(note, stacklevel=2)

    # --- checkpoints -----------------------------------------------------------------------------------
    def _before_saving(self, optimizer) -> None:
        self.adopt(optimizer)
        optimizer.param_groups[0].update(record(self, optimizer))

    def _before_loading(self, optimizer, state_dict) -> None:
        self.undo()
        self.adopt(optimizer)
        check_record(self, optimizer, state_dict["param_groups"][0])
        saved = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        params = chain.from_iterable(group["params"] for group in optimizer.param_groups)
        # Lengths that differ are the optimizer's to refuse.
        self._incoming = {p: state_dict["state"].get(key, {}) for key, p in zip(saved, params, strict=False)}

    def _after_loading(self, optimizer) -> None:
        saved, self._incoming = optimizer.param_groups[0], {}
        if METHOD not in saved:
            self.say(
                "The checkpoint was saved without a penalty, so the penalty starts from its weights at the next step"
            )
            return
        self.steps = int(saved[STEPS])
        self.options.threshold = saved.get(GIVEN_THRESHOLD, self.options.threshold)
        for term in self.terms:
            if not term.map.has_fixed:
                term.map.set_lam(saved[f"{LAM}{term.rule + 1}"])
