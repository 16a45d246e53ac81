"""The printed report, and the sentence said where PyTorch is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import shrinkwise as sw


def test_the_report_says_what_was_done():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    columns = sw.GroupLasso(0.1, groups=sw.Groups.columns())
    reg = sw.attach(optimizer, model, [sw.rule(columns, names="0.weight"), sw.rule(sw.L1(0.1))], threshold=0.25)
    with torch.no_grad():
        model[0].weight[:, 1] = 0
    report = reg.report()
    assert (report.zeros, report.size) == (2, 8)
    assert (report.tensors[0].zero_groups, report.tensors[0].groups) == (1, 3)
    assert report.tensors[1].groups is None
    assert report.left == [("0.bias", "a bias, excluded unless named"), ("1.bias", "a bias, excluded unless named")]
    lines = str(report).splitlines()
    assert lines[0].split() == "penalised shape penalty rule exact zeros zero groups threshold".split()
    assert lines[1].split()[-7:] == "2 of 6 1 of 3 0.25".split()
    assert "2 of 8 penalised weights are exactly zero" in lines[-1]
    assert repr(reg) == str(report)


@pytest.mark.parametrize("name", ["networks", "dropout"])
def test_without_torch_one_sentence_says_how_to_get_it(name):
    program = f"""
import sys
sys.modules["torch"] = None
try:
    import shrinkwise.{name}
except ImportError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    needs = "needs" if name == "dropout" else "need"
    assert out == f'{name.capitalize()} {needs} PyTorch; install it with pip install "shrinkwise[torch]"\n'
