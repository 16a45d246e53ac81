"""Every layer has its function in `shrinkwise.dropout.functional`, under one roof."""

import pytest

pytest.importorskip("torch")

import shrinkwise as sw
from shrinkwise.dropout import functional


def test_functions_of_all_layers_are_found_in_one_place():
    for name in functional.__all__:
        assert getattr(functional, name).__name__ == name
    with pytest.raises(AttributeError, match="'dropuot' is not a function"):
        functional.dropuot  # noqa: B018


@pytest.mark.parametrize("name", ["AlphaDropout", "ChannelDropout", "Dropout", "GaussianDropout"])
def test_layers_are_public_and_take_keep_by_name_only(name):
    with pytest.raises(TypeError, match="keep"):
        getattr(sw, name)(0.5)


@pytest.mark.parametrize("kind", ["Dropout", "ChannelDropout", "GaussianDropout", "LockedDropout", "AlphaDropout"])
def test_p_is_answered_by_what_to_write(kind):
    with pytest.raises(TypeError, match=rf"{kind} takes keep.*{kind}.from_drop\(p\)"):
        getattr(sw, kind)(p=0.5)
