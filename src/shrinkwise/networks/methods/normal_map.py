"""The normal map around a step: latents in, the optimizer's own step, weights out.

Before a step each penalised parameter takes the place of its latent z and its gradient the term (λ/t)(z − w). After it
z is kept in ``optimizer.state`` and the parameter holds w = prox_{t f}(z) again, its `.grad` as it was.

Memory: z alone. For the time of the step the parameter's data is z itself, and the gradient of the sum lies in the memory
of w, which the prox fills again. (Low-precision weights have no room for it: there it is a tensor of its own for that time.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch

from shrinkwise.networks.distributed.processes import in_rounds
from shrinkwise.networks.distributed.shards import SharedGroups, put_proxes, wrap
from shrinkwise.networks.memory.kernels import add_pull, local, numbers
from shrinkwise.networks.step.checkpoint_record import STEPS
from shrinkwise.networks.step.optimizers_known import gradient_scale, step_is_skipped, weight_decay
from shrinkwise.networks.step.plan import ParameterStep, StepPlan, StepResult
from shrinkwise.networks.step.stepper import Stepper
from shrinkwise.networks.terms.term import Term
from shrinkwise.penalties import l1_l2_of_all, prox_into

from .seen_weights import SeenWeights, changed_since, seen

LATENT, THRESHOLD = "shrinkwise_z", "shrinkwise_t"
# A short fine-tuning starts with t = .3 of the default and the weights as latents: the smallest third is zero at once.
_SHRUNK = 0.3


@dataclass(frozen=True, kw_only=True)
class LatentPlan(StepPlan):
    """A parameter that holds its latent during a step. Of a sharded one: the part that is here."""

    latent: torch.Tensor
    threshold: float
    weights: torch.Tensor  # the parameter's own memory
    slope: float | torch.Tensor = 0.0  # of the added term: λ/t, less the coupled weight decay
    shift: float = 0.0  # z moves by it times z − w, so that decoupled decay takes lr·wd·w and not lr·wd·z
    before: torch.Tensor | None = None  # sampled entries of z, from which the length of the step is measured
    still: bool = False  # the step will not move it: no term is added, and z stays
    fresh: bool = False  # the latent is not in the optimizer's state yet

    @property
    def separable_map(self) -> tuple[float, float] | None:
        """(threshold, shrink) where the weights are soft(z, threshold) · shrink, with the same two numbers for all."""
        slopes = None if self.fresh else l1_l2_of_all(self.term.map.unit, self.latent)
        return None if slopes is None else (self.threshold * slopes[0], 1.0 / (1.0 + self.threshold * slopes[1]))

    def latent_after(self) -> torch.Tensor:
        """The latent that the optimizer has left in the parameter."""
        return local(self.term.param).data

    def written_by_step(self) -> bool:
        """Whether the step itself has written the weights of the latent into the parameter's memory."""
        return False

    def untouched(self) -> StepResult:
        """The result of a step that was interrupted or moved nothing."""
        return StepResult(self.latent, self.threshold, fresh=self.fresh)


class NormalMapStepper(Stepper[LatentPlan]):
    """Any optimizer's steps on z with the gradient ∇L(w) + (λ/t)(z − w), w = prox_{t f}(z)."""

    method = "normal_map"

    def check(self, optimizer) -> None:
        """Raise ValueError for sharded weights that have no room for a latent in full precision."""
        for term in self.terms:
            p = term.param
            if not term.map.is_whole and p.dtype != full_precision(p):
                raise ValueError(
                    f"{term.name} is sharded and {p.dtype}, in which small steps are lost to rounding; keep the "
                    "parameters in float32 and use FSDP2's MixedPrecisionPolicy"
                )

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self._left_at: dict[int, SeenWeights] = {}

    def concerned_when_still(self, optimizer, p) -> bool:
        """State kept in full precision cannot meet low-precision weights, not even in a step that moves nothing.

        A first step at learning rate 0 is how checkpoints ask for the state that there will be
        (``torch.distributed.checkpoint``).
        """
        if LATENT in optimizer.state.get(p, {}):
            return p.dtype != full_precision(p)
        return not step_is_skipped(optimizer)

    # --- before the step -------------------------------------------------------------------------------
    def plan_step(self, optimizer, moving: list[ParameterStep]) -> list[LatentPlan]:
        """Latents and the terms to add."""
        changed = self._changed(moving)
        return in_rounds([partial(self._plan, optimizer, item, new) for item, new in zip(moving, changed, strict=True)])

    def before_step(self, optimizer, plans: list[LatentPlan]) -> None:
        """Latents in the parameters, the gradient of the sum in the memory of the weights."""
        moved = [plan for plan in plans if not plan.still]
        jobs = []
        for plan in moved:
            grad = torch.zeros_like(plan.latent) if plan.user_grad is None else local(plan.user_grad)
            jobs.append(
                (
                    plan.latent,
                    local(cast("torch.Tensor", plan.borrowed)),
                    grad,
                    plan.slope,
                    plan.shift,
                    plan.separable_map,
                )
            )
        finite = add_pull(jobs)
        if not all(finite):
            self.undo()
            raise not_finite(plan.term.name for plan, good in zip(moved, finite, strict=True) if not good)
        for plan in plans:
            p, z = plan.term.param, plan.latent
            if p.dtype != z.dtype:
                p.grad = None
                _cast_state(optimizer.state.get(p, {}), z.dtype)
            local(p).data = z
            plan.borrow()

    def _changed(self, moving: list[ParameterStep]) -> list[bool]:
        """Whether weights may have been changed since the last step, for each; in some process, if they are sharded.

        There gradients are looked at too, before anything moves: all processes refuse a step, or none.
        """
        changed = [changed_since(self._left_at.get(id(item.term.param)), item.term.param) for item in moving]
        shared, asked = [], []
        for k, item in enumerate(moving):
            if not item.term.map.is_whole:
                bad = torch.isfinite(local(item.grad)).logical_not().any()
                flags = torch.stack([bad.new_tensor(changed[k]), bad & (not item.still)]).double()
                shared.append(k)
                asked.append(partial(item.term.map.part.total, flags))
        agreed = in_rounds(asked)
        found = torch.stack(agreed).tolist() if agreed else []
        if any(bad for _, bad in found):
            raise not_finite(moving[k].term.name for k, (_, bad) in zip(shared, found, strict=True) if bad)
        for k, (new, _) in zip(shared, found, strict=True):
            changed[k] = new > 0
        # Tensors that groups span begin anew together.
        stacks = {item.term.map.stack for item, new in zip(moving, changed, strict=True) if new} - {None}
        return [new or item.term.map.stack in stacks for item, new in zip(moving, changed, strict=True)]

    def _plan(self, optimizer, item: ParameterStep, changed: bool) -> LatentPlan:
        term, p = item.term, item.term.param
        z, t, fresh = self._latent(optimizer, term, item.still, changed)
        known: dict[str, Any] = {
            "term": term,
            "group": item.group,
            "user_grad": item.user_grad,
            "latent": z,
            "threshold": t,
        }
        known |= {"weights": local(p).data, "fresh": fresh}
        if item.still:
            return LatentPlan(**known, still=True, borrowed=item.grad.to(z.dtype))
        coupled, decoupled = weight_decay(optimizer, item.group)
        # Coupled decay adds wd·z where wd·w is meant.
        slope = (term.map.strength_like(z) / t if t else 0.0) - coupled
        shift = 0.0
        if decoupled:
            share = float(item.group["lr"]) * decoupled
            if not share < 1:
                raise ValueError(f"Expected lr · weight_decay below 1, got {share:g}, which would erase {term.name}")
            shift = share / (1.0 - share)
        return LatentPlan(
            **known,
            borrowed=self._room(term, z, t),
            slope=slope * float(gradient_scale(optimizer)),
            shift=shift,
            before=term.map.sample(z).clone() if self.options.threshold is None else None,
        )

    def _room(self, term: Term, z: torch.Tensor, t: float) -> torch.Tensor | None:
        """Memory that holds w and takes the gradient of the sum: the weights' own, where their type is that of z."""
        p = term.param
        return wrap(local(p).data, p) if p.dtype == z.dtype else term.map.prox(z, t)

    @torch.no_grad()
    def undo(self) -> None:
        """Weights, latents and gradients back: a step that calls its parent's step is announced twice."""
        moved = [plan for plan in self._plans if not plan.still]
        super().undo()
        self._unpull(moved)

    def _unpull(self, plans: list[LatentPlan]) -> None:
        """Weights and latents as they were before `add_pull`."""
        shares = [plan.shift / (1.0 + plan.shift) for plan in plans]
        shifted = [plan.latent.clone() if share else plan.latent for plan, share in zip(plans, shares, strict=True)]
        # z = (1 − share) · shifted + share · prox(z), by an iteration whose error shrinks by share.
        for _ in range(4 if any(shares) else 0):
            proxes = in_rounds([partial(plan.term.map.prox, plan.latent, plan.threshold) for plan in plans])
            for plan, share, start, w in zip(plans, shares, shifted, proxes, strict=True):
                if share:
                    plan.latent.copy_((1.0 - share) * start + share * w)
        self._write_weights([(plan, plan.untouched()) for plan in plans])

    def _latent(self, optimizer, term: Term, still: bool, changed: bool) -> tuple[torch.Tensor, float, bool]:
        p, state = local(term.param).detach(), optimizer.state.get(term.param, {})
        if not state.get(THRESHOLD):  # a latent without a threshold is w
            w, shrink = p.to(full_precision(p)), self.options.start == "shrink"
            if still:
                return w.clone(), 0.0, True
            t = self.options.threshold or term.map.threshold(w) * (_SHRUNK if shrink else 1.0)
            return (w.clone() if shrink else term.map.latent(w, t)), t, True
        z, t = local(state[LATENT]).to(p.device, full_precision(p)), state[THRESHOLD]
        if changed and term.map.agreed(not _close(p, term.map.prox(z, t)))[0]:
            z = term.map.latent(p.to(z.dtype), t)
            name = term.name if term.map.stack is None else "tensors that groups span"
            self.say(f"The weights of {name} were changed by other code; the penalty continues from the new weights")
        return z, t, False

    # --- after it ----------------------------------------------------------------------------------------
    def after_step(self, optimizer, plans: list[LatentPlan]) -> list[StepResult]:
        """The latents into the optimizer's state, with a longer threshold where steps are long against it."""
        results = {id(plan): plan.untouched() for plan in plans if plan.still}
        moved = [plan for plan in plans if not plan.still]
        for plan, result in zip(moved, self._ratcheted(moved), strict=True):
            results[id(plan)] = result
        for plan in plans:
            if plan.fresh or not plan.still:
                p, result = plan.term.param, results[id(plan)]
                optimizer.state[p].update({LATENT: wrap(result.latent, p), THRESHOLD: result.threshold})
        return [results[id(plan)] for plan in plans]

    def _ratcheted(self, plans: list[LatentPlan]) -> list[StepResult]:
        results = {id(plan): StepResult(plan.latent_after(), plan.threshold, plan.written_by_step()) for plan in plans}
        measured = [plan for plan in plans if plan.before is not None]
        early = [plan for plan in plans if isinstance(plan.term.map.unit.groups, SharedGroups)]
        # Norms of groups in several processes are asked for with the lengths of the steps: one message for all.
        done = in_rounds(
            [
                *(partial(_length, plan, results[id(plan)].latent) for plan in measured),
                *(partial(_put, plan, results[id(plan)].latent) for plan in early),
            ]
        )
        for plan in early:
            results[id(plan)] = replace(results[id(plan)], written=True)
        asked = [
            partial(plan.term.map.ratcheted, results[id(plan)].latent, length, plan.threshold)
            for plan, length in zip(measured, numbers(done[: len(measured)]), strict=True)
        ]
        for plan, (z, t) in zip(measured, in_rounds(asked), strict=True):
            results[id(plan)] = StepResult(z, t, results[id(plan)].written and t == plan.threshold)
        return [results[id(plan)] for plan in plans]

    def give_back(self, plans: list[LatentPlan], results: list[StepResult]) -> None:
        """The parameters hold w = prox_{t f}(z) and the users' gradients again."""
        results = results or [plan.untouched() for plan in plans]
        grads = [plan.grad_to_return() for plan in plans]
        for plan in plans:
            plan.term.param.grad = None
            local(plan.term.param).data = plan.weights
        together = zip(plans, results, strict=True)
        self._write_weights([(plan, result) for plan, result in together if not plan.still and not result.written])
        for plan, grad in zip(plans, grads, strict=True):
            p = plan.term.param
            p.grad = grad
            self._left_at[id(p)] = seen(p, self._left_at.get(id(p)))

    def _write_weights(self, changes: list[tuple[LatentPlan, StepResult]]) -> None:
        jobs = []
        for plan, result in changes:
            # With start="shrink" the weights are no prox of their latents until the first step is done.
            unmapped = result.fresh and self.options.start == "shrink"
            t = 0.0 if unmapped else result.threshold
            jobs.append((plan.term.map.unit, result.latent, t, local(plan.term.param)))
        put_proxes(jobs)

    # --- checkpoints -----------------------------------------------------------------------------------
    def _after_loading(self, optimizer) -> None:
        """Put back in full precision what loading cast to the type of low-precision parameters."""
        for term in self.terms:
            saved = self._incoming.get(term.param, {})
            if LATENT in saved and term.param.dtype != full_precision(term.param):
                state = optimizer.state[term.param]
                for key, value in saved.items():
                    if isinstance(value, torch.Tensor) and value.is_floating_point():
                        state[key] = value.to(state[key].device)
        self._left_at = {}
        super()._after_loading(optimizer)

    def take_over(self, optimizer) -> None:
        """What a checkpoint that was loaded before attaching left in the optimizer, latents included."""
        self.steps = int(optimizer.param_groups[0].get(STEPS, 0))

    def forget(self, optimizer) -> None:
        """Take the latents out of the optimizer's state; the rest of it goes back to the parameters' type."""
        super().forget(optimizer)
        for term in self.terms:
            state = optimizer.state.get(term.param, {})
            if state.pop(LATENT, None) is not None:
                state.pop(THRESHOLD)
                _cast_state(state, term.param.dtype)

    def reseed(self, optimizer) -> None:
        """Latents for weights that this package changed itself."""
        terms = [term for term in self.terms if LATENT in optimizer.state.get(term.param, {})]
        states = [optimizer.state[term.param] for term in terms]
        weights = [local(term.param).detach().to(s[LATENT].dtype) for term, s in zip(terms, states, strict=True)]
        asked = zip(terms, weights, states, strict=True)
        latents = in_rounds([partial(term.map.latent, w, state[THRESHOLD]) for term, w, state in asked])
        for term, state, z in zip(terms, states, latents, strict=True):
            p = term.param
            state[LATENT] = wrap(z, p)
            self._left_at[id(p)] = seen(p, self._left_at.get(id(p)))


def not_finite(names) -> FloatingPointError:
    """The error for gradients that are not finite."""
    return FloatingPointError(
        f"The gradient of {', '.join(names)} has NaN or infinite entries, so the step was not made; skip such "
        "steps (as a GradScaler does) or lower the learning rate"
    )


def full_precision(p: torch.Tensor) -> torch.dtype:
    """float64 for float64 parameters, else float32: the type of a latent."""
    return torch.float64 if p.dtype == torch.float64 else torch.float32


def _cast_state(state: dict, dtype: torch.dtype) -> None:
    for key, value in state.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point() and key != "step":
            state[key] = value.to(dtype)


def _length(plan: LatentPlan, latent: torch.Tensor) -> torch.Tensor:
    return plan.term.map.length(plan.term.map.sample(latent).sub(cast("torch.Tensor", plan.before)))


def _put(plan: LatentPlan, latent: torch.Tensor) -> None:
    """The weights of a latent into the parameter's own memory."""
    prox_into([(plan.term.map.unit, latent, plan.threshold, plan.weights)])


def _close(p: torch.Tensor, w: torch.Tensor) -> bool:
    # A prox computed elsewhere may differ in the last bits: by a few eps of its own numbers.
    eps = torch.finfo(p.dtype).eps
    largest = float(w.abs().max()) if w.numel() else 0.0
    return torch.allclose(p.detach().to(w.dtype), w, rtol=8 * eps, atol=8 * eps * largest, equal_nan=True)
