"""A fit with two processes, killed at random: no process outlives it, nothing foreign is touched, a run is whole or not there.

python tests/compare/runs/test_kills.py 100       how often, and what was counted
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "sonar.csv"
FOREIGN = {
    "run/notes.txt": "mine",
    "run/deep/thesis.txt": "mine",
    ".run-1-2.new/mine.txt": "mine",
    "other.txt": "mine",
}
LONGEST = 8.0  # seconds until the parent is killed, which on most machines is about what the fit takes


def living(mark: str) -> list[int]:
    """The processes whose environment holds the mark."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes() and (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def fit(folder: Path, mark: str, *options: str) -> subprocess.Popen:
    """A fit into folder/run, in a process of its own."""
    command = [sys.executable, "-m", "shrinkwise", "fit", str(EXAMPLE), "--target", "object", "--effort", "quick"]
    command += ["--methods", "lasso,elastic-net", "--jobs", "2", "--out", "run", *options]
    environment = {**os.environ, "SHRINKWISE_MARK": mark, "OMP_NUM_THREADS": "1"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=quiet, stderr=quiet)


def run_is_whole(folder: Path) -> bool:
    """Whether the run folder holds all that its record lists, as written."""
    from shrinkwise.runs.folder import _written, foreign_files

    changed = {path.name for path in foreign_files(folder)} & set(_written(folder))
    return not changed and all((folder / name).is_file() for name in _written(folder)) and bool(_written(folder))


def kill_often(folder: Path, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill so many fits; count the orphans, the foreign files that were touched and the run folders that are not whole."""
    moments = random.Random(seed)
    assert fit(folder, "first").wait() == 0
    for name, text in FOREIGN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    counts = {"kills": 0, "orphans": 0, "touched": 0, "broken": 0}
    for kill in range(kills):
        mark = uuid.uuid4().hex
        process = fit(folder, mark, *(["--resume"] if kill % 2 else []))
        time.sleep(moments.uniform(0, LONGEST))
        counts["kills"] += process.poll() is None
        process.kill()
        process.wait()
        until = time.monotonic() + 15
        while living(mark) and time.monotonic() < until:
            time.sleep(0.1)
        counts["orphans"] += len(living(mark))
        counts["touched"] += sum(
            not (folder / name).is_file() or (folder / name).read_text() != text for name, text in FOREIGN.items()
        )
        # Killed between its two renames, the old run stands aside until the next one puts it back.
        aside = [path for path in folder.glob(".run-*.old") if path.is_dir()]
        counts["broken"] += not (run_is_whole(folder / "run") or any(map(run_is_whole, aside)))
    assert fit(folder, "last").wait() == 0
    counts["broken"] += not run_is_whole(folder / "run")
    counts["touched"] += sum((folder / name).read_text() != text for name, text in FOREIGN.items())
    counts["left"] = len([path for path in folder.iterdir() if path.name.startswith(".run")]) - 1  # the foreign one
    return counts


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")
def test_a_killed_fit_leaves_no_process_and_touches_nothing_foreign(tmp_path):
    counts = kill_often(tmp_path, 10)
    assert counts.pop("kills") > 0
    assert not any(counts.values()), counts


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(f"{kill_often(Path(place), int(sys.argv[1]))}\n")
