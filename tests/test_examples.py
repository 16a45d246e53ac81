"""Every example of the gallery runs as a user runs it and draws or prints something."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*/plot_*.py"))
LONG = {  # more than half a second of the processor
    *("plot_average_subnetworks", "plot_dropout_uncertainty", "plot_lambda_you_get", "plot_network_path"),
    *("plot_penalties", "plot_smaller_network", "plot_survival"),
}


@pytest.mark.parametrize(
    "script", [pytest.param(path, id=path.stem, marks=[pytest.mark.thorough] * (path.stem in LONG)) for path in SCRIPTS]
)
def test_the_example_runs(script, monkeypatch, capsys):
    if "torch" in script.read_text(encoding="utf-8"):
        pytest.importorskip("torch")
    pytest.importorskip("matplotlib").use("agg")
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.chdir(script.parent)  # as in the gallery
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_fignums()))  # agg has no screen and warns
    try:
        runpy.run_path(str(script), run_name="__main__")  # warnings are errors here as everywhere in the tests
        drawn = [axis for number in shown for axis in plt.figure(number).axes if axis.has_data()]
    finally:
        plt.close("all")
    assert drawn or capsys.readouterr().out.strip()


def test_the_gallery_has_twenty_examples_of_at_most_sixty_lines_with_a_title():
    assert len(SCRIPTS) >= 20
    for script in SCRIPTS:
        lines = script.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 60, script.name
        assert lines[0] == '"""', script.name
        assert lines[2] == "=" * len(lines[1]), script.name  # otherwise sphinx-gallery has no heading


def test_the_long_examples_exist():
    assert {script.stem for script in SCRIPTS} >= LONG
