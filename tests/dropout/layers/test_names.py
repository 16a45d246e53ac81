"""Every layer has its function in `shrinkwise.dropout.functional`, under one roof."""

from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("torch")

import shrinkwise as sw
from shrinkwise.dropout import functional
from shrinkwise.dropout.layers.noise import NoiseLayer


def test_functions_of_all_layers_are_found_in_one_place():
    for name in functional.__all__:
        assert getattr(functional, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'dropuot'"):
        functional.dropuot  # noqa: B018


def test_every_layer_of_a_file_is_public():
    folder = Path(sw.dropout.__file__).parent / "layers"
    modules = [import_module(f"shrinkwise.dropout.layers.{file.stem}") for file in folder.glob("[!_]*.py")]
    layers = {
        each for m in modules for each in vars(m).values() if isinstance(each, type) and issubclass(each, NoiseLayer)
    }
    for layer in layers - {NoiseLayer}:
        assert getattr(sw.dropout, layer.__name__) is getattr(sw, layer.__name__) is layer


@pytest.mark.parametrize("name", ["AlphaDropout", "ChannelDropout", "Dropout", "GaussianDropout"])
def test_layers_are_public_and_take_keep_by_name_only(name):
    with pytest.raises(TypeError, match="keep"):
        getattr(sw, name)(0.5)


@pytest.mark.parametrize("kind", ["Dropout", "ChannelDropout", "GaussianDropout", "LockedDropout", "AlphaDropout"])
def test_p_is_answered_by_what_to_write(kind):
    with pytest.raises(TypeError, match=rf"{kind} takes keep.*{kind}.from_drop\(p\)"):
        getattr(sw, kind)(p=0.5)
