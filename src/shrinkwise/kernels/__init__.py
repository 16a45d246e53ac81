"""Speed only: C kernels behind one dispatch table. Each gives the same results as the reference beside it.

One module a kernel: its C signature, its compiled call, its door (``kernels.gram_cd(...)`` runs the compiled kernel where
the library is built and the reference otherwise; `kernels.dropout` deals in addresses only, for the sake of small calls).
``kernels.status()`` says which, and why. The environment variable SHRINKWISE_NO_KERNELS=1 hides the library.
"""

from __future__ import annotations

from . import dropout
from .gram import gram_cd
from .library import DISPATCH, find
from .proximal import prox

__all__ = ["DISPATCH", "dropout", "gram_cd", "prox", "status"]

_SIMD = {4: "AVX-512", 3: "AVX2", 1: "baseline"}


def status() -> dict:
    """What runs: {"available", "path", "simd", "reason", "kernels"}."""
    loaded, where = find()
    return {
        "available": loaded is not None,
        "path": where if loaded is not None else None,
        "simd": _SIMD[loaded.sw_simd_level()] if loaded is not None else "none",
        "reason": "loaded" if loaded is not None else where,
        "kernels": sorted(DISPATCH),
    }
