"""Schedules of the keep probability during training."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from shrinkwise.dropout.inverted import check_keep

from .concrete import ConcreteDropout
from .noise import NoiseLayer

# The share of its drop probability that a layer has at time t in [0, 1] of the schedule.
_SHARES = {
    "constant": lambda t: 1.0,
    "linear": lambda t: t,
    "early": lambda t: 1.0 - t,
    "late": lambda t: float(t >= 1.0),
    "curriculum": lambda t: 1.0 - math.exp(-10.0 * t) if t < 1.0 else 1.0,
}


class KeepSchedule:
    """Change the `keep` of a model's dropout layers during training: 1 − keep(t) = share(t)·(1 − keep of the layer).

    | kind | share at t = step/steps, t ≤ 1 | after |
    |---|---|---|
    | constant | 1 | 1 |
    | linear | t | 1 |
    | early | 1 − t: reduces underfitting, ends without dropout | 0 |
    | late | 0: starts with dropout off | 1 |
    | curriculum | 1 − exp(−10 t): increases quickly from no noise to full noise | 1 |

    Parameters
    ----------
    model : nn.Module with dropout layers of this package (`convert` creates them from torch's)
    kind : str, one of the above
    steps : int > 0, the length of the schedule in calls of `step`
    keep : float in (0, 1], optional
        The target of all layers; by default each layer's current `keep`.

    Call `step()` once after each optimizer step (or epoch). `ConcreteDropout` learns its `keep` and is not changed.

    References: Morerio et al., Curriculum dropout, ICCV 2017, arXiv:1703.06229; Liu et al., Dropout reduces underfitting,
    ICML 2023, arXiv:2303.01500 (early and late).

    >>> from shrinkwise.dropout import Dropout
    >>> layer = Dropout(keep=0.5)
    >>> schedule = KeepSchedule(layer, "linear", steps=2)
    >>> before = layer.keep
    >>> schedule.step()
    >>> before, layer.keep
    (1.0, 0.75)
    """

    def __init__(self, model: nn.Module, kind: str, *, steps: int, keep: float | None = None):
        if kind not in _SHARES:
            raise ValueError(f"Expected kind to be one of {', '.join(_SHARES)}, got {kind!r}")
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"Expected steps to be a whole number above 0, got {steps!r}")
        self._layers = {
            name: m
            for name, m in model.named_modules()
            if isinstance(m, NoiseLayer) and not isinstance(m, ConcreteDropout)
        }
        if not self._layers:
            raise ValueError(
                "Expected a model with dropout layers of shrinkwise whose keep can be set, found none; "
                "shrinkwise.dropout.subnetworks.convert(model) creates them from torch's layers"
            )
        if keep is not None:
            keep = check_keep(keep, (), 'KeepSchedule(model, "linear", steps=1000, keep=0.8)')
        self.kind, self.steps, self.step_count = kind, steps, 0
        self.targets = {name: m.keep if keep is None else keep for name, m in self._layers.items()}
        self._apply()

    def step(self) -> None:
        """Advance by one step."""
        self.step_count += 1
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers from which `load_state_dict` resumes."""
        return {"kind": self.kind, "steps": self.steps, "step_count": self.step_count, "targets": dict(self.targets)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a `state_dict`; the layers get the `keep` of that step."""
        if set(state["targets"]) != set(self._layers):
            raise ValueError(
                f"Expected a state for the layers {sorted(self._layers)}, got one for {sorted(state['targets'])}"
            )
        self.kind, self.steps, self.step_count = state["kind"], state["steps"], state["step_count"]
        self.targets = dict(state["targets"])
        self._apply()

    def _apply(self) -> None:
        share = _SHARES[self.kind](min(1.0, self.step_count / self.steps))
        for name, layer in self._layers.items():
            layer.keep = 1.0 - share * (1.0 - self.targets[name])

    def __repr__(self) -> str:
        return f"KeepSchedule({self.kind}, step {self.step_count} of {self.steps}, {len(self._layers)} layers)"
