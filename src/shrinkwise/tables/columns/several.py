"""Inputs of which a cell gives several numbers: times of day, coordinates, lists of items, words of a text.

They are read with one rule each: "time of day" has the hour and its place on the circle of 24 hours, "coordinates" two
numbers, "items" and "text" a 0/1 feature per item or word with at least LEVEL_ROWS rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from .compounds import FEATURES, hour_values, read_compound

KINDS = ("time of day", "coordinates", "items", "text")
COORDINATES = r"^(?:POINT\s?)?\(?\s?(-?\d{1,3}\.\d+)(?:\s?[,;]\s?| )(-?\d{1,3}\.\d+)\s?\)?$"
WORD = r"\w\w+"

LEVEL_ROWS, MAX_LEVELS = 5, 200
_SEPARATORS = ("|", ";", ",")
_LISTS = 0.2  # of the cells have several items
_LONGEST_ITEM = 3.0  # words on average


def separator(text: pl.Series) -> str:
    """What separates the items of cells such as "Drama|Comedy"; "" if the cells are not lists.

    A fifth of the cells have several items, there are fewer different items than cells, most of the items occur in at
    least LEVEL_ROWS rows, and they are short.
    """
    values = text.drop_nulls()
    for mark in _SEPARATORS:
        many = values.str.contains(mark, literal=True)
        if not len(values) or many.mean() < _LISTS:  # type: ignore[operator]
            continue
        items = _split(values, mark).explode().drop_nulls()
        if not len(items):  # nothing but separators
            continue
        counts = items.value_counts(name="rows")
        common = counts.filter(pl.col("rows") >= LEVEL_ROWS)["rows"].sum()
        words = float(str(counts.to_series(0).str.count_matches(" ").mean())) + 1
        numbers = counts.to_series(0).str.contains(r"[A-Za-z]").mean()
        if len(counts) < values.n_unique() and common > len(items) / 2 and words <= _LONGEST_ITEM and numbers:
            return mark
    return ""


def are_coordinates(text: pl.Series) -> bool:
    """Whether all values are pairs of decimal numbers within ±180."""
    values = text.drop_nulls().unique()
    return bool(len(values)) and not np.isnan(_pairs(values)).any()


def learn_several(rule: dict[str, Any], name: str, text: pl.Series) -> None:
    """Add the features of a column to its rule, learned from these rows of trimmed text."""
    if rule["kind"] == "time of day":
        rule["features"] = [f"{name} {part}" for part in FEATURES]
    elif rule["kind"] == "coordinates":
        rule["features"] = [f"{name} (1)", f"{name} (2)"]
    else:
        counts = _parts(rule, text).list.unique().explode().drop_nulls().value_counts(name="rows")
        counts.columns = ["item", "rows"]
        common = counts.filter(pl.col("rows") >= LEVEL_ROWS).sort("rows", "item", descending=[True, False])
        rule["items"] = sorted(common["item"].head(MAX_LEVELS).to_list())
        rule["features"] = [f"{name}: {item}" for item in rule["items"]]
    values = several_values(rule, text)
    there = values[~text.is_null().to_numpy()]
    listed = rule["kind"] in ("items", "text")
    middle = np.nanmedian(there, axis=0) if len(there) and not listed else np.zeros(values.shape[1])
    rule["fill"], rule["gaps"] = np.nan_to_num(middle).tolist(), bool(missing_of(rule, text, values).any())


def several_values(rule: dict[str, Any], text: pl.Series) -> np.ndarray:
    """The features (n, k) of trimmed text, NaN where there are none."""
    if rule["kind"] == "time of day":
        return hour_values(read_compound(text, rule["form"]))
    if rule["kind"] == "coordinates":
        return _pairs(text)
    values = np.zeros((len(text), len(rule["items"])))
    found = pl.DataFrame({"row": np.arange(len(text)), "item": _parts(rule, text)}).explode("item").drop_nulls()
    codes = found["item"].cast(pl.Enum(rule["items"]), strict=False).to_physical()
    known = codes.is_not_null().to_numpy()
    values[found["row"].to_numpy()[known], codes.drop_nulls().to_numpy()] = 1.0
    values[text.is_null().to_numpy()] = np.nan
    return values


def missing_of(rule: dict[str, Any], text: pl.Series, values: np.ndarray) -> np.ndarray:
    """Where there is no value: (n,) of bool."""
    return np.isnan(values[:, 0]) if values.shape[1] else text.is_null().to_numpy()


def _parts(rule: dict[str, Any], text: pl.Series) -> pl.Series:
    """The items or words of each cell, as lists."""
    return _split(text, rule["form"]) if rule["kind"] == "items" else text.str.to_lowercase().str.extract_all(WORD)


def _split(text: pl.Series, mark: str) -> pl.Series:
    items = text.str.split(mark).list.eval(pl.element().str.strip_chars())
    return items.list.eval(pl.element().filter(pl.element() != ""))


def _pairs(text: pl.Series) -> np.ndarray:
    groups = text.str.extract_groups(COORDINATES).struct.unnest()
    pairs = np.column_stack([groups[:, i].cast(pl.Float64, strict=False).to_numpy() for i in range(2)])
    pairs[(np.abs(pairs) > 180).any(axis=1)] = np.nan
    return pairs
