"""Whatever a table holds, it is planned and encoded, or refused in one sentence: no traceback, no endless work.

The default suite draws a few tables; the thorough one 20 000 (SHRINKWISE_FUZZ sets the number).
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from fuzz.drawn_files import write_table
from shrinkwise.tables import Encoder, InputError, plan_table, read_table


def _survives(path) -> str:
    try:
        frame = read_table(path)
        plan = plan_table(frame, "y", name=path.name)
        rows = plan.used_rows(frame)
        half = np.arange(rows.height) % 2 == 0
        encoder = Encoder(plan).fit(rows[np.flatnonzero(half)])
        X = encoder.transform(rows[np.flatnonzero(~half)])
        encoder.remarks(rows)
    except InputError as error:
        said = str(error)
        if "has no column 'y'" in said:
            return "refused"  # without its header
        assert "\n" not in said
        assert said[-1] in ".?"
        return "refused"
    X = X.toarray() if encoder.sparse else X
    assert np.isfinite(X).all()
    return "read"


def _fuzz(n_tables: int, folder, first_seed: int = 0) -> dict[str, int]:
    counts = {"read": 0, "refused": 0}
    for seed in range(first_seed, first_seed + n_tables):
        path = write_table(folder / "t.csv", np.random.default_rng(seed))
        try:
            counts[_survives(path)] += 1
        except Exception as error:
            raise AssertionError(f"table of seed {seed}: {path.read_bytes()[:2000]!r}") from error
    return counts


def test_any_table_is_taken_or_refused_in_a_sentence(tmp_path):
    counts = _fuzz(60, tmp_path)
    assert min(counts.values()) > 5  # both happen, or nothing was tried


@pytest.mark.thorough
def test_many_tables_are_taken_or_refused_in_a_sentence(tmp_path):
    counts = _fuzz(int(os.environ.get("SHRINKWISE_FUZZ", "20000")), tmp_path, first_seed=1000)
    assert min(counts.values()) > 500 or sum(counts.values()) < 5000
