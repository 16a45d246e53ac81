"""Around the steps of an optimizer: hooks, closures, steps that are skipped, the schedule of λ, checkpoints.

What is done in a step is the method's: `NormalMapStepper`, `MetricStepper`, `GradientStepper`, `SupportStepper`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import torch

from shrinkwise.networks.distributed.shards import whole
from shrinkwise.networks.methods.normal_map import NormalMap
from shrinkwise.networks.optimizers.quirks import gradient_scale, step_is_skipped

PREFIX = "shrinkwise_"
METHOD, STEPS, GIVEN_THRESHOLD, LAM = (PREFIX + key for key in ("method", "steps", "threshold", "lam_"))


@dataclass
class Term:
    """A penalised parameter and its penalty."""

    name: str
    param: torch.nn.Parameter
    map: NormalMap
    rule: int
    note: str = ""

    def whole(self) -> torch.Tensor:
        """The weights; those of a sharded parameter from all processes, each of which has to ask."""
        return whole(self.param.detach())

    def value(self) -> float:
        """λ f(w)."""
        return float(self.map.penalty.value(self.whole()))


@dataclass
class Options:
    """How the penalty acts; see `attach`."""

    threshold: float | None = None  # t for all tensors; None = by rule
    max_norm: float | None = None  # of the gradient of the sum, over all parameters of the optimizer
    schedule: Callable[[int], float] | None = None
    start: str = "keep"


class Moving(NamedTuple):
    """A penalised parameter that a step concerns."""

    term: Term
    group: dict  # of the optimizer's
    grad: torch.Tensor  # the user's
    still: bool  # the step will not move it


@dataclass
class Flight:
    """A parameter between the two hooks of a step: what it was, and what is to be done when it lands."""

    term: Term
    group: dict
    grad: torch.Tensor  # the user's
    lent: torch.Tensor | None = None  # what stands in its place during the step


class Stepper:
    """Acts around every real step of one optimizer on the given terms."""

    method = ""

    def __init__(self, terms: list[Term], options: Options, left: list[tuple[str, str]] | None = None):
        self.terms, self.options = terms, options
        self.left = left if left is not None else []  # parameters not penalised, and why
        self.notes: list[str] = []  # what happened since
        self.steps = 0
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.averages: list = []
        self._handles: list = []
        self._flights: list = []
        self._counts = False
        self._incoming: dict[torch.nn.Parameter, dict] = {}

    # --- what a method does ----------------------------------------------------------------------------
    def lift(self, optimizer, moving: list[Moving]) -> None:
        """Before the step: fill `_flights`, lend gradients. Whatever is to be refused is refused before the first change."""

    def concerned_when_still(self, optimizer, p) -> bool:
        """Whether there is something to do around a step that does not move p."""
        return False

    def land(self, optimizer, flights: list) -> None:
        """After the step."""

    def restore(self, flights: list) -> None:
        """Give the users' gradients back, after the step or after one that was interrupted."""
        for flight in flights:
            p = flight.term.param
            if flight.lent is not None and p.grad is flight.lent:
                p.grad = flight.grad

    def check(self, optimizer) -> None:
        """One sentence, before anything is attached, where this method would enforce another λ."""

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
        self._handles = [
            optimizer.register_step_pre_hook(off(self._before)),
            optimizer.register_step_post_hook(off(self._after)),
            optimizer.register_state_dict_pre_hook(self._before_saving),
            optimizer.register_load_state_dict_pre_hook(self._before_loading),
            optimizer.register_load_state_dict_post_hook(self._after_loading),
        ]

    def remove_hooks(self) -> None:
        """Undo `add_hooks`."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __getstate__(self) -> dict:
        return {name: getattr(self, name) for name in ("terms", "options", "left", "notes", "steps")}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._start_afresh()

    @torch.no_grad()
    def _before(self, optimizer, args, kwargs):
        self.undo()
        self._counts = False
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if closure is None:
            self._take_off(optimizer)
            return None

        def at_the_weights():
            # The model must be evaluated at w, and the closure's zero_grad must not erase the added term.
            if self._flights:
                self.undo()
                raise RuntimeError(
                    f"{type(optimizer).__name__} runs its closure twice a step, which attach cannot follow"
                )
            loss = closure()
            self._take_off(optimizer)
            return loss

        if "closure" in kwargs:
            return args, {**kwargs, "closure": at_the_weights}
        return (args[0], at_the_weights, *args[2:]), kwargs

    @torch.no_grad()
    def _after(self, optimizer, args, kwargs) -> None:
        flights, self._flights = self._flights, []
        try:
            self.land(optimizer, flights)
        finally:
            self.restore(flights)
        if self._counts:
            self.steps += 1
            for average in self.averages:
                average.update()

    @torch.no_grad()
    def undo(self) -> None:
        """Bring weights and gradients back if a step was interrupted between the hooks."""
        flights, self._flights = self._flights, []
        self.restore(flights)

    # --- one step --------------------------------------------------------------------------------------
    def _take_off(self, optimizer) -> None:
        self._follow_schedule()
        moving = self._moving(optimizer)
        self._counts = any(not item.still for item in moving)
        self.lift(optimizer, moving)
        if self.options.max_norm is not None and self._flights and not step_is_skipped(optimizer):
            everything = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(everything, self.options.max_norm * float(gradient_scale(optimizer)))

    def _moving(self, optimizer) -> list[Moving]:
        """The penalised parameters that this step concerns. It moves none if a scaler skips it or the learning rate is 0."""
        skipped, terms = step_is_skipped(optimizer), {id(term.param): term for term in self.terms}
        found, gradients = [], False
        for group in optimizer.param_groups:
            still = skipped or not group.get("lr", 1.0)
            for p in group["params"]:
                gradients = gradients or p.grad is not None
                term = terms.get(id(p))
                if term is None or p.grad is None:
                    continue
                if p.grad.layout != torch.strided:
                    raise RuntimeError(
                        f"{term.name} has a sparse gradient, which misses most of the penalty; make it dense"
                    )
                if not still or self.concerned_when_still(optimizer, p):
                    found.append(Moving(term, group, p.grad, still))
        if not gradients:
            self.say(
                "no parameter of the optimizer has a gradient at its step: was the model made anew after attach? Then make "
                "optimizer and attach anew too"
            )
        return found

    def _follow_schedule(self) -> None:
        if self.options.schedule is None:
            return
        factor = self.options.schedule(self.steps)
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 <= factor < math.inf:
            raise ValueError(
                f"expected the schedule to give a finite factor of λ ≥ 0, got {factor!r} at step {self.steps}"
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
        # Plain numbers in a parameter group pass through every framework's checkpoint.
        given = {METHOD: self.method, STEPS: self.steps}
        given.update({f"{LAM}{term.rule + 1}": term.map.lam for term in self.terms})
        if self.options.threshold is not None:
            given[GIVEN_THRESHOLD] = self.options.threshold
        optimizer.param_groups[0].update(given)

    def _before_loading(self, optimizer, state_dict) -> None:
        self.undo()
        self._check_incoming(state_dict["param_groups"][0])
        saved = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        params = chain.from_iterable(group["params"] for group in optimizer.param_groups)
        # Lengths that differ are the optimizer's to refuse.
        self._incoming = {p: state_dict["state"].get(key, {}) for key, p in zip(saved, params, strict=False)}

    def _check_incoming(self, saved: dict) -> None:
        if METHOD not in saved:
            return
        if saved[METHOD] != self.method:
            how = "call reg.refit()" if saved[METHOD] == "refit" else f"attach with method={saved[METHOD]!r}"
            raise ValueError(
                f"this checkpoint was saved with method {saved[METHOD]!r}, but the optimizer is attached with "
                f"{self.method!r}; {how} before loading it"
            )
        rules = {f"{LAM}{term.rule + 1}" for term in self.terms}
        theirs = {key for key in saved if key.startswith(LAM)}
        if rules != theirs:
            numbers = [sorted(int(key[len(LAM) :]) for key in keys) for keys in (theirs, rules)]
            raise ValueError(
                f"this checkpoint was saved with the rules {numbers[0]} at work, here {numbers[1]} are; attach the same "
                "rules before loading it"
            )

    def _after_loading(self, optimizer) -> None:
        saved, self._incoming = optimizer.param_groups[0], {}
        if METHOD not in saved:
            self.say("the checkpoint was saved without the penalty, which starts from the weights at the next step")
            return
        self.steps = int(saved[STEPS])
        self.options.threshold = saved.get(GIVEN_THRESHOLD, self.options.threshold)
        for term in self.terms:
            if not term.map.has_fixed:
                term.map.set_lam(saved[f"{LAM}{term.rule + 1}"])
