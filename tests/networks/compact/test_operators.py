"""Operators of users' own code: channels pass through them, go where they are zero, and the outputs stay."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shrinkwise as sw
from shrinkwise.networks import removable


class Products(nn.Module):
    """Matrices of the model without layers around them, sums over neighbours, chosen rows, extrema."""

    def __init__(self):
        super().__init__()
        self.w1, self.b1 = nn.Parameter(torch.randn(10, 8)), nn.Parameter(torch.randn(8))
        self.w2, self.b2 = nn.Parameter(torch.randn(8, 7)), nn.Parameter(torch.randn(7))
        self.table, self.out = nn.EmbeddingBag(11, 6), nn.Linear(3 * 7 + 6, 2)

    def forward(self, x, tokens, neighbours, chosen):
        h = neighbours @ (x @ self.w1 + self.b1).relu()
        h = torch.addmm(self.b2, h.flatten(0, 1), self.w2).unflatten(0, (3, 6))
        h = torch.zeros_like(h).index_add(1, chosen, h.index_select(1, chosen))[:, [0, 2, 2]]
        parts = [h.max(1)[0], torch.max(h.sort(1)[0], h.square())[:, 0], h.cumsum(1)[:, -1], self.table(tokens)]
        return self.out(torch.cat(parts, 1))


class Rotated(nn.Module):
    """Attention written with einsum, where positions rotate the halves of a head."""

    def __init__(self):
        super().__init__()
        self.heads, self.qkv, self.out = 4, nn.Linear(8, 48), nn.Linear(16, 8)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        q, k = (torch.cat([-u[..., 2:], u[..., :2]], -1) + u for u in (q, k))
        return self.out(
            torch.einsum("bhij,bjhd->bihd", torch.einsum("bihd,bjhd->bhij", q, k).softmax(-1), v).flatten(2)
        )


class Windows(nn.Module):
    """Channels read at computed places, and windows as rows."""

    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 6, 3), nn.Linear(6 * 4, 5)
        self.turn = nn.Parameter(torch.tensor([[[0.9, 0.1, 0.0], [-0.1, 0.9, 0.1]]]))

    def forward(self, x):
        h = self.conv(x).relu()
        h = F.grid_sample(
            h, F.affine_grid(self.turn.expand(len(x), -1, -1), h.size(), align_corners=False), align_corners=False
        )
        return self.out(F.unfold(h, 2, stride=2).transpose(1, 2))


def compacted(model, example, zeroed):
    torch.manual_seed(0)
    groups = sw.Groups.removable(model, example)
    groups.zero_(model, zeroed)
    small, proof = sw.compact(model, example)
    assert proof.relative_diff < 1e-12
    return len(groups), small, proof


def test_matrices_of_the_model_lose_their_columns():
    model = Products().double().eval()
    tokens, chosen = torch.randint(0, 11, (3, 6)), torch.tensor([5, 3, 1, 0, 2, 4])
    example = (torch.randn(3, 6, 10).double(), tokens, torch.rand(6, 6).double(), chosen)
    n_groups, small, proof = compacted(model, example, range(0, 21, 2))
    assert n_groups == 8 + 7 + 6
    removed = 8 + 7 + 6 - small.w1.shape[1] - small.w2.shape[1] - small.table.embedding_dim
    assert removed == 11
    assert small.out.in_features == 3 * small.w2.shape[1] + small.table.embedding_dim
    assert proof.pinned.keys() <= {"neighbours", "chosen", "tokens", "x"}


def test_heads_go_although_their_halves_are_rotated_and_products_are_written_with_einsum():
    n_groups, small, _ = compacted(Rotated().double().eval(), torch.randn(3, 5, 8).double(), [1, 2])
    assert (n_groups, small.heads, small.out.in_features) == (4, 2, 8)


def test_resampled_channels_and_windows():
    n_groups, small, _ = compacted(Windows().double().eval(), torch.randn(2, 3, 8, 8).double(), [0, 3, 4])
    assert (n_groups, small.conv.out_channels, small.out.in_features) == (6, 3, 12)


def test_channels_that_code_with_literal_sizes_needs_are_in_no_group():
    class Split(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.inner, self.last = nn.Linear(4, 6), nn.Linear(3, 5), nn.Linear(5, 2)

        def forward(self, x):
            gain, shift = torch.split(self.first(x), 3, -1)
            return self.last(self.inner(gain * x[:, :3] + shift).relu())

    groups = sw.Groups.removable(Split(), torch.randn(2, 4))
    assert sorted(groups.tensors) == ["inner.bias", "inner.weight"]
    assert len(groups) == 5


class Written(nn.Module):
    """A tensor that is written to and read afterwards under another name, in one of several ways."""

    def __init__(self, how):
        super().__init__()
        self.how, self.conv, self.norm, self.out = how, nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Linear(8, 2)

    def forward(self, x):
        y = self.norm(self.conv(x))
        return self.out(self.how(y).mean((2, 3)))


def _through_a_view(y):
    y.flatten(2).sub_(1.0).relu_()
    return y


def _before_another_reader(y):
    kept = y.sigmoid()
    y.relu_()
    return y * kept


def _alone(y):
    return F.dropout(y.add_(0.5).relu_().mul_(2.0), 0.5, training=False, inplace=True)


@pytest.mark.parametrize("how", [_alone, _through_a_view, _before_another_reader])
def test_tensors_that_are_written_to_are_followed(how, monkeypatch):
    torch.manual_seed(0)
    model, x = Written(how).eval(), torch.randn(4, 3, 4, 4)
    with torch.no_grad():
        model.norm.bias.normal_()
        model.norm.running_mean.normal_()
    groups = removable(model, x)
    assert len(groups) == 8
    groups.zero_(model, range(5))
    calls = []
    decompose = torch.export.ExportedProgram.run_decompositions
    monkeypatch.setattr(
        torch.export.ExportedProgram, "run_decompositions", lambda *a, **k: calls.append(1) or decompose(*a, **k)
    )
    small, proof = sw.compact(model, x)
    assert small.conv.out_channels == 3
    assert proof.relative_diff <= 1e-5
    assert bool(calls) == (how is not _alone)  # only then does another name see what is written
