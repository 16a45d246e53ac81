"""One input column as features: the rule learned from it, and how the rule turns values into numbers.

A rule is a plain dict: kind, form, levels, words (that are missing), fill (what stands in for a missing value, one number
per feature without gaps), gaps (whether there were any), pool (whether rare levels share a feature), means (of the target,
a list for each level), features (their names).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from shrinkwise.tables.errors import RowError, counted, figure, quoted

from . import several
from .dates import date_features, date_values, has_clock, read_dates, written_like
from .kinds import LARGEST, ColumnPlan, as_numbers, as_text, codes_of, is_missing, refuse_infinite
from .level_means import LEVEL_MEANS, Outcome, Parts, crossed_means, level_means
from .measures import read_written
from .several import LEVEL_ROWS, MAX_LEVELS
from .spelling import alike, spelled_alike
from .words import present

POOL = "(rare)"
_WITH_LEVELS = ("category", LEVEL_MEANS)
READABLE = {"time of day": "readable as a time of day", "coordinates": "readable as coordinates"}


def learned(column: ColumnPlan, series: pl.Series, outcome: Outcome | None = None) -> dict[str, Any]:
    """What is learned about one column from the rows of `series`, and of their target if it has level means."""
    rule = _rule(column) | {"pool": False}
    if outcome is not None and column.kind == LEVEL_MEANS:
        _learn_level_means(rule, column.name, series, outcome)
    else:
        _LEARNERS.get(column.kind, _learn_measure)(rule, column.name, series)
    if rule["gaps"]:
        rule["features"].append(f"{column.name} is missing")
    return rule


def plain_values(column: ColumnPlan | dict[str, Any], series: pl.Series, rows: np.ndarray | None) -> np.ndarray | None:
    """The values (n,) of a numeric column without gaps and without a form, in these rows; None for any other column.

    It is what `features` gives, in one pass over a column that is stored as numbers.
    """
    kind, form = (column["kind"], column["form"]) if isinstance(column, dict) else (column.kind, column.form)
    if kind != "number" or form or not series.dtype.is_numeric() or series.null_count():
        return None
    whole = series.to_numpy()
    values = np.asarray(whole if rows is None else whole[rows], dtype=np.float64)
    within = len(values) and -LARGEST <= values.min() and values.max() <= LARGEST  # False for NaN
    return values if within else None


def learned_of(column: ColumnPlan, values: np.ndarray) -> dict[str, Any]:
    """What `learned` gives for a column with `plain_values`."""
    rule = _rule(column) | {"pool": False, "features": [column.name], "gaps": False}
    return _with_middle(rule, values)


def features(rule: dict[str, Any], series: pl.Series) -> np.ndarray:
    """The values of one input, (n, number of its features), in the order of `rule["features"]`."""
    block = np.empty((len(series), len(rule["features"])), order="F")
    width = len(rule["features"]) - bool(rule["gaps"])
    if rule["kind"] == "category":
        codes, missing = level_codes(rule, level_text(rule, series))
        for level in range(width):
            block[:, level] = codes == level
    else:
        values = measured(rule, series)
        missing = np.isnan(values[:, 0]) if values.shape[1] else is_missing(series)
        np.copyto(block[:, :width], np.where(missing[:, None], rule["fill"], values))
    if rule["gaps"]:
        block[:, -1] = missing
    return block


def blank_features(rule: dict[str, Any]) -> list[float]:
    """The features of a row without a value."""
    without = rule["kind"] == "category" or (rule["kind"] == "yes/no" and len(rule["levels"]) == 1)
    width = len(rule["features"]) - bool(rule["gaps"])
    return [*([0.0] * width if without else rule["fill"]), *([1.0] if rule["gaps"] else [])]


def crossed_features(rule: dict[str, Any], series: pl.Series, outcome: Outcome, parts: Parts) -> np.ndarray:
    """The features of the training rows of level means: each has the mean of rows in other parts."""
    codes = codes_of(level_text(rule, series), rule["levels"])
    values = crossed_means(codes, len(rule["levels"]), outcome, parts)
    return np.column_stack([values, codes == len(rule["levels"])]) if rule["gaps"] else values


def column_values(column: ColumnPlan, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """One number per row (n,) that identifies the column's value, NaN where missing; and where it is missing."""
    rule = _rule(column)
    if column.kind in _WITH_LEVELS or column.kind in several.KINDS:
        text = level_text(rule, series) if column.kind in _WITH_LEVELS else as_text(present(rule, series))
        gaps = text.is_null().to_numpy()
        return np.where(gaps, np.nan, text.rank("dense").fill_null(0).to_numpy().astype(float)), gaps
    if column.kind == "date":
        values = _moments(rule, series).cast(pl.Int64).cast(pl.Float64).to_numpy()
    elif column.kind == "ordered":
        codes = codes_of(level_text(rule, series), rule["levels"]).astype(float)
        values = np.where(codes == len(rule["levels"]), np.nan, codes)
    else:
        values = measured(rule, series)[:, 0]
    return values, np.isnan(values)


def measured(rule: dict[str, Any], series: pl.Series) -> np.ndarray:
    """A column that is not a category as float64 (n, features without the missingness indicator), NaN where missing."""
    kind, levels = rule["kind"], rule["levels"]
    if kind in several.KINDS:
        return several.several_values(rule, as_text(present(rule, series)))
    if kind == "number":
        read = _written if rule["form"] else _numbers
        return read(rule, present(rule, series))[:, None]
    if kind == "date":
        return date_values(_moments(rule, series), rule["clock"])
    text = level_text(rule, series)
    if kind == LEVEL_MEANS:  # a level that is not known is average
        table = np.array([*rule["means"], rule["fill"]])
        return np.where(text.is_null().to_numpy()[:, None], np.nan, table[codes_of(text, levels)])
    if kind == "ordered":
        codes = codes_of(text, levels)
        return np.where(codes[:, None] == len(levels), np.nan, codes[:, None] >= np.arange(1, len(levels)))
    if len(levels) == 1:  # present or missing: missing is its other value
        return text.eq(levels[0]).fill_null(False).to_numpy().astype(float)[:, None]
    return np.array([0.0, 1.0, np.nan])[codes_of(text, levels)][:, None]


def level_text(rule: dict[str, Any], series: pl.Series) -> pl.Series:
    """A column with levels as text, its levels spelled as the rule spells them, missing as null."""
    text = as_text(present(rule, series))
    if rule["kind"] in _WITH_LEVELS:
        return alike(text, rule["levels"] + rule.get("pooled", []))
    return spelled_alike(text, rule["levels"])


def level_codes(rule: dict[str, Any], text: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The feature each row belongs to (the pool for levels that are not learned; −1 for none), and where it is missing."""
    codes, missing = codes_of(text, rule["levels"]), text.is_null().to_numpy()
    others = (codes == len(rule["levels"])) & ~missing
    return np.where(missing | (others & (not rule["pool"])), -1, codes), missing


def unseen_as(rule: dict[str, Any]) -> str:
    """How a level that was not learned is treated, in words."""
    if rule["kind"] == LEVEL_MEANS:
        return "an average level"
    if rule["kind"] != "category":
        return "missing"
    return "one of the rare levels" if rule["pool"] else "none of its levels"


def filled_as(rule: dict[str, Any]) -> str:
    """How a missing value is imputed if none was missing in training, in words; "" if some were, or if missing is a
    value."""
    if rule["gaps"] or (rule["kind"] == "yes/no" and len(rule["levels"]) == 1):
        return ""
    first = figure(rule["fill"][0]) if rule["fill"] else ""
    filled = {
        "number": f"the median {first}",
        "category": "none of its levels",
        LEVEL_MEANS: "an average level",
        "date": "the median date",
        "time of day": "the median time",
        "coordinates": "the median place",
        "items": "no items",
        "text": "no words",
        "ordered": "the median level",
    }
    return filled.get(rule["kind"], f"{first}, the more frequent value")


def _rule(column: ColumnPlan) -> dict[str, Any]:
    """What the plan says of a column."""
    return {"kind": column.kind, "form": column.form, "levels": column.levels or [], "words": column.words or []}


def _learn_category(rule: dict[str, Any], name: str, series: pl.Series) -> None:
    text = level_text(rule, series)
    counts = text.drop_nulls().value_counts(name="rows")
    counts.columns = ["level", "rows"]
    frequent = counts.filter(pl.col("rows") >= LEVEL_ROWS).sort("rows", "level", descending=[True, False])
    levels = sorted(frequent["level"].head(MAX_LEVELS).to_list())
    rare = sorted(set(counts["level"].to_list()) - set(levels))
    if len(rare) == 1:  # a pool of one is that level
        levels, rare = sorted([*levels, *rare]), []
    rule |= {"levels": levels, "pooled": rare, "pool": bool(rare), "fill": [], "gaps": text.null_count() > 0}
    rule["features"] = [f"{name}={level}" for level in levels] + ([f"{name}={POOL}"] if rare else [])


def _learn_level_means(rule: dict[str, Any], name: str, series: pl.Series, outcome: Outcome) -> None:
    text = level_text(rule, series)
    levels = sorted(text.drop_nulls().unique().to_list())
    means = level_means(codes_of(text, levels), len(levels), outcome)
    rule |= {"levels": levels, "means": means.tolist(), "fill": [0.0] * means.shape[1], "gaps": text.null_count() > 0}
    rule["features"] = [f"{name} ({each} above average)" for each in outcome.names]


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
        _with_middle(rule, there)
    else:
        rule["fill"] = (there.mean(axis=0) >= 0.5).astype(float).tolist()
    rule["gaps"] = len(there) < len(values)


def _learn_several(rule: dict[str, Any], name: str, series: pl.Series) -> None:
    several.learn_several(rule, name, as_text(present(rule, series)))


def _with_middle(rule: dict[str, Any], values: np.ndarray) -> dict[str, Any]:
    """The rule of a number with its median and its range."""
    rule["fill"], rule["range"] = [float(np.median(values))], [float(values.min()), float(values.max())]
    return rule


_LEARNERS = {"category": _learn_category, "date": _learn_date, **dict.fromkeys(several.KINDS, _learn_several)}


def _numbers(_: dict[str, Any], series: pl.Series) -> np.ndarray:
    numbers = as_numbers(series)
    wrong = np.isnan(numbers)
    if not series.dtype.is_numeric() and (wrong := wrong & ~is_missing(series)).any():
        raise _not_read(series, wrong, "a number")
    refuse_infinite(series.name, numbers, np.arange(1, len(numbers) + 1))
    return numbers


def _written(rule: dict[str, Any], series: pl.Series) -> np.ndarray:
    """Numbers with units or separators; what is not one is missing, as it was when the column was judged."""
    numbers = as_numbers(series) if series.dtype.is_numeric() else read_written(as_text(series), rule["form"])
    refuse_infinite(series.name, numbers, np.arange(1, len(numbers) + 1))
    return numbers


def _moments(rule: dict[str, Any], series: pl.Series) -> pl.Series:
    series = present(rule, series)
    text = as_text(series)
    moments = read_dates(series, text, rule["form"])
    wrong = (moments.is_null() & text.is_not_null()).to_numpy()
    if wrong.any():
        raise _not_read(series, wrong, f"a date written like {written_like(rule['form'])}")
    return moments


def _not_read(series: pl.Series, wrong: np.ndarray, expected: str) -> RowError:
    row = int(np.argmax(wrong))
    came, n = quoted(as_text(series)[row]), counted(int(wrong.sum()), "such row")
    return RowError(
        lambda place, least: (
            f"Column {quoted(series.name)} holds {came} in {place}, but {expected} was expected ({least}{n}); correct it or "
            "leave it empty."
        ),
        row + 1,
    )
