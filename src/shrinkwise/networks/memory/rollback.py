"""A step of the one pass over memory, taken back: for it moves what it can before it is known that a gradient is not finite."""

from __future__ import annotations

from typing import Any

import torch

from shrinkwise.kernels.networks import optimizer as kernel


def taken_back_exactly(job) -> bool:
    """Whether `take_back` gives what was before, to the rounding: what enters the step must still be seen in what it left."""
    n = job.numbers
    if job.plan.latent is None:
        return True  # without a latent nothing is refused
    return job.algorithm != kernel.SGD and not n.get("direct") and n["keep"] > 0 and n.get("keep2", 1.0) > 0


def take_back(job) -> None:
    """Solve the step's equations (see `kernels.optimizer_reference`) for the latent, then for the moments.

    With y = x + rate·r·m after the step, x before it solves x − decoupled·w(x) = y, where w(x) = soft(x, t)·shrink is linear
    on either side of t, or known (PULL, whose weights the step only read).
    """
    flat: list[Any] = [None if array is None else _flat(array) for array in job.arrays]
    x, w, m, v, g = flat
    n, d = job.numbers, job.numbers["gain"] * g
    moved = torch.as_tensor(kernel.moving_chunks(d, job.algorithm))
    r = 1.0 if v is None else 1.0 / (v.sqrt() * n["scale"] + n["eps"])
    y, share = x + n["rate"] * r * m, n.get("decoupled", 0.0)
    if job.plan.mode == kernel.PULL:
        before, weight = y + share * w, w
    else:
        t, shrink = n["threshold"], n["shrink"]
        before = torch.where(y.abs() <= t, y, (y - share * shrink * t * y.sign()) / (1.0 - share * shrink))
        weight = (before - before.clamp(-t, t)) * shrink
    d = d + n.get("coupled", 0.0) * weight + n["slope"] * (before - weight)
    _restore(x, before, moved)
    _restore(m, (m - n["take"] * d) / n["keep"], moved)
    if v is not None:
        _restore(v, ((v - n["take2"] * d * d) / n["keep2"]).clamp_min(0.0), moved)


def _restore(x: torch.Tensor, before: torch.Tensor, moved: torch.Tensor) -> None:
    x.copy_(torch.where(moved, before, x))


def _flat(x: torch.Tensor) -> torch.Tensor:
    """The entries of a dense tensor in the order of its memory, as a view."""
    return x.detach().as_strided((x.numel(),), (1,))
