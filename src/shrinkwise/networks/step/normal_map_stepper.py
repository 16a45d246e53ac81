"""The normal map around a step: latents in, the optimizer's own step, weights out.

Before a step each penalised parameter takes the place of its latent z and its gradient the term (λ/t)(z − w). After it
z is kept in ``optimizer.state`` and the parameter holds w = prox_{t f}(z) again, its `.grad` as it was.

Memory: z alone. For the time of the step the parameter's data is z itself, and the gradient of the sum lies in the memory
of w, which the prox fills again. (Low-precision weights have no room for it: there it is a tensor of its own for that time.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from shrinkwise.networks.distributed.processes import in_rounds
from shrinkwise.networks.distributed.shards import SharedGroups, SharedMap, put_proxes, wrap
from shrinkwise.networks.memory.kernels import lend, local, numbers
from shrinkwise.networks.optimizers.quirks import gradient_scale, step_is_skipped, weight_decay
from shrinkwise.penalties import l1_l2_of_all, prox_into

from .stepper import STEPS, Flight, Moving, Stepper, Term

LATENT, THRESHOLD = "shrinkwise_z", "shrinkwise_t"
# A short fine-tuning starts with t = .3 of the default and the weights as latents: the smallest third is zero at once.
_SHRUNK = 0.3


@dataclass
class Aloft(Flight):
    """A parameter that stands for its latent during a step. Of a sharded one: the part that is here."""

    latent: torch.Tensor = None  # type: ignore[assignment]
    threshold: float = 0.0
    storage: torch.Tensor = None  # type: ignore[assignment]  # the weights' own memory
    slope: float | torch.Tensor = 0.0  # of the term: λ/t, less the coupled weight decay
    shift: float = 0.0  # z moves by it times z − w, so that decoupled decay takes lr·wd·w and not lr·wd·z
    before: torch.Tensor = None  # type: ignore[assignment]  # some entries of z
    still: bool = False  # the step will not move it: no term, and z stays
    fresh: bool = False  # the latent is not in the optimizer's state yet
    written: bool = False  # the weights are those of the latent already

    def latent_after(self) -> torch.Tensor:
        """The latent after the step."""
        return local(self.term.param).data

    def separable_map(self) -> tuple[float, float] | None:
        """(threshold, shrink) where the weights are soft(z, threshold) · shrink, for all of them alike."""
        slopes = None if self.fresh else l1_l2_of_all(self.term.map.unit, self.latent)
        return None if slopes is None else (self.threshold * slopes[0], 1.0 / (1.0 + self.threshold * slopes[1]))


class NormalMapStepper(Stepper):
    """Any optimizer's steps on z with the gradient ∇L(w) + (λ/t)(z − w), w = prox_{t f}(z)."""

    method = "normal_map"

    def check(self, optimizer) -> None:
        """One sentence for sharded weights that have no room for a latent in full precision."""
        for term in self.terms:
            p = term.param
            if isinstance(term.map, SharedMap) and p.dtype != full_precision(p):
                raise ValueError(
                    f"{term.name} is sharded and {p.dtype}, which rounds small steps away; keep the parameters in float32 "
                    "and compute in less with FSDP2's MixedPrecisionPolicy"
                )

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self._left_at: dict[int, tuple] = {}

    def concerned_when_still(self, optimizer, p) -> bool:
        """State kept in full precision cannot meet low-precision weights, not even in a step that moves nothing.

        A first step at learning rate 0 is how checkpoints ask for the state that there will be
        (``torch.distributed.checkpoint``).
        """
        if LATENT in optimizer.state.get(p, {}):
            return p.dtype != full_precision(p)
        return not step_is_skipped(optimizer)

    # --- before the step -------------------------------------------------------------------------------
    def lift(self, optimizer, moving: list[Moving]) -> None:
        """Latents in the parameters, the gradient of the sum in the memory of the weights."""
        changed = self._changed(moving)
        flights = in_rounds(
            [partial(self._plan, optimizer, *item, new) for item, new in zip(moving, changed, strict=True)]
        )
        lent = [flight for flight in flights if not flight.still]
        finite = lend([(f.latent, local(f.lent), local(f.grad), f.slope, f.shift, f.separable_map()) for f in lent])
        if not all(finite):
            self._unlend(lent)
            raise not_finite(f.term.name for f, good in zip(lent, finite, strict=True) if not good)
        self._flights = flights
        for flight in flights:
            p, z = flight.term.param, flight.latent
            if p.dtype != z.dtype:
                p.grad = None
                _cast_state(optimizer.state.get(p, {}), z.dtype)
            local(p).data, p.grad = z, flight.lent

    def _changed(self, moving: list[Moving]) -> list[bool]:
        """Whether weights may have been changed since the last step, for each; in some process, if they are sharded.

        There gradients are looked at too, before anything moves: all processes refuse a step, or none.
        """
        changed = [self._left_at.get(id(item.term.param)) != _stamp(item.term.param) for item in moving]
        shared, asked = [], []
        for k, (term, _, grad, still) in enumerate(moving):
            if isinstance(term.map, SharedMap):
                bad = torch.isfinite(local(grad)).logical_not().any()
                flags = torch.stack([bad.new_tensor(changed[k]), bad & (not still)]).double()
                shared.append(k)
                asked.append(partial(term.map.part.total, flags))
        agreed = in_rounds(asked)
        found = torch.stack(agreed).tolist() if agreed else []
        if any(bad for _, bad in found):
            raise not_finite(moving[k].term.name for k, (_, bad) in zip(shared, found, strict=True) if bad)
        for k, (new, _) in zip(shared, found, strict=True):
            changed[k] = new > 0
        return changed

    def _plan(self, optimizer, term: Term, group: dict, grad: torch.Tensor, still: bool, changed: bool) -> Aloft:
        p = term.param
        z, t, fresh = self._latent(optimizer, term, still, changed)
        flight = Aloft(term, group, grad, None, z, t, local(p).data, still=still, fresh=fresh)
        if still:
            flight.lent = grad.to(z.dtype)
            return flight
        flight.lent = wrap(local(p).data, p) if p.dtype == z.dtype else term.map.prox(z, t)
        coupled, decoupled = weight_decay(optimizer, group)
        # Coupled decay adds wd·z where wd·w is meant.
        slope = (term.map.strength_like(z) / t if t else 0.0) - coupled
        flight.slope = slope * float(gradient_scale(optimizer))
        if decoupled:
            share = float(group["lr"]) * decoupled
            if not share < 1:
                raise ValueError(f"lr · weight_decay = {share:g} would erase {term.name}; expected less than 1")
            flight.shift = share / (1.0 - share)
        if self.options.threshold is None:
            flight.before = term.map.sample(z).clone()
        return flight

    @torch.no_grad()
    def undo(self) -> None:
        """Weights, latents and gradients back: a step that calls its parent's step is announced twice."""
        lent = [flight for flight in self._flights if not flight.still]
        super().undo()
        self._unlend(lent)

    def _unlend(self, flights: list[Aloft]) -> None:
        """Weights and latents as they were before `lend`."""
        for flight in flights:
            z, share, t = flight.latent, flight.shift / (1.0 + flight.shift), flight.threshold
            shifted = z.clone() if share else z
            # z = (1 − share) · shifted + share · prox(z), by an iteration whose error shrinks by share.
            for _ in range(4 if share else 0):
                z.copy_((1.0 - share) * shifted + share * flight.term.map.prox(z, t))
        self._weights_out(flights)

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
            self.say(f"the weights of {term.name} were changed from outside; its penalty goes on from the new ones")
        return z, t, False

    # --- after it ----------------------------------------------------------------------------------------
    def land(self, optimizer, flights: list[Aloft]) -> None:  # type: ignore[override]
        """The latents into the optimizer's state, with a longer threshold where steps are long against it."""
        for flight in flights:
            if flight.still and flight.fresh:
                p = flight.term.param
                optimizer.state[p].update({LATENT: wrap(flight.latent, p), THRESHOLD: flight.threshold})
        flights = [flight for flight in flights if not flight.still]
        for flight in flights:
            flight.latent = flight.latent_after()
        measured = [flight for flight in flights if flight.before is not None]
        early = [flight for flight in flights if isinstance(flight.term.map.unit.groups, SharedGroups)]
        # Norms of groups in several processes are asked for with the lengths of the steps: one message for all.
        done = in_rounds([*(partial(_length, flight) for flight in measured), *(partial(_put, f) for f in early)])
        asked = [
            partial(flight.term.map.ratcheted, flight.latent, length, flight.threshold)
            for flight, length in zip(measured, numbers(done[: len(measured)]), strict=True)
        ]
        for flight, (z, t) in zip(measured, in_rounds(asked), strict=True):
            flight.written = flight.written and t == flight.threshold
            flight.latent, flight.threshold = z, t
        for flight in flights:
            p, flight.fresh = flight.term.param, False
            optimizer.state[p].update({LATENT: wrap(flight.latent, p), THRESHOLD: flight.threshold})

    def restore(self, flights: list[Aloft]) -> None:  # type: ignore[override]
        """The parameters hold w = prox_{t f}(z) and the users' gradients again."""
        # A gradient that the step took away stays away.
        grads = [f.grad if f.term.param.grad is f.lent else f.term.param.grad for f in flights]
        for flight in flights:
            flight.term.param.grad = None
            local(flight.term.param).data = flight.storage
        self._weights_out([flight for flight in flights if not flight.still and not flight.written])
        for flight, grad in zip(flights, grads, strict=True):
            p = flight.term.param
            p.grad = grad
            self._left_at[id(p)] = _stamp(p)

    def _weights_out(self, flights: list[Aloft]) -> None:
        jobs = []
        for flight in flights:
            # A start that shrinks has weights that are no prox of their latents until it lands for the first time.
            unmapped = flight.fresh and self.options.start == "shrink"
            t = 0.0 if unmapped else flight.threshold
            jobs.append((flight.term.map.unit, flight.latent, t, local(flight.term.param)))
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
        for term in self.terms:
            state, p = optimizer.state.get(term.param, {}), term.param
            if LATENT in state:
                w = local(p).detach().to(state[LATENT].dtype)
                state[LATENT] = wrap(term.map.latent(w, state[THRESHOLD]), p)
                self._left_at[id(p)] = _stamp(p)


def not_finite(names) -> FloatingPointError:
    """What to say of gradients with which no step can be made."""
    return FloatingPointError(
        f"the gradient of {', '.join(names)} has NaN or infinite entries; nothing was changed: skip such steps (a GradScaler "
        "does) or lower the learning rate"
    )


def full_precision(p: torch.Tensor) -> torch.dtype:
    """float64 for float64 parameters, else float32: the type of a latent."""
    return torch.float64 if p.dtype == torch.float64 else torch.float32


def _cast_state(state: dict, dtype: torch.dtype) -> None:
    for key, value in state.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point() and key != "step":
            state[key] = value.to(dtype)


def _length(flight: Aloft) -> torch.Tensor:
    return flight.term.map.length(flight.term.map.sample(flight.latent).sub(flight.before))


def _put(flight: Aloft) -> None:
    """The weights of a latent into the memory that was lent for the step."""
    prox_into([(flight.term.map.unit, flight.latent, flight.threshold, flight.storage)])
    flight.written = True


def _stamp(p: torch.Tensor) -> tuple:
    """What differs when the parameter was written to, or given other memory."""
    here = local(p)
    return p._version, here._version, here.data_ptr()


def _close(p: torch.Tensor, w: torch.Tensor) -> bool:
    # A prox computed elsewhere may differ in the last bits: by a few eps of its own numbers.
    eps = torch.finfo(p.dtype).eps
    largest = float(w.abs().max()) if w.numel() else 0.0
    return torch.allclose(p.detach().to(w.dtype), w, rtol=8 * eps, atol=8 * eps * largest, equal_nan=True)
