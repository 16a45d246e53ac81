"""Averages of weights over steps with exact zeros: the latents are averaged, and the prox is applied to their
average."""

from __future__ import annotations

import copy
import math
from functools import partial

import torch
from torch import nn

from shrinkwise.networks.distributed.processes import in_rounds
from shrinkwise.networks.distributed.shards import wrap
from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.methods.normal_map import LATENT, THRESHOLD, NormalMapStepper, full_precision


class Average:
    """An exponential moving average of a model's parameters, made by ``reg.averaged(decay)``; updated after every step.

    A penalised tensor is averaged as its latent z and read as prox_{t f}(average of z); a plain average of the weights
    has almost no zeros. Other parameters are averaged directly. Buffers (running statistics) are those of the model.

    ``with average: ...`` uses the averaged weights in the model within the block; `model` is a copy with them.
    """

    def __init__(self, stepper: NormalMapStepper, optimizer, model: nn.Module, decay: float):
        if isinstance(decay, bool) or not isinstance(decay, (int, float)) or not 0 < decay < 1:
            raise ValueError(
                f"Expected decay (the share of the average kept in each step) to be between 0 and 1, got {decay!r}"
            )
        self.decay, self.updates = float(decay), 0
        self._stepper, self._optimizer, self._model = stepper, optimizer, model
        self._maps = {id(term.param): term.map for term in stepper.terms}
        self._params = dict(model.named_parameters())
        self._means: dict[str, torch.Tensor] = {}
        self._thresholds: dict[str, float] = {}
        self._kept: dict[str, torch.Tensor] | None = None
        stepper.averages.append(self)

    @torch.no_grad()
    def update(self) -> None:
        """Include the current parameters. Called after each step."""
        self.updates += 1
        # Without the bias towards the start: the first update is the average itself.
        share = (1.0 - self.decay) / -math.expm1(self.updates * math.log(self.decay))
        self._rescale()
        for name, p in self._params.items():
            state = self._optimizer.state.get(p, {})
            value = local(
                state[LATENT] if LATENT in state and id(p) in self._maps else p.detach().to(full_precision(p))
            )
            mean = self._means.get(name)
            self._means[name] = value.clone() if mean is None else mean.lerp_(value, share)

    def _rescale(self) -> None:
        """Bring the averages of latents to the thresholds of now."""
        states = {name: self._optimizer.state.get(p, {}) for name, p in self._params.items()}
        now = {
            name: state[THRESHOLD]
            for name, state in states.items()
            if LATENT in state and id(self._params[name]) in self._maps
        }
        moved = [
            name for name, t in now.items() if name in self._means and self._thresholds.get(name) not in (None, 0.0, t)
        ]
        maps = [self._maps[id(self._params[name])] for name in moved]
        new = in_rounds(
            [
                partial(f.rescaled, self._means[name], self._thresholds[name], now[name])
                for f, name in zip(maps, moved, strict=True)
            ]
        )
        self._means.update(zip(moved, new, strict=True))
        self._thresholds.update(now)

    def weights(self) -> dict[str, torch.Tensor]:
        """The averaged parameters by name, zeros included."""
        if not self.updates:
            return {name: p.detach().clone() for name, p in self._params.items()}
        proxes = in_rounds(
            [
                partial(self._maps[id(self._params[name])].prox, self._means[name], t)
                for name, t in self._thresholds.items()
            ]
        )
        found = {**self._means, **dict(zip(self._thresholds, proxes, strict=True))}
        return {name: wrap(found[name].to(p.dtype), p) for name, p in self._params.items()}

    @property
    def model(self) -> nn.Module:
        """A copy of the model with the averaged parameters."""
        twin = copy.deepcopy(self._model)
        _fill(dict(twin.named_parameters()), self.weights())
        return twin

    def __enter__(self) -> nn.Module:
        self._kept = {name: p.detach().clone() for name, p in self._params.items()}
        _fill(self._params, self.weights())
        return self._model

    def __exit__(self, *exception) -> None:
        kept, self._kept = self._kept, None
        _fill(self._params, kept or {})

    def stop(self) -> None:
        """No more updates."""
        if self in self._stepper.averages:
            self._stepper.averages.remove(self)

    def state_dict(self) -> dict:
        """The state to resume from: averages, thresholds, number of updates."""
        return {
            "updates": self.updates,
            "decay": self.decay,
            "means": {name: wrap(mean, self._params[name]) for name, mean in self._means.items()},
            "thresholds": dict(self._thresholds),
        }

    def load_state_dict(self, state: dict) -> None:
        """Resume from `state_dict()`."""
        unknown = sorted(set(state["means"]) ^ (set(self._params) if state["updates"] else set()))
        if unknown:
            raise ValueError(
                f"This average belongs to another model, because {', '.join(unknown[:3])} is in only one of the two"
            )
        self.updates, self.decay = state["updates"], state["decay"]
        self._means = {name: local(mean).clone() for name, mean in state["means"].items()}
        self._thresholds = dict(state["thresholds"])


@torch.no_grad()
def _fill(params: dict[str, nn.Parameter], values: dict[str, torch.Tensor]) -> None:
    for name, value in values.items():
        params[name].copy_(value)
