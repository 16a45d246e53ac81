"""Passes over the memory of several tensors: by kernels on the processor, by torch elsewhere."""

from __future__ import annotations

import torch

from shrinkwise import kernels


def add_pull(jobs) -> list[bool]:
    """pull = z − w;  z ← z + shift · pull;  w ← g + slope · pull for every (z, w, g, slope, shift, map) of `jobs`.

    The gradient of the sum, in the memory of the weights. `slope` is a number, or a tensor that broadcasts with z; `map`
    is (threshold, shrink) where w is soft(z, threshold) · shrink, else None. Returns whether g is finite, for each.
    """
    finite = [True] * len(jobs)
    together: dict[torch.dtype, list[int]] = {}
    sums: dict[int, torch.Tensor] = {}
    for k, (z, w, g, slope, shift, _) in enumerate(jobs):
        if isinstance(slope, float) and all(map(in_reach, (z, w, g))) and z.dtype == w.dtype == g.dtype:
            together.setdefault(z.dtype, []).append(k)
            continue
        sums[k] = local(g).sum(dtype=z.dtype)
        pull = w.sub_(z).neg_()
        if shift:
            z.add_(pull, alpha=shift)
        pull.mul_(slope).add_(g)
    for some in together.values():
        z, w, g = ([jobs[k][column].detach().numpy() for k in some] for column in range(3))
        slopes, shifts, maps = ([jobs[k][column] for k in some] for column in (3, 4, 5))
        for k, good in zip(some, kernels.lend(z, w, g, slopes, shifts, maps), strict=True):
            finite[k] = good
    for k, total in zip(sums, numbers(list(sums.values())), strict=True):
        # A sum may overflow where no entry does.
        finite[k] = total - total == 0 or bool(torch.isfinite(local(jobs[k][2])).all())
    return finite


def metric_prox(jobs) -> None:
    """s = rate/(√v · scale + eps);  w ← soft(w, s·a)/(1 + s·b) for every (w, v, rate, scale, eps, a, b) that kernels
    support."""
    together: dict[torch.dtype, list[tuple]] = {}
    for job in jobs:
        together.setdefault(job[0].dtype, []).append(job)
    for some in together.values():
        columns = list(zip(*some, strict=True))
        arrays = [[x.detach().numpy() for x in column] for column in columns[:2]]
        kernels.metric_prox(*arrays, *columns[2:])
        for w in columns[0]:
            torch.autograd.graph.increment_version(w)  # written past torch


def numbers(scalars: list[torch.Tensor]) -> list[float]:
    """The values of scalar tensors, fetched from a device at once."""
    return torch.stack([x.to(scalars[0]) for x in scalars]).tolist() if scalars else []


def local(x: torch.Tensor) -> torch.Tensor:
    """The part of a distributed tensor that is here, on its memory; any other tensor itself."""
    # Not to_local(): of a parameter it is another view, and `.data` has to be exchanged on the tensor itself.
    here = getattr(x, "_local_tensor", x)
    return here.wait() if hasattr(here, "wait") else here


def in_reach(x: torch.Tensor) -> bool:
    """Whether a kernel can work on this tensor's memory."""
    plain = type(x) in (torch.Tensor, torch.nn.Parameter) and x.device.type == "cpu"
    return plain and x.dtype in (torch.float32, torch.float64) and x.is_contiguous()
