"""The examples in the docstrings run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import shrinkwise

OPTIONAL = {"lightning": "lightning", "transformers": "transformers", "skorch": "skorch", "triton_kernel": "triton"}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(shrinkwise.__path__, "shrinkwise.", onerror=lambda name: None)
    if not module.name.endswith(("__main__", "._shrinkwise"))
)


def load(name):
    if name.split(".")[1] in ("networks", "dropout", "optim") or name.endswith("torch_layout"):
        pytest.importorskip("torch")
    if (needed := OPTIONAL.get(name.rpartition(".")[2])) is not None:
        pytest.importorskip(needed)
    return importlib.import_module(name)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_every_module(name):
    assert doctest.testmod(load(name)).failed == 0


WITHOUT_NUMBER = (
    "Constraint",
    "Fixed",
    "Folded",
    "Grouped",
    "Leaf",
    "Pieces",
    "Scaled",
    "Sum",
)  # a user meets these only through others


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("shrinkwise.penalties.")])
def test_every_penalty_shows_a_number_that_one_can_check_by_hand(name):
    public = vars(importlib.import_module("shrinkwise.penalties"))
    for item in vars(load(name)).values():
        if isinstance(item, type) and item.__module__ == name and item.__name__ in public:
            assert ">>>" in item.__doc__ or item.__name__ in WITHOUT_NUMBER, item.__name__
