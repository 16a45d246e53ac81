"""What a penalised training step does beside the optimizer's own: passes over several arrays in one call."""

from __future__ import annotations

import ctypes

import numpy as np

from shrinkwise.kernels import pool
from shrinkwise.kernels.library import declare, layout, loaded_library, register, run

declare(
    "sw_training",
    None,
    *(ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p),
)
_LEND, _METRIC = 0, 1


class _TrainingJob(ctypes.Structure):
    _fields_ = (
        ("z", ctypes.c_void_p),
        ("w", ctypes.c_void_p),
        ("g", ctypes.c_void_p),
        ("size", ctypes.c_int64),
        *(
            (name, ctypes.c_double)
            for name in ("slope", "shift", "threshold", "shrink", "rate", "scale", "eps", "a", "b")
        ),
        ("infinite", ctypes.c_int64),
    )


layout("sw_training_layout", _TrainingJob)


def _call(kind, jobs, dtype):
    listed = (_TrainingJob * len(jobs))()
    for job, given in zip(listed, jobs, strict=True):
        for name, value in given.items():
            setattr(job, name, value.ctypes.data if isinstance(value, np.ndarray) else value)
    team = pool.team(sum(job.size for job in listed))
    loaded_library().sw_training(kind, dtype == np.float64, len(jobs), ctypes.byref(listed), *team)
    return listed


def lend_reference(latents, weights, grads, slopes, shifts, maps) -> list[bool]:
    """pull = z − w;  z ← z + shift · pull;  w ← g + slope · pull, array by array. Returns whether g was finite, for each.

    maps : None, or (threshold, shrink) with which w is soft(z, threshold) · shrink, so that it need not be read.
    """
    finite = [bool(np.isfinite(g).all()) for g in grads]
    for z, w, g, slope, shift, given in zip(latents, weights, grads, slopes, shifts, maps, strict=True):
        pull = z - (w if given is None else (z - np.clip(z, -given[0], given[0])) * z.dtype.type(given[1]))
        z += z.dtype.type(shift) * pull
        w[...] = g + z.dtype.type(slope) * pull
    return finite


def _lend(latents, weights, grads, slopes, shifts, maps):
    names = ("z", "w", "g", "slope", "shift", "threshold", "shrink")
    maps = [given or (-1.0, 1.0) for given in maps]
    rows = zip(latents, weights, grads, slopes, shifts, *zip(*maps, strict=True), strict=True)
    jobs = [{**dict(zip(names, row, strict=True)), "size": row[0].size} for row in rows]
    return [not job.infinite for job in _call(_LEND, jobs, latents[0].dtype)]


def metric_prox_reference(weights, squares, rates, scales, epsilons, l1, l2) -> None:
    """s = rate / (√v · scale + eps);  w ← soft(w, s·a) / (1 + s·b), array by array."""
    for w, v, rate, scale, eps, a, b in zip(weights, squares, rates, scales, epsilons, l1, l2, strict=True):
        step = w.dtype.type(rate) / (np.sqrt(v) * w.dtype.type(scale) + w.dtype.type(eps))
        threshold = step * w.dtype.type(a)
        w[...] = (w - np.clip(w, -threshold, threshold)) / (1 + step * w.dtype.type(b))


def _metric_prox(weights, squares, rates, scales, epsilons, l1, l2):
    names = ("w", "z", "rate", "scale", "eps", "a", "b")
    rows = zip(weights, squares, rates, scales, epsilons, l1, l2, strict=True)
    jobs = [{**dict(zip(names, row, strict=True)), "size": row[0].size} for row in rows]
    _call(_METRIC, jobs, weights[0].dtype)


register("lend", lend_reference, _lend)
register("metric_prox", metric_prox_reference, _metric_prox)


def lend(latents, weights, grads, slopes, shifts, maps) -> list[bool]:
    """The gradient of the sum in the memory of the weights; see `lend_reference`.

    C-contiguous arrays of one dtype (float32 or float64), distinct in memory; slopes and shifts are floats.
    """
    if not _checked(latents, weights, grads):
        return []
    return run("lend", latents, weights, grads, slopes, shifts, maps)


def metric_prox(weights, squares, rates, scales, epsilons, l1, l2) -> None:
    """The prox of Σ a|w| + ½ b w² in the metric of an adaptive optimizer, in place; see `metric_prox_reference`.

    weights, squares : C-contiguous arrays of one dtype (float32 or float64);  the others : floats.
    """
    if _checked(weights, squares):
        run("metric_prox", weights, squares, rates, scales, epsilons, l1, l2)


def _checked(*columns) -> bool:
    """Whether there is anything to do, with one sentence where a kernel would read what is not there."""
    for first, *others in zip(*columns, strict=True):
        for x in (first, *others):
            if not (x.flags.c_contiguous and x.dtype == columns[0][0].dtype and x.shape == first.shape):
                raise ValueError(
                    "Expected C-contiguous arrays of one dtype, and of one shape where they belong together"
                )
        if first.dtype not in (np.float32, np.float64):
            raise TypeError(f"Expected float32 or float64, got {first.dtype}")
    return bool(columns[0])
