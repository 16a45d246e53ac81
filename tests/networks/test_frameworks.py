"""A penalty in other people's training loops: the run is the plain one's, and one that is killed goes on bit by bit."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from . import frameworks


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # the frameworks' own
@pytest.mark.parametrize("name", frameworks.RUNS)
def test_a_run_is_the_plain_one_and_resumes_bit_by_bit_after_a_kill(name, tmp_path):
    pytest.importorskip(name, reason=f"{name} is not installed (make test-frameworks)")
    expected, _ = frameworks.plain(tmp_path)
    whole, reg = frameworks.RUNS[name](tmp_path / "whole")
    assert set(whole) == set(expected)
    for key, value in expected.items():
        torch.testing.assert_close(whole[key], value, rtol=0, atol=1e-6)
        assert torch.equal(whole[key] == 0, value == 0)
    assert 20 < sum(reg.zeros().values()) == sum(int((value == 0).sum()) for value in whole.values())
    folder = tmp_path / "killed"
    folder.mkdir()
    killed = subprocess.run([sys.executable, str(Path(frameworks.__file__)), name, str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    resumed, again = frameworks.RUNS[name](folder, resume=True)
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)
    assert again.report().steps == reg.report().steps == 8 * frameworks.EPOCHS


@pytest.mark.parametrize("name", ["lightning", "transformers", "skorch"])
def test_without_the_framework_one_sentence_says_how_to_get_it(name, monkeypatch):
    for absent in (name, "lightning.pytorch", "skorch.callbacks"):
        monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(sys.modules, f"shrinkwise.networks.{name}", raising=False)
    with pytest.raises(ImportError, match=rf'pip install "shrinkwise\[{name}\]"'):
        __import__(f"shrinkwise.networks.{name}")
