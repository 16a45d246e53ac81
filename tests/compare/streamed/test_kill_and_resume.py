"""A streamed fit that is killed at random moments and resumed gives the result of one that was never stopped.

python tests/compare/streamed/test_kill_and_resume.py 20       how often, and what was counted
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

PARTS, ROWS = 8, 1000


def write(folder: Path) -> None:
    """Files of which each is a part of every pass."""
    rng = np.random.default_rng(0)
    for k in range(PARTS):
        columns = {f"x{j}": rng.normal(size=ROWS) for j in range(6)}
        columns["y"] = columns["x0"] - 0.5 * columns["x1"] + rng.normal(size=ROWS)
        pl.DataFrame(columns).write_csv(folder / f"{k}.csv")


def fit(folder: Path, out: str, *options: str) -> subprocess.Popen:
    """A fit of folder/table into folder/out, in a process of its own."""
    command = [sys.executable, "-m", "shrinkwise", "fit", "table", "--target", "y", "--engine", "stream", "--out", out]
    command += ["--methods", "ridge,lasso", "--effort", "quick", "--quiet", "--jobs", "1", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)


def first_part(folder: Path, out: str, process: subprocess.Popen) -> bool:
    """Wait for the first finished part of a fit; False if it ended before."""
    while process.poll() is None:
        if any((folder / f".{out}.unfinished").glob("*.npz")):
            return True
        time.sleep(0.002)
    return False


def results(run: Path) -> dict:
    """The scores, choices and predictions of a run."""
    predictions = [path.read_bytes() for path in sorted(run.glob("predictions*.csv"))]
    return {**tomllib.loads((run / "run.toml").read_text())["results"], "predictions": predictions}


def kill_often(folder: Path, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill so many fits after their first finished part, resume each; count the results that are not the known one.

    The moments are spread evenly over the time that a fit then takes, one at random in each stretch.
    """
    moments = random.Random(seed)
    (folder / "table").mkdir()
    write(folder / "table")
    process = fit(folder, "known")
    assert first_part(folder, "known", process)
    start = time.perf_counter()
    assert process.wait() == 0
    seconds, known = time.perf_counter() - start, results(folder / "known")
    assert known["predictions"]
    counts = {"kills": 0, "ended before": 0, "most parts": 0, "other results": 0}
    while counts["kills"] < kills:
        out = f"run-{counts['kills']}-{counts['ended before']}"
        process = fit(folder, out)
        assert first_part(folder, out, process)
        time.sleep(seconds * (counts["kills"] + moments.random()) / kills)
        if process.poll() is not None:  # the machine is less busy than before
            counts["ended before"] += 1
            seconds *= 0.8
            continue
        process.kill()
        process.wait()
        counts["kills"] += 1
        counts["most parts"] = max(counts["most parts"], len(list((folder / f".{out}.unfinished").glob("*.npz"))))
        assert fit(folder, out, "--resume").wait() == 0
        counts["other results"] += results(folder / out) != known
    assert not list(folder.glob(".*"))
    return counts


@pytest.mark.thorough
def test_a_killed_and_resumed_fit_gives_the_same_result(tmp_path):
    counts = kill_often(tmp_path, 5)
    assert counts["kills"] == 5
    assert counts["other results"] == 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(f"{kill_often(Path(place), int(sys.argv[1]))}\n")
