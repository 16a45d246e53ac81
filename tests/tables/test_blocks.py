"""A large text that is read in blocks: the same table and notes as when it is read at once."""

from __future__ import annotations

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from shrinkwise.tables.reading import blocks, delimited
from shrinkwise.tables.reading.read import read_with_notes

N = 400
RNG = np.random.default_rng(0)
COLUMNS = {
    "whole": [str(i) for i in range(N)],
    "later a float": [str(i) if i < 390 else f"{i}.5" for i in range(N)],
    "float, later whole": [f"{i}.25" if i < 20 else str(i) for i in range(N)],
    "beyond 2^53": [str(2**60 + i) for i in range(N - 1)] + ["0.5"],
    "codes": [f"{i:03d}" for i in range(N)],
    "late codes": [str(100 + i) if i < 300 else f"{i - 300:03d}" for i in range(N)],
    "leading zeros, no codes": [f"{i:03d}" if 60 < i < 90 else str(i) for i in range(N)],
    "late text": [str(i) for i in range(N - 1)] + ["x"],
    "late gap": [str(i) for i in range(N - 1)] + [""],
    "a block of gaps": ["" if 50 < i < 120 else f"{i}" for i in range(N)],
    "all gaps": [""] * N,
    "a word for missing": [f"{i}" if i % 7 else "NA" for i in range(N)],
    "nan": [f"{i}.5" if i % 7 else "nan" for i in range(N)],
    "spaces": [f" {i} " for i in range(N)],
    "text": [f"word {i % 5}" for i in range(N)],
    "long minus": [f"\u2212{i}" for i in range(N)],
}


@pytest.fixture
def both(monkeypatch, tmp_path):
    def read(text):
        path = tmp_path / "t.csv"
        path.write_text(text, encoding="utf-8")
        whole = read_with_notes(path)
        monkeypatch.setattr(delimited, "_MANY_ROWS", 0)
        monkeypatch.setattr(blocks, "_ROWS", 37)
        monkeypatch.setattr(blocks, "_TEXTS", 2)
        return whole, read_with_notes(path)

    return read


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(both, name):
    lines = [f"{a},{b:.3f}" for a, b in zip(COLUMNS[name], RNG.normal(size=N), strict=True)]
    whole, parts = both("\n".join(["x,other", *lines]))
    assert_frame_equal(parts[0], whole[0], check_exact=True)


def test_titles_footers_blank_lines_and_quotes(both):
    rows = [f'"a, {i % 3}",{i},{i}.5' + ("\n" if i % 50 == 0 else "") for i in range(N)]
    whole, parts = both("\n".join(["Some title", "", "name,x,x", *rows, "Source: nobody"]))
    assert whole[0].shape == (N, 3)
    assert_frame_equal(parts[0], whole[0], check_exact=True)
    assert parts[1] == whole[1]
    assert len(parts[1]) == 3  # the title, the footer and the repeated name


def test_decimal_commas(both):
    whole, parts = both("\n".join(["a;b", *[f"{i},25;{i}" for i in range(N)]]))
    assert_frame_equal(parts[0], whole[0], check_exact=True)
    assert parts[0]["a"].dtype.is_float()
