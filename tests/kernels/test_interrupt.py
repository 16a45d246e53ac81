"""Ctrl-C while a kernel runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from shrinkwise.kernels import GroupQuadratic
from shrinkwise.kernels.interrupt import in_parts, interruptible
from shrinkwise.kernels.library import library
from shrinkwise.kernels.linear.gram_blocks import gram_blocks

# A process that is started in the background of a shell without job control inherits that SIGINT is ignored.
LONG_PATH = """
import signal, numpy as np, shrinkwise as sw
signal.signal(signal.SIGINT, signal.default_int_handler)
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


def test_the_handler_is_called_where_the_kernel_raises_an_error():
    def fail():
        with interruptible():
            signal.raise_signal(signal.SIGINT)
            raise ValueError

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fail()
    finally:
        signal.signal(signal.SIGINT, usual)


def test_other_threads_have_no_signals():
    found = []
    thread = threading.Thread(target=lambda: found.append(interruptible().__enter__()))
    thread.start()
    thread.join()
    assert found == [None]


def test_many_sweeps_are_done_in_parts_and_counted_together():
    asked = []

    def sweeps(most, needed=[37]):  # noqa: B006 (it is the state)
        asked.append(most)
        done = min(most, needed[0])
        needed[0] -= done
        return done if needed[0] == 0 else -done

    assert in_parts(sweeps, 100, 3e7) == 37
    assert asked == [10, 10, 10, 10]
    assert in_parts(lambda most: -most, 23, 3e7) == -23
    assert in_parts(lambda most: -most, 23, 1.0) == -23
    assert in_parts(lambda most: 4, 5, 1e30) == 4


def test_ctrl_c_comes_between_the_parts_of_a_descent():
    """A descent that never converges, of sweeps that take a tenth of a second or less."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1200)) + 3.0 * rng.normal(size=(300, 1))
    G = X.T @ X / 300
    quadratic = GroupQuadratic(G, np.arange(0, 1201, 2), np.full(600, 1e-6), np.zeros(1200), np.zeros(1200))
    pressed = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    r, start = G @ rng.normal(size=1200), time.monotonic()
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
    try:
        pressed.start()
        with pytest.raises(KeyboardInterrupt):
            gram_blocks(quadratic, np.zeros(1200), r, 1e-300, 20_000)
    finally:
        pressed.join()
        signal.signal(signal.SIGINT, usual)
    assert time.monotonic() - start < 0.3 + 1.0 + 2.0  # a second, and two for a machine that does other work
