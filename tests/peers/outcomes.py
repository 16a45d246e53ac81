"""Running other packages' tests and listing their failures by class."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest


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

    def pytest_collectreport(self, report):
        """A file that cannot be collected is a failure too."""
        if report.failed:
            self.failed[report.nodeid] = str(report.longrepr).splitlines()[-1][:140]


def arguments(description: str, default: str):
    """(part of the files' names, path of the list)."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="?", default="", help="run the files whose name contains this")
    parser.add_argument("--out", default=default, help="where the list of failures is written")
    given = parser.parse_args()
    return given.only, Path(given.out)


def run(files, classes, out: Path) -> int:
    """Run the test files, write every failure with its class to `out`, and return the exit status: 1 where one is ours.

    `classes` are triples (pattern of the test's name, class, reason); what no pattern matches is ours.
    """
    lines, n_ours = [], 0
    for file in files:
        outcomes = Outcomes()
        options = ["-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", "-p", "no:warnings", "--show-capture=no"]
        pytest.main([str(file), "-c", "/dev/null", "--import-mode=importlib", *options], plugins=[outcomes])
        found = {test: (*_class_of(test, classes), message) for test, message in outcomes.failed.items()}
        mine = sum(kind == "ours" for kind, _, _ in found.values())
        if not outcomes.passed + len(found):
            raise SystemExit(f"No test ran in {file}; expected the tests of this package's release")
        lines.append(f"{Path(file).name}: {outcomes.passed} passed, {len(found)} failed, {mine} of them ours")
        lines += [f"  {kind:12} {test}: {why or message}" for test, (kind, why, message) in found.items()]
        n_ours += mine
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(line for line in lines if not line.startswith("  ") or " ours " in line[:16]))  # noqa: T201
    return int(n_ours > 0)


def downloaded(requirement: str, folder: Path, *options: str) -> Path:
    """The unpacked release of a package, fetched by pip without its dependencies."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), *options, requirement]
    subprocess.run(command, check=True)
    archive = next(path for path in folder.iterdir() if path.name.endswith((".whl", ".tar.gz")))
    target = folder / "unpacked"
    if archive.suffix == ".whl":
        zipfile.ZipFile(archive).extractall(target)
        return target
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return next(target.iterdir())


def _class_of(name: str, classes) -> tuple[str, str]:
    return next(((kind, why) for pattern, kind, why in classes if fnmatch(name, pattern)), ("ours", ""))
