"""Ctrl-C while a kernel runs: Python answers a signal only between its own instructions, so a long kernel has to ask."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

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
    if pressed:
        usual(*pressed[0])
