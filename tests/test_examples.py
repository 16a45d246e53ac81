"""Every example runs as a user runs it, and writes what it says it writes."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("plot_*.py")), ids=lambda path: path.stem)
def test_the_example_runs(script, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib").use("agg")
    picture = tmp_path / "out.png"
    writes = "--out" in script.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), *(["--out", str(picture)] if writes else [])])
    runpy.run_path(str(script), run_name="__main__")  # warnings are errors here as everywhere in the tests
    assert picture.stat().st_size > 1000 if writes else capsys.readouterr().out.strip()
