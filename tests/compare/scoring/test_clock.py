"""The limit of time and what it must not cut."""

from __future__ import annotations

import importlib
import sys
import time

import pytest

from shrinkwise.compare.scoring.clock import TimeUp, time_limit

SLOW = "import time\ntime.sleep(0.4)\nloaded = True\n"
LIMITED = """
import time
from shrinkwise.compare.scoring.clock import TimeUp, time_limit
try:
    with time_limit(time.monotonic() + 0.1):
        time.sleep(5.0)
    stopped = False
except TimeUp:
    stopped = True
"""


def test_an_import_is_finished_before_the_time_is_up(tmp_path, monkeypatch):
    (tmp_path / "slowly_loaded.py").write_text(SLOW, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    def work():
        with time_limit(time.monotonic() + 0.1):
            importlib.import_module("slowly_loaded")
            time.sleep(5.0)

    with pytest.raises(TimeUp):
        work()
    assert sys.modules["slowly_loaded"].loaded


def test_a_limit_within_a_module_that_is_imported_stops(tmp_path, monkeypatch):
    (tmp_path / "limited_work.py").write_text(LIMITED, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("limited_work").stopped
