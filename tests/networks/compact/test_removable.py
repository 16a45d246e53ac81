"""Groups span tensors, hold each entry once, and zero means removable."""

import pytest
import torch
from torch import nn

import shrinkwise as sw
from networks.compact.models import MODELS, made
from shrinkwise.networks import removable


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", MODELS)
def test_no_entry_is_in_two_groups_and_sizes_and_norms_count_them(name):
    model, example = made(name)
    groups = sw.Groups.removable(model, example)
    marks = {key: torch.zeros_like(p) for key, p in model.named_parameters(remove_duplicate=False)}
    total = 0
    for group in groups.groups:
        for key, index in group.members:
            marks[key][index] += 1
        total += group.size
    assert max(float(mark.max()) for mark in marks.values()) == 1
    assert sum(float(mark.sum()) for mark in marks.values()) == total
    squares = sum(float((p.detach().double()[marks[key] > 0] ** 2).sum()) for key, p in model.named_parameters())
    assert float(groups.norms(model).square().sum()) == pytest.approx(squares)


def test_a_residual_axis_is_one_group_over_all_its_producers():
    model, example = made("residual")
    groups = removable(model, example)
    names = {tuple(sorted(key for key, _ in group.members)) for group in groups.groups}
    inner = ("a.bias", "a.weight", "norms.1.bias", "norms.1.weight")
    shared = ("b.bias", "b.weight", "norms.0.bias", "norms.0.weight", "stem.bias", "stem.weight")
    assert names == {inner, shared}
    assert len(groups) == 16


def test_a_head_holds_its_rows_of_q_k_and_v_and_its_columns_of_the_output_layer():
    model, example = made("torch attention")
    groups = removable(model, example)
    assert len(groups) == 4
    members = dict(groups[1].members)
    assert members["attention.in_proj_weight"] == ([3, 4, 5, 15, 16, 17, 27, 28, 29],)
    assert members["attention.out_proj.weight"] == (slice(None), [3, 4, 5])


def test_groups_do_not_depend_on_zeros_that_are_there():
    model, example = made("residual")
    before = removable(model, example)
    before.zero_(model, [1, 4])
    assert removable(model, example) == before


def test_compact_of_an_attached_model():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    reg = sw.attach(optimizer, model, sw.GroupLasso(0.05, groups=sw.Groups.rows()))
    x = torch.randn(64, 5)
    for _ in range(200):
        optimizer.zero_grad()
        ((model(x).squeeze(1) - x[:, 0]) ** 2).mean().backward()
        optimizer.step()
    gone = int((model[0].weight == 0).all(1).sum())
    assert 0 < gone < 16
    small, proof = reg.compact(x)
    assert small[0].out_features == 16 - gone
    assert proof.relative_diff <= 1e-5
