"""The outer folds of a table: the training rows of each, encoded by what was learned from them alone, and the held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, Features, Fit, TrainingRows
from shrinkwise.compare.options import Options
from shrinkwise.selection import Rows, folds
from shrinkwise.selection.splits import Fold
from shrinkwise.tables import Encoder, InputError, TablePlan
from shrinkwise.tables.columns.level_means import Parts

from .stress import Disturbance
from .tall_table import TallTable, is_tall

# All folds are encoded at once up to this many bytes, one after the other above; and above the second in one process.
_LARGE, _LARGEST = 1 << 27, 1 << 29


@dataclass(frozen=True)
class Split:
    """One outer fold: the training problem, and the held-out rows encoded by an encoder fitted without them."""

    number: int
    problem: TrainingRows
    X_test: Any
    y_test: np.ndarray
    test: np.ndarray
    inputs: list[int]
    weights: np.ndarray | None = None
    stress: Disturbance | None = None

    def problem_for(self, candidate: Candidate) -> TrainingRows:
        """The training problem, with the rows themselves if the candidate needs them."""
        return self.problem if candidate.by_sums else self._with_rows

    def with_held_rows(self) -> Split:
        """The same with the held-out rows as an array, for predictors that are no product with weights."""
        return replace(self, X_test=self.problem.dense(self.X_test)) if self.problem.factors is not None else self

    @cached_property
    def _with_rows(self) -> TrainingRows:
        return self.problem.with_rows()


class Splits(Sequence[Split]):
    """The outer folds of a table; each is encoded on demand, and small ones are cached.

    folds are (train, test) row numbers, y the target (rates of counts with exposures), rows the groups, time and weights of
    all rows, numbers the place of each in its table, from 1. common_encoding: whether medians and levels are found once, on all
    these rows, and not on the training rows of each fold.
    """

    common_encoding = False

    def __init__(self, frame, plan: TablePlan, options: Options):
        self.frame, self.plan, self.options = frame, plan, options
        self.numbers = np.arange(1, frame.height + 1)
        self.y, self.rows, self.exposures = plan.target_values(frame), plan.rows(frame), plan.exposures(frame)
        self.folds = self.split()
        self.kept: dict[int, Split] = {}
        size = len(self.y) * len(plan.kept) * 8
        self.large = size > _LARGE
        self.tall = self.large and is_tall(frame, plan, self.rows, len(self.folds) * options.inner_folds)
        self.in_one_process = self.tall or size > _LARGEST
        self.table: TallTable | None = None

    def split(self) -> list[Fold]:
        """The (train, test) row numbers of every fold."""
        try:
            return folds(
                self.y, self.options.folds, task=self.plan.task, random_state=self.options.seed, rows=self.rows
            )
        except ValueError as error:
            raise InputError(f"The rows cannot be split: {error}.") from error

    def prepare(self, progress: Callable[[int, int, str], None]) -> None:
        """What is to be done when the scale of the target is known, before a fold is encoded."""

    def encoder(self, number: int | None, frame, rows: np.ndarray | None = None, parts: Parts | None = None) -> Encoder:
        """The encoder of these training rows of a fold; None is for all rows."""
        return Encoder(self.plan).fit(frame, rows, parts)

    def with_sums(self, problem: TrainingRows, number: int | None, encoder: Encoder) -> TrainingRows:
        """The training problem of a fold, or of all rows, with what is known beyond its rows."""
        return problem

    def on_all_rows(self, fit: Fit, problem: TrainingRows, encoder: Encoder) -> Fit:
        """The kept model, fitted to all rows where `problem` has only a sample of them."""
        return fit

    def __len__(self) -> int:
        return len(self.folds)

    def __getitem__(self, number):
        if number not in self.kept:
            self.forget()
            self.kept[number] = self._encoded(range(len(self))[number])
        return self.kept[number]

    def forget_all(self) -> None:
        """Clear the cache, also of a small table."""
        self.kept.clear()

    def forget(self) -> None:
        """Clear the cache of a large table."""
        if self.large:
            self.kept.clear()

    def sample(self, number: int, most: int) -> TrainingRows:
        """At most so many training rows of a fold, drawn at random and encoded by themselves if the table is large."""
        train = self.folds[number][0]
        if not self.large or len(train) <= most:
            return self[number].problem
        train = np.sort(np.random.default_rng([self.options.seed, number]).permutation(train)[:most])
        parts = self._parts(train, number)
        encoder = Encoder(self.plan).fit(self.frame, train, parts)
        X, rows = encoder.transform(self.frame, train, parts=parts), self.rows.take(train)
        return training_problem(X, self.y[train], self.plan, self.options, number, rows, encoder)

    def whole(self) -> tuple[Encoder, TrainingRows]:
        """All rows, encoded, and their encoder. A large table is released: no fold can be encoded any more."""
        self.forget()
        number = len(self)
        if self._is_tall():
            encoder, X, factors = self.table.encoder, self.table.X, self.table.whole()  # type: ignore[union-attr]
            self.table = None
        else:
            parts = self._parts(np.arange(len(self.y)), number)
            encoder, factors = self.encoder(None, self.frame, None, parts), None
            X = encoder.transform(self.frame, parts=parts)
        if self.large:
            self.frame = None
        problem = training_problem(X, self.y, self.plan, self.options, number, self.rows, encoder)
        return encoder, self.with_sums(replace(problem, factors=factors), None, encoder)

    def _is_tall(self) -> bool:
        """Whether there is a `TallTable`, which takes the place of the frame."""
        if self.tall and self.table is None:
            options = self.options
            self.table = TallTable.of(self.frame, self.plan, self.y, self.folds, options.inner_folds, options.seed)
            self.tall = self.table is not None
            self.frame = None if self.tall else self.frame
        return self.tall

    def _from_table(self, number: int) -> Split:
        """A fold of a `TallTable`."""
        table: TallTable = self.table  # type: ignore[assignment]
        train, test = self.folds[number]
        train = np.random.default_rng([self.options.seed, number]).permutation(train)
        known = table.without(number)
        encoder = known.encoder
        X, X_test = (table.rows(part, known.mean, known.scale) for part in (train, test))
        problem = training_problem(X, self.y[train], self.plan, self.options, number, encoder=encoder)
        problem = replace(problem, shuffled=True, factors=known.factors)
        return Split(number, problem, X_test, self.y[test], test, list(encoder.inputs), None, Disturbance.of(encoder))

    def _encoded(self, number: int) -> Split:
        if self._is_tall():
            return self._from_table(number)
        train, test = self.folds[number]
        if self.large:  # in random order, so that a sample of the rows of X is a view
            train = np.random.default_rng([self.options.seed, number]).permutation(train)
        parts = self._parts(train, number)
        encoder = self.encoder(number, self.frame, train, parts)
        X = encoder.transform(self.frame, train, parts=parts)
        problem = training_problem(X, self.y[train], self.plan, self.options, number, self.rows.take(train), encoder)
        problem = replace(self.with_sums(problem, number, encoder), shuffled=self.large)
        weights = None if self.rows.weights is None else self.rows.weights[test]
        X_test = encoder.transform(self.frame, test)
        return Split(
            number, problem, X_test, self.y[test], test, list(encoder.inputs), weights, Disturbance.of(encoder)
        )

    def _parts(self, train: np.ndarray, number: int) -> Parts | None:
        """The inner fold of each training row, if features are means of the target: a row takes no part in its own."""
        if not self.plan.has_level_means:
            return None
        rows = self.rows.take(train)
        problem = training_problem(None, self.y[train], self.plan, self.options, number, rows)
        part = np.full(len(train), -1)
        for k, (_, test) in enumerate(problem.folds(self.options.inner_folds)):
            part[test] = k
        return Parts(part, in_order=rows.time is not None)

    def in_units(self, output: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Truth and output of some rows in the unit of the target: counts, if there are rates with exposures."""
        if self.exposures is None:
            return self.y[rows], output
        return self.y[rows] * self.exposures[rows], output * self.exposures[rows]

    @property
    def mean_sizes(self) -> tuple[float, float]:
        """Mean number of rows of a training and of a test part."""
        sizes = np.array([[len(train), len(test)] for train, test in self.folds], dtype=float).mean(axis=0)
        return float(sizes[0]), float(sizes[1])


def split_table(frame, plan: TablePlan, options: Options) -> Splits:
    """Outer folds, stratified for classes; the encoder of each is fitted on its training rows only."""
    return Splits(frame, plan, options)


def training_problem(
    X,
    y: np.ndarray,
    plan: TablePlan,
    options: Options,
    number: int,
    rows: Rows | None = None,
    encoder: Encoder | None = None,
) -> TrainingRows:
    """Training rows with a seed derived from the run's seed and the number of the fold; InputError if no feature varies."""
    if X is not None and not X.shape[1]:
        raise InputError(
            f"Every input has the same value in all {len(y)} training rows of a fold, so that no model can be fitted "
            "there; choose another number of folds, another way to split, or more inputs."
        )
    seed = int(np.random.SeedSequence([options.seed, number]).generate_state(1)[0])
    features = None if encoder is None else Features.of(encoder, options)
    low, high = plan.limits
    limits = (-np.inf if low is None else low, np.inf if high is None else high)
    n_classes, rows = len(plan.classes or []), rows or Rows()
    return TrainingRows(X, y, plan.task, n_classes, seed, rows, features, limits=limits, log_target=plan.log_target)
