"""scikit-learn's own tests of its linear models, run with this package's estimators in the place of its own.

    python tests/peers/scikit_learn.py [--out FILE] [part of a file's name]

The tests ship in scikit-learn's wheel. Every failure is listed with its class: "private" (a test of scikit-learn's own
internals), "not claimed" (an option that the drop-ins accept without effect, or do not have) or "ours" (a fault). The classes
are given by `CLASSES` below, a pattern of a test's name each; what no pattern matches is ours, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import sklearn.linear_model as peer

from shrinkwise import linear as ours

FILES = ["coordinate_descent", "sparse_coordinate_descent", "ridge", "logistic"]
SWAPPED = ["Lasso", "ElasticNet", "LassoCV", "ElasticNetCV", "Ridge", "RidgeCV"]


def with_default(kind, **defaults):
    """A subclass of an estimator whose constructor has other defaults, of the name that the tests know."""
    signature = inspect.signature(kind.__init__)
    changed = [p.replace(default=defaults.get(p.name, p.default)) for p in signature.parameters.values()]

    def __init__(self, **given):
        kind.__init__(self, **{**defaults, **given})

    __init__.__signature__ = signature.replace(parameters=changed)
    return type(kind.__name__.removeprefix("Sparse"), (kind,), {"__init__": __init__})


class Outcomes:
    """A pytest plugin that keeps what became of every test."""

    def __init__(self):
        self.passed, self.failed = 0, {}

    def pytest_runtest_logreport(self, report):
        """Called for every phase of every test."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            name = report.nodeid.split("::", 1)[1]
            self.failed[name] = (crash.message if crash else str(report.longrepr)).splitlines()[0][:140]
        elif report.when == "call" and report.passed:
            self.passed += 1


def swap() -> None:
    """Put this package's estimators in the place of scikit-learn's, before its test modules import them."""
    for name in SWAPPED:
        setattr(peer, name, getattr(ours, name))
    peer.LogisticRegression = with_default(ours.SparseLogisticRegression, l1_ratio=0.0)
    peer.LogisticRegressionCV = with_default(ours.SparseLogisticRegressionCV, l1_ratio=0.0)


def class_of(name: str) -> tuple[str, str]:
    """(class, reason) of a failed test."""
    return next(((kind, why) for pattern, kind, why in CLASSES if fnmatch(name, pattern)), ("ours", ""))


# (pattern of the test's name, class, reason)
CLASSES: list[tuple[str, str, str]] = []


def main() -> int:
    """Run, list, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="?", default="", help="run the files whose name contains this")
    parser.add_argument("--out", default="peers.txt", help="where the list of failures is written")
    given = parser.parse_args()
    swap()
    lines, n_ours = [], 0
    for name in (f for f in FILES if given.only in f):
        module = importlib.import_module(f"sklearn.linear_model.tests.test_{name}")
        outcomes = Outcomes()
        options = ["-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", "-p", "no:warnings", "--show-capture=no"]
        pytest.main([str(module.__file__), "-c", "/dev/null", *options], plugins=[outcomes])
        found = {test: (*class_of(test), message) for test, message in outcomes.failed.items()}
        mine = sum(kind == "ours" for kind, _, _ in found.values())
        lines.append(f"test_{name}.py: {outcomes.passed} passed, {len(found)} failed, {mine} of them ours")
        lines += [f"  {kind:12} {test}: {why or message}" for test, (kind, why, message) in found.items()]
        n_ours += mine
    Path(given.out).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(line for line in lines if not line.startswith("  ") or " ours " in line[:16]))  # noqa: T201
    return int(n_ours > 0)


if __name__ == "__main__":
    sys.exit(main())
