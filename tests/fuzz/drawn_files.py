"""Small files with the oddities that tables have, drawn at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tables.workbook import write_book

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


_ENCODINGS = ["utf-8"] * 12 + ["utf-8-sig", "utf-16", "latin-1", "cp1252"]


def write_table(path: Path, rng: np.random.Generator) -> Path:
    """Write a random file beside `path`, mostly text and sometimes a workbook; its target is called y."""
    if rng.random() < 0.02:
        path = path.with_suffix(".xlsx")
        write_book(path, {"data": [[_cell_of_book(cell, rng) for cell in row] for row in _rows(rng)]})
    else:
        path.write_bytes(_text_file(rng))
    return path


def _text_file(rng: np.random.Generator) -> bytes:
    delimiter, newline = str(rng.choice([",", ",", ";", "\t", "|"])), str(rng.choice(["\n"] * 9 + ["\r\n"]))
    rows = _rows(rng)
    text = "\n".join(delimiter.join(_quoted(cell, rng) for cell in row) for row in rows)
    width = len(rows[0])
    if rng.random() < 0.1:
        text = f"A title{delimiter * int(rng.integers(width + 1))}\n{text}"
    if rng.random() < 0.1:
        text = text.partition("\n")[2] or text
    if rng.random() < 0.1:
        text += f"\n\nSource: a survey{delimiter * int(rng.integers(width + 1))}"
    data = (text + "\n").replace("\n", newline).encode(str(rng.choice(_ENCODINGS)), "replace")
    if rng.random() < 0.05:
        at = int(rng.integers(len(data)))
        data = data[:at] + bytes(rng.integers(0, 256, 3, dtype=np.uint8)) + data[at:]
    return data


def _rows(rng: np.random.Generator) -> list[list[str]]:
    """The header and the rows: up to eight inputs and a target that depends on the first of them, or on none."""
    n, width = int(rng.choice([0, 5, 25, 40, 60, 60, 60])), int(rng.integers(1, 9))
    names = [str(rng.choice(_NAMES)) for _ in range(width)] if rng.random() < 0.2 else [f"c{j}" for j in range(width)]
    columns = [[name, *_cells(rng, n)] for name in names]
    columns.append(["y", *_target(rng, columns[0][1:])])
    if n and rng.random() < 0.05:  # a second header row, of units
        columns = [[name, str(rng.choice(["", "kg", "mm", "°C"])), *cells] for name, *cells in columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _target(rng: np.random.Generator, cells: list[str]) -> list[str]:
    """A target of some kind; for a half of the tables it grows with the rank of the cells of an input."""
    n, kind = len(cells), rng.integers(9)
    if kind >= 6:
        return _cells(rng, n, 3 if kind < 8 else 10)
    signal = np.argsort(np.argsort(cells)) / max(n, 1) * 3 if rng.random() < 0.5 else np.zeros(n)
    values = signal + rng.normal(size=n)
    if kind == 0:
        return [repr(float(v)) for v in values * 10.0 ** rng.choice([0, 3, -8, 12])]
    if kind == 1:
        return [f"{v:.2f}" for v in np.exp(values * rng.choice([0.5, 2.0]))]
    if kind == 2:
        return [str(v) for v in rng.poisson(np.exp(values / 2))]
    if kind == 3:
        return [f"{v:.3f}" for v in 1 / (1 + np.exp(-values))]
    classes = ["no", "yes", "perhaps", "unknown"][: rng.integers(1, 5)]
    shares = np.argsort(np.argsort(values)) * len(classes) // max(n, 1)
    return [classes[k] for k in shares] if kind == 4 else [str(k) for k in shares]


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


def _cell_of_book(cell: str, rng: np.random.Generator) -> str | float | None:
    """A number as a number, nothing for an empty cell, and sometimes text all the same."""
    plain = cell.lstrip("-").replace(".", "", 1)
    if plain.isascii() and plain.isdigit() and rng.random() < 0.95:
        return float(cell)
    return "".join(c for c in cell if c >= " ") or None


def _quoted(cell: str, rng: np.random.Generator) -> str:
    wild = rng.random() < 0.002
    return cell if wild or not any(c in cell for c in ',;|\t"\n') else '"' + cell.replace('"', '""') + '"'
