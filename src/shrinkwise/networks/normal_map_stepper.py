"""The normal map around a step: latents in, the optimizer's own step, weights out.

Before a step each penalised parameter takes the place of its latent z and its gradient the term (λ/t)(z − w). After it
z is kept in ``optimizer.state`` and the parameter holds w = prox_{t f}(z) again, its `.grad` as it was.

Memory: z alone. For the time of the step the parameter's data is z itself, and the gradient of the sum lies in the memory
of w, which the prox fills again. (Low-precision weights have no room for it: there it is a tensor of its own for that time.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from shrinkwise.penalties import l1_l2_of_all, prox_into

from .optimizers import gradient_scale, weight_decay
from .passes import lend, local, numbers
from .stepper import STEPS, Flight, Moving, Stepper, Term

LATENT, THRESHOLD = "shrinkwise_z", "shrinkwise_t"
# Lengths of steps are measured on at most so many entries of a tensor.
_SAMPLE, _LINE = 8_192, 16
# A short fine-tuning starts with t = .3 of the default and the weights as latents: the smallest third is zero at once.
_SHRUNK = 0.3


@dataclass
class Aloft(Flight):
    """A parameter that stands for its latent during a step."""

    latent: torch.Tensor = None  # type: ignore[assignment]
    threshold: float = 0.0
    storage: torch.Tensor = None  # type: ignore[assignment]  # the weights' own memory
    slope: float | torch.Tensor = 0.0  # of the term: λ/t, less the coupled weight decay
    shift: float = 0.0  # z moves by it times z − w, so that decoupled decay takes lr·wd·w and not lr·wd·z
    before: torch.Tensor | None = None  # some entries of z
    still: bool = False  # the step will not move it: no term, and z stays
    fresh: bool = False  # the latent is not in the optimizer's state yet

    def landed(self) -> torch.Tensor:
        """The latent after the step."""
        return self.term.param.data

    def separable_map(self) -> tuple[float, float] | None:
        """(threshold, shrink) where the weights are soft(z, threshold) · shrink, for all of them alike."""
        slopes = None if self.fresh else l1_l2_of_all(self.term.map.unit, self.latent)
        return None if slopes is None else (self.threshold * slopes[0], 1.0 / (1.0 + self.threshold * slopes[1]))


class NormalMapStepper(Stepper):
    """Any optimizer's steps on z with the gradient ∇L(w) + (λ/t)(z − w), w = prox_{t f}(z)."""

    method = "normal_map"

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self._left_at: dict[int, tuple] = {}

    def concerned_when_still(self, optimizer, p) -> bool:
        """State kept in full precision cannot meet low-precision weights, not even in a step that moves nothing."""
        return p.dtype != full_precision(p) and LATENT in optimizer.state.get(p, {})

    # --- before the step -------------------------------------------------------------------------------
    def lift(self, optimizer, moving: list[Moving]) -> None:
        """Latents in the parameters, the gradient of the sum in the memory of the weights."""
        flights = [self._plan(optimizer, *item) for item in moving]
        lent = [flight for flight in flights if not flight.still]
        finite = lend([(f.latent, f.lent, f.grad, f.slope, f.shift, f.separable_map()) for f in lent])
        if not all(finite):
            self._unlend(lent)
            raise FloatingPointError(
                not_finite([f.term.name for f, good in zip(lent, finite, strict=True) if not good])
            )
        self._flights = flights
        for flight in flights:
            p, z = flight.term.param, flight.latent
            if p.dtype != z.dtype:
                p.grad = None
                _cast_state(optimizer.state.get(p, {}), z.dtype)
            p.data, p.grad = z, flight.lent

    def _plan(self, optimizer, term: Term, group: dict, grad: torch.Tensor, still: bool) -> Aloft:
        p = term.param
        z, t, fresh = self._latent(optimizer, term)
        flight = Aloft(term, group, grad, None, z, t, p.data, still=still, fresh=fresh)
        if still:
            flight.lent = grad.to(z.dtype)
            return flight
        flight.lent = p.data if p.dtype == z.dtype else term.map.prox(z, t)
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
            flight.before = _sample(z).clone()
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

    def _latent(self, optimizer, term: Term) -> tuple[torch.Tensor, float, bool]:
        p, state = term.param, optimizer.state.get(term.param, {})
        if LATENT not in state:
            w, shrink = p.detach().to(full_precision(p)), self.options.start == "shrink"
            t = self.options.threshold or term.map.threshold(w) * (_SHRUNK if shrink else 1.0)
            return (w.clone() if shrink else term.map.latent(w, t)), t, True
        z, t = state[LATENT].to(p.device, full_precision(p)), state[THRESHOLD]
        if self._left_at.get(id(p)) != (p._version, p.data_ptr()) and not _close(p, term.map.prox(z, t)):
            z = term.map.latent(p.detach().to(z.dtype), t)
            self.say(f"the weights of {term.name} were changed from outside; its penalty goes on from the new ones")
        return z, t, False

    # --- after it ----------------------------------------------------------------------------------------
    def land(self, optimizer, flights: list[Aloft]) -> None:  # type: ignore[override]
        """The latents into the optimizer's state, with a longer threshold where steps are long against it."""
        flights = [flight for flight in flights if not flight.still]
        for flight in flights:
            flight.latent = flight.landed()
        measured = [(f, f.term.map.length(_sample(f.latent) - f.before)) for f in flights if f.before is not None]
        for (flight, _), length in zip(measured, numbers([length for _, length in measured]), strict=True):
            flight.latent, flight.threshold = flight.term.map.ratcheted(flight.latent, length, flight.threshold)
        for flight in flights:
            flight.fresh = False
            optimizer.state[flight.term.param].update({LATENT: flight.latent, THRESHOLD: flight.threshold})

    def restore(self, flights: list[Aloft]) -> None:  # type: ignore[override]
        """The parameters hold w = prox_{t f}(z) and the users' gradients again."""
        # A gradient that the step took away stays away.
        grads = [f.grad if f.term.param.grad is f.lent else f.term.param.grad for f in flights]
        for flight in flights:
            flight.term.param.grad = None
            flight.term.param.data = flight.storage
        self._weights_out([flight for flight in flights if not flight.still])
        for flight, grad in zip(flights, grads, strict=True):
            p = flight.term.param
            p.grad = grad
            self._left_at[id(p)] = (p._version, p.data_ptr())

    def _weights_out(self, flights: list[Aloft]) -> None:
        jobs = []
        for flight in flights:
            # A start that shrinks has weights that are no prox of their latents until it lands for the first time.
            unmapped = flight.fresh and self.options.start == "shrink"
            t = 0.0 if unmapped else flight.threshold
            jobs.append((flight.term.map.unit, flight.latent, t, flight.term.param))
        prox_into(jobs)

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
                state[LATENT] = term.map.latent(p.detach().to(state[LATENT].dtype), state[THRESHOLD])
                self._left_at[id(p)] = (p._version, p.data_ptr())


def not_finite(names: list[str]) -> str:
    """What to say of gradients with which no step can be made."""
    return (
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


def _sample(z: torch.Tensor) -> torch.Tensor:
    """Entries of z in evenly spaced cache lines, in the order of its memory."""
    z = local(z)
    flat = (z if z.is_contiguous() else z.as_strided((z.numel(),), (1,))).reshape(-1)
    lines = _SAMPLE // _LINE
    return flat if len(flat) < 2 * _SAMPLE else flat.as_strided((lines, _LINE), (len(flat) // lines, 1))


def _close(p: torch.Tensor, w: torch.Tensor) -> bool:
    # A prox computed elsewhere may differ in the last bits: by a few eps of its own numbers.
    eps = torch.finfo(p.dtype).eps
    largest = float(w.abs().max()) if w.numel() else 0.0
    return torch.allclose(p.detach().to(w.dtype), w, rtol=8 * eps, atol=8 * eps * largest, equal_nan=True)
