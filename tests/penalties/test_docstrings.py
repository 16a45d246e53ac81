"""The examples in the docstrings run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import shrinkwise.penalties

MODULES = [module.name for module in pkgutil.iter_modules(shrinkwise.penalties.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_every_module(name):
    if name == "_torch_layout":
        pytest.importorskip("torch")
    module = importlib.import_module(f"shrinkwise.penalties.{name}")
    found = doctest.testmod(module)
    assert found.failed == 0
    # Every penalty shows a number that one can check by hand.
    for item in vars(module).values():
        if (
            isinstance(item, type)
            and item.__module__ == module.__name__
            and item.__name__ in vars(shrinkwise.penalties)
        ):
            assert ">>>" in item.__doc__ or item.__name__ in ("Constraint", "Fixed", "Pieces", "Scaled", "Sum"), (
                item.__name__
            )
