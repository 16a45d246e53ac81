"""What is not understood is pinned and named, or refused in a sentence."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shrinkwise as sw
from shrinkwise.networks.compact import api


class Odd(nn.Module):
    """An operator without a rule between two layers."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 6), nn.Linear(6, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.c(self.b(torch.sort(self.a(x), -1).values).relu())


def test_an_unknown_operator_keeps_its_channels_and_is_named():
    model = Odd()
    with torch.no_grad():
        model.a.weight[:3], model.a.bias[:3] = 0, 0
        model.b.weight[:5] = 0
    small, proof = sw.compact(model, torch.randn(3, 4))
    assert (small.a.out_features, small.b.out_features) == (6, 3)
    assert any("sort" in why for why in proof.pinned.values())
    assert "sort" in str(proof)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_are_refused(kind):
    with pytest.raises(ValueError, match=f"supported, but '0' is {kind.__name__}"):
        sw.compact(nn.Sequential(kind(3, 4)), torch.randn(2, 5, 3))


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Random(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        return F.dropout(x) if self.how == "dropout" else x + torch.rand_like(x)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Branching(), "torch.export cannot trace it"),
        (Random("dropout"), "Dropout is active in evaluation"),
        (Random("noise"), "different outputs for the same input"),
    ],
)
def test_models_that_cannot_be_shown_equal_are_refused(model, sentence):
    with pytest.raises(ValueError, match=sentence):
        sw.compact(model, torch.randn(2, 5, 3))


def test_wrong_arguments_are_refused():
    with pytest.raises(TypeError, match="Expected model"):
        sw.compact("model", torch.randn(2, 3))
    with pytest.raises(TypeError, match="Expected example"):
        sw.compact(nn.Linear(3, 2), [[1.0, 2.0, 3.0]])


def test_an_example_that_does_not_fit_is_one_sentence_and_nothing_is_logged(capfd):
    with pytest.raises(ValueError, match="The model Linear fails on this example: mat1 and mat2 shapes"):
        sw.compact(nn.Linear(3, 2), torch.randn(4, 7))
    assert capfd.readouterr().err == ""


def test_parameters_without_values_are_refused():
    with torch.device("meta"):
        model = nn.Linear(3, 2)
    with pytest.raises(ValueError, match="meta device"):
        sw.compact(model, torch.randn(4, 3, device="meta"))
    with pytest.raises(ValueError, match="lazy layers"):
        sw.Groups.removable(nn.LazyLinear(2), torch.randn(4, 3))


def test_a_result_that_differs_is_never_returned(monkeypatch):
    operate = api.operate

    def wrong(*args):
        small = operate(*args)
        with torch.no_grad():
            small[2].bias += 1e-3
        return small

    monkeypatch.setattr(api, "operate", wrong)
    with pytest.raises(ValueError, match="does not reproduce the outputs of the original"):
        sw.compact(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), torch.randn(5, 3))
