"""One input column as features: what is learned from it, and how a rule turns values into numbers.

A rule is a plain dict: kind, form, levels, fill (what stands in for a missing value, one number per feature without
gaps), gaps (whether there were any), pool (whether rare levels share a feature), features (their names).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from .dates import date_features, date_values, has_clock, read_dates
from .errors import InputError, counted, figure, quoted
from .judging import LEVEL_ROWS, MAX_LEVELS
from .kinds import ColumnPlan, as_numbers, as_text, codes_of, is_missing, refuse_infinite
from .measures import read_written

_BOOLEAN_WORDS = (("false", "true"), ("0", "1"))
POOL = "(rare)"


def learned(column: ColumnPlan, series: pl.Series) -> dict[str, Any]:
    """What is learned about one column from the rows of `series`."""
    rule: dict[str, Any] = {"kind": column.kind, "form": column.form, "levels": column.levels or [], "pool": False}
    _LEARNERS.get(column.kind, _learn_measure)(rule, column.name, series)
    if rule["gaps"]:
        rule["features"].append(f"{column.name} is missing")
    return rule


def features(rule: dict[str, Any], series: pl.Series) -> np.ndarray:
    """The values of one input, (n, number of its features), in the order of `rule["features"]`."""
    block = np.empty((len(series), len(rule["features"])), order="F")
    width = len(rule["features"]) - bool(rule["gaps"])
    if rule["kind"] == "category":
        codes, missing = level_codes(rule, as_text(series))
        for level in range(width):
            block[:, level] = codes == level
    else:
        values = measured(rule, series)
        missing = np.isnan(values[:, 0])
        np.copyto(block[:, :width], np.where(missing[:, None], rule["fill"], values))
    if rule["gaps"]:
        block[:, -1] = missing
    return block


def column_values(column: ColumnPlan, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """One number per row (n,) that tells the column's values apart, NaN where missing, and where it is missing."""
    if column.kind == "category":
        text = as_text(series)
        gaps = text.is_null().to_numpy()
        return np.where(gaps, np.nan, text.rank("dense").fill_null(0).to_numpy().astype(float)), gaps
    rule = {"kind": column.kind, "form": column.form, "levels": column.levels or []}
    if column.kind == "date":
        values = read_dates(series, as_text(series), column.form).cast(pl.Int64).cast(pl.Float64).to_numpy()
    elif column.kind == "ordered":
        codes = codes_of(as_text(series), list(rule["levels"])).astype(float)
        values = np.where(codes == len(rule["levels"]), np.nan, codes)
    else:
        values = measured(rule, series)[:, 0]
    return values, np.isnan(values)


def measured(rule: dict[str, Any], series: pl.Series) -> np.ndarray:
    """A column that is no category as float64 (n, features without the gaps'), NaN where missing."""
    kind, levels = rule["kind"], rule["levels"]
    if kind == "number":
        return (_written(series) if rule["form"] == "written" else _numbers(series))[:, None]
    if kind == "date":
        return date_values(_moments(rule, series), rule["clock"])
    text = spelled_alike(as_text(series), levels)
    if kind == "ordered":
        codes = codes_of(text, levels)
        return np.where(codes[:, None] == len(levels), np.nan, codes[:, None] >= np.arange(1, len(levels)))
    if len(levels) == 1:  # present or missing: missing is its other value
        return text.eq(levels[0]).fill_null(False).to_numpy().astype(float)[:, None]
    return np.array([0.0, 1.0, np.nan])[codes_of(text, levels)][:, None]


def level_codes(rule: dict[str, Any], text: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The feature each row belongs to (the pool for levels that are not learned; −1 for none), and where it is missing."""
    codes, missing = codes_of(text, rule["levels"]), text.is_null().to_numpy()
    others = (codes == len(rule["levels"])) & ~missing
    return np.where(missing | (others & (not rule["pool"])), -1, codes), missing


def remark(rule: dict[str, Any], series: pl.Series) -> str:
    """What `features` does with values of a sort that was not there when the rule was learned."""
    parts, n_missing = [], int(is_missing(series).sum())
    if rule["levels"]:
        text = as_text(series) if rule["kind"] == "category" else spelled_alike(as_text(series), rule["levels"])
        other = text.filter(text.is_not_null() & ~text.is_in(rule["levels"] + rule.get("pooled", [])))
        if len(other):
            shown = ", ".join(map(quoted, sorted(set(other.to_list()))[:5]))
            unseen = {"category": f"one of the rare ones, {POOL}" if rule["pool"] else "none of its levels"}
            parts.append(
                f"{counted(len(other), 'row')} with a value it did not have before ({shown}), taken as "
                f"{unseen.get(rule['kind'], 'missing')}"
            )
    presence = rule["kind"] == "yes/no" and len(rule["levels"]) == 1
    if n_missing and not rule["gaps"] and not presence:
        first = figure(rule["fill"][0]) if rule["fill"] else ""
        filled = {
            "number": f"its median {first}",
            "category": "none of its levels",
            "date": "a date in the middle",
            "ordered": "its median level",
        }
        meaning = filled.get(rule["kind"], f"{first}, its more frequent value")
        parts.append(f"{counted(n_missing, 'row')} without a value, which it always had before, taken as {meaning}")
    return f"Column {quoted(series.name)}: {'; '.join(parts)}." if parts else ""


def _learn_category(rule: dict[str, Any], name: str, series: pl.Series) -> None:
    text = as_text(series)
    counts = text.drop_nulls().value_counts(name="rows")
    counts.columns = ["level", "rows"]
    frequent = counts.filter(pl.col("rows") >= LEVEL_ROWS).sort("rows", "level", descending=[True, False])
    levels = sorted(frequent["level"].head(MAX_LEVELS).to_list())
    rare = sorted(set(counts["level"].to_list()) - set(levels))
    if len(rare) == 1:  # a pool of one is that level
        levels, rare = sorted([*levels, *rare]), []
    rule |= {"levels": levels, "pooled": rare, "pool": bool(rare), "fill": [], "gaps": text.null_count() > 0}
    rule["features"] = [f"{name}={level}" for level in levels] + ([f"{name}={POOL}"] if rare else [])


def _learn_date(rule: dict[str, Any], name: str, series: pl.Series) -> None:
    moments = _moments(rule, series)
    rule["clock"] = has_clock(rule["form"], moments)
    values = date_values(moments, rule["clock"])
    rule["features"], rule["gaps"] = date_features(name, rule["clock"]), bool(moments.null_count())
    wheres = [feature.startswith((f"{name} month=", f"{name} weekday=")) for feature in rule["features"]]
    there = values[~np.isnan(values[:, 0])]
    middle = np.median(there, axis=0) if len(there) else np.zeros(values.shape[1])
    rule["fill"] = np.where(wheres, 0.0, middle).tolist()  # no month and no weekday


def _learn_measure(rule: dict[str, Any], name: str, series: pl.Series) -> None:
    values, levels = measured(rule, series), rule["levels"]
    there = values[~np.isnan(values[:, 0])]
    if rule["kind"] == "ordered":
        rule["features"] = [f"{name}≥{level}" for level in levels[1:]]
    else:
        rule["features"] = [f"{name}={levels[-1]}" if levels else name]
    if not len(there):
        rule["fill"] = [0.0] * values.shape[1]
    elif rule["kind"] == "number":
        rule["fill"] = [float(np.median(there))]
    else:
        rule["fill"] = (there.mean(axis=0) >= 0.5).astype(float).tolist()
    rule["gaps"] = len(there) < len(values)


_LEARNERS = {"category": _learn_category, "date": _learn_date}


def spelled_alike(text: pl.Series, levels: list[str]) -> pl.Series:
    """A yes/no or ordered column with other spellings of its levels brought to theirs: yes and YES, 0/1 and false/true."""
    own = {level.lower(): level for level in levels}
    if len(own) < len(levels):  # they differ by case alone
        return text
    for pair, same in (_BOOLEAN_WORDS, _BOOLEAN_WORDS[::-1]):
        if set(own) == set(pair):
            return _spelled(text, own | dict(zip(same, map(own.__getitem__, pair), strict=True)))
    return _spelled(text, own)


def _spelled(text: pl.Series, own: dict[str, str]) -> pl.Series:
    return text.str.to_lowercase().replace_strict(own, default=text, return_dtype=pl.String)


def _numbers(series: pl.Series) -> np.ndarray:
    numbers = as_numbers(series)
    wrong = np.isnan(numbers)
    if not series.dtype.is_numeric() and (wrong := wrong & ~is_missing(series)).any():
        raise _not_read(series, wrong, "a number")
    refuse_infinite(series.name, numbers, np.arange(1, len(numbers) + 1))
    return numbers


def _written(series: pl.Series) -> np.ndarray:
    """Numbers with units or separators; what is not one is missing, as it was when the column was judged."""
    numbers = as_numbers(series) if series.dtype.is_numeric() else read_written(as_text(series))
    refuse_infinite(series.name, numbers, np.arange(1, len(numbers) + 1))
    return numbers


def _moments(rule: dict[str, Any], series: pl.Series) -> pl.Series:
    text = as_text(series)
    moments = read_dates(series, text, rule["form"])
    wrong = (moments.is_null() & text.is_not_null()).to_numpy()
    if wrong.any():
        raise _not_read(series, wrong, "a date written as before")
    return moments


def _not_read(series: pl.Series, wrong: np.ndarray, expected: str) -> InputError:
    row = int(np.argmax(wrong))
    return InputError(
        f"Column {quoted(series.name)} holds {quoted(as_text(series)[row])} in row {row + 1} where {expected} was "
        f"expected ({counted(int(wrong.sum()), 'such row')}); correct it or leave it empty."
    )
