"""Hypothesis profiles: `ci` (default) and `thorough`, chosen by HYPOTHESIS_PROFILE."""

import gc
import os
from collections import Counter
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

# No deadline: a shared machine may stall for a second and that is no fault of the code.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("ci", max_examples=16, derandomize=True, **_COMMON)
settings.register_profile("thorough", max_examples=500, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

COMPARED = tuple(
    f"tests/compare/{name}" for name in ("models/test_model", "scoring/test_conformal", "story/", "test_c")
)


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what `-m` does not name
def pytest_collection_modifyitems(items):
    """The files outside the rooms run first: few tests that take long, and a process that gets them last ends last.

    Of a test marked `one_in(k)` every k-th case stays in the ordinary suite; the others are thorough. The first one kept
    depends on the name of the test, so that a case left out by one test is in another.
    """
    items.sort(key=lambda item: item.path.parent.name not in ("tests", "cli"))
    case: Counter[object] = Counter()
    for item in items:
        if mark := item.get_closest_marker("one_in"):
            test = item.function
            if (case[test] + crc32(test.__name__.encode())) % mark.args[0]:
                item.add_marker(pytest.mark.thorough)
            case[test] += 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file stays in one process, with what its tests share; so do the files that share the comparisons of compare/."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "compared" if file.startswith(COMPARED) else file

    return Files(config, log)


def pytest_collection_finish():
    """Ten thousand tests and the libraries stay to the end: the collector need not walk them again and again."""
    gc.freeze()
