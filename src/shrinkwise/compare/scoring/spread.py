"""A model of the size of held-out residuals: a gamma regression with log link of |residual|, its λ from the folds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shrinkwise.models.intervals.kept import Spread
from shrinkwise.penalties import L2

LAMBDAS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
_KNOTS = np.arange(1, 6) / 6
# More rows do not change a few coefficients; with fewer rows for each feature, predictions alone are used.
_MOST_ROWS, _ROWS_PER_FEATURE = 5000, 10
_FEWEST_ROWS = 50
# A residual of 0 has no logarithm of its own: the smallest counts as this share of the mean.
_SMALLEST = 1e-3


@dataclass(frozen=True)
class HeldOutRows:
    """Held-out rows: their place in X (the encoded rows of the table), prediction, |residual| and fold, each (n,)."""

    X: Any
    place: np.ndarray
    output: np.ndarray
    sizes: np.ndarray
    fold: np.ndarray


@dataclass(frozen=True)
class Option:
    """A way to scale intervals: a model for each fold, fitted without it, and that of all rows; None for one width."""

    how: str
    spread: Spread | None = None
    by_fold: dict[int, Spread] = field(default_factory=dict)

    def sigma(self, held: HeldOutRows, rows: np.ndarray) -> np.ndarray:
        """σ of some of the held-out rows, each by the model without its fold."""
        found = np.ones(len(rows))
        for k, spread in self.by_fold.items():
            own = rows[held.fold[rows] == k]
            found[held.fold[rows] == k] = spread.at(held.X[held.place[own]], held.output[own])
        return found


def spread_options(held: HeldOutRows, used: np.ndarray) -> list[Option]:
    """Models of |residual| by the prediction, and by the prediction and the used features, for every λ of `LAMBDAS`."""
    n = len(held.sizes)
    if n < _FEWEST_ROWS or not held.sizes.any() or np.ptp(held.output) == 0:
        return []
    sample = np.sort(np.random.default_rng(0).permutation(n)[:_MOST_ROWS])
    found = _options(held, np.zeros_like(used), sample, "by the prediction")
    if 0 < used.sum() <= len(sample) / _ROWS_PER_FEATURE and not hasattr(held.X, "toarray"):
        found += _options(held, used, sample, "by the prediction and the inputs")
    return found


def better_spread(options: list[Option], held: HeldOutRows, rows: np.ndarray) -> Option | None:
    """The option with the lowest held-out loss log σ + |residual| / σ, if it is lower than a constant's by one standard
    error of the paired difference; None otherwise.

    The narrowest intervals would not do as a rule: they cover rows with small residuals too often, the others too rarely.
    """
    if not options:
        return None
    sizes = held.sizes[rows]

    def losses(sigma: np.ndarray | float) -> np.ndarray:
        return np.log(sigma) + sizes / sigma

    found = [losses(each.sigma(held, rows)) for each in options]
    best = int(np.argmin([each.mean() for each in found]))
    gain = losses(float(sizes.mean())) - found[best]
    return options[best] if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)) else None


def _options(held: HeldOutRows, used: np.ndarray, sample: np.ndarray, by: str) -> list[Option]:
    """An option for every λ."""
    design = _Design.of(held, used)
    sizes = np.maximum(held.sizes, _SMALLEST * held.sizes.mean())
    parts = {int(k): sample[held.fold[sample] != k] for k in np.unique(held.fold)}
    fitted = {k: design.spreads(held, rows, sizes[rows]) for k, rows in parts.items()}
    whole = design.spreads(held, sample, sizes[sample])
    how = f"wider where the residuals are larger ({by})"
    return [Option(how, whole[i], {k: spreads[i] for k, spreads in fitted.items()}) for i in range(len(LAMBDAS))]


@dataclass(frozen=True)
class _Design:
    """The columns of the regression: hinges of the prediction, standardised, and the used features (q,) bool.

    shape is a spread without coefficients, for its hinges; mean and scale are those of the hinges.
    """

    shape: Spread
    mean: np.ndarray
    scale: np.ndarray
    used: np.ndarray

    @classmethod
    def of(cls, held: HeldOutRows, used: np.ndarray) -> _Design:
        centre, scale = float(held.output.mean()), float(held.output.std())
        knots = np.unique(np.quantile((held.output - centre) / scale, _KNOTS))
        shape = Spread(np.zeros(len(used)), np.zeros(1 + len(knots)), knots, np.array([0.0, centre, scale, 0.0, 0.0]))
        hinges = shape.hinges(held.output)
        deviation = hinges.std(axis=0)
        deviation[deviation == 0] = 1.0
        return cls(shape, hinges.mean(axis=0), deviation, used)

    def spreads(self, held: HeldOutRows, rows: np.ndarray, sizes: np.ndarray) -> list[Spread]:
        """The model of every λ, fitted on some of the rows; sizes are their absolute residuals."""
        from shrinkwise.linear import path

        A = (self.shape.hinges(held.output[rows]) - self.mean) / self.scale
        if self.used.any():
            A = np.hstack([A, held.X[held.place[rows]][:, self.used]])
        fitted = path(A, sizes, L2(1.0), loss="gamma", lambdas=LAMBDAS)  # one that is not exact is as valid
        return [self._spread(A, *each) for each in zip(fitted.coefs, fitted.intercepts, strict=True)]

    def _spread(self, A: np.ndarray, coefs: np.ndarray, intercept: float) -> Spread:
        """The model of these coefficients, in the units that `Spread` states."""
        m, exponents = len(self.mean), A @ coefs + intercept
        slopes, weights = coefs[:m] / self.scale, np.zeros(len(self.used))
        weights[self.used] = coefs[m:]
        _, centre, scale, _, _ = self.shape.scalars
        scalars = [intercept - slopes @ self.mean, centre, scale, exponents.min(), exponents.max()]
        return Spread(weights, slopes, self.shape.knots, np.array(scalars))
