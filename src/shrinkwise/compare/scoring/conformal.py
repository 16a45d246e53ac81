"""The intervals of the kept model, from its held-out predictions alone: no model is fitted again.

Every row has a prediction by a model that was fitted without it. The quantiles of these residuals, as they are or divided
by a model of their size, give the intervals of new rows (cross-conformal prediction). What is reported of the held-out
rows uses for every fold the quantiles of the other folds, in a split by time of the earlier ones.

References
----------
Vovk, Cross-conformal predictors, Annals of Mathematics and Artificial Intelligence 74, 2015, doi:10.1007/s10472-013-9368-4.
Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, Distribution-free predictive inference for regression, JASA 113, 2018,
doi:10.1080/01621459.2017.1307116 (residuals divided by a model of their size).
Sadinle, Lei, Wasserman, Least ambiguous set-valued classifiers with bounded error levels, JASA 114, 2019,
doi:10.1080/01621459.2017.1395341 (sets of labels by a threshold).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shrinkwise.compare.metrics import COUNTS
from shrinkwise.compare.splits.splits import Splits
from shrinkwise.models.intervals.kept import LEVELS, LabelSets, NumberIntervals, members, rounded
from shrinkwise.models.table_model import TableModel
from shrinkwise.report.exhibits import CoveragePart
from shrinkwise.selection import conformal_quantiles, row_masses

from .nested import HeldOut
from .spread import HeldOutRows, Option, better_spread, spread_options

LEVEL = 0.9  # of predictions.csv and the report
# A two-sided interval must be narrower by the share _CHANCE / √n, so that chance alone does not choose it: the quantile of n
# normal residuals at 90 % has a relative standard error of 0.89 / √n.
_CHANCE = 0.5
# Rows enough for the highest level: 0.99 on two sides needs 199, on one side 99.
_FEWEST_FOR_TWO_SIDES, _FEWEST_IN_A_THIRD = 200, 100
_ERRORS = 2.5  # standard errors beyond which the coverage of a third is not chance
_MOST_ROWS = 20_000  # on which the widths are compared


@dataclass(frozen=True)
class KnownIntervals:
    """Intervals at `LEVEL` of rows whose truth is known; found: whether a row has one.

    low and high (n,) of numbers, or inside (n, K), the labels of each set.
    """

    found: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    inside: np.ndarray | None = None

    def coverage(self, truth: np.ndarray, output: np.ndarray, weights: np.ndarray | None = None) -> list[CoveragePart]:
        """How many of the intervals contain the truth, for all rows with one and for the thirds by their prediction."""
        if self.inside is None:
            contains, sizes = (truth >= self.low) & (truth <= self.high), self.high - self.low  # type: ignore[operator]
            by = output
        else:
            contains, sizes = self.inside[np.arange(len(truth)), truth.astype(int)], self.inside.sum(axis=1)
            by = output.max(axis=1)
        rows = np.flatnonzero(self.found)
        rows = rows[np.argsort(by[rows], kind="stable")]
        weights = np.ones(len(truth)) if weights is None else weights
        return [
            CoveragePart(
                float(by[part[0]]),
                float(by[part[-1]]),
                len(part),
                float(np.average(contains[part], weights=weights[part])),
                float(np.average(sizes[part], weights=weights[part])),
            )
            for part in [rows, *np.array_split(rows, min(3, len(rows)))]
        ]


@dataclass(frozen=True)
class KeptIntervals:
    """The intervals of the kept model, those of its held-out rows with their coverage, and how they are made.

    held_out is None, and coverage empty, where the rows do not support `LEVEL`.
    """

    model: NumberIntervals | LabelSets
    held_out: KnownIntervals | None
    how: str
    coverage: list[CoveragePart]


@dataclass(frozen=True)
class _Rows:
    """Held-out rows in the order of the folds: truth, output, fold, their masses, and the part that each is in.

    edges are the predictions between the parts.
    """

    splits: Splits
    truth: np.ndarray
    output: np.ndarray
    fold: np.ndarray
    tested: np.ndarray
    mass: np.ndarray
    unseen: float
    part: np.ndarray
    edges: np.ndarray

    @classmethod
    def of(cls, splits: Splits, held: list[HeldOut]) -> _Rows:
        tested = np.concatenate([test for _, test in splits.folds])
        fold = np.repeat(np.arange(len(held)), [len(test) for _, test in splits.folds])
        mass, unseen = row_masses(splits.rows.take(tested), len(tested))
        truth, output = splits.in_units(np.concatenate([part.output for part in held]), tested)
        whole = np.zeros(len(tested), dtype=int)
        return cls(splits, truth, output, fold, tested, mass, unseen, whole, np.empty(0))

    @property
    def units(self) -> str:
        """The number of exchangeable units."""
        groups = self.splits.rows.groups
        return f"{len(self.fold)} held-out rows" if groups is None else f"{len(np.unique(groups[self.tested]))} groups"

    @property
    def parts(self) -> list[np.ndarray]:
        """The rows of each part, whose quantiles are their own."""
        return [np.flatnonzero(self.part == k) for k in range(int(self.part.max()) + 1)]

    def in_thirds(self) -> _Rows:
        """The same rows with the thirds of the predictions as parts."""
        edges = np.quantile(self.output, [1 / 3, 2 / 3])
        return replace(self, part=np.searchsorted(edges, self.output), edges=edges)

    def quantiles(self, scores: np.ndarray, levels: Any = LEVELS) -> np.ndarray:
        """The quantiles (parts, levels)."""
        found = [conformal_quantiles(scores[rows], levels, self.mass[rows], self.unseen) for rows in self.parts]
        return np.array(found)

    def of_others(self, scores: np.ndarray, level: float) -> np.ndarray:
        """For every row the quantile of the rows of its part that its fold may know; ∞ where they are too few."""
        found, forward = np.full(len(scores), np.inf), self.splits.rows.time is not None
        for rows in self.parts:
            for k in np.unique(self.fold[rows]):
                known = rows[self.fold[rows] < k if forward else self.fold[rows] != k]
                quantile = conformal_quantiles(scores[known], [level], self.mass[known], self.unseen)[0]
                found[rows[self.fold[rows] == k]] = quantile
        return found


def kept_intervals(splits: Splits, held: list[HeldOut], X: Any, used: np.ndarray) -> KeptIntervals:
    """The intervals of the kept candidate, whose held-out folds are `held`.

    Parameters
    ----------
    X : (n, q)
        All rows, encoded as for the kept model.
    used : (q,) bool
        The features with a weight in it; the model of the size of the residuals uses no others.
    """
    rows = _Rows.of(splits, held)
    classes = splits.plan.classes is not None
    model, known, how = _label_sets(rows) if classes else _number_intervals(rows, X, used)
    weights = splits.rows.take(rows.tested).weights
    return KeptIntervals(model, known, how, known.coverage(rows.truth, rows.output, weights) if known else [])


def intervals_of(model: TableModel, X: Any, output: np.ndarray) -> KnownIntervals | None:
    """The intervals of a model for encoded rows with their outputs; None where it does not support `LEVEL`."""
    if model.intervals is None or LEVEL not in model.intervals.supported:
        return None
    found, all_rows = model.within(X, output, LEVEL), np.ones(len(output), dtype=bool)
    return KnownIntervals(all_rows, inside=found) if model.plan.classes else KnownIntervals(all_rows, *found)


def _label_sets(rows: _Rows) -> tuple[LabelSets, KnownIntervals | None, str]:
    """Sets of labels by a threshold on the probability of the true class."""
    scores = 1 - rows.output[np.arange(len(rows.truth)), rows.truth.astype(int)]
    most = rows.of_others(scores, LEVEL)
    found = np.isfinite(most)
    held = KnownIntervals(found, inside=members(rows.output, most)) if found.any() else None
    how = "sets of the labels whose probability is at least a threshold, and always of the most probable one"
    return LabelSets(rows.units, rows.quantiles(scores)[0]), held, how


def _number_intervals(rows: _Rows, X: Any, used: np.ndarray) -> tuple[NumberIntervals, KnownIntervals | None, str]:
    errors = rows.truth - rows.output
    held = HeldOutRows(X, rows.tested, rows.output, np.abs(errors), rows.fold)
    some = np.sort(np.random.default_rng(1).permutation(len(errors))[:_MOST_ROWS])
    level = LEVEL if np.isfinite(rows.quantiles(errors, [LEVEL])).all() else float(LEVELS[0])
    sample = replace(rows, mass=rows.mass[some], part=rows.part[some])

    def width(option: Option, two_sided: bool) -> float:
        sigma = option.sigma(held, some)
        low, high = _sides(sample, errors[some] / sigma, [level], two_sided)
        return float((high - low)[0, 0] * np.average(sigma, weights=sample.mass))

    option = Option("all of one width")
    scaled = better_spread(spread_options(held, used), held, some)
    if scaled is not None and width(scaled, False) < width(option, False):
        option = scaled
    narrow = (1 - _CHANCE / np.sqrt(len(some))) * width(option, False)
    two_sided = len(some) >= _FEWEST_FOR_TWO_SIDES and width(option, True) < narrow
    sigma = option.sigma(held, np.arange(len(errors)))
    rows = rows.in_thirds() if _uneven(rows, np.abs(errors) / sigma) else rows
    low, high = _sides(rows, errors / sigma, LEVELS, two_sided)
    low_limit, high_limit = rows.splits.plan.limits
    limits = np.array([-np.inf if low_limit is None else low_limit, np.inf if high_limit is None else high_limit])
    whole = rows.splits.plan.task == COUNTS
    model = NumberIntervals(rows.units, low, high, limits, rows.edges, whole, option.spread)
    how = [option.how, "of different reach below and above the prediction" if two_sided else "symmetric"]
    how += ["calibrated in each third of the predictions"] if len(rows.edges) else []
    return model, _held_out(rows, sigma, two_sided, model), ", ".join(how)


def _uneven(rows: _Rows, ratios: np.ndarray) -> bool:
    """Whether a common quantile covers a third of the predictions too often or too rarely for chance alone.

    Such thirds are calibrated each by itself, if they have rows enough; groups are units that lie across them.
    """
    thirds = rows.in_thirds().parts
    fewest = min(map(len, thirds))
    if rows.splits.rows.groups is not None or fewest < _FEWEST_IN_A_THIRD:
        return False
    inside = ratios <= rows.quantiles(ratios, [LEVEL])[0, 0]
    error = np.sqrt(LEVEL * (1 - LEVEL) / fewest)
    return any(abs(inside[third].mean() - LEVEL) > _ERRORS * error for third in thirds)


def _sides(rows: _Rows, ratios: np.ndarray, levels: Any, two_sided: bool) -> tuple[np.ndarray, np.ndarray]:
    """The low and the high multiple for each level: half of what is outside is on either side, or both are alike."""
    if not two_sided:
        high = rows.quantiles(np.abs(ratios), levels)
        return -high, high
    each = (1 + np.asarray(levels)) / 2
    return -rows.quantiles(-ratios, each), rows.quantiles(ratios, each)


def _held_out(rows: _Rows, sigma: np.ndarray, two_sided: bool, model: NumberIntervals) -> KnownIntervals | None:
    ratios = (rows.truth - rows.output) / sigma
    if two_sided:
        low, high = (rows.of_others(each, (1 + LEVEL) / 2) for each in (-ratios, ratios))
    else:
        low = high = rows.of_others(np.abs(ratios), LEVEL)
    found = np.isfinite(low) & np.isfinite(high)
    if not found.any():
        return None
    below, above = (np.clip(s, *model.limits) for s in (rows.output - low * sigma, rows.output + high * sigma))
    return KnownIntervals(found, *rounded(below, above, model.whole))
