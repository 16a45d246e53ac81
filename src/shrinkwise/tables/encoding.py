"""A table's inputs as standardised numbers; everything that depends on data is learned in `fit`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import numpy as np
import polars as pl

from shrinkwise.tables.columns.features import (
    blank_features,
    crossed_features,
    features,
    learned,
    learned_of,
    plain_values,
)
from shrinkwise.tables.columns.kinds import taken
from shrinkwise.tables.columns.level_means import LEVEL_MEANS, Outcome, Parts
from shrinkwise.tables.columns.remarks import Remarks
from shrinkwise.tables.plan.plan import TablePlan
from shrinkwise.tables.reading.read import as_frame

from .errors import no_such_column

# A column whose values differ by no more than rounding, or by less than this, cannot be scaled to variance 1.
_ROUNDING = 8 * np.finfo(float).eps
_SMALLEST = 1e-100

# From this many features on, and when so few of their values are not 0, they are kept as a sparse matrix.
_WIDE, _SPARSE = 200, 0.1
_MANY_VALUES = 10_000_000


class Encoder:
    """The inputs of a plan as a float64 matrix whose columns have mean 0 and variance 1 over the rows of `fit`.

    A number is one feature; missing values are replaced by the median of `fit`. A yes/no column is one 0/1 feature;
    missing values are replaced by the more frequent value. A category has one 0/1 feature per level seen in `fit` (no
    reference level is dropped, because penalised models need none); levels with fewer than 5 rows share one feature,
    which is also used for levels not seen in `fit`; without such a feature unseen levels are 0 in all. A category of
    many levels is the shrunk mean of the target by level (`columns.level_means`). An ordered
    category has a 0/1 feature "≥ level" for every level but the lowest. A date has its year, day, month (0/1 each),
    weekday (0/1 each), hour and the sine and cosine of the hour, as a time of day has. A list of items and a text have
    a 0/1 feature per item or word in at least 5 rows. Each column with missing values in `fit` has an additional 0/1
    feature "… is missing".
    Features that are constant in `fit` are dropped.

    If there are 200 features or more and fewer than a tenth of their values are nonzero, the matrix is sparse (CSR) and
    only scaled: with an unpenalised intercept, centring does not change a linear model.

    Attributes
    ----------
    feature_names : list of str, such as "age", "age is missing", "colour=red"
    inputs : list of int, for each feature the index of its column in `plan.kept`
    mean, scale : (n_features,), subtracted and divided by; the variance has the divisor n
    sparse : whether the matrix is sparse

    All attributes are plain lists, dicts, strings, numbers and arrays, so that a model file can hold them.

    """

    def __init__(self, plan: TablePlan):
        self.plan = plan

    def fit(self, frame: Any, rows: np.ndarray | None = None, parts: Parts | None = None) -> Encoder:
        """Learn medians, levels, means and scales from the rows of `frame`, or those numbered `rows`.

        The rows are selected column by column, so that no second table is made. With `parts`, those of the rows, the means
        and scales are those of `transform` with these parts.
        """
        frame = as_frame(frame)
        outcome = self._outcome(frame, rows)
        columns = cast(list[pl.Series], self._inputs_of(frame))
        n_rows = frame.height if rows is None else len(rows)
        self.rules, ranges, filled = [], [], 0.0
        for plan, whole in zip(self.plan.kept, columns, strict=True):
            values = plain_values(plan, whole, rows)
            if values is None:
                series = taken(whole, rows)
                rule = learned(plan, series, outcome)
                block = _block(rule, series, outcome, parts)
            else:
                rule, block = learned_of(plan, values), values[:, None]
            self.rules.append(rule)
            low, high = block.min(axis=0), block.max(axis=0)
            ranges.append(np.array([low, high, block.mean(axis=0), block.std(axis=0)]))
            filled += np.count_nonzero(block)
        low, high, mean, scale = np.hstack(ranges)
        self.varies = high - low > np.maximum(_ROUNDING * np.maximum(np.abs(low), np.abs(high)), _SMALLEST)
        named = [(index, name) for index, rule in enumerate(self.rules) for name in rule["features"]]
        self.sparse = bool(len(named) >= _WIDE and filled < _SPARSE * len(named) * n_rows)
        self.mean = np.zeros(int(self.varies.sum())) if self.sparse else mean[self.varies]
        self.scale = scale[self.varies]
        self.inputs = [index for (index, _), varies in zip(named, self.varies, strict=True) if varies]
        self.feature_names = [name for (_, name), varies in zip(named, self.varies, strict=True) if varies]
        return self

    def transform(
        self,
        frame: Any,
        rows: np.ndarray | None = None,
        needed: Collection[int] | None = None,
        parts: Parts | None = None,
    ):
        """The standardised features of `frame`, (n, n_features); its columns may be in any order, and additional ones
        are ignored.

        With `rows`, only these rows. With `needed`, indices into `plan.kept`, other columns are neither read nor
        required, and their features are 0. With `parts`, the rows are those of `fit`, and the target's means by level are
        those of rows in other parts.

        Raises InputError for an absent input column and for a value in a numeric column that is not a number.
        """
        raw = self.raw(frame, rows, needed, parts)
        if self.sparse:
            raw.data /= self.scale[raw.indices]
            return raw
        raw -= self.mean
        raw /= self.scale
        return raw

    def raw(
        self,
        frame: Any,
        rows: np.ndarray | None = None,
        needed: Collection[int] | None = None,
        parts: Parts | None = None,
    ):
        """The features in the units of the data, missing values filled in: what `in_data_units` coefficients multiply.

        Columns that are not `needed` have their mean.
        """
        frame, start, place = as_frame(frame), 0, 0
        n_rows = frame.height if rows is None else len(rows)
        outcome = None if parts is None else self._outcome(frame, rows)
        design = _SparseDesign() if self.sparse else _DenseDesign(n_rows, int(self.varies.sum()))
        for rule, whole in zip(self.rules, self._inputs_of(frame, needed), strict=True):
            stop = start + len(rule["features"])
            varies = self.varies[start:stop]
            width = int(varies.sum())
            if whole is None:
                design.add(np.broadcast_to(self.mean[place : place + width], (n_rows, width)))
            else:
                values = None if rule["gaps"] else plain_values(rule, whole, rows)
                block = _block(rule, taken(whole, rows), outcome, parts) if values is None else values[:, None]
                design.add(block if varies.all() else block[:, varies])
            start, place = stop, place + width
        return design.matrix()

    def blank(self) -> np.ndarray:
        """The standardised features (n_features,) of a row without any value."""
        raw = np.array([value for rule in self.rules for value in blank_features(rule)])
        return (raw[self.varies] - self.mean) / self.scale

    def in_data_units(self, coef: np.ndarray, intercept: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (…, n_features) and intercepts (…) for standardised features, converted to those for `raw`
        features."""
        coef = np.asarray(coef) / self.scale
        return coef, np.asarray(intercept) - coef @ self.mean

    def remarks(self, frame: Any, needed: Collection[int] | None = None) -> list[str]:
        """Sentences on how `transform` treats kinds of values in `frame` that did not occur in `fit`."""
        found = self.remarking()
        self.remark(found, frame, needed)
        return said(found)

    def remarking(self) -> list[Remarks]:
        """Empty remarks, one per input column, for `remark`."""
        return [Remarks(rule, column.name) for rule, column in zip(self.rules, self.plan.kept, strict=True)]

    def remark(self, found: list[Remarks], frame: Any, needed: Collection[int] | None = None, offset: int = 0) -> None:
        """Add a block of rows, before which there are `offset` rows, to remarks; `said` gives their sentences."""
        for remarks, series in zip(found, self._inputs_of(as_frame(frame), needed), strict=True):
            if series is not None:
                remarks.add(series, offset)

    def _outcome(self, frame: pl.DataFrame, rows: np.ndarray | None) -> Outcome | None:
        """The target of the rows, if an input needs it."""
        return self.plan.outcome(frame).take(rows) if self.plan.has_level_means else None

    def _inputs_of(self, frame: pl.DataFrame, needed: Collection[int] | None = None) -> list[pl.Series | None]:
        """The columns of the plan; None for those that are not needed."""
        columns = dict(zip(frame.columns, frame.get_columns(), strict=True))
        kept = self.plan.kept
        wanted = [needed is None or index in needed for index in range(len(kept))]
        for column, is_needed in zip(kept, wanted, strict=True):
            if is_needed and column.name not in columns:
                raise no_such_column("The table", column.name, frame.columns, {each.name for each in kept})
        return [columns[c.name] if is_needed else None for c, is_needed in zip(kept, wanted, strict=True)]


def _block(rule: dict[str, Any], series: pl.Series, outcome: Outcome | None, parts: Parts | None) -> np.ndarray:
    """The features of one input; with parts, the target's means by level are those of rows in other parts."""
    if rule["kind"] == LEVEL_MEANS and outcome is not None and parts is not None:
        return crossed_features(rule, series, outcome, parts)
    return features(rule, series)


def said(found: Collection[Remarks]) -> list[str]:
    """The sentences of remarks, without empty ones."""
    return [sentence for remarks in found if (sentence := remarks.sentence())]


class _DenseDesign:
    """Columns put side by side into one array (n, q) in Fortran order; a large one by rows, because it is read block by
    block."""

    def __init__(self, n: int, q: int):
        self.array, self.filled = np.empty((n, q), order="F" if n * q < _MANY_VALUES else "C"), 0

    def add(self, block: np.ndarray) -> None:
        stop = self.filled + block.shape[1]
        self.array[:, self.filled : stop] = block
        self.filled = stop

    def matrix(self) -> np.ndarray:
        return self.array


class _SparseDesign:
    """Columns put side by side into a CSR matrix."""

    def __init__(self):
        self.blocks: list = []

    def add(self, block: np.ndarray) -> None:
        from scipy.sparse import csc_array

        self.blocks.append(csc_array(block))

    def matrix(self):
        from scipy.sparse import hstack

        return hstack(self.blocks, format="csr")
