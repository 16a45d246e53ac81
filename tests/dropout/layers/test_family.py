"""What every layer of the family obeys: the mean, train and eval, seeds, sentences, compilation, checkpointing."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from shrinkwise import dropout as sd
from shrinkwise.dropout.layers import concrete
from shrinkwise.dropout.layers.channel import channel_dropout
from shrinkwise.dropout.layers.concrete import concrete_dropout
from shrinkwise.dropout.layers.drop_path import drop_path
from shrinkwise.dropout.layers.gaussian import alpha_dropout, gaussian_dropout
from shrinkwise.dropout.layers.locked import locked_dropout

KEEP = 0.7


def linear_chain():
    return nn.Sequential(nn.Linear(5, 8), nn.Identity(), nn.Linear(8, 5))


# Linear in their noise, so that the mean over draws is the evaluation's output.
LAYERS = {
    "dropout": lambda **o: sd.Dropout(keep=KEEP, **o),
    "channel": lambda **o: sd.ChannelDropout(keep=KEEP, channel_dim=-1, **o),
    "locked": lambda **o: sd.LockedDropout(keep=KEEP, time_dim=1, **o),
    "gaussian": lambda **o: sd.GaussianDropout(keep=KEEP, **o),
    "drop_connect": lambda **o: sd.DropConnect(nn.Linear(5, 5), keep=KEEP, **o),
    "drop_path": lambda **o: sd.DropPath(nn.Linear(5, 5), keep=KEEP, **o),
    "unit": lambda **o: sd.UnitDropout(linear_chain(), keep=KEEP, **o),
}
ALL = {
    **LAYERS,
    "alpha": lambda **o: sd.AlphaDropout(keep=KEEP, **o),
    "concrete": lambda **o: sd.ConcreteDropout(nn.Linear(5, 5), keep=KEEP, n_samples=100, **o),
}
OWN_ROADS = ("drop_connect", "drop_path", "unit", "concrete")
each_layer = pytest.mark.parametrize("make", ALL.values(), ids=ALL)


@pytest.fixture
def x():
    return torch.randn(6, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_the_mean_over_draws_is_the_evaluation(make, x):
    torch.manual_seed(1)
    layer = make()
    with torch.no_grad():
        draws = torch.stack([layer(x).double() for _ in range(1500)])
        expected = layer.eval()(x).double()
    error = (draws.mean(0) - expected) / (draws.std(0) / len(draws) ** 0.5).clamp_min(1e-12)
    assert error.abs().max() < 5  # 120 numbers: a right layer fails once in 14 000 seeds
    assert draws.std(0).min() > 0


@each_layer
def test_evaluation_has_no_noise_and_shapes_stay(make, x):
    layer = make()
    assert layer(x).shape == x.shape
    assert not torch.equal(layer(x), layer(x))
    assert torch.equal(layer.eval()(x), layer(x))


@each_layer
def test_an_own_seed_repeats_whatever_else_draws(make, x):
    torch.manual_seed(5)
    first = make(seed=3)
    second = copy.deepcopy(first)
    drawn = [first(x) for _ in range(2)]
    torch.manual_seed(77)
    assert all(torch.equal(second(x), y) for y in drawn)
    assert not torch.equal(*drawn)
    assert "draws" not in first.state_dict()


@each_layer
def test_streams_of_one_seed_are_apart_and_repeat(make, x):
    torch.manual_seed(5)
    drawn = []
    for stream in (0, 1, 2**31 - 1, 1):
        torch.manual_seed(5)  # the same weights in what is wrapped
        layer = make(seed=3, stream=stream)
        assert ("stream" in repr(layer)) == (stream > 0)
        drawn.append(layer(x))
    assert torch.equal(drawn[1], drawn[3])
    assert not any(torch.equal(drawn[a], drawn[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    with pytest.raises(ValueError, match="Expected seed= together with stream="):
        make(stream=1)
    with pytest.raises(ValueError, match="stream to be an integer from 0"):
        make(seed=1, stream=2**31)


@each_layer
def test_an_own_generator_repeats(make, x):
    layer = make(generator=torch.Generator().manual_seed(3))
    first = layer(x)
    layer.generator.manual_seed(3)
    assert torch.equal(layer(x), first)


@each_layer
def test_torch_manual_seed_rules(make, x):
    layer = make()
    torch.manual_seed(8)
    first = layer(x)
    torch.manual_seed(8)
    assert torch.equal(layer(x), first)


@each_layer
def test_gradients_reach_input_and_parameters(make, x):
    layer, x = make(), x.requires_grad_()
    layer(x).square().sum().backward()
    assert x.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


@each_layer
def test_the_derivative_is_that_of_the_drawn_function(make, x):
    layer = make().double()
    if hasattr(layer, "keep_logit"):
        layer.temperature = 1.0  # steep masks make finite differences inexact

    def drawn(x, *parameters):
        torch.manual_seed(4)
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    names = [name for name, _ in layer.named_parameters()]
    inputs = (x[:2].double().requires_grad_(), *[p.detach().clone().requires_grad_() for p in layer.parameters()])
    assert torch.autograd.gradcheck(drawn, inputs)


@pytest.mark.parametrize(
    "make",
    # Where shapes depend on the draw or weights are exchanged; the others take the road of plain dropout.
    [pytest.param(m, id=n, marks=[] if n in OWN_ROADS else pytest.mark.thorough) for n, m in ALL.items()],
)
def test_compiled_without_graph_breaks(make, x):
    layer = make(seed=2)
    reference = copy.deepcopy(layer)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for _ in range(2):
        torch.testing.assert_close(compiled(x), reference(x))


@each_layer
def test_checkpointing_repeats_torchs_draws_and_refuses_own_ones(make, x):
    layer, x = make(), x.requires_grad_()
    gradients = []
    for run in (layer, lambda x: checkpoint(layer, x, use_reentrant=False)):
        torch.manual_seed(0)
        gradients.append(torch.autograd.grad(run(x).square().sum(), x)[0])
    torch.testing.assert_close(*gradients)
    seeded = nn.Sequential(make(seed=1), nn.Tanh())
    with pytest.raises(RuntimeError, match="cannot be recomputed in backward"):
        checkpoint(seeded, x, use_reentrant=False).sum().backward()


@each_layer
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_and_autocast(make, x, dtype):
    layer = make().to(dtype)
    y = layer(x.to(dtype))
    assert y.dtype == dtype
    assert y.isfinite().all()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        make()(x).float().sum()


def by_function():
    options = {"keep": 0.5, "seed": 3}
    logit = torch.tensor(0.5)
    return {
        "channel": lambda x: channel_dropout(x, channel_dim=-1, **options),
        "locked": lambda x: locked_dropout(x, time_dim=0, **options),
        "gaussian": lambda x: gaussian_dropout(x, **options),
        "alpha": lambda x: alpha_dropout(x, **options),
        "drop_path": lambda x: drop_path(torch.tanh, x, **options),
        "concrete": lambda x: concrete_dropout(x, logit, seed=3),
    }


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", by_function())
def test_torch_func_gives_the_gradient_of_autograd(name, x):
    function, x = by_function()[name], x[:, 0].contiguous()
    weights = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    expected = torch.autograd.functional.jacobian(function, x)
    torch.testing.assert_close(torch.func.jacrev(function)(x), expected)
    torch.testing.assert_close(torch.func.jvp(function, (x,), (weights,))[1], torch.tensordot(expected, weights, 2))
    torch.testing.assert_close(torch.func.vmap(function)(x.expand(3, -1, -1)), function(x).expand(3, -1, -1))


@pytest.mark.parametrize("name", ["channel", "gaussian", "alpha", "locked"])
def test_a_bare_number_is_refused_and_from_drop_converts(name):
    kind, options = type(ALL[name]()), {"time_dim": 1} if name == "locked" else {}
    with pytest.raises(TypeError, match=r"keeping 80 %.*dropping 80 %"):
        kind(0.8, **options)
    assert kind.from_drop(0.25, **options).keep == 0.75


def test_wrapping_layers_refuse_a_bare_number_after_what_they_wrap():
    for kind in (sd.DropPath, sd.DropConnect):
        with pytest.raises(TypeError, match=rf"{kind.__name__}\(\w+, keep=0\.8\).*keeping 80 %"):
            kind(nn.Linear(2, 2), 0.8)
        assert kind.from_drop(nn.Linear(2, 2), 0.25).keep == 0.75


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: sd.ChannelDropout(keep=0.5, seed=1, generator=torch.Generator()), ValueError, "not both"),
        (lambda: sd.ChannelDropout(keep=0.5, seed=1.5), TypeError, "seed to be an integer, got float"),
        (lambda: sd.ChannelDropout(keep=0.5, generator=3), TypeError, "torch.Generator, got int"),
        (lambda: sd.GaussianDropout(keep=0.5)(torch.ones(3).long()), TypeError, "got torch.int64"),
        (lambda: sd.AlphaDropout(keep=1.5), ValueError, r"\(0, 1\]"),
        (
            lambda: sd.LockedDropout(keep=0.5, time_dim=3)(torch.ones(2, 3)),
            ValueError,
            "2 dimensions of \\(2, 3\\), got 3",
        ),
        (lambda: sd.DropConnect(nn.ReLU(), keep=0.5), ValueError, "weight matrices"),
        (lambda: sd.UnitDropout(nn.Linear(2, 2), keep=0.5), TypeError, "nn.Sequential of Linear"),
        (lambda: sd.UnitDropout(nn.Sequential(nn.Linear(2, 2), nn.Softmax(1)), keep=0.5), TypeError, "got Softmax"),
        (lambda: sd.UnitDropout(nn.Sequential(nn.Linear(2, 2)), keep=0.5), TypeError, "fewer than two"),
        (lambda: sd.ConcreteDropout(nn.ReLU(), n_samples=5), TypeError, "got ReLU"),
        (lambda: sd.ConcreteDropout(nn.Linear(2, 2), n_samples=0), ValueError, "above 0, got 0"),
        (lambda: sd.ConcreteDropout(nn.Linear(2, 2), keep=1.0, n_samples=5), ValueError, "strictly between"),
    ],
)
def test_misuse_is_one_sentence(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


@each_layer
def test_shapes_alone_are_computed_on_the_meta_device(make, x):
    """As torch.utils.flop_counter and large models before their weights are there do."""
    layer = make().to("meta")
    for mode in (layer.train(), layer.eval()):
        assert mode(x.to("meta")).shape == x.shape


@pytest.mark.parametrize("name", ["dropout", "channel", "locked", "drop_path", "alpha"])
def test_a_sparse_tensor_is_one_sentence(name, x):
    with pytest.raises(TypeError, match="expects a dense tensor, got layout"):
        ALL[name]()(x.to_sparse())


def test_what_was_recorded_without_memory_is_not_kept():
    from torch._subclasses.fake_tensor import FakeTensorMode

    concrete._kept_log_odds.cache_clear()
    with FakeTensorMode():
        assert concrete_dropout(torch.ones(3), torch.tensor(0.5)).shape == (3,)
    assert concrete_dropout(torch.ones(3), torch.tensor(0.5)).isfinite().all()
