"""Ctrl-C while a kernel runs: Python answers a signal only between its own instructions, so a long kernel has to ask."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_WORK = 3e8  # multiplications in a call of a kernel: about a tenth of a second, and Python answers Ctrl-C in between
_LEAST = 5  # sweeps a call: most of them are over the non-zero weights, after one over all
_ASKED = ctypes.CFUNCTYPE(ctypes.c_int64)


@contextmanager
def interruptible() -> Iterator[ctypes.c_void_p | None]:
    """The address of a C function that says whether Ctrl-C was pressed; None outside the main thread, which gets the signals.

    The kernel calls it now and then, and returns soon after it answered 1; the handler of the signal is called at the end.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield None
        return
    pressed: list[tuple] = []
    asked = _ASKED(lambda: len(pressed))  # that Python runs it is what lets the handler come
    signal.signal(signal.SIGINT, lambda *given: pressed.append(given))
    try:
        yield ctypes.cast(asked, ctypes.c_void_p)
    finally:
        signal.signal(signal.SIGINT, usual)
        if pressed:  # also where the kernel's call raised an error
            usual(*pressed[0])


def in_parts(sweeps: Callable[[int], int], most: int, work: float) -> int:
    """`sweeps(most)`, by calls that each do few enough sweeps, of `work` multiplications, for Ctrl-C to be answered soon.

    `sweeps(k)` goes on from where it was, at most k times, and returns how often, negative where it has not converged.
    """
    each, total = max(_LEAST, int(_WORK / max(work, 1.0))), 0
    while most > each:
        done = sweeps(each)
        total += abs(done)
        if done > 0:
            return total
        most -= each
    done = sweeps(most)
    return total + done if done > 0 else done - total
