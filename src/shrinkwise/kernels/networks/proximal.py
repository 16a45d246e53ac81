"""Proximal maps of several arrays in one call, for training steps."""

from __future__ import annotations

import ctypes

import numpy as np

from shrinkwise.kernels import pool, reference
from shrinkwise.kernels.library import declare, layout, loaded_library, register, run

declare(
    "sw_prox",
    None,
    *(ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p),
)
_KINDS = {"separable": 0, "rows": 1, "columns": 2}


class _ProxJob(ctypes.Structure):
    _fields_ = (
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("rows", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("thresholds", ctypes.c_void_p),
        ("shrink", ctypes.c_double),
    )


layout("sw_prox_layout", _ProxJob)


def _compiled(kind, inputs, outputs, thresholds, shrinks):
    jobs = (_ProxJob * len(inputs))()
    for job, x, out, threshold, shrink in zip(jobs, inputs, outputs, thresholds, shrinks, strict=True):
        job.input, job.output, job.thresholds = x.ctypes.data, out.ctypes.data, threshold.ctypes.data
        job.shrink = shrink
        job.rows, job.columns = (1, x.size) if kind == "separable" else x.shape
    team = pool.team(sum(x.size for x in inputs))
    is_double = inputs[0].dtype == np.float64 if inputs else False
    loaded_library().sw_prox(_KINDS[kind], is_double, len(inputs), ctypes.byref(jobs), *team)


register("prox", reference.prox, _compiled)


def prox(kind: str, inputs, outputs, thresholds, shrinks) -> None:
    """Proximal maps of several C-contiguous arrays of one dtype (float32 or float64); see `reference.prox`.

    thresholds : float64 arrays, one value ("separable") or one per group;  shrinks : floats.
    """
    for x, out in zip(inputs, outputs, strict=True):
        if not (x.flags.c_contiguous and out.flags.c_contiguous and x.dtype == out.dtype == inputs[0].dtype):
            raise ValueError("Expected C-contiguous arrays of one dtype")
        if x.dtype not in (np.float32, np.float64):
            raise TypeError(f"Expected float32 or float64, got {x.dtype}")
    run("prox", kind, inputs, outputs, thresholds, shrinks)
