"""Small tables of settings: penalty factors and bounds by input; percentages."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shrinkwise.tables.columns.kinds import as_numbers, as_text
from shrinkwise.tables.errors import InputError, no_such_column, quoted
from shrinkwise.tables.reading.read import read_table


def factors_of(path: str | Path) -> dict[str, float]:
    """{input: factor} from a table with the columns input and factor."""
    names, (factors,) = _read(path, ("factor",))
    return dict(zip(names, factors.tolist(), strict=True))


def bounds_of(path: str | Path) -> dict[str, tuple[float, float]]:
    """{input: (low, high)} from a table with the columns input, low and high; an empty cell is unbounded on its
    side."""
    names, (low, high) = _read(path, ("low", "high"))
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    return dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True))


def share(text: str) -> float:
    """ "1%" or "1" as .01."""
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = np.nan
    if not 0 <= percent <= 100:
        raise InputError(f"Expected a percentage such as 1%, got {quoted(text)}.")
    return percent / 100


def _read(path: str | Path, columns: tuple[str, ...]) -> tuple[list[str], list[np.ndarray]]:
    frame = read_table(path)
    for name in ("input", *columns):
        if name not in frame.columns:
            raise no_such_column(str(path), name, frame.columns)
    names = as_text(frame["input"]).to_list()
    if None in names or len(set(names)) < len(names):
        raise InputError(f"{path} must name each input exactly once in its column 'input'.")
    numbers = [as_numbers(frame[name]) for name in columns]
    if len(columns) == 1 and np.isnan(numbers[0]).any():
        raise InputError(f"{path} has no number for {quoted(names[int(np.argmax(np.isnan(numbers[0])))])}.")
    return names, numbers
