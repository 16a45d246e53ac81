"""Outputs stay equal, whatever is zero; the original stays as it was; what can go goes."""

import copy

import pytest
import torch
from torch import nn

import shrinkwise as sw
from networks.compact.models import MODELS, Heads, made
from shrinkwise.networks import removable

QUICK = ("residual", "branches", "padded sigmoid", "own attention", "encoder", "tied", "group norm")
STAY = {  # groups of zeros that stay all the same, and why
    "padded sigmoid": 1,  # the carrier
    "tied": 4,  # the constants in front of a layer that is used twice
}


def run(model, example):
    with torch.no_grad():
        return model(*example) if isinstance(example, tuple) else model(example)


def other(example, rows=4):
    """Another input, of another batch size."""
    if isinstance(example, tuple):
        return tuple(other(one, rows) for one in example)
    if example.is_floating_point():
        return torch.randn(rows, *example.shape[1:]) * 2
    return torch.randint(0, 11, (rows, *example.shape[1:]))


def assert_same(model, small, example):
    inputs = other(example)
    y, z = run(model, inputs), run(small, inputs)
    assert float((y - z).abs().max()) <= 1e-5 * float(y.abs().max())
    assert float((y - y[:1]).abs().max()) > 1e-3 * float(
        y.abs().max()
    )  # an output that ignores its input shows nothing


def zero_some(model, example, seed):
    groups = removable(model, example)
    generator = torch.Generator().manual_seed(seed)
    which = torch.nonzero(torch.rand(len(groups), generator=generator) < 0.5).reshape(-1).tolist()
    groups.zero_(model, which)
    return groups, which


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", MODELS)
def test_random_removable_groups_go_and_the_outputs_stay(name):
    model, example = made(name)
    groups, which = zero_some(model, example, seed=1)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    small, proof = sw.compact(model, example)
    assert_same(model, small, example)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    left = len(removable(small, example))
    assert left == len(groups) - len(which) + STAY.get(name, 0)
    assert proof.parameters[1] < proof.parameters[0]
    assert proof.parameters[1] == sum(p.numel() for p in small.parameters())


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in MODELS]
)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_any_zeros_leave_the_outputs_equal(name, seed):
    """Rows, columns, gains and single entries at random: nothing has to go, but nothing may change."""
    model, example = made(name, seed)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter[torch.rand(len(parameter)) < 0.4] = 0.0
                parameter[:, torch.rand(parameter.shape[1]) < 0.3] = 0.0
            else:
                parameter[torch.rand(len(parameter)) < 0.3] = 0.0
    try:
        small, _ = sw.compact(model, example)
    except ValueError as error:
        pytest.fail(str(error))
    inputs = other(example)
    y, z = run(model, inputs), run(small, inputs)
    assert float((y - z).abs().max()) <= 1e-5 * float(y.abs().max())


@pytest.mark.parametrize("name", ["linear", "padded sigmoid", "encoder", "own attention", "residual"])
def test_all_groups_but_few_leave_no_layer_empty(name):
    model, example = made(name)
    groups = removable(model, example)
    groups.zero_(model, range(len(groups)))
    small, _ = sw.compact(model, example)
    assert all(size > 0 for p in small.parameters() for size in p.shape)
    inputs = other(example)
    torch.testing.assert_close(run(small, inputs), run(model, inputs), rtol=1e-5, atol=1e-5)


def test_without_zeros_nothing_goes():
    model, example = made("residual")
    small, proof = sw.compact(model, example)
    assert proof.parameters[0] == proof.parameters[1]
    assert torch.equal(run(model, example), run(small, example))


def test_a_unit_that_nothing_reads_goes_and_so_does_what_feeds_only_it():
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    with torch.no_grad():
        model[4].weight[:, 3:] = 0  # units 3, 4 of the second layer are not read …
        model[2].weight[:3, 1:] = 0  # … and units 1 to 5 of the first only by those
    small, proof = sw.compact(model, torch.randn(3, 4))
    assert (small[0].out_features, small[2].out_features) == (1, 3)
    assert proof.relative_diff < 1e-6


def test_constants_move_into_a_bias_that_is_made_where_there_was_none():
    model, example = made("linear without biases")
    with torch.no_grad():
        model[0].weight[:6] = 0  # sigmoid(0) = ½ for every input
    small, _ = sw.compact(model, example)
    assert small[0].out_features == 3
    expected = 0.5 * model[2].weight[:, :6].sum(1)
    torch.testing.assert_close(small[2].bias, expected)
    assert_same(model, small, example)


def test_padding_keeps_one_channel_that_carries_the_constants_of_the_others():
    model, example = made("padded sigmoid")
    with torch.no_grad():
        model[0].weight[:5] = 0  # five constant channels in front of a padded convolution
    small, proof = sw.compact(model, example)
    assert small[0].out_channels == 3 + 1
    assert "padding" in proof.pinned["3"]
    assert_same(model, small, example)


def test_a_layer_used_twice_with_constants_is_not_given_two_biases():
    model, example = made("tied")
    with torch.no_grad():
        model.layer.weight[:3] = 0
    small, _ = sw.compact(model, example)
    assert_same(model, small, example)


def test_tied_weights_stay_tied():
    model, example = made("tied")
    zero_some(model, example, 3)
    small, _ = sw.compact(model, example)
    assert small.table.weight is small.out.weight


def test_a_size_written_into_the_code_keeps_its_channels_and_is_named():
    model, example = made("literal")
    with torch.no_grad():
        model.conv.weight[:3] = 0
        model.fc.weight[:12] = 0
    small, proof = sw.compact(model, example)
    assert (small.conv.out_channels, small.fc.out_features) == (6, 8)
    assert "sizes in its code" in proof.pinned["forward"]


def test_heads_go_and_the_numbers_in_the_attributes_follow():
    model, example = made("own attention")
    with torch.no_grad():
        model.proj.weight[:, 3:6] = 0  # head 1 is not read
    small, _ = sw.compact(model, example)
    assert isinstance(small, Heads)
    assert (small.num_heads, small.head_dim, small.inner) == (3, 3, 9)
    assert small.qkv.out_features == 27
    assert_same(model, small, example)


def test_torch_attention_with_fewer_heads_takes_masks_and_gives_weights():
    torch.manual_seed(0)
    model = nn.MultiheadAttention(12, 4)
    removable(Sequence(model), torch.randn(5, 2, 12)).zero_(Sequence(model), [0, 2])
    small = sw.compact(Sequence(model), torch.randn(5, 2, 12))[0].attention
    assert small.num_heads == 2
    assert isinstance(small, nn.MultiheadAttention)
    x, padding = torch.randn(5, 2, 12), torch.tensor([[False, False, False, True, True], [False] * 5])
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    for options in (
        {},
        {"key_padding_mask": padding},
        {"attn_mask": causal, "is_causal": True},
        {"need_weights": False},
    ):
        y, z = (m.eval()(x, x, x, **options)[0] for m in (model, small))
        torch.testing.assert_close(z, y, rtol=1e-5, atol=1e-6)
    each = [m(x, x, x, average_attn_weights=False)[1] for m in (model, small)]
    torch.testing.assert_close(each[1], each[0][:, [1, 3]])


class Sequence(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


def test_inputs_that_no_longer_matter_are_listed():
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight[:, [0, 3]] = 0
    proof = sw.compact(model, torch.randn(3, 6))[1]
    assert proof.inputs_used == {"input": [1, 2, 4, 5]}
    assert "4 of 6" in str(proof)


class Chosen(nn.Module):
    """Numbers in a buffer choose inputs, or what a layer makes of them, or first the ones and then the others."""

    def __init__(self, how="inputs"):
        super().__init__()
        self.register_buffer("used", torch.tensor([5, 0, 3, -2]))
        self.layer, self.first, self.last, self.how = nn.Linear(6, 6), nn.Linear(4, 4), nn.Linear(4, 2), how

    def forward(self, x):
        h = self.first((self.layer(x) if self.how == "layer" else x)[:, self.used]).relu()
        return self.last(h + self.layer(x)[:, self.used] if self.how == "twice" else h)


def test_a_buffer_that_chooses_inputs_loses_those_that_no_longer_matter():
    model = Chosen()
    with torch.no_grad():
        model.first.weight[:, [1, 3]] = 0
    x = torch.randn(5, 6)
    small, proof = sw.compact(model, x)
    assert small.used.tolist() == [5, 3]
    assert small.first.in_features == 2
    assert proof.inputs_used == {"x": [3, 5]}
    assert len(removable(model, x)) == 4  # the units alone: a group holds what makes a channel zero
    assert_same(model, small, x)


@pytest.mark.parametrize("how", ["twice", "layer"])
def test_a_buffer_of_numbers_is_kept_where_other_positions_would_be_renumbered(how):
    model = Chosen(how)
    with torch.no_grad():
        model.first.weight[:, [1, 3]] = 0
    x = torch.randn(5, 6)
    small, _ = sw.compact(model, x)
    assert len(small.used) == 4
    assert_same(model, small, x)


def test_the_result_trains_is_saved_and_keeps_the_mode():
    model, example = made("residual")
    zero_some(model, example, 2)
    model.train()
    model.norms[1].eval()
    small, _ = sw.compact(model, example)
    assert model.training
    assert small.training
    assert not small.norms[1].training
    again = copy.deepcopy(small)
    small(example).square().sum().backward()
    torch.optim.SGD(small.parameters(), 1e-3).step()
    again.load_state_dict(small.state_dict())
    torch.testing.assert_close(run(again.eval(), example), run(small.eval(), example))


@pytest.mark.filterwarnings("ignore")  # of torch's exporter about itself
@pytest.mark.parametrize("name", ["residual", "encoder", "padded sigmoid"])
def test_the_result_exports_to_onnx(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="torch.onnx.export needs onnxscript")
    model, example = made(name)
    zero_some(model, example, 2)
    small, _ = sw.compact(model, example)
    file = tmp_path / "small.onnx"
    torch.onnx.export(small, (example,), str(file), dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(str(file))
    found = session.run(None, {session.get_inputs()[0].name: example.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(found), run(small, example), rtol=1e-5, atol=1e-5)


def test_a_single_input_channel_is_no_reason_to_keep_anything():
    model = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 2, 3))
    with torch.no_grad():
        model[0].weight[:4], model[0].bias[:4] = 0.0, 0.0
    small, proof = sw.compact(model, torch.randn(3, 1, 8, 8))
    assert small[0].out_channels == 2
    assert proof.pinned == {}


@pytest.mark.parametrize(
    ("conv", "form"),
    [
        (nn.Conv2d, torch.contiguous_format),
        (nn.Conv2d, torch.channels_last),
        (nn.Conv3d, torch.channels_last_3d),
        (nn.ConvTranspose2d, torch.channels_last),
    ],
)
def test_weights_keep_their_order_in_memory(conv, form):
    # A network with channels last is slower in another order, in spite of fewer channels.
    model = nn.Sequential(conv(1, 6, 3), nn.ReLU(), conv(6, 5, 3), nn.ReLU(), conv(5, 2, 3)).to(memory_format=form)
    example = torch.randn(3, 1, *[8] * (model[0].weight.dim() - 2))
    groups = removable(model, example)
    groups.zero_(model, [0, 3, 6, 7, 8, 9])  # of the second layer one channel is left
    small, _ = sw.compact(model, example)
    assert small[2].weight.numel() == small[2].weight[0, 0].numel() * 4
    for layer in (0, 2, 4):
        weight = small[layer].weight
        assert (
            weight.stride()
            == weight.detach().clone(memory_format=torch.contiguous_format).to(memory_format=form).stride()
        )
