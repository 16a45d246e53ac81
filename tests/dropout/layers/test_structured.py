"""What is dropped together: maps, time steps, weights, branches, units; and the moments of alpha dropout."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shrinkwise import dropout as sd
from shrinkwise.dropout.layers.channel import channel_dropout
from shrinkwise.dropout.layers.concrete import concrete_dropout
from shrinkwise.dropout.layers.drop_path import drop_path
from shrinkwise.dropout.layers.gaussian import alpha_dropout, gaussian_dropout
from shrinkwise.dropout.layers.locked import locked_dropout


def test_whole_maps_are_dropped():
    y = channel_dropout(torch.ones(40, 30, 3, 2), keep=0.6, seed=0)
    assert ((y == 0).flatten(2).all(2) | (y == 1 / 0.6).flatten(2).all(2)).all()
    assert abs((y[..., 0, 0] == 0).float().mean() - 0.4) < 0.07
    assert not (y == y[:1]).all()  # each sample has its own draw


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6), (4,)])
def test_an_ambiguous_layout_is_refused_and_the_argument_named(shape):
    with pytest.raises(ValueError, match="channel_dim="):
        sd.ChannelDropout(keep=0.5)(torch.ones(shape))


def test_channel_dim_settles_the_layout():
    x = torch.ones(8, 7, 20)  # (batch, time, channel): torch's Dropout1d drops whole time steps here
    y = channel_dropout(x, keep=0.5, channel_dim=-1, seed=1)
    assert (y == y[:, :1]).all()
    assert 0 < (y[:, 0] == 0).float().mean() < 1
    one = channel_dropout(torch.ones(30, 4, 4), keep=0.5, channel_dim=0, seed=1)
    assert (one == one[:, :1, :1]).all()


def test_dropped_maps_are_zero_where_the_input_is_not_a_number():
    y = channel_dropout(torch.full((9, 9, 2, 2), torch.nan), keep=0.5, seed=0)
    dropped = channel_dropout(torch.ones(9, 9, 2, 2), keep=0.5, seed=0) == 0
    assert (y[dropped] == 0).all()
    assert y[~dropped].isnan().all()


@pytest.mark.parametrize("time_dim", [0, 1])
def test_one_mask_for_all_time_steps(time_dim):
    y = locked_dropout(torch.ones(6, 9, 50), keep=0.5, time_dim=time_dim, seed=3)
    assert (y == y.narrow(time_dim, 0, 1)).all()
    assert not (y == y.narrow(1 - time_dim, 0, 1)).all()


@pytest.mark.parametrize("seed", [None, 7])
def test_gaussian_noise_has_the_variance_of_dropout(seed):
    torch.manual_seed(0)
    n, keep = 200_000, 0.8
    noise = gaussian_dropout(torch.ones(n, dtype=torch.float64), keep=keep, seed=seed) - 1
    sd_expected = ((1 - keep) / keep) ** 0.5
    assert abs(noise.mean()) < 5 * sd_expected / n**0.5
    assert abs(noise.std() / sd_expected - 1) < 5 / (2 * n) ** 0.5
    assert abs((noise / sd_expected).pow(4).mean() - 3) < 5 * (96 / n) ** 0.5
    assert abs((noise[1:] * noise[:-1]).mean()) < 5 * sd_expected**2 / n**0.5


@pytest.mark.parametrize("keep", [0.9, 0.5])
def test_alpha_dropout_keeps_mean_0_and_variance_1(keep):
    torch.manual_seed(0)
    n = 400_000
    x = torch.randn(n, dtype=torch.float64)
    y = alpha_dropout(x, keep=keep, seed=1)
    assert abs(y.mean()) < 5 / n**0.5
    assert abs(y.var() - 1) < 0.015
    # And layer after layer, in the network it is for.
    h = torch.randn(4000, 300, dtype=torch.float64)
    for k in range(6):
        w = torch.randn(300, 300, dtype=torch.float64) / 300**0.5
        h = alpha_dropout(nn.functional.selu(h @ w), keep=keep, seed=k)
    assert abs(h.mean()) < 0.1
    assert abs(h.var() - 1) < 0.2


def test_alpha_dropout_has_two_kinds_of_elements():
    # a·x + b where kept, a·α' + b where dropped, with the constants of the definition written out again.
    keep, floor = 0.7, -1.7580993408473766
    a = (keep + floor**2 * keep * (1 - keep)) ** -0.5
    b = -a * (1 - keep) * floor
    x = torch.randn(1000, dtype=torch.float64)
    kept = sd.keep_mask(1000, keep=keep, seed=2)
    torch.testing.assert_close(alpha_dropout(x, keep=keep, seed=2), a * torch.where(kept, x, floor) + b)
    maps = alpha_dropout(torch.randn(5, 6, 4, 4), keep=keep, channel_dim=1, seed=0)
    assert ((maps.flatten(2).std(2) < 1e-6) == (maps.flatten(2).std(2) < 0.1)).all()


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Linear(5, 4), (3, 5)),
        (nn.Conv2d(2, 3, 3), (2, 2, 6, 6)),
        (nn.LSTM(5, 4, num_layers=2, batch_first=True), (3, 6, 5)),
        (nn.GRU(5, 4), (6, 3, 5)),
        (nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.GRU(4, 2, batch_first=True)), (3, 6, 5)),
    ],
)
def test_drop_connect_is_the_module_with_dropped_weights(module, shape):
    x, layer = torch.randn(shape), sd.DropConnect(module, keep=0.6, seed=5)
    first = lambda y: y[0] if isinstance(y, tuple) else y  # noqa: E731
    got = first(layer(x))
    # The same by hand: write the dropped weights into the parameters and run the module.
    kept = {name: p.detach().clone() for name, p in module.named_parameters()}
    with torch.no_grad():
        for stream, name in enumerate(n for n, p in module.named_parameters() if "weight" in n and p.dim() > 1):
            p = module.get_parameter(name)
            p.copy_(sd.functional.dropout(p, keep=0.6, seed=5, stream=stream))
    torch.testing.assert_close(got, first(module(x)))
    module.load_state_dict(kept)
    torch.testing.assert_close(first(layer.eval()(x)), first(module(x)))
    layer.train()
    first(layer(x)).sum().backward()
    assert all(p.grad is not None for p in module.parameters())


def test_drop_connect_of_recurrent_weights_only():
    lstm = nn.LSTM(3, 4)
    layer, x = sd.DropConnect(lstm, keep=0.5, names="weight_hh*"), torch.randn(1, 2, 3)
    assert torch.equal(layer(x)[0], lstm(x)[0])  # at the first time step the state is zero, so nothing is dropped
    assert not torch.equal(layer(torch.randn(5, 2, 3))[0], lstm.eval()(torch.randn(5, 2, 3))[0])


def test_drop_path_is_the_masked_branch_and_runs_it_on_kept_rows_only():
    seen = []
    branch = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    x = torch.randn(50, 3, 4, requires_grad=True)
    y = drop_path(lambda z: (seen.append(len(z)), branch(z))[1], x, keep=0.4, seed=1)
    kept = sd.keep_mask(50, keep=0.4, seed=1)
    assert seen == [int(kept.sum())]
    expected = x + torch.where(kept[:, None, None], branch(x) / 0.4, 0.0)
    torch.testing.assert_close(y, expected)
    weights = torch.randn_like(x)
    parameters = [x, *branch.parameters()]
    for got, right in zip(*(torch.autograd.grad((z * weights).sum(), parameters) for z in (y, expected)), strict=True):
        torch.testing.assert_close(got, right)


def test_drop_path_along_another_dimension_with_further_inputs_and_nothing_kept():
    x, scale = torch.randn(3, 40, 2), torch.rand(1, 40, 1)
    y = drop_path(lambda z, s: z * s, x, scale, keep=0.5, batch_dim=1, seed=0)
    kept = sd.keep_mask(40, keep=0.5, seed=0)
    torch.testing.assert_close(y, x + torch.where(kept[:, None], x * scale / 0.5, 0.0))
    none = drop_path(lambda z: 1 / 0, x[:1], keep=1e-9, seed=0)  # the branch is not run
    assert torch.equal(none, x[:1])
    with pytest.raises(ValueError, match="40 samples in dimension 1 of every input"):
        drop_path(lambda z, s: z, x, scale[:, :3], keep=0.5, batch_dim=1)
    with pytest.raises(ValueError, match="keeps the shape"):
        drop_path(lambda z: z[..., :1], x, keep=0.5)


def test_drop_path_leaves_batchnorm_the_kept_rows():
    norm = nn.BatchNorm1d(4, momentum=1.0)
    x = torch.randn(60, 4)
    drop_path(norm, x, keep=0.5, seed=1)
    torch.testing.assert_close(norm.running_mean, x[sd.keep_mask(60, keep=0.5, seed=1)].mean(0))


def test_unit_dropout_multiplies_smaller_matrices_and_equals_the_masked_chain():
    chain = nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 3))
    layer, x = sd.UnitDropout(chain, keep=0.5, seed=4), torch.randn(9, 6)
    seen = []
    for m in (chain[1], chain[3]):
        m.register_forward_hook(lambda m, i, o: seen.append(o.shape[1]))
    y = layer(x)
    masks = [sd.keep_mask(n, keep=0.5, seed=4, stream=k) for k, n in enumerate((40, 30))]
    assert seen == [int(m.sum()) for m in masks]
    h = torch.tanh(chain[0](x)) * masks[0] / 0.5
    h = torch.relu(chain[2](h)) * masks[1] / 0.5
    expected = chain[4](h)
    torch.testing.assert_close(y, expected)
    weights = torch.randn_like(y)
    for got, right in zip(
        *(torch.autograd.grad((z * weights).sum(), list(chain.parameters())) for z in (y, expected)), strict=True
    ):
        torch.testing.assert_close(got, right)


@pytest.mark.parametrize("rows", [50, 9000])  # few elements, and more than a draw has values
def test_concrete_dropout_is_its_formula(rows):
    x = torch.randn(rows, 8, dtype=torch.float64, requires_grad=True)
    logit = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    y = concrete_dropout(x, logit, temperature=0.3)
    torch.manual_seed(0)
    words = torch.randint(-(2**63), 2**63 - 1, (rows * 2,)).view(torch.int16)
    u = ((words.double() + 32768.5) / 65536).view(rows, 8)
    mask = torch.sigmoid((logit + torch.log(u) - torch.log1p(-u)) / 0.3)
    expected = x * mask / torch.sigmoid(logit)
    torch.testing.assert_close(y, expected)
    weights = torch.randn_like(y)
    for got, right in zip(*(torch.autograd.grad((z * weights).sum(), [x, logit]) for z in (y, expected)), strict=True):
        torch.testing.assert_close(got, right)


def test_concrete_dropout_drops_with_its_probability_and_whole_maps_of_a_convolution():
    y = concrete_dropout(torch.ones(100_000), torch.tensor(1.5), temperature=0.02)
    assert abs((y > 0.5).double().mean() - torch.sigmoid(torch.tensor(1.5))) < 0.01
    layer = sd.ConcreteDropout(nn.Conv2d(6, 6, 1, bias=False), keep=0.5, n_samples=10)
    nn.init.dirac_(layer.layer.weight)
    y = layer(torch.ones(5, 6, 3, 3)).flatten(2)
    torch.testing.assert_close(y, y[..., :1].expand_as(y))
    assert y[..., 0].std() > 0.1


def test_the_regularization_of_concrete_dropout_and_that_it_learns():
    layer = sd.ConcreteDropout(nn.Linear(4, 3), keep=0.8, n_samples=50, lengthscale=0.3)
    w, k = layer.layer.weight, torch.tensor(0.8)
    entropy = -k * k.log() - (1 - k) * (1 - k).log()
    torch.testing.assert_close(layer.regularization(), (0.3**2 / (2 * k) * (w * w).sum() - 4 * entropy) / 50)
    # With a target that is certain, noise only hurts: the probability of keeping goes up; without data it goes to ½.
    torch.manual_seed(0)
    x = torch.randn(200, 4)
    y = x @ torch.randn(4, 3)
    for data in (True, False):
        layer = sd.ConcreteDropout(nn.Linear(4, 3), keep=0.8, n_samples=200, lengthscale=1e-3)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
        for _ in range(250):
            loss = layer.regularization() + (50 * (layer(x) - y).square().sum(1).mean() if data else 0.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert layer.keep > 0.95 if data else abs(layer.keep - 0.5) < 0.05
