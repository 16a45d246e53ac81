"""Speed only: C kernels behind one dispatch table. Each gives the same results as the reference beside it.

``kernels.gram_cd(...)`` runs the compiled kernel where the library is built and the reference otherwise;
``kernels.status()`` says which, and why. The environment variable SHRINKWISE_NO_KERNELS=1 hides the library.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

import numpy as np

from . import reference

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
        library.sw_simd_level.restype = ctypes.c_int64
    except (OSError, AttributeError) as error:
        return None, f"{built[0].name} does not load: {error}"
    return library, str(built[0])


def _compiled_gram_cd(G, a, b, w, r, tol, max_sweeps):
    return _library()[0].sw_gram_cd(len(w), G, a, b, w, r, np.empty(len(w), np.int64), tol, max_sweeps)


# name -> (reference, compiled)
DISPATCH = {"gram_cd": (reference.gram_cd, _compiled_gram_cd)}


def gram_cd(G, a, b, w, r, tol: float, max_sweeps: int) -> int:
    """Coordinate descent on ½w'Gw − c'w + Σ a|w| + ½Σ b w², in place in w and r = c − Gw; see `reference.gram_cd`."""
    return DISPATCH["gram_cd"][_library()[0] is not None](G, a, b, w, r, tol, max_sweeps)


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
