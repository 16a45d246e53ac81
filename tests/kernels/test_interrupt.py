"""Ctrl-C while a kernel runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from shrinkwise.kernels.interrupt import interruptible
from shrinkwise.kernels.library import library

LONG_PATH = """
import sys, numpy as np, shrinkwise as sw
rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 1500)) + rng.normal(size=(3000, 1))
y = X @ rng.normal(size=1500) + rng.normal(size=3000)
sw.path(X[:50], y[:50], penalty=sw.L1(1.0), n_lambdas=3)
print("ready", flush=True)
while True:
    sw.path(X, y, penalty=sw.L1(1.0), n_lambdas=1000, lambda_min_ratio=1e-6, tol=1e-12)
"""


@pytest.mark.skipif(library() is None, reason="the reference is Python, which answers by itself")
def test_ctrl_c_ends_a_path_that_a_kernel_computes():
    command = [sys.executable, "-c", LONG_PATH]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.5)
            pressed = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert said.splitlines()[-1].startswith("KeyboardInterrupt")
    assert time.monotonic() - pressed < 3  # of which most is the end of the process, on a machine that does other work


def test_the_handler_is_called_after_the_kernel_and_stands_again():
    calls = []
    before = signal.signal(signal.SIGINT, lambda *given: calls.append(given))
    try:
        usual = signal.getsignal(signal.SIGINT)
        with interruptible() as asked:
            assert asked is not None
            signal.raise_signal(signal.SIGINT)
            assert calls == []
        assert len(calls) == 1
        assert signal.getsignal(signal.SIGINT) is usual
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_have_no_signals():
    found = []
    thread = threading.Thread(target=lambda: found.append(interruptible().__enter__()))
    thread.start()
    thread.join()
    assert found == [None]
