"""MC dropout: its numbers, and the ways in which a model is silently deterministic or BatchNorm wakes."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shrinkwise import dropout as sd
from shrinkwise.dropout import mc_predict


def spread(model, x, **options):
    return mc_predict(model, x, **{"samples": 20, "task": "regression", "seed": 0, **options}).variance


class Last(nn.Module):
    """The first output of a module, at the last time step."""

    def __init__(self, module, *, self_attention=False):
        super().__init__()
        self.module, self.self_attention = module, self_attention

    def forward(self, x):
        y = self.module(x, x, x) if self.self_attention else self.module(x)
        return y[0][:, -1] if isinstance(y, tuple) else y[:, -1]


@pytest.mark.parametrize("keep", [0.3, 0.8])
def test_the_variance_of_a_linear_unit(keep):
    # (1 − keep)/keep Σ_j w_j² x_j², the exact variance; 5 standard errors of a sample variance.
    x, layer, n = torch.randn(7, 12), nn.Linear(12, 1), 4000
    found = mc_predict(nn.Sequential(sd.Dropout(keep=keep), layer), x, samples=n, task="regression", seed=1)
    exact = (1 - keep) / keep * (layer.weight**2 * x**2).sum(1, keepdim=True)
    kurtosis = ((found.samples - found.mean) ** 4).mean(0) / found.variance**2
    assert ((found.variance / exact - 1).abs() < 5 * ((kurtosis - 1) / n).sqrt()).all()
    assert ((found.mean - layer(x)).abs() < 5 * (exact / n).sqrt()).all()
    assert found.entropy is None
    assert found.mutual_information is None


def test_entropy_and_mutual_information_are_their_formulas():
    model = nn.Sequential(nn.Linear(3, 30), nn.ReLU(), nn.Dropout(0.5), nn.Linear(30, 4))
    x = torch.randn(6, 3)
    found = mc_predict(model, x, samples=30, task="classification")
    p = found.samples
    torch.testing.assert_close(p.sum(-1), torch.ones(30, 6))
    torch.testing.assert_close(found.mean, p.mean(0))
    torch.testing.assert_close(found.variance, p.var(0, correction=0))
    entropy = -(found.mean * found.mean.log()).sum(1)
    torch.testing.assert_close(found.entropy, entropy)
    torch.testing.assert_close(found.mutual_information, entropy + (p * p.log()).sum(-1).mean(0), atol=1e-5, rtol=1e-4)
    assert (found.mutual_information > 0).all()
    noisy = mc_predict(model, x, samples=30, task="regression", noise_variance=0.5)
    total = noisy.variance + 0.5
    normal = torch.distributions.Normal(torch.zeros_like(total), total.sqrt())
    torch.testing.assert_close(noisy.entropy, normal.entropy())
    torch.testing.assert_close(noisy.mutual_information, normal.entropy() - 0.5 * math.log(2 * math.pi * math.e * 0.5))


def test_one_logit_is_two_classes():
    one, two = nn.Linear(5, 1), nn.Linear(5, 2)
    with torch.no_grad():
        two.weight.copy_(torch.cat([one.weight, 0 * one.weight])), two.bias.copy_(torch.cat([one.bias, 0 * one.bias]))
    x = torch.randn(4, 5)
    a, b = (
        mc_predict(nn.Sequential(sd.Dropout(keep=0.5), m), x, samples=9, task="classification", seed=2)
        for m in (one, two)
    )
    torch.testing.assert_close(a.mean[:, 0], b.mean[:, 0])
    torch.testing.assert_close(a.entropy, b.entropy)
    torch.testing.assert_close(a.mutual_information, b.mutual_information)


def test_batched_draws_are_the_draws_one_by_one():
    model, x = nn.Sequential(sd.Dropout(keep=0.5, seed=4), nn.Linear(6, 2)), torch.randn(3, 6)
    passes = []
    model.register_forward_hook(lambda m, i, o: passes.append(len(o)))
    together = spread(model, x, samples=400)
    assert passes == [1200]
    in_parts = spread(model, x, samples=400, max_rows=90)
    assert passes[1:] == [90] * 13 + [30]
    assert ((together / in_parts - 1).abs() < 0.5).all()
    assert model[0].draws == 0  # the layer's own sequence goes on where it was


@pytest.mark.parametrize(
    "layer",
    [
        sd.DropConnect(nn.Linear(4, 2), keep=0.5),
        sd.UnitDropout(nn.Sequential(nn.Linear(4, 9), nn.Linear(9, 2)), keep=0.5),
    ],
)
def test_layers_whose_rows_share_a_draw_get_one_pass_a_draw(layer):
    x = torch.randn(1, 4)
    found = mc_predict(layer, x, samples=30, task="regression")
    assert len(found.samples.flatten(1).unique(dim=0)) > 10


def test_noise_of_the_users_own_that_rows_share_is_seen():
    own = Functional(lambda m, h: h * F.dropout(torch.ones(3), 0.5, m.training))
    found = mc_predict(own, torch.randn(2, 5), samples=30, task="regression", seed=0)
    assert len(found.samples.flatten(1).unique(dim=0)) > 3


def test_batchnorm_stays_in_eval_and_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
    model[0].eval()
    before, modes = copy.deepcopy(model.state_dict()), [m.training for m in model.modules()]
    x = torch.randn(5, 4)
    found = mc_predict(model, x, samples=4000, task="regression")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), before.values(), strict=True))
    assert [m.training for m in model.modules()] == modes
    # With a woken BatchNorm the mean would be that of the batch's own statistics.
    expected = model.eval()(x)
    assert ((found.mean - expected).abs() < 5 * (found.variance / 4000).sqrt() + 1e-6).all()


@pytest.mark.parametrize("grad", [True, False])
def test_the_fast_path_of_a_transformer_layer_is_left(grad):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True).eval()
    x = torch.randn(3, 5, 8)
    # The trap: dropout children woken alone do nothing without gradients.
    for m in layer.modules():
        if isinstance(m, nn.Dropout):
            m.train()
    with torch.no_grad():
        assert torch.equal(layer(x), layer(x))
    with torch.set_grad_enabled(grad):
        assert spread(layer, x).min() > 0
        assert spread(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), x).min() > 0


def test_dropout_without_a_layer_of_its_own_is_found():
    x = torch.randn(4, 6, 8)
    attention = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)
    for model in (
        Last(nn.LSTM(8, 4, num_layers=2, dropout=0.5, batch_first=True)),
        Last(nn.GRU(8, 4, num_layers=2, dropout=0.5, batch_first=True)),
        Last(attention, self_attention=True),
    ):
        model.eval()
        assert torch.equal(model(x), model(x))
        assert spread(model, x).min() > 0


def test_time_major_models_say_where_the_rows_are():
    class TimeMajor(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 4, num_layers=2, dropout=0.5)

        def forward(self, x):
            return self.lstm(x)[0]

    model, x = TimeMajor(), torch.randn(6, 2, 3)
    assert mc_predict(model, x, samples=5, task="regression", batch_dim=1).samples.shape == (5, 2, 6, 4)
    with pytest.raises(ValueError, match="batch_dim"):
        mc_predict(Last(model), x, samples=5, task="regression", batch_dim=1)


class Functional(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.linear, self.call = nn.Linear(5, 3), call

    def forward(self, x):
        return self.call(self, self.linear(x))


def test_functional_dropout_in_user_code_acts_or_is_named():
    x = torch.randn(4, 5)
    for call in (
        lambda m, h: F.dropout(h, 0.5, m.training),
        lambda m, h: F.dropout(h, 0.5) if m.training else h,
        lambda m, h: F.dropout(h, 0.5),
        lambda m, h: sd.functional.dropout(h, keep=0.5, training=m.training),
        lambda m, h: F.scaled_dot_product_attention(*[h[:, None]] * 3, dropout_p=0.5 * m.training)[:, 0],
    ):
        assert spread(Functional(call), x).min() > 0
    hard = Functional(lambda m, h: F.dropout(h, 0.4, training=False))
    with pytest.warns(UserWarning, match=r"dropout with p=0.4 at .*test_monte_carlo.py:\d+ is off"):
        assert spread(nn.Sequential(nn.Dropout(0.5), hard), x).min() > 0
    with pytest.warns(UserWarning, match="is off"), pytest.raises(ValueError, match="no active dropout"):
        spread(hard, x)


@pytest.mark.parametrize("model", [nn.Linear(5, 3), nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.0)), nn.RReLU()])
def test_a_deterministic_model_is_refused(model):
    with pytest.raises(ValueError, match="draws of the model are equal"):
        spread(model, torch.randn(4, 5))


def test_a_buffer_that_training_mode_changes_is_put_back_and_named():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x):
            if self.training:
                self.seen += 1
            return x

    model = nn.Sequential(Counts(), nn.Dropout(0.5))
    with pytest.warns(UserWarning, match="changed 0.seen"):
        spread(model, torch.ones(2, 3))
    assert model[0].seen == 0


def test_a_seed_repeats_and_leaves_torchs_generator_alone():
    model, x = nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 3)), torch.randn(2, 5)
    state = torch.get_rng_state()
    a, b = (mc_predict(model, x, samples=5, task="regression", seed=3).samples for _ in range(2))
    assert torch.equal(a, b)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(a, mc_predict(model, x, samples=5, task="regression", seed=4).samples)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": "ranking"}, 'task="classification" or task="regression"'),
        ({"samples": 1}, "at least 2, got 1"),
        ({"noise_variance": -1.0}, "above 0, got -1.0"),
    ],
)
def test_misuse_is_one_sentence(options, says):
    with pytest.raises(ValueError, match=says):
        spread(nn.Dropout(0.5), torch.ones(3, 2), **options)


def test_torchs_dropout1d_drops_time_steps_where_ours_asks():
    x = torch.ones(4, 50, 8)  # (batch, time, channel)
    y = nn.Dropout1d(0.5)(x)
    assert (y == y[..., :1]).all()  # whole time steps: not what was meant, and no word of it
    with pytest.raises(ValueError, match="channel_dim="):
        sd.ChannelDropout(keep=0.5)(x)


def test_dropout_before_batchnorm_shifts_its_variance_in_evaluation():
    # The known hazard, as a number: BatchNorm learns the variance of noisy units, 1/keep times that of clean ones.
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(6, momentum=None, affine=False)
    x = torch.randn(4000, 6)
    for _ in range(20):
        norm(sd.functional.dropout(x, keep=0.5))
    assert norm.eval()(x).std() == pytest.approx(0.5**0.5, abs=0.02)
