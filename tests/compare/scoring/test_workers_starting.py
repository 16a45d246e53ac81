"""The processes of a comparison start, and import what candidates need, while its time is estimated."""

import os
import sys

import pytest
from joblib import delayed

from shrinkwise.compare.scoring.clock import TimeUp
from shrinkwise.compare.scoring.nested import _in_processes, processes_starting


def _who(_) -> tuple[int, bool]:
    return os.getpid(), "shrinkwise.compare.candidates.stacked_networks" in sys.modules


def _workers() -> dict[int, bool]:
    return dict(_in_processes(2, (delayed(_who)(i) for i in range(40))))


def test_the_processes_are_those_of_the_calls_that_follow():
    with processes_starting(2, {"network"}):
        pass
    workers = _workers()
    assert all(workers.values())
    assert os.getpid() not in workers
    assert set(_workers()) <= set(workers)


def test_one_process_needs_none():
    with processes_starting(1, {"no such family"}):
        pass


def test_an_end_of_the_time_is_passed_on_and_leaves_the_processes():
    with pytest.raises(TimeUp), processes_starting(2, {"linear"}):
        raise TimeUp
    assert _workers()
