"""Whatever a table holds, `fit` finishes and its model predicts the rows of it and of another, or one sentence says why not.

The default suite draws a few tables; the thorough one some hundred (SHRINKWISE_FUZZ_FITS sets the number).
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import pytest

import shrinkwise
from fuzz.drawn_files import write_table
from shrinkwise.tables import InputError, read_table

_SECONDS = 20.0  # of processor time for one table, at most
_SMALL: dict[str, Any] = {
    "effort": "quick",
    "n_jobs": 1,
    "folds": 2,
    "inner_folds": 2,
    "n_lambdas": 5,
    "stability_pairs": 0,
}


def _settings(rng: np.random.Generator) -> dict[str, Any]:
    """Settings of a small fit, with a request about the columns for some."""
    found = _SMALL | {"methods": str(rng.choice(["ridge", "lasso"])), "seed": int(rng.integers(9))}
    for share, asked in (
        (0.1, {"shuffle": True}),
        (0.03, {"number": "c0"}),
        (0.03, {"category": "c0"}),
        (0.03, {"text": "c0"}),
        (0.03, {"keep": "c0"}),
        (0.03, {"group": "c1"}),
        (0.03, {"time": "c1"}),
        (0.03, {"weight": "c2"}),
        (0.03, {"exposure": "c2"}),
        (0.03, {"bounds": {"c0": (0.0, 1.0)}}),
        (0.03, {"factors": {"c0": 2.0}}),
        (0.05, {"task": str(rng.choice(["regression", "counts", "classes"]))}),
        (0.03, {"log_target": True}),
        (0.03, {"max_features": 1}),
        (0.03, {"stability_pairs": 2}),
        (0.03, {"no_header": True}),
        (0.03, {"skip": 1}),
    ):
        if rng.random() < share:
            found |= asked
    return found


def outcome(seed: int, folder) -> str:
    """What happens to one table: "fitted" or "refused"; an AssertionError if it is not right."""
    rng = np.random.default_rng(seed)
    path = write_table(folder / "t.csv", rng)
    other = write_table(folder / "other.csv", rng)
    settings, start = _settings(rng), time.process_time()
    try:
        result = _said(lambda: shrinkwise.fit(path, "y", **settings))
        if result is not None:
            assert "nan" not in result.verdict.lower().split()
            assert str(result)
            _said(lambda: result.predict(path, 0.8))
            _said(lambda: result.predict(read_table(other)))
    except Exception as error:
        raise AssertionError(f"table of seed {seed}, {settings}: {path.read_bytes()[:2000]!r}") from error
    assert time.process_time() - start < _SECONDS, f"table of seed {seed}"
    return "refused" if result is None else "fitted"


def _said(work) -> Any:
    """The result of work, or None if it was refused in one sentence."""
    try:
        return work()
    except InputError as error:
        said = str(error)
        assert "\n" not in said, said
        assert said[-1] in ".?", said
        return None


def _fuzz(n_tables: int, folder, first_seed: int = 0) -> dict[str, int]:
    counts = {"fitted": 0, "refused": 0}
    for seed in range(first_seed, first_seed + n_tables):
        counts[outcome(seed, folder)] += 1
    return counts


def test_any_table_is_fitted_or_refused_in_a_sentence(tmp_path):
    counts = _fuzz(20, tmp_path)
    assert min(counts.values()) > 0  # both happen, or nothing was tried


@pytest.mark.thorough
def test_many_tables_are_fitted_or_refused_in_a_sentence(tmp_path):
    counts = _fuzz(int(os.environ.get("SHRINKWISE_FUZZ_FITS", "500")), tmp_path, first_seed=1000)
    assert min(counts.values()) > 50 or sum(counts.values()) < 300
