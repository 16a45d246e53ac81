"""The normal map around the steps of an optimizer: latents in, the optimizer's own step, weights out.

Before a step each penalised parameter takes the value of its latent z and its gradient the term (λ/t)(z − w). After it
the new z is kept in ``optimizer.state`` and the parameter holds w = prox_{t f}(z) again, its `.grad` as it was.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import chain

import torch

from shrinkwise.penalties import prox_into

from .normal_map import NormalMap
from .optimizers import gradient_scale, step_is_skipped, weight_decay

LATENT, THRESHOLD = "shrinkwise_z", "shrinkwise_t"


@dataclass
class Term:
    """A penalised parameter and its normal map."""

    name: str
    param: torch.nn.Parameter
    map: NormalMap
    rule: int
    note: str = ""


@dataclass
class Flight:
    """A parameter between the two hooks of a step: what it was, and what is to be done when it lands."""

    term: Term
    latent: torch.Tensor
    threshold: float
    grad: torch.Tensor  # the user's
    lent: torch.Tensor | None = None  # what stands in its place during the step
    decay: torch.Tensor | None = None  # what decoupled weight decay takes too much
    storage: torch.Tensor | None = None  # the low-precision weights, while the parameter holds full precision
    still: bool = False  # the step will not move it: no term, and z stays


@dataclass
class Stepper:
    """Acts around every real step of one optimizer on the given terms."""

    terms: list[Term]
    threshold: float | None = None  # t for all tensors; None = by rule
    max_norm: float | None = None  # of the gradient of the sum, over all parameters of the optimizer
    left: list[tuple[str, str]] = field(default_factory=list)  # parameters not penalised, and why
    notes: list[str] = field(default_factory=list)  # what happened since

    def __post_init__(self):
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._handles: list = []
        self._flights: list[Flight] = []
        self._left_at: dict[int, tuple] = {}
        self._incoming: dict[torch.nn.Parameter, dict] = {}

    # --- hooks -----------------------------------------------------------------------------------------
    def add_hooks(self, optimizer) -> None:
        """Register with the optimizer. A traced hook breaks a compiled step, hence the compiler is kept out."""
        off = torch.compiler.disable
        self._handles = [
            optimizer.register_step_pre_hook(off(self._before)),
            optimizer.register_step_post_hook(off(self._after)),
            optimizer.register_load_state_dict_pre_hook(self._before_loading),
            optimizer.register_load_state_dict_post_hook(self._after_loading),
        ]

    def remove_hooks(self) -> None:
        """Undo `add_hooks`."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __getstate__(self) -> dict:
        return {name: getattr(self, name) for name in ("terms", "threshold", "max_norm", "left", "notes")}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._start_afresh()

    @torch.no_grad()
    def _before(self, optimizer, args, kwargs):
        self.undo()
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
        for flight in flights:
            if not flight.still:
                self._land(optimizer, flight)
        self._restore(flights)

    # --- one step --------------------------------------------------------------------------------------
    @torch.no_grad()
    def _take_off(self, optimizer) -> None:
        # All that can be refused is refused before the first parameter moves.
        plans = []
        for term, group, still in self._moving(optimizer):
            plans.append((term, *self._latent(optimizer, term), weight_decay(optimizer, group), group.get("lr"), still))
        for plan in plans:
            self._lift(optimizer, *plan)
        if self.max_norm is not None and not step_is_skipped(optimizer):
            moving = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(moving, self.max_norm * float(gradient_scale(optimizer)))

    def _moving(self, optimizer):
        """(term, its parameter group, still) for the parameters that this step concerns."""
        skipped, terms = step_is_skipped(optimizer), {id(term.param): term for term in self.terms}
        for group in optimizer.param_groups:
            still = skipped or not group.get("lr", 1.0)
            for p in group["params"]:
                term = terms.get(id(p))
                if term is None or p.grad is None:
                    continue
                if p.grad.layout != torch.strided:
                    raise RuntimeError(
                        f"{term.name} has a sparse gradient, which misses most of the penalty; make it dense"
                    )
                # State kept in full precision cannot meet low-precision weights, not even in a step that moves nothing.
                if not still or (p.dtype != full_precision(p) and LATENT in optimizer.state.get(p, {})):
                    yield term, group, still

    def _latent(self, optimizer, term: Term) -> tuple[torch.Tensor, float]:
        p, state = term.param, optimizer.state.get(term.param, {})
        if LATENT not in state:
            w = p.detach().to(full_precision(p))
            t = term.map.threshold(w) if self.threshold is None else self.threshold
            return term.map.latent(w, t), t
        z, t = state[LATENT].to(p.device, full_precision(p)), state[THRESHOLD]
        if self._left_at.get(id(p)) != (p._version, p.data_ptr()) and not _close(p, term.map.prox(z, t)):
            z = term.map.latent(p.detach().to(z.dtype), t)
            note = f"the weights of {term.name} were changed from outside; its penalty goes on from the new ones"
            if note not in self.notes:
                self.notes.append(note)
            warnings.warn(note, stacklevel=2)
        return z, t

    def _lift(self, optimizer, term: Term, z, t: float, decays: tuple, lr, still: bool) -> None:
        p, (coupled, decoupled) = term.param, decays
        flight = Flight(term, z, t, p.grad, still=still)  # type: ignore[arg-type]
        w = p.detach() if p.dtype == z.dtype else term.map.prox(z, t)
        grad = flight.grad.to(z.dtype)
        if not still:
            pull = z - w
            # Coupled decay adds wd·z where wd·w is meant; decoupled decay takes lr·wd·z where lr·wd·w is meant.
            slope = (term.map.lam / t if t else 0.0) - coupled
            grad = grad + pull * (slope * gradient_scale(optimizer))
            flight.decay = pull * (lr * decoupled) if decoupled else None
        self._flights.append(flight)
        if p.dtype == z.dtype:
            p.copy_(z)
        else:
            # A step in low precision loses the small pulls: the optimizer sees full precision for the time of the step.
            flight.storage, p.grad = p.data, None
            p.data = z.clone()
            _cast_state(optimizer.state.get(p, {}), z.dtype)
        p.grad = flight.lent = grad

    def _land(self, optimizer, flight: Flight) -> None:
        term, p = flight.term, flight.term.param
        if flight.decay is not None:
            p.add_(flight.decay)
        z, t = p.detach(), flight.threshold
        if self.threshold is None:
            z, t = term.map.ratcheted(z, flight.latent, t)
        flight.latent.copy_(z)
        optimizer.state[p].update({LATENT: flight.latent, THRESHOLD: t})
        flight.threshold = t

    @torch.no_grad()
    def undo(self) -> None:
        """Bring the weights back if a step was interrupted between the hooks."""
        flights, self._flights = self._flights, []
        self._restore(flights)

    def _restore(self, flights: list[Flight]) -> None:
        """The parameters hold w = prox_{t f}(z) and the user's gradients again."""
        grads = [flight.grad if flight.term.param.grad is flight.lent else flight.term.param.grad for flight in flights]
        for flight in flights:
            if flight.storage is not None:
                flight.term.param.grad = None
                flight.term.param.data = flight.storage
        moved = [flight for flight in flights if not flight.still]
        prox_into([(f.term.map.unit, f.latent, f.threshold, f.term.param) for f in moved])
        for flight, grad in zip(flights, grads, strict=True):
            p = flight.term.param
            p.grad = grad
            self._left_at[id(p)] = (p._version, p.data_ptr())

    # --- checkpoints -----------------------------------------------------------------------------------
    def _before_loading(self, optimizer, state_dict) -> None:
        self.undo()
        saved = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        params = chain.from_iterable(group["params"] for group in optimizer.param_groups)
        # Lengths that differ are the optimizer's to refuse.
        self._incoming = {p: state_dict["state"].get(key, {}) for key, p in zip(saved, params, strict=False)}

    def _after_loading(self, optimizer) -> None:
        """Put back in full precision what loading cast to the type of low-precision parameters."""
        for term in self.terms:
            saved = self._incoming.get(term.param, {})
            if LATENT in saved and term.param.dtype != full_precision(term.param):
                state = optimizer.state[term.param]
                for key, value in saved.items():
                    if isinstance(value, torch.Tensor) and value.is_floating_point():
                        state[key] = value.to(state[key].device)
        self._incoming, self._left_at = {}, {}

    def forget(self, optimizer) -> None:
        """Take the latents out of the optimizer's state; the rest of it goes back to the parameters' type."""
        self.undo()
        self.notes.append("the penalty was detached")
        for term in self.terms:
            state = optimizer.state.get(term.param, {})
            if state.pop(LATENT, None) is not None:
                state.pop(THRESHOLD)
                _cast_state(state, term.param.dtype)


def full_precision(p: torch.Tensor) -> torch.dtype:
    """float64 for float64 parameters, else float32: the type of a latent."""
    return torch.float64 if p.dtype == torch.float64 else torch.float32


def _cast_state(state: dict, dtype: torch.dtype) -> None:
    for key, value in state.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point() and key != "step":
            state[key] = value.to(dtype)


def _close(p: torch.Tensor, w: torch.Tensor) -> bool:
    # A prox computed elsewhere may differ in the last bits: by a few eps of its own numbers.
    eps = torch.finfo(p.dtype).eps
    largest = float(w.abs().max()) if w.numel() else 0.0
    return torch.allclose(p.detach().to(w.dtype), w, rtol=8 * eps, atol=8 * eps * largest, equal_nan=True)
