"""The additive family: a linear model on hinges, so that the effect of every number may bend.

Every number enters as hinges max(0, x − knot) at its quantiles, the first at its lowest value, which is its linear
term; a 0/1 feature, such as a level of a category, enters as it is. The model is linear in these terms, so that the
problem is convex and has a duality gap and exact zeros. Knots and scales of the terms are those of all training rows, as
the encoder's medians and means are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np

from shrinkwise.compare.options import Options
from shrinkwise.models.hinges import Hinges
from shrinkwise.models.predictors import LinearPredictor
from shrinkwise.penalties import L1, L2, Penalty

from .base import Candidate, Features, Fit, TrainingRows, Tuned
from .linear import STOPGAP, TINY_RIDGE, ScaledRows, TunedPath, cross_validate, tuned, whole_inputs

# Knots inside the range of a number: measured on ten tables, classes gained nothing from more than 8 and squared errors
# fell up to 32. No more than one for so many rows. Neighbouring hinges are nearly collinear, so that a path on three times
# as many takes twenty times as long: fewer knots are taken while the terms have more values than _KNOT_VALUES.
_KNOTS, _CLASS_KNOTS, _ROWS_PER_KNOT = (32, 16, 8), (8,), 10
_KNOT_VALUES = 5_000_000
# Knots spread over the values: the largest number with which all inputs together have no more terms than this, if their
# values, times the squared number of scores for several classes, are no more either.
_SPREAD = "knots"  # the setting that says so
_SPREAD_KNOTS, _SPREAD_TERMS, _SPREAD_VALUES = (32, 16, 8), 400, 10_000_000
# The smallest λ as a share of λ_max. The path of hinges improves for longer than that of the features, down to no penalty
# where there are many rows for each of them, whose paths are also quick.
_SMALLEST, _MANY_ROWS_SMALLEST, _CLASS_SMALLEST, _FEW_ROWS_SMALLEST = 1e-4, 1e-6, 1e-3, 1e-2
_MANY_ROWS = 20  # for each hinge
# A value that is further from the middle 98 % of the distinct values than this many times their range does not extend the
# range of the hinges: one outlier would make all of them look alike.
_FAR = 3.0
# More values of the terms than this are not made: the model is then fitted on a random sample of the rows.
_MOST_VALUES = 30_000_000
# The group lasso is tried as well up to this many values of the terms, times the squared number of scores for several
# classes; beyond, its path takes minutes.
_GROUP_VALUES = 5_000_000


def tune_additive_lasso(problem: TrainingRows, options: Options) -> Tuned:
    """L1 on the hinges, or the group lasso on the hinges of whole inputs, whichever has the lower cross-validation curve.

    L1 also selects where the knots stand. The group lasso is tried if it is affordable.
    """
    fits = []
    for settings, hinges in _placed(problem):
        rows = _HingedRows.of(problem, hinges)
        fits.append((settings, rows, _on_single_hinges(rows.problem, options)))
    settings, rows, single = min(fits, key=lambda fit: fit[2].curve.mean.min())
    found = {"single hinges": single}
    if _work(problem, rows.problem.X.shape[1]) <= _GROUP_VALUES:
        group = whole_inputs(rows.problem)
        found["whole inputs"] = cross_validate(group, rows.problem, options, lambda_min_ratio=_smallest(rows.problem))
    of, best = min(found.items(), key=lambda pair: pair[1].curve.mean.min())
    return rows.in_features(tuned(best, {"on": of} | settings, options), best.curve.path.penalty)


def _on_single_hinges(problem: TrainingRows, options: Options) -> TunedPath:
    return cross_validate(L1(1.0), problem, options, lambda_min_ratio=_smallest(problem))


def _placed(problem: TrainingRows) -> list[tuple[dict, Hinges]]:
    """The hinges to try, with their setting: knots at quantiles of the rows, and spread over the values where that differs."""
    usual = usual_hinges(problem)
    placed: list[tuple[dict, Hinges]] = [({}, usual)]
    for n_knots in _SPREAD_KNOTS[1 if problem.has_classes else 0 :]:
        spread = hinges_of(problem.X, n_knots, spread=True)
        if len(spread.knots) <= _SPREAD_TERMS and _work(problem, len(spread.knots)) <= _SPREAD_VALUES:
            alike = len(spread.knots) == len(usual.knots) and (spread.knots == usual.knots).all()
            return placed if alike else [*placed, ({_SPREAD: "spread over the values"}, spread)]
    return placed


def _work(problem: TrainingRows, n_terms: int) -> int:
    return len(problem.y) * n_terms * max(1, problem.n_classes - 1) ** 2


def usual_hinges(problem: TrainingRows) -> Hinges:
    """Hinges with knots at quantiles of the rows, fewer on large tables."""
    for n_knots in _CLASS_KNOTS if problem.has_classes else _KNOTS:
        hinges = hinges_of(problem.X, n_knots)
        if len(problem.y) * len(hinges.knots) <= _KNOT_VALUES:
            break
    return hinges


def _smallest(problem: TrainingRows) -> float:
    n, m = problem.X.shape
    if problem.has_classes:
        return _CLASS_SMALLEST
    return _MANY_ROWS_SMALLEST if n > _MANY_ROWS * m else _SMALLEST if n > 2 * m else _FEW_ROWS_SMALLEST


def tune_unpenalised(problem: TrainingRows, options: Options) -> Tuned:
    """The additive model with a negligible ridge penalty, because hinges can be collinear and separate classes."""
    rows, ridge = _HingedRows.of(problem, usual_hinges(problem)), L2(TINY_RIDGE)
    note = "; ".join(filter(None, [STOPGAP, rows.note]))
    return Tuned(Fit(rows.fitted(ridge), note=note, refit=partial(rows.fitted, ridge)))


@dataclass(frozen=True)
class _HingedRows:
    """The training rows with hinges of variance 1 as their features, `scale` their standard deviations before."""

    problem: TrainingRows
    hinges: Hinges
    scale: np.ndarray
    note: str = ""

    @classmethod
    def of(cls, problem: TrainingRows, hinges: Hinges) -> _HingedRows:
        n, most = len(problem.y), max(1, _MOST_VALUES // max(1, len(hinges.sources)))
        note = ""
        if n > most and not hasattr(problem.X, "tocsc"):
            sample = np.sort(np.random.default_rng(problem.seed).permutation(n)[:most])
            problem, note = problem.take(sample), f"fitted on a random sample of {most} of {n} rows"
        terms, columns = hinges.terms(problem.X), problem.columns
        factors = None if columns.factors is None else columns.factors[hinges.sources]
        features = Features(columns.inputs[hinges.sources], factors)
        rows = cls(replace(problem, features=features), hinges, _standard_deviations(terms), note)
        return replace(rows, problem=replace(rows.problem, X=rows.scaled(terms)))

    def scaled(self, terms: Any) -> Any:
        """Terms divided by their standard deviations, in place where they are an array."""
        sparse = hasattr(terms, "tocsc")
        return terms.multiply(1.0 / self.scale).tocsr() if sparse else np.divide(terms, self.scale, out=terms)

    def predictor(self, linear: LinearPredictor) -> LinearPredictor:
        """A model of the scaled terms as one of the features."""
        return LinearPredictor(linear.coef / self.scale, linear.intercept, self.hinges, linear.response)

    def fitted(self, penalty: Penalty, rows: TrainingRows | None = None) -> LinearPredictor:
        """The model at the λ of a penalty, on these rows, or on others whose features get the same hinges."""
        from shrinkwise.linear import PenalizedClassifier, PenalizedRegressor

        own = ScaledRows.of(self.problem)
        rows = self.problem if rows is None else replace(rows, X=self.scaled(self.hinges.terms(rows.X)))
        estimator = PenalizedClassifier(penalty) if rows.has_classes else PenalizedRegressor(penalty, loss=own.loss)
        y = rows.y if rows.has_classes else rows.y / own.scale
        model = estimator.fit(rows.X, y, rows.rows.weights)
        return self.predictor(ScaledRows(rows, own.scale).predictor(model.coef_, model.intercept_))

    def in_features(self, found: Tuned, penalty: Penalty) -> Tuned:
        """What was tuned on the hinges, with this penalty, as models of the features."""

        def fit(each: Fit) -> Fit:
            note = "; ".join(filter(None, [each.note, self.note]))
            again = partial(self.fitted, penalty.with_lam(each.settings["λ"]))
            predictor = self.predictor(cast(LinearPredictor, each.predictor))
            return replace(each, predictor=predictor, note=note, refit=again, penalty=None)

        curve = found.curve
        if curve is not None:
            curve = replace(curve, hinges=self.hinges, label=_CURVE_LABEL)
        return Tuned(fit(found.best), None if found.one_se is None else fit(found.one_se), curve)


def hinges_of(X: Any, n_knots: int, spread: bool = False) -> Hinges:
    """The hinges of every feature: from its lowest value, and at up to `n_knots` quantiles of its values.

    With `spread`, a value that many rows share, such as the zero of a sum of money, counts as the rows between two knots:
    else it takes most of the knots.
    """
    n_knots, X = min(n_knots, X.shape[0] // _ROWS_PER_KNOT), X.tocsc() if hasattr(X, "tocsc") else X
    found = [_knots(*_values(X, j), n_knots, spread) for j in range(X.shape[1])]
    lengths = [len(knots) for knots, _ in found]
    return Hinges(
        np.repeat(np.arange(len(found)), lengths),
        np.concatenate([knots for knots, _ in found]) if found else np.zeros(0),
        np.repeat([top for _, top in found], lengths),
    )


def _values(X: Any, j: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values of a feature, ascending, and how often each occurs."""
    if not hasattr(X, "tocsc"):
        return np.unique(X[:, j], return_counts=True)
    column = X.data[X.indptr[j] : X.indptr[j + 1]]
    values, counts = np.unique(np.append(column, 0.0), return_counts=True)
    counts[np.searchsorted(values, 0.0)] += X.shape[0] - len(column) - 1
    return values[counts > 0], counts[counts > 0]


def _knots(values: np.ndarray, counts: np.ndarray, n_knots: int, spread: bool) -> tuple[np.ndarray, float]:
    """(ascending knots, the first at the lowest value, and the highest value) of one feature, far outliers aside."""
    extreme = max(1, len(values) // 100) if len(values) >= 10 else 0
    near, far = values[extreme], values[len(values) - 1 - extreme]
    reach = _FAR * (far - near)
    inside = (values >= near - reach) & (values <= far + reach)
    values, counts = values[inside], counts[inside]
    low, top = values[0], values[-1]
    shares = np.arange(1, n_knots + 1) / (n_knots + 1)
    if len(values) - 2 <= n_knots:
        inner = values[1:-1]
    else:
        counts = np.minimum(counts, counts.sum() / (n_knots + 1)) if spread else counts
        inner = np.unique(values[np.searchsorted(np.cumsum(counts), shares * counts.sum())])
    return np.append(low, inner[(inner > low) & (inner < top)]), float(top)


def _standard_deviations(terms: Any) -> np.ndarray:
    """Of every term, (m,); 1 for one that is constant in a sample of the rows."""
    if hasattr(terms, "tocsc"):
        mean = np.asarray(terms.mean(axis=0)).ravel()
        square = np.asarray(terms.multiply(terms).mean(axis=0)).ravel()
        found = np.sqrt(np.maximum(square - mean**2, 0.0))
    else:
        found = terms.std(axis=0)
    return np.where(found > 0, found, 1.0)


_CURVE_LABEL = "size of an input's effect (Euclidean norm of its hinges' coefficients, each per standard deviation)"

PLAIN = Candidate(
    "additive, no penalty",
    "additive",
    "",
    "mean loss",
    tune_unpenalised,
    "additive-none",
    worth=13,
    needs_numbers=True,
    log_link=True,
)
LASSO = Candidate(
    "additive lasso",
    "additive",
    "L1",
    "mean loss + λ Σ |w|, or λ Σ √size ‖w of an input‖, w the coefficients of the hinges",
    tune_additive_lasso,
    "additive-lasso",
    worth=8,
    makes_zeros=True,
    selects_inputs=True,
    needs_numbers=True,
    log_link=True,
    besides="its effects bend at other places",
    besides_if=_SPREAD,
)
