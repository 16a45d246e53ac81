"""The normal map of one tensor: train a latent z, use w = prox_{t f}(z) in the model.

Any fixed point of an optimizer on z whose gradient is

    ∇L(w) + (λ/t) (z − w),        w = prox_{t f}(z)

is a stationary point of L + λ f, because (z − w)/t ∈ ∂f(w). λ is not in the prox, so changing it does not change
weights immediately.

This argument for stationarity holds for every optimizer; convergence is proved for SGD (reference) but not for adaptive
optimizers. Reference: Qiu, Jiang, Milzarek, A normal map-based proximal stochastic gradient method, arXiv 2305.05828.
"""

from __future__ import annotations

import copy
import functools
import math
from typing import Any, NamedTuple

import torch

from shrinkwise.networks.memory.layout import sampled
from shrinkwise.penalties import Penalty, Scaled, concavity, has_fixed, released

# Probing f this close to 0 shows its kink alone: what is left of a smooth part is below _SMOOTH.
_NEAR_ZERO, _SMOOTH = 1e-100, 1e-50
# A smooth penalty has no threshold. There t only scales z, here to w · 9/8 or so.
_SMOOTH_OFFSET = 1 / 8
# t is raised to this multiple of the mean length of a step, if it is shorter than that by this factor.
RATCHET_FACTOR, RATCHET_SLACK = 3.0, 1.05


class Kinks(NamedTuple):
    """How f zeroes: |w_i| or ‖w_g‖ (an entry or a group) is zeroed by a prox step of that over its radius."""

    radii: torch.Tensor  # one per entry or group, or a single one for all; 0 = never zeroed
    n_kinked: int  # entries or groups with a positive radius


class NormalMap:
    """The penalty λ f of a tensor, with f and λ apart, and what the normal map computes with them.

    Parameters
    ----------
    penalty : Penalty with a closed-form prox
    shape : shape of the tensor
    """

    stack: Any = None  # the tensors that its groups span, where there are several, and its place among them
    part: Any = None  # the part of the tensor, or of these, that is here
    place = 0
    is_whole = True  # whether all of the tensor is in this process

    def __init__(self, penalty: Penalty, shape):
        self._given = penalty
        self.has_fixed = has_fixed(penalty)
        self._f = released(penalty) if self.has_fixed else _of_lam_one(penalty)
        self.unit = self._f  # f on the tensor that z is
        self.is_constraint = penalty.constraint
        # f + ½ρ|w|² is convex; where t exceeds 1/ρ the prox jumps, and the latent cannot settle.
        bend = concavity(self.unit)
        self.longest = 0.5 / bend if bend else math.inf
        self._weightless = self.unit.with_lam(0.0)
        self.shape = self.local_shape = tuple(shape)
        self.factor = 1.0
        self.lam: float | torch.Tensor = 1.0 if self.has_fixed else float(penalty.lam)

    def set_lam(self, lam) -> None:
        """λ as a number ≥ 0, or as a tensor: one for each weight or, with groups, for each group."""
        self.lam = lam if isinstance(lam, torch.Tensor) and lam.dim() else float(lam)

    def checked(self, lam) -> None:
        """One sentence if `set_lam` cannot take this."""
        if not isinstance(lam, torch.Tensor) or not lam.dim():
            number = lam.item() if isinstance(lam, torch.Tensor) else lam
            self.unit.with_lam(number)
            return
        if not self.unit.lam_per_part:
            raise ValueError(
                f"Expected λ to be one number for {self.unit!r}; a tensor of them is for L1, L2, ElasticNet, GroupLasso"
            )
        groups = self.unit.groups
        shape = self.shape if groups is None else (groups.count(self.shape),)
        if tuple(lam.shape) != shape:
            what = "of the shape of the weights" if groups is None else "with one λ per group"
            raise ValueError(f"Expected λ to be a number or a tensor {what}, {shape}, got shape {tuple(lam.shape)}")
        if not bool(((lam >= 0) & (lam < math.inf)).all()):
            raise ValueError(
                "Expected λ (the regularization strength) to be finite and ≥ 0, got a negative, infinite or NaN entry"
            )

    def strength_like(self, z: torch.Tensor) -> float | torch.Tensor:
        """λ now, as a number or as a tensor that broadcasts with z."""
        if not isinstance(self.lam, torch.Tensor):
            return self.lam * self.factor
        lam = self.factor * self.lam.to(z)
        return lam if self.unit.groups is None else self.unit.groups.spread(lam, z)

    @property
    def penalty(self) -> Penalty:
        """λ f, with λ as it is now."""
        if not isinstance(self.lam, torch.Tensor):
            lam = self.lam * self.factor
            as_given = lam == (1.0 if self.has_fixed else float(self._given.lam))
            return self._given if as_given else self._f.with_lam(lam)
        each = self._f.strengths(torch.zeros(self.shape, dtype=torch.float64)) * self.lam.double().cpu()
        return copy.copy(self._f).set_params(weights=each.numpy()).with_lam(self.factor)

    @property
    def whole_unit(self) -> Penalty:
        """f of all weights."""
        return self._f

    @property
    def penalty_here(self) -> Penalty:
        """λ f on the tensor that is here: of a sharded one, the part."""
        return self.penalty

    def prox(self, z: torch.Tensor, t: float | torch.Tensor) -> torch.Tensor:
        """w = prox_{t f}(z)."""
        return self.unit.prox(z, t)

    def latent(self, w: torch.Tensor, t: float) -> torch.Tensor:
        """z = w + t · (a subgradient of f at w), so that prox_{t f}(z) = w; 0 at w = 0."""
        return w + t * self._subgradient(w) if t else w.clone()

    def threshold(self, w: torch.Tensor) -> float:
        """The default t: the mean over entries or groups of the step at which the prox zeroes them; 0 where w = 0."""
        if self.is_constraint:  # its prox is the projection whatever t is
            return 1.0
        if not self.smooth:
            return min(self.mean_zeroing_step(w), self.longest)
        slope = float(self._mean(self._subgradient(w).abs()))
        return _SMOOTH_OFFSET * float(self._mean(w.abs())) / slope if slope else 0.0

    def sample(self, z: torch.Tensor) -> torch.Tensor:
        """The entries of z at which lengths of steps are measured."""
        return sampled(z)

    def length(self, d: torch.Tensor) -> torch.Tensor:
        """Mean length of the entries d of a step, in the mean that the norms of `mean_zeroing_step` take."""
        return self._mean(d.abs()) if self.unit.separable else self._mean(d.square()).sqrt()

    def agreed(self, *flags: bool) -> list[bool]:
        """The flags; of a sharded tensor, whether each is up in some process."""
        return list(flags)

    def _mean(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean()

    def ratcheted(self, z: torch.Tensor, length: float, t: float) -> tuple[torch.Tensor, float]:
        """(z, t) after a step of this mean `length`: t raised where steps are long against it, with w = prox_{t f}(z) unmoved.

        A layer that starts at zero has no scale of its own; its first step gives it one.
        """
        if t == 0.0:
            t = self.threshold(z) if self.smooth else RATCHET_FACTOR * self.mean_zeroing_step(z)
            t = min(t, self.longest)
            return (self.latent(z, t), t) if math.isfinite(t) else (z, 0.0)
        if self.is_constraint or self.smooth:
            return z, t
        raised = min(RATCHET_FACTOR * length * self._zeroing_step_of_ones, self.longest)
        return (self.rescaled(z, t, raised), raised) if RATCHET_SLACK * t < raised < math.inf else (z, t)

    def rescaled(self, z: torch.Tensor, t: float | torch.Tensor, new: float | torch.Tensor) -> torch.Tensor:
        """The latent of the same weights and the same (z − w)/t for another t."""
        w = self.prox(z, t)
        return w + (z - w) * (new / t)

    @functools.cached_property
    def _zeroing_step_of_ones(self) -> float:
        return self.mean_zeroing_step(torch.ones(self.local_shape, dtype=torch.float64))

    def mean_zeroing_step(self, d: torch.Tensor) -> float:
        """Mean over entries or groups of the smallest t with prox_{t f}(d) = 0."""
        radii = self._kinks.radii.to(d)
        steps = self._weightless.violation(torch.zeros_like(d), d).reshape(-1) / radii
        return float(steps[(radii > 0).expand_as(steps)].mean())

    @property
    def smooth(self) -> bool:
        """True when f has no kink at 0 (ridge): its prox makes no zeros."""
        return self._kinks.n_kinked == 0

    @functools.cached_property
    def _kinks(self) -> Kinks:
        # ∂f(0) has the length of ∇f just beside 0, measured per entry or group as `violation` measures.
        beside = torch.full(self.local_shape, _NEAR_ZERO, dtype=torch.float64)
        radii = self._weightless.violation(torch.zeros_like(beside), self._subgradient(beside)).reshape(-1)
        radii = torch.where(radii > _SMOOTH, radii, torch.zeros_like(radii))
        same = bool(radii.numel()) and bool((radii == radii[0]).all())
        return Kinks(radii[:1].clone() if same else radii, self._n_kinked(radii))

    def _n_kinked(self, radii: torch.Tensor) -> int:
        return int((radii > 0).sum())

    def _subgradient(self, w: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            w = w.detach().requires_grad_()
            return torch.autograd.grad(self.unit.value(w), w)[0]

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name not in ("_kinks", "_zeroing_step_of_ones")}


def _of_lam_one(penalty: Penalty) -> Penalty:
    """f where the penalty is λ f; where f itself depends on λ (MCP), f at that λ, which λ then only multiplies."""
    if penalty.multiplicative or not penalty.lam:
        return penalty.with_lam(1.0)
    return Scaled(penalty, 1.0)
