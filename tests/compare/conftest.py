from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest

from shrinkwise.compare import CocktailOptions, NetworkOptions, Options, compare_table
from shrinkwise.tables import plan_table

SMALL_COCKTAIL = CocktailOptions(
    mixes=((0.9, 1.0, 0.1, 0.0), (0.5, 0.8, 0.1, 0.1)), hidden=4, steps=10, most_steps=10, terms=30
)
SMALL_NETWORK = NetworkOptions(
    hidden=4, steps=20, lambdas=(0.1, 0.01), keeps=(0.5, 0.9), l1_lambdas=(0.01,), seeds=2, cocktail=SMALL_COCKTAIL
)
SMALL = Options(
    folds=3,
    inner_folds=3,
    n_lambdas=8,
    l1_ratios=(0.5,),
    network=SMALL_NETWORK if find_spec("torch") else None,
    stability_pairs=2,
    n_jobs=1,
)


def _table(task: str, n: int = 60, seed: int = 0) -> pl.DataFrame:
    """Two inputs that matter (a number, a category with a gap), three that do not, and a target."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    colour = rng.choice(["red", "green", "blue"], n)
    signal = 2 * X[:, 0] + 1.5 * (colour == "red") + 0.5 * rng.normal(size=n)
    if task == "regression":
        y = signal.tolist()
    else:
        names = np.array(["low", "high"] if task == "binary" else ["low", "middle", "top"])
        edges = np.quantile(signal, np.linspace(0, 1, len(names) + 1)[1:-1])
        codes = np.digitize(signal + 0.7 * rng.normal(size=n), edges)
        y = names[codes].tolist()
    return pl.DataFrame({**{f"x{j}": X[:, j] for j in range(4)}, "colour": [None, *colour[1:].tolist()], "y": y})


@cache  # pytest keeps the fixture of one parameter at a time, and would compare again for every file
def _compared(task: str):
    frame = _table(task)
    return frame, compare_table(frame, plan_table(frame, "y", name="small.csv"), SMALL)


@pytest.fixture(scope="session", params=["regression", "binary", "multiclass"])
def compared(request):
    """(frame, comparison) of one small table per task."""
    return _compared(request.param)


@pytest.fixture(scope="session")
def small_table():
    """Makes the table of a task: small_table(task, n=60, seed=0)."""
    return _table


@pytest.fixture(scope="session")
def small():
    """Options that keep a comparison under a second."""
    return SMALL


@pytest.fixture(scope="session")
def linear():
    """The same without networks."""
    return replace(SMALL, network=None)
