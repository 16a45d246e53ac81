"""Which parameters the rules choose, and what is said about the others."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import shrinkwise as sw
from shrinkwise.networks.attaching.rules import select


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.encoder = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.PReLU(), nn.Linear(5, 4))
        self.rnn = nn.LSTM(4, 4)
        self.attend = nn.MultiheadAttention(4, 2)
        self.head = nn.Linear(4, 7, bias=False)


def chosen(model, rules):
    return {c.name: c.penalty for c in select(model, rules).chosen}


def test_a_bare_penalty_is_for_all_weights_and_only_for_weights():
    model = Network()
    names = set(chosen(model, sw.L1(0.1)))
    weights = {"encoder.0.weight", "encoder.3.weight", "head.weight", "attend.in_proj_weight", "attend.out_proj.weight"}
    assert names == weights | {"rnn.weight_ih_l0", "rnn.weight_hh_l0"}
    left = dict(select(model, sw.L1(0.1)).left)
    assert set(left) == {name for name, _ in model.named_parameters()} - names
    assert "a norm" in left["encoder.1.weight"]
    assert "an embedding" in left["embed.weight"]
    assert "a bias" in left["attend.in_proj_bias"]
    assert "a slope" in left["encoder.2.weight"]


def test_the_first_match_wins_and_none_leaves_alone():
    rules = [
        sw.rule(None, names="head.*"),
        sw.rule(sw.L1(0.3), names=["encoder.0.*", "nothing.*"]),
        sw.rule(sw.L2(0.2), types=nn.Linear),
        sw.rule(sw.L1(0.1), roles="weight", where=lambda name, p, module: p.ndim == 2 and isinstance(module, nn.LSTM)),
    ]
    picked = chosen(Network(), rules)
    assert picked["encoder.0.weight"] == sw.L1(0.3)
    assert picked["encoder.3.weight"] == sw.L2(0.2)
    assert picked["attend.out_proj.weight"] == sw.L2(0.2)
    assert picked["rnn.weight_ih_l0"] == sw.L1(0.1)
    assert len(picked) == 5
    selection = select(Network(), rules)
    assert dict(selection.left)["head.weight"] == "rule 1 says None"
    assert dict(selection.left)["attend.in_proj_weight"] == "no rule matches"


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({"names": "encoder.*"}, {"encoder.0.weight", "encoder.3.weight"}),
        ({"names": "encoder.1.weight"}, {"encoder.1.weight"}),
        ({"names": "encoder.*bias"}, {"encoder.0.bias", "encoder.3.bias"}),
        ({"types": nn.BatchNorm1d}, {"encoder.1.weight", "encoder.1.bias"}),
        ({"types": [nn.Embedding, nn.PReLU]}, {"embed.weight", "encoder.2.weight"}),
        ({"types": nn.Linear, "names": "encoder.*"}, {"encoder.0.weight", "encoder.3.weight"}),
        ({"roles": ["norm"]}, {"encoder.1.weight", "encoder.1.bias"}),
        ({"where": lambda name, p, module: name.startswith("encoder.0")}, {"encoder.0.weight", "encoder.0.bias"}),
    ],
)
def test_what_is_no_weight_has_to_be_meant(conditions, names):
    assert set(chosen(Network(), sw.rule(sw.L1(0.1), **conditions))) == names


def test_tied_weights_count_once_under_each_of_their_names():
    model = nn.ModuleDict({"first": nn.Linear(3, 3), "second": nn.Linear(3, 3)})
    model["second"].weight = model["first"].weight
    (only,) = select(model, sw.L1(0.1)).chosen
    assert (only.name, only.note) == ("first.weight", "tied with second.weight")
    assert set(chosen(model, sw.rule(sw.L1(0.1), names="second.weight"))) == {"first.weight"}


def test_a_weight_tied_to_an_embedding_is_an_embedding():
    model = Network()
    model.head.weight = model.embed.weight
    assert "embed.weight" not in chosen(model, sw.L1(0.1))
    assert "embed.weight" in chosen(model, sw.rule(sw.L1(0.1), names="head.weight"))


def test_a_parametrised_weight_is_penalised_by_its_true_tensor():
    class Halved(nn.Module):
        def forward(self, w):
            return w / 2

    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    parametrize.register_parametrization(model[0], "weight", Halved())
    for rules in (sw.L1(0.1), sw.rule(sw.L1(0.1), names="0.weight"), sw.rule(sw.L1(0.1), types=nn.Linear, names="0*")):
        picked = select(model, rules).chosen[0]
        assert picked.param is model[0].parametrizations.weight.original
        assert (picked.name, picked.note) == ("0.weight", "the tensor behind a parametrisation")


def test_factors_of_a_weight_are_left_out_unless_named():
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 2)), nn.Linear(2, 2))
    assert set(chosen(model, sw.L1(0.1))) == {"1.weight"}
    assert "a factor" in dict(select(model, sw.L1(0.1)).left)["0.parametrizations.weight.original1"]
    assert len(chosen(model, sw.rule(sw.L1(0.1), roles="factor"))) == 2


def test_a_compiled_model_keeps_its_names():
    model = torch.compile(nn.Sequential(nn.Linear(3, 2)), backend="eager")
    assert set(chosen(model, sw.rule(sw.L1(0.1), names="0.weight"))) == {"0.weight"}


def test_the_selection_prints_itself():
    text = str(select(nn.Sequential(nn.Linear(3, 2)), [sw.rule(sw.L1(0.1)), sw.rule(sw.L2(0.1), names="x.*")]))
    assert text.splitlines()[1].split() == ["0.weight", "2×3", "L1(0.1)"]
    assert "0.bias         a bias, excluded unless named" in text
    assert "This rule matches no parameter: L2(0.1) for names x.*." in text


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: sw.rule(0.1), TypeError, r"a penalty such as sw.L1\(1e-4\).*got float"),
        (lambda: sw.rule(torch.optim.SGD), TypeError, "got SGD"),
        (lambda: sw.rule(sw.L1(1), roles="weights"), ValueError, "roles to be among weight, bias"),
        (lambda: sw.rule(sw.L1(1), types="Linear"), TypeError, "a module class or a list of them, got 'Linear'"),
        (lambda: sw.rule(sw.L1(1), names=3), TypeError, "a name pattern or a list of them, got 3"),
        (lambda: sw.rule(sw.L1(1), where=3), TypeError, "where to be a function"),
        (lambda: select(Network(), None), ValueError, "got none"),
        (lambda: select(Network(), [sw.rule(None)]), ValueError, "got none"),
        (lambda: select(Network(), 0.1), TypeError, "got float"),
        (lambda: select(nn.Linear(2, 2, dtype=torch.cfloat), sw.L1(1)), TypeError, "weight is complex"),
        (lambda: select(nn.LazyLinear(2), sw.L1(1)), ValueError, "weight of LazyLinear has no shape"),
    ],
)
def test_misuse_is_one_sentence(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)
