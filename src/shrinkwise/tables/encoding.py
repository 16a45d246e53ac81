"""A table's inputs as standardised numbers, with everything that is learned from data learned in `fit`."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from .errors import InputError, counted, figure, no_such_column, quoted
from .kinds import ColumnPlan, as_numbers, as_text, codes_of, is_missing, refuse_infinite
from .plan import TablePlan
from .reading import as_frame

# A column whose values differ by no more than rounding, or by less than this, cannot be scaled to variance 1.
_ROUNDING = 8 * np.finfo(float).eps
_SMALLEST = 1e-100

_BOOLEAN_WORDS = (("false", "true"), ("0", "1"))


class Encoder:
    """The inputs of a plan as a float64 matrix whose columns have mean 0 and variance 1 over the rows of `fit`.

    A number is one feature; where it is missing the median of `fit` stands in. A yes/no column is one 0/1 feature,
    missing filled with the more frequent value. A category is one 0/1 feature per level seen in `fit` (no level is left
    out: penalised models need no reference level), and a level not seen there has 0 in all of them. Each column with
    missing values in `fit` has a 0/1 feature "… is missing" besides. Features constant in `fit` are left out.

    Attributes
    ----------
    feature_names : list of str, such as "age", "age is missing", "colour=red"
    inputs : list of int, for each feature the index of its column in `plan.kept`
    mean, scale : (n_features,), of the features before standardisation; variance with divisor n

    All attributes are plain lists, dicts, texts, numbers and arrays, so that a model file can hold them.

    """

    def __init__(self, plan: TablePlan):
        self.plan = plan

    def fit(self, frame: Any) -> Encoder:
        """Learn medians, levels, means and scales from the rows of `frame`."""
        columns = self._inputs_of(frame)
        self.rules = [_learned(plan, series) for plan, series in zip(self.plan.kept, columns, strict=True)]
        features = [(index, name) for index, rule in enumerate(self.rules) for name in rule["features"]]
        raw = self._design(columns)
        low, high = raw.min(axis=0), raw.max(axis=0)
        self.varies = high - low > np.maximum(_ROUNDING * np.maximum(np.abs(low), np.abs(high)), _SMALLEST)
        self.mean, self.scale = raw.mean(axis=0)[self.varies], raw.std(axis=0)[self.varies]
        self.inputs = [index for (index, _), varies in zip(features, self.varies, strict=True) if varies]
        self.feature_names = [name for (_, name), varies in zip(features, self.varies, strict=True) if varies]
        return self

    def transform(self, frame: Any) -> np.ndarray:
        """The standardised features of `frame`, (n, n_features); its columns may be in any order, others are ignored.

        Raises InputError for an input column that is absent and for a value that is no number in a column of numbers.
        """
        standardised = self.raw(frame)
        standardised -= self.mean
        standardised /= self.scale
        return standardised

    def raw(self, frame: Any) -> np.ndarray:
        """The features in the units of the data, missing values filled in: what `in_data_units` coefficients multiply."""
        return self._design(self._inputs_of(frame))[:, self.varies]

    def in_data_units(self, coef: np.ndarray, intercept: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (…, n_features) and intercepts (…) for standardised features, turned into those for `raw` ones."""
        coef = np.asarray(coef) / self.scale
        return coef, np.asarray(intercept) - coef @ self.mean

    def remarks(self, frame: Any) -> list[str]:
        """What `transform` does with values of `frame` of a sort that `fit` did not see, in sentences."""
        found = (_remark(rule, series) for rule, series in zip(self.rules, self._inputs_of(frame), strict=True))
        return [sentence for sentence in found if sentence]

    def _inputs_of(self, frame: Any) -> list[pl.Series]:
        frame = as_frame(frame)
        columns = dict(zip(frame.columns, frame.get_columns(), strict=True))
        for column in self.plan.kept:
            if column.name not in columns:
                raise no_such_column("The table", column.name, frame.columns)
        return [columns[column.name] for column in self.plan.kept]

    def _design(self, columns: list[pl.Series]) -> np.ndarray:
        """All features, constant ones among them, in the units of the data."""
        design = np.empty((len(columns[0]), sum(len(rule["features"]) for rule in self.rules)), order="F")
        start = 0
        for rule, series in zip(self.rules, columns, strict=True):
            stop = start + len(rule["features"])
            _write_features(rule, series, design[:, start:stop])
            start = stop
        return design


def _learned(column: ColumnPlan, series: pl.Series) -> dict[str, Any]:
    """What `fit` learns about one column: its features, levels, the value that fills gaps, whether there were gaps."""
    levels, fill = column.levels or [], 0.0
    if column.kind == "category":
        text = as_text(series)
        levels, gaps = sorted(text.drop_nulls().unique().to_list()), text.null_count() > 0
        features = [f"{column.name}={level}" for level in levels]
    else:
        values = _measured(column.kind, levels, series)
        present = values[~np.isnan(values)]
        gaps, fill = len(present) < len(values), _middle(column.kind, present)
        features = [f"{column.name}={levels[-1]}" if levels else column.name]
    if gaps:
        features.append(f"{column.name} is missing")
    return {"kind": column.kind, "levels": levels, "fill": fill, "gaps": gaps, "features": features}


def _middle(kind: str, present: np.ndarray) -> float:
    """The median, of 0/1 values the more frequent one; 0 when there is none (the feature is constant then)."""
    if not len(present):
        return 0.0
    return float(np.median(present)) if kind == "number" else float(np.mean(present) >= 0.5)


def _measured(kind: str, levels: list[str], series: pl.Series) -> np.ndarray:
    """A number or yes/no column as float64, NaN where missing or, for yes/no, neither of its levels."""
    if kind == "number":
        return _numbers(series)
    text = _spelled_alike(as_text(series), levels)
    if len(levels) == 1:  # present or missing: missing is its other value
        return text.eq(levels[0]).fill_null(False).to_numpy().astype(float)
    return np.array([0.0, 1.0, np.nan])[codes_of(text, levels)]


def _spelled_alike(text: pl.Series, levels: list[str]) -> pl.Series:
    """A yes/no column with other spellings of its levels brought to theirs: yes and YES, 0/1 and false/true."""
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
        row = int(np.argmax(wrong))
        raise InputError(
            f"Column {quoted(series.name)} holds {quoted(as_text(series)[row])} in row {row + 1} where a number was "
            f"expected ({counted(int(wrong.sum()), 'such row')}); correct it or leave it empty."
        )
    refuse_infinite(series.name, numbers, np.arange(1, len(numbers) + 1))
    return numbers


def _write_features(rule: dict[str, Any], series: pl.Series, features: np.ndarray) -> None:
    """Fill the columns of one input, `features` (n, number of its features), in the order of `rule["features"]`."""
    if rule["kind"] == "category":
        text = as_text(series)
        codes = codes_of(text, rule["levels"])
        for level in range(len(rule["levels"])):
            features[:, level] = codes == level
        missing = text.is_null().to_numpy()
    else:
        values = _measured(rule["kind"], rule["levels"], series)
        missing = np.isnan(values)
        features[:, 0] = np.where(missing, rule["fill"], values)
    if rule["gaps"]:
        features[:, -1] = missing


def _remark(rule: dict[str, Any], series: pl.Series) -> str:
    parts, n_missing = [], int(is_missing(series).sum())
    if rule["levels"]:
        text = as_text(series) if rule["kind"] == "category" else _spelled_alike(as_text(series), rule["levels"])
        other = text.filter(text.is_not_null() & ~text.is_in(rule["levels"]))
        if len(other):
            shown = ", ".join(map(quoted, sorted(set(other.to_list()))[:5]))
            meaning = "none of its levels" if rule["kind"] == "category" else "missing"
            parts.append(
                f"{counted(len(other), 'row')} with a value it did not have before ({shown}), taken as {meaning}"
            )
    presence = rule["kind"] == "yes/no" and len(rule["levels"]) == 1
    if n_missing and not rule["gaps"] and not presence:
        filled = {"number": f"its median {figure(rule['fill'])}", "category": "none of its levels"}
        meaning = filled.get(rule["kind"], f"{figure(rule['fill'])}, its more frequent value")
        parts.append(f"{counted(n_missing, 'row')} without a value, which it always had before, taken as {meaning}")
    return f"Column {quoted(series.name)}: {'; '.join(parts)}." if parts else ""
