"""Whatever a table holds, it is planned and encoded, or refused in one sentence: no traceback, no endless work.

The default suite draws a few tables; the thorough one 20 000 (SHRINKWISE_FUZZ sets the number).
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from shrinkwise.tables import Encoder, InputError, plan_table, read_table

_NAMES = ["id", "x", "a b", "=1+1", "<b>", "naïve", "^.*$", "{0}", "'q'", '"q"', "y ", "", "x", "date", "漢"]
_CELLS = [
    *("", "?", "NA", "nan", "NaN", "inf", "-inf", "1e308", "1e-320", "0", "-0", "1", "007", "1,5", "1.234,5", "1,234"),
    *("$5", "5 %", "12 kg", "0x1F", "1_000", "١٢", "²", "yes", "no", "TRUE", "f", "low", "High", "2024-02-30"),
    *(
        "2024-01-31",
        "31.01.2024",
        "01/02/2024",
        "12:30",
        "2024-01-31T10:00:00Z",
        "20240131",
        "0000-00-00",
        "9999-12-31",
    ),
    *("=cmd()", "@x", "<script>", "a\tb", "\u202e", "\ufeff", "🦊", "'", "|", ";", "null", "None", " ", "a" * 300),
    *(
        "18.00.00",
        "9:52 PM",
        "25:10",
        "5'11\"",
        "2h 30m",
        "10,000+",
        "3.0M",
        "1.2k",
        "74 bhp",
        "17 km/kg",
        "25-34",
        "65+",
    ),
    *("Drama|Comedy", "a; b; c", "48.85, 2.35", "Source: a survey", "under 18", "1:02:03.5", "POINT (1.5 2.5)"),
]
_DISGUISES = (
    lambda v: f"{v % 24:02}.00.00",
    lambda v: f"{v % 24}:{v % 60:02}",
    lambda v: f"{v % 9}h {v % 60}m",
    lambda v: f"{v % 997}{'kM'[v % 2]}",
    lambda v: f"{v % 997} {'kg' if v % 9 else 'lb'}",
    lambda v: f"{v % 99 * 1000:,}+",
    lambda v: f"{v % 5 * 10}-{v % 5 * 10 + 9}",
    lambda v: "|".join("abcd"[: 1 + v % 4]),
    lambda v: f"{v % 90}.{v % 7}, {v % 170}.5",
    lambda v: f"{4 + v % 3}'{v % 12}\"",
)


def _cells(rng: np.random.Generator, n: int, kinds: int = 10) -> list[str]:
    """One column: a kind of values, with a few strangers among them (none in most)."""
    kind = rng.integers(kinds)
    if kind == 0:
        cells = [repr(float(v)) for v in rng.normal(size=n) * 10.0 ** rng.choice([0, 0, 0, -200, 90])]
    elif kind == 1:
        cells = [str(v) for v in rng.integers(0, rng.integers(1, 40), n)]
    elif kind == 2:
        cells = [f"level {v}" for v in rng.integers(0, rng.integers(1, 5 + n // 3), n)]
    elif kind == 3:
        cells = [str(v) for v in range(n)]
    elif kind == 4:
        cells = [f"20{v % 100:02}-{v % 12 + 1:02}-{v % 28 + 1:02}" for v in rng.integers(0, 10**6, n)]
    elif kind == 9:
        shown = _DISGUISES[rng.integers(len(_DISGUISES))]
        cells = [shown(int(v)) for v in rng.integers(0, 10**6, n)]
    elif kind == 5:
        cells = [str(rng.choice(_CELLS))] * n
    else:
        cells = [_CELLS[i] for i in rng.integers(0, len(_CELLS), n)]
    for row in np.flatnonzero(rng.random(n) < rng.choice([0, 0, 0, 0, 0.02, 0.5])):
        cells[row] = _CELLS[rng.integers(len(_CELLS))]
    return cells


def _quoted(cell: str, rng: np.random.Generator) -> str:
    wild = rng.random() < 0.002
    return cell if wild or not any(c in cell for c in ',;|\t"\n') else '"' + cell.replace('"', '""') + '"'


def _file(rng: np.random.Generator) -> bytes:
    n, width = int(rng.choice([0, 5, 25, 40, 60, 60, 60])), int(rng.integers(1, 7))
    names = [str(rng.choice(_NAMES)) for _ in range(width)] if rng.random() < 0.2 else [f"c{j}" for j in range(width)]
    columns = [*([name, *_cells(rng, n)] for name in names), ["y", *_cells(rng, n, 3 if rng.random() < 0.9 else 10)]]
    delimiter = str(rng.choice([",", ",", ";", "\t", "|"]))
    text = "\n".join(delimiter.join(_quoted(c, rng) for c in row) for row in zip(*columns, strict=True))
    if rng.random() < 0.1:
        text = f"A title{delimiter * int(rng.integers(width + 1))}\n{text}"
    if rng.random() < 0.1:
        text = text.partition("\n")[2] or text
    if rng.random() < 0.1:
        text += f"\n\nSource: a survey{delimiter * int(rng.integers(width + 1))}"
    data = (text + "\n").encode()
    if rng.random() < 0.05:
        at = int(rng.integers(len(data)))
        data = data[:at] + bytes(rng.integers(0, 256, 3, dtype=np.uint8)) + data[at:]
    return data


def _survives(data: bytes, path) -> str:
    path.write_bytes(data)
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
        data = _file(np.random.default_rng(seed))
        try:
            counts[_survives(data, folder / "t.csv")] += 1
        except Exception as error:
            raise AssertionError(f"table of seed {seed}: {data[:2000]!r}") from error
    return counts


def test_any_table_is_taken_or_refused_in_a_sentence(tmp_path):
    counts = _fuzz(60, tmp_path)
    assert min(counts.values()) > 5  # both happen, or nothing was tried


@pytest.mark.thorough
def test_many_tables_are_taken_or_refused_in_a_sentence(tmp_path):
    counts = _fuzz(int(os.environ.get("SHRINKWISE_FUZZ", "20000")), tmp_path, first_seed=1000)
    assert min(counts.values()) > 500 or sum(counts.values()) < 5000
