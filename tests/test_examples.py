"""Every example runs as a user runs it, and writes what it says it writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("plot_*.py")), ids=lambda path: path.stem)
def test_the_example_runs(script, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    picture = tmp_path / "out.png"
    writes = "--out" in script.read_text(encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", str(script), *(["--out", str(picture)] if writes else [])],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert picture.stat().st_size > 1000 if writes else run.stdout.strip()
