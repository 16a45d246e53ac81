"""The processes of a comparison start, and import what candidates need, while its time is estimated."""

import os
import sys
import time

import pytest
from joblib import delayed

from shrinkwise.compare.scoring.estimate import _measured
from shrinkwise.compare.scoring.nested import in_processes, load_everywhere


def _who(_) -> tuple[int, bool]:
    return os.getpid(), "shrinkwise.compare.candidates.stacked_networks" in sys.modules


def _workers() -> dict[int, bool]:
    return dict(in_processes(2, (delayed(_who)(i) for i in range(40))))


def test_the_processes_are_those_of_the_calls_that_follow():
    load_everywhere(2, {"network"})
    workers = _workers()
    assert all(workers.values())
    assert os.getpid() not in workers
    assert set(_workers()) <= set(workers)


def _one() -> float:
    return 1.0


def _pid() -> float:
    return float(os.getpid())


def _endless() -> float:
    while True:
        pass


@pytest.mark.parametrize("jobs", [1, 2])
def test_work_that_reaches_the_deadline_has_no_time(jobs):
    found = _measured({"a": _one, "b": _endless}, jobs, time.monotonic() + 0.5)
    assert found == {"a": 1.0, "b": None}
    assert (_measured({"a": _pid}, jobs, time.monotonic() + 5.0)["a"] == os.getpid()) == (jobs == 1)
