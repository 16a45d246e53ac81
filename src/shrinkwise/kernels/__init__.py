"""Speed only: C kernels behind one dispatch table. Each gives the same results as the reference beside it.

``kernels.gram_cd(...)`` runs the compiled kernel where the library is built and the reference otherwise;
``kernels.status()`` says which, and why. The environment variable SHRINKWISE_NO_KERNELS=1 hides the library.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from . import pool, reference

_F64 = np.ctypeslib.ndpointer(np.float64, flags="C_CONTIGUOUS")
_I64 = np.ctypeslib.ndpointer(np.int64, flags="C_CONTIGUOUS")
_SIMD = {4: "AVX-512", 3: "AVX2", 1: "baseline"}


@cache
def _library() -> tuple[ctypes.CDLL | None, str]:
    """The shared library, loaded once, or None with the reason."""
    if os.environ.get("SHRINKWISE_NO_KERNELS"):
        return None, "hidden by SHRINKWISE_NO_KERNELS"
    folder = Path(__file__).parent
    built = sorted(path for path in folder.glob("_shrinkwise*") if path.suffix in {".so", ".pyd", ".dylib"})
    if not built:
        return None, "not built (no C compiler when shrinkwise was installed?): reinstall with a C compiler on the PATH"
    try:
        library = ctypes.CDLL(str(built[0]))
        library.sw_gram_cd.restype = ctypes.c_int64
        library.sw_gram_cd.argtypes = [
            ctypes.c_int64, _F64, _F64, _F64, _F64, _F64, _I64, ctypes.c_double, ctypes.c_int64,
        ]  # fmt: skip
        library.sw_prox.restype = None
        library.sw_prox.argtypes = [
            ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int,
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        library.sw_simd_level.restype = ctypes.c_int64
    except (OSError, AttributeError) as error:
        return None, f"{built[0].name} does not load: {error}"
    return library, str(built[0])


def _compiled_gram_cd(G, a, b, w, r, tol, max_sweeps):
    return _library()[0].sw_gram_cd(len(w), G, a, b, w, r, np.empty(len(w), np.int64), tol, max_sweeps)


class _ProxJob(ctypes.Structure):
    _fields_ = (
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("rows", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("thresholds", ctypes.c_void_p),
        ("shrink", ctypes.c_double),
    )


_PROX_KINDS = {"separable": 0, "rows": 1, "columns": 2}


def _compiled_prox(kind, inputs, outputs, thresholds, shrinks):
    jobs = (_ProxJob * len(inputs))()
    for job, x, out, threshold, shrink in zip(jobs, inputs, outputs, thresholds, shrinks, strict=True):
        job.input, job.output, job.thresholds, job.shrink = (
            x.ctypes.data,
            out.ctypes.data,
            threshold.ctypes.data,
            shrink,
        )
        job.rows, job.columns = (1, x.size) if kind == "separable" else x.shape
    threads = pool.threads_for(sum(x.size for x in inputs))
    calls = pool.openmp() if threads > 1 else (None, None, None)
    is_double = inputs[0].dtype == np.float64 if inputs else False
    _library()[0].sw_prox(_PROX_KINDS[kind], is_double, len(inputs), ctypes.byref(jobs), threads, *calls)


# name -> (reference, compiled)
DISPATCH: dict[str, tuple[Callable, Callable]] = {
    "gram_cd": (reference.gram_cd, _compiled_gram_cd),
    "prox": (reference.prox, _compiled_prox),
}


def gram_cd(G, a, b, w, r, tol: float, max_sweeps: int) -> int:
    """Coordinate descent on ½w'Gw − c'w + Σ a|w| + ½Σ b w², in place in w and r = c − Gw; see `reference.gram_cd`."""
    return DISPATCH["gram_cd"][_library()[0] is not None](G, a, b, w, r, tol, max_sweeps)


def prox(kind: str, inputs, outputs, thresholds, shrinks) -> None:
    """Proximal maps of several C-contiguous arrays of one dtype (float32 or float64); see `reference.prox`.

    thresholds : float64 arrays, one value ("separable") or one a group;  shrinks : floats.
    """
    for x, out in zip(inputs, outputs, strict=True):
        if not (x.flags.c_contiguous and out.flags.c_contiguous and x.dtype == out.dtype == inputs[0].dtype):
            raise ValueError("expected C-contiguous arrays of one dtype")
        if x.dtype not in (np.float32, np.float64):
            raise TypeError(f"expected float32 or float64, got {x.dtype}")
    DISPATCH["prox"][_library()[0] is not None](kind, inputs, outputs, thresholds, shrinks)


def status() -> dict:
    """What runs: {"available", "path", "simd", "reason", "kernels"}."""
    library, where = _library()
    return {
        "available": library is not None,
        "path": where if library is not None else None,
        "simd": _SIMD[library.sw_simd_level()] if library is not None else "none",
        "reason": "loaded" if library is not None else where,
        "kernels": sorted(DISPATCH),
    }
