"""The shapes of the kept additive model: the effect of each input, and how it varies between halves of the rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import polars as pl

from shrinkwise.compare.candidates.base import Fit, TrainingRows
from shrinkwise.compare.options import Options
from shrinkwise.compare.scoring.workers import on_one_thread
from shrinkwise.models.hinges import Hinges
from shrinkwise.models.predictors import LinearPredictor
from shrinkwise.models.table_model import TableModel
from shrinkwise.selection import complementary_halves
from shrinkwise.tables.columns.features import POOL, features

_PAIRS = 10  # of halves: the standard deviation of 20 is known within a sixth
_LARGE, _FEW = 2_000_000, 2  # values of the hinges above which so few pairs must do


@dataclass(frozen=True)
class ShapeFits:
    """Means of the hinges over the training rows, (m,), and coefficients of the kept setting on half-samples.

    Each of `halves` is (m,) or (K, m), as those of the kept model.
    """

    means: np.ndarray
    halves: list[np.ndarray]


@dataclass(frozen=True)
class Effect:
    """The effect of one input at some of its values: what it adds to the score, with mean 0 over the training rows.

    xs are the values of a number, ascending; labels the levels of another input. values is (points, K), halves
    (half-samples, points, K); K is 1, or the number of classes if there are more than two.
    """

    name: str
    xs: list[float]
    labels: list[str]
    values: np.ndarray
    halves: np.ndarray
    missing: np.ndarray | None = None


def shape_fits(fit: Fit, problem: TrainingRows, options: Options) -> ShapeFits | None:
    """The means, and the fits on complementary halves of the rows; None if the fit is not an additive model."""
    hinges = getattr(fit.predictor, "hinges", None)
    if hinges is None:
        return None
    problem = problem.fitted
    means = np.asarray(hinges.terms(problem.X).mean(axis=0)).ravel()
    return ShapeFits(means, [] if fit.refit is None else _halves(fit, problem, options, len(hinges.sources)))


def _halves(fit: Fit, problem: TrainingRows, options: Options, n_terms: int) -> list[np.ndarray]:
    from sklearn.exceptions import ConvergenceWarning

    n, strata = len(problem.y), problem.y if problem.has_classes else None
    pairs = min(options.stability_pairs, _PAIRS if n * n_terms <= _LARGE else _FEW)
    if pairs == 0 or n < 4:
        return []
    found = []
    with warnings.catch_warnings(), on_one_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for pair in complementary_halves(n, pairs, problem.seed % 2**32, strata):
            for half in pair:
                part = problem.take(half)
                if not problem.has_classes or len(np.unique(part.y)) == len(np.unique(problem.y)):
                    found.append(fit.refit(part).coef)  # type: ignore[misc]
    return found


def effects(model: TableModel, fits: ShapeFits) -> list[Effect]:
    """The effects of all inputs that the model uses, dates excepted, the largest range of the effect first.

    The range of a number is that between its inner knots, so that a few extreme values do not decide.
    """
    found = []
    for number, column in enumerate(model.plan.kept):
        rule, own = model.encoder.rules[number], np.flatnonzero(np.array(model.encoder.inputs) == number)
        if number not in model.used or column.kind == "date":
            continue
        effect = _InputEffect(model, fits, number, own)
        if column.kind == "number":
            xs = effect.breaks()
            values, labels, at = pl.Series(column.name, xs), [], xs
        else:
            labels = [*rule["levels"], *([rule["pooled"][0]] if rule["pool"] else [])]
            values, at = pl.Series(column.name, labels, dtype=pl.String), []
            labels = [*rule["levels"], *([POOL] if rule["pool"] else [])]
        gap = pl.Series(column.name, [None], dtype=pl.String)
        missing = effect.of(features(rule, gap))[0][0] if rule["gaps"] else None
        found.append(Effect(column.name, at, labels, *effect.of(features(rule, values)), missing))
    return sorted(found, key=_range, reverse=True)


def _range(effect: Effect) -> float:
    inner = effect.values[1:-1] if len(effect.xs) >= 5 else effect.values
    return float(np.ptp(inner, axis=0).max(initial=0.0))


@dataclass(frozen=True)
class _InputEffect:
    """What one input adds, from its features in the units of the data; own (p,) are the numbers of its features."""

    model: TableModel
    fits: ShapeFits
    number: int
    own: np.ndarray

    @property
    def predictor(self) -> LinearPredictor:
        return self.model.predictor  # type: ignore[return-value]

    @property
    def hinges(self) -> Hinges:
        return self.predictor.hinges  # type: ignore[return-value]

    def breaks(self) -> list[float]:
        """The knots of a number and its highest value, in the units of the data."""
        terms = self.hinges.sources == self.own[0]
        at = np.unique(np.append(self.hinges.knots[terms], self.hinges.tops[terms]))
        return (self.model.encoder.mean[self.own[0]] + self.model.encoder.scale[self.own[0]] * at).tolist()

    def of(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(points, K) and (half-samples, points, K) for rows of features of this input."""
        encoder = self.model.encoder
        ends = np.cumsum([0] + [len(rule["features"]) for rule in encoder.rules])
        varies = encoder.varies[ends[self.number] : ends[self.number + 1]]
        X = np.zeros((len(block), len(encoder.inputs)))
        X[:, self.own] = (block[:, varies] - encoder.mean[self.own]) / encoder.scale[self.own]
        mine = np.isin(self.hinges.sources, self.own)
        terms = self.hinges.take(mine)
        centred = terms.terms(X) - self.fits.means[mine]

        def scores(coef: np.ndarray) -> np.ndarray:
            found = centred @ np.atleast_2d(coef)[:, mine].T
            return found - found.mean(axis=1, keepdims=True) if found.shape[1] > 1 else found

        halves = [scores(coef) for coef in self.fits.halves]
        kept = scores(self.predictor.coef)
        return kept, np.array(halves).reshape(len(halves), *kept.shape)
