"""Coordinate descent in Gram space."""

from __future__ import annotations

import ctypes

import numpy as np

from . import reference
from .library import F64, I64, declare, library, register, run

declare("sw_gram_cd", ctypes.c_int64, ctypes.c_int64, F64, F64, F64, F64, F64, I64, ctypes.c_double, ctypes.c_int64)


def _compiled(G, a, b, w, r, tol, max_sweeps):
    return library().sw_gram_cd(len(w), G, a, b, w, r, np.empty(len(w), np.int64), tol, max_sweeps)


register("gram_cd", reference.gram_cd, _compiled)


def gram_cd(G, a, b, w, r, tol: float, max_sweeps: int) -> int:
    """Coordinate descent on ½w'Gw − c'w + Σ a|w| + ½Σ b w², in place in w and r = c − Gw; see `reference.gram_cd`."""
    return run("gram_cd", G, a, b, w, r, tol, max_sweeps)
