"""The layer: it obeys train and eval, names its probability, and a seed makes it its own."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch.utils.checkpoint import checkpoint

import shrinkwise as sw


def test_train_and_eval_are_obeyed():
    layer, x = sw.Dropout(keep=0.5), torch.ones(100)
    assert (layer(x) == 0).any()
    assert layer.eval()(x) is x
    assert layer.state_dict() == {}


def test_a_bare_number_is_refused_and_from_drop_converts():
    with pytest.raises(TypeError, match=r"keeping 80 %.*dropping 80 %"):
        sw.Dropout(0.8)
    with pytest.raises(TypeError, match="keep= is missing"):
        sw.Dropout()
    assert sw.Dropout.from_drop(0.25).keep == 0.75
    assert repr(sw.Dropout(keep=0.8)) == "Dropout(keep=0.8)"
    layer = sw.Dropout(keep=0.8, seed=3, stream=2, inplace=True)
    assert repr(layer) == "Dropout(keep=0.8, seed=3, stream=2, inplace=True)"


def test_a_seeded_layer_repeats_its_own_sequence_of_masks():
    x = torch.ones(300)
    first, second = sw.Dropout(keep=0.5, seed=1), sw.Dropout(keep=0.5, seed=1)
    drawn = [first(x) for _ in range(3)]
    torch.manual_seed(123)
    assert all(torch.equal(second(x), y) for y in drawn)
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(copy.deepcopy(first)(x), second(x))


def test_a_layer_with_a_generator_draws_from_it_alone():
    x, layer = torch.ones(300), sw.Dropout(keep=0.5, generator=torch.Generator().manual_seed(4))
    twin = copy.deepcopy(layer)
    drawn = [layer(x) for _ in range(2)]
    torch.manual_seed(1)
    assert all(torch.equal(twin(x), y) for y in drawn)
    assert not torch.equal(*drawn)


def test_in_place_overwrites_its_input():
    x = torch.ones(300)
    assert sw.Dropout(keep=0.5, inplace=True)(x) is x
    assert (x == 0).any()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": 1, "generator": torch.Generator()}, "not both"),
        ({"stream": -1, "seed": 1}, "stream to be an integer from 0"),
        ({"stream": 3}, "Expected seed="),
    ],
)
def test_options_that_make_no_sense_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        sw.Dropout(keep=0.5, **options)


def test_a_seeded_layer_counts_on_when_compiled_and_pickled():
    x, reference = torch.ones(300), sw.Dropout(keep=0.5, seed=1)
    layer = sw.Dropout(keep=0.5, seed=1)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert all(torch.equal(compiled(x), reference(x)) for _ in range(3))
    stored = io.BytesIO()
    torch.save(layer, stored)
    stored.seek(0)
    assert torch.equal(torch.load(stored, weights_only=False)(x), reference(x))


def test_a_seeded_layer_under_checkpointing_is_refused_instead_of_wrong():
    x = torch.ones(5, requires_grad=True)
    block = torch.nn.Sequential(sw.Dropout(keep=0.5, seed=1), torch.nn.Tanh())
    loss = checkpoint(block, x, use_reentrant=False).sum()
    with pytest.raises(RuntimeError, match="omit both, because"):
        loss.backward()


def test_training_and_evaluation_agree_in_expectation():
    torch.manual_seed(0)
    layer, x = sw.Dropout(keep=0.3), torch.randn(50, dtype=torch.float64)
    draws = torch.stack([layer(x) for _ in range(4000)])
    standard_error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - layer.eval()(x)).abs() <= 5 * standard_error).all()
