"""Threads for the kernels: torch's own OpenMP pool, so that there is one pool and `torch.set_num_threads` rules it.

Without torch, below `SMALL` elements, or in a forked child (whose pool did not survive the fork) a kernel runs on one thread.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from pathlib import Path

SMALL = 65_536
_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def threads_for(elements: int) -> int:
    """Number of threads for a call over this many elements."""
    torch = sys.modules.get("torch")
    if torch is None or elements < SMALL or _forked or openmp() is None:
        return 1
    return torch.get_num_threads()


def team(elements: int):
    """(number of threads, their pool as `parallel.h` expects it) for a call over this many elements."""
    threads = threads_for(elements)
    return threads, (ctypes.c_void_p * 3)(*(openmp() or ())) if threads > 1 else None


@cache
def openmp() -> tuple[int, int, int] | None:
    """Addresses of GOMP_parallel, omp_get_thread_num and omp_get_num_threads in the libgomp that torch has loaded."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    for path in sorted((Path(str(torch.__file__)).parent / "lib").glob("libgomp*")):
        try:
            library = ctypes.CDLL(str(path))  # already in the process: this only takes another handle
            names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
            return tuple(ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in names)  # type: ignore[return-value]
        except (OSError, AttributeError):
            continue
    return None
