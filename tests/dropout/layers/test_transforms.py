"""All layers in what torch makes of a model: the same evaluation, noise in training, or one sentence that says what to do."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.ao.quantization import get_default_qat_qconfig_mapping
from torch.ao.quantization.fx.custom_config import PrepareCustomConfig
from torch.ao.quantization.quantize_fx import convert_fx, prepare_qat_fx

from shrinkwise import dropout as sd

LAYERS = {
    "dropout": lambda: sd.Dropout(keep=0.5),
    "dropout in place": lambda: sd.Dropout(keep=0.5, inplace=True),
    "dropout with a seed": lambda: sd.Dropout(keep=0.5, seed=1, stream=2),
    "dropout with a generator": lambda: sd.Dropout(keep=0.5, generator=torch.Generator().manual_seed(1)),
    "channel": lambda: sd.ChannelDropout(keep=0.5, channel_dim=-1),
    "locked": lambda: sd.LockedDropout(keep=0.5, time_dim=1),
    "gaussian": lambda: sd.GaussianDropout(keep=0.5),
    "alpha": lambda: sd.AlphaDropout(keep=0.5),
    "drop connect": lambda: sd.DropConnect(nn.Linear(9, 9), keep=0.5),
    "drop path": lambda: sd.DropPath(nn.Linear(9, 9), keep=0.5),
    "unit": lambda: sd.UnitDropout(nn.Sequential(nn.Linear(9, 40), nn.ReLU(), nn.Linear(40, 9)), keep=0.5),
    "concrete": lambda: sd.ConcreteDropout(nn.Linear(9, 9), keep=0.5, n_samples=10),
}
WRAPPING = ("drop connect", "drop path", "unit", "concrete")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.ao.quantization is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*reduce_range will be deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor.*:UserWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


def quantization_prepared(model, x):
    """As a user of quantization-aware training writes it, for a layer that holds weights of its own with its declaration."""
    kept_whole = [type(m) for m in model.modules() if getattr(m, "wraps", "")]
    custom = PrepareCustomConfig().set_non_traceable_module_classes(kept_whole)
    return prepare_qat_fx(model, get_default_qat_qconfig_mapping("x86"), (x,), custom)


def quantized(model, x):
    prepared = quantization_prepared(model.train(), x)
    prepared(x)
    return convert_fx(prepared.eval())


def replicated(model, x):
    """What nn.parallel.replicate makes of every module; itself it needs two GPUs."""
    copies = {m: m._replicate_for_data_parallel() for m in model.modules()}
    for original, replica in copies.items():
        for name, child in original._modules.items():
            setattr(replica, name, copies[child])
        for name, parameter in original._parameters.items():
            setattr(replica, name, parameter)
    return copies[model]


TRANSFORMS = {
    "fx.symbolic_trace": lambda model, x: torch.fx.symbolic_trace(model),
    "torch.export": lambda model, x: torch.export.export(model, (x,)).module(),
    "jit.script": lambda model, x: torch.jit.script(model),
    "jit.trace": lambda model, x: torch.jit.trace(model, (x,), check_trace=False),
    "deepcopy": lambda model, x: copy.deepcopy(model),
    "pickle": lambda model, x: pickle.loads(pickle.dumps(model)),
    "DataParallel": replicated,
    "functional_call": lambda model, x: (
        lambda x: torch.func.functional_call(model, dict(model.named_parameters()), (x,))
    ),
    "vmap": lambda model, x: lambda x: torch.func.vmap(model, randomness="different")(x[:, None])[:, 0],
    "torch.compile": lambda model, x: torch.compile(model, backend="aot_eager"),
}
NOT_SCRIPTED = r"\w+ cannot be compiled by torch\.jit\.script; use torch\.export or torch\.jit\.trace"
REFUSED = {
    **{("jit.script", name): NOT_SCRIPTED for name in LAYERS},
    ("jit.trace", "drop connect"): r"DropConnect in training mode cannot be recorded.*call model\.eval\(\) first",
    ("DataParallel", "dropout with a seed"): r"the same masks of this Dropout.*stream=rank",
}
# The same numbers from torch's generator give the same masks, but where another number of them is drawn:
OTHER_NUMBERS = {("vmap", name) for name in LAYERS} | {("jit.trace", "concrete")}


@pytest.fixture
def x():
    return torch.randn(6, 4, 9, generator=torch.Generator().manual_seed(0))


def model_of(name, *, training):
    torch.manual_seed(1)
    return nn.Sequential(nn.Identity(), LAYERS[name]()).train(training)


@pytest.mark.one_in(7)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_transformed_model_evaluates_alike_and_draws_in_training(transform, name, x):
    torch._dynamo.reset()
    for training in (False, True):
        model = model_of(name, training=training)
        cell = transform, name
        says = REFUSED.get(cell)
        if says and (training or transform in ("jit.script", "DataParallel")):
            with pytest.raises((ValueError, TypeError, RuntimeError), match=says) as caught:
                TRANSFORMS[transform](model, x)
            assert "\n" not in str(caught.value)
            continue
        transformed = TRANSFORMS[transform](model, x)
        reference = copy.deepcopy(model)  # only now: jit.trace has drawn once
        drawn = []
        for run in (reference, transformed):
            torch.manual_seed(7)
            drawn.append([run(x.clone()) for _ in range(3)])
        if not training or cell not in OTHER_NUMBERS:
            for got, expected in zip(*drawn, strict=True):
                torch.testing.assert_close(got, expected)
        if training:
            assert not any(torch.equal(drawn[1][0], other) for other in drawn[1][1:])


@pytest.mark.parametrize("name", LAYERS)
def test_an_fx_graph_keeps_the_layer_and_follows_its_mode(name, x):
    graph = torch.fx.symbolic_trace(model_of(name, training=True))
    assert [node.target for node in graph.graph.nodes if node.op == "call_module"] == ["0", "1"]
    assert not torch.equal(graph(x.clone()), graph(x.clone()))
    graph.eval()
    assert torch.equal(graph(x.clone()), graph(x.clone()))


@pytest.mark.parametrize("name", LAYERS)
def test_quantization_aware_training_draws_and_its_result_does_not(name, x):
    torch.backends.quantized.engine = "x86"
    prepared = quantization_prepared(model_of(name, training=True), x)
    assert not torch.equal(prepared(x.clone()), prepared(x.clone()))
    model = model_of(name, training=False)
    expected = copy.deepcopy(model)(x.clone())
    got = quantized(model, x)(x.clone())
    steps = (x.max() - x.min()) / 127
    assert (got - expected).abs().max() <= 9**0.5 * steps


@pytest.mark.parametrize("name", WRAPPING)
def test_quantization_of_what_is_wrapped_is_refused_with_the_declaration_to_write(name, x):
    with pytest.raises(ValueError, match=r"set_non_traceable_module_classes\(\[\w+\]\)"):
        prepare_qat_fx(model_of(name, training=True), get_default_qat_qconfig_mapping("x86"), (x,))


class Attention(nn.Module):
    """As timm and others write it: the probability of a layer is read, and handed to the fused attention."""

    def __init__(self):
        super().__init__()
        self.drop, self.path = nn.Dropout(0.2), nn.Identity()

    def forward(self, q):
        p = self.drop.p if self.training else 0.0
        return nn.functional.scaled_dot_product_attention(q, q, q, dropout_p=p)


def test_converted_layers_say_p_and_drop_prob():
    model, q = Attention(), torch.randn(1, 1, 30, 4)
    before = model.eval()(q)
    model = sd.convert(model)
    assert torch.equal(model(q), before)
    assert not torch.equal(model.train()(q), model(q))
    for drop in (0.2, 0.1, 0.3, 0.7):
        layer = sd.convert(nn.Dropout(drop))
        assert layer.p == layer.drop_prob == drop
        assert sd.convert(layer, to="torch").p == drop
    layer = sd.DropPath(nn.Identity(), keep=0.5)
    layer.drop_prob = 0.25
    assert layer.keep == 0.75
    with pytest.raises(ValueError, match=r"probability of dropping a unit, to be in \[0, 1\)"):
        layer.p = 1.0


@pytest.mark.parametrize("function", [sd.functional.dropout, sd.functional.gaussian_dropout])
def test_a_function_in_an_fx_graph_is_answered_by_its_layer(function):
    class Model(nn.Module):
        def forward(self, x):
            return function(x, keep=0.5)

    with pytest.raises(TypeError, match=r"The function \w*dropout cannot be traced by torch\.fx; use its layer"):
        torch.fx.symbolic_trace(Model())
