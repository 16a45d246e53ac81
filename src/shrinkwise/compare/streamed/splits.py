"""The outer folds of rows that do not fit in memory: scored on a sample, with least squares fitted to all rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkwise.compare.candidates.base import Fit, TrainingRows
from shrinkwise.compare.candidates.linear import ScaledRows
from shrinkwise.compare.metrics import REGRESSION
from shrinkwise.compare.options import Options
from shrinkwise.compare.scoring.nested import Progress
from shrinkwise.compare.splits.row_factors import StandardisedFactors
from shrinkwise.compare.splits.splits import Splits
from shrinkwise.linear.problem.triangular_factor import Triangle
from shrinkwise.models.predictors import LinearPredictor
from shrinkwise.selection.splits import Fold
from shrinkwise.streaming import RowBlocks, RowsError
from shrinkwise.streaming.folds import group_hashes, hashes
from shrinkwise.tables import Encoder, InputError, TablePlan
from shrinkwise.tables.columns.kinds import as_text
from shrinkwise.tables.columns.level_means import Parts

from .meter import Meter
from .pieces import PartSums
from .sample import TableSample
from .sums import EncodedRows, fold_sums

# Features whose squares and products are summed: a pass takes a time that grows with the square of their number.
MOST_FEATURES = 500


class StreamedSplits(Splits):
    """The folds of all rows, by a hash of their number or group, and of the sample of them that is in memory.

    With a numeric target, and not too many features, `prepare` sums the squares and products of every fold in one pass, and
    training problems have the factors of all their rows. Medians and levels are those of the sample; means and standard
    deviations those of the training rows of each fold.
    """

    def __init__(self, sample: TableSample, rows: RowBlocks, plan: TablePlan, options: Options, pieces: PartSums):
        self.source, self.pieces, self.places = rows, pieces, sample.numbers
        self.sums: list[Triangle] = []
        self.factors: dict[int | None, StandardisedFactors] = {}  # of the fold that was asked for last
        self.n_rows = sample.n_read
        super().__init__(sample.frame, plan, options)
        self.numbers, self.tall = sample.numbers + 1, False

    def split(self) -> list[Fold]:
        """The (train, test) rows of the sample in every fold."""
        fold = self._fold_numbers()
        found = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(self.options.folds)]
        if min(len(test) for _, test in found) < 2:
            raise InputError(f"A fold of {self.options.folds} has fewer than 2 rows of the sample; use fewer folds.")
        return found

    def prepare(self, progress: Progress) -> None:
        """Sum the squares and products of every fold, which candidates that need no more are fitted to."""
        encoder = super().encoder(None, self.frame)
        if self.plan.task != REGRESSION or encoder.sparse or len(encoder.feature_names) > MOST_FEATURES:
            return
        meter = Meter(progress, "sums of all rows", self.n_rows)
        self.common, self.common_encoding, options = encoder, True, self.options
        self.sums = fold_sums(self.source, encoder, options.folds, options.seed, self.pieces, meter.add)
        self.forget_all()

    def encoder(self, number: int | None, frame, rows: np.ndarray | None = None, parts: Parts | None = None) -> Encoder:
        """The encoder of the training rows of a fold, or of all rows."""
        return self._known(number).encoder if self.sums else super().encoder(number, frame, rows, parts)

    def with_sums(self, problem: TrainingRows, number: int | None, encoder: Encoder) -> TrainingRows:
        """The training problem of rows of the sample, with the factors of all rows of its folds."""
        return replace(problem, of_all_rows=self._known(number).factors) if self.sums else problem

    def on_all_rows(self, fit: Fit, problem: TrainingRows, encoder: Encoder) -> Fit:
        """A linear model of classes or counts, at its λ, fitted to all rows in a few passes; other models as they are."""
        too_many = encoder.sparse or len(encoder.feature_names) > MOST_FEATURES
        if problem.squared or fit.penalty is None or self.options.factors or too_many:
            return fit
        from shrinkwise.linear import path

        scaled = ScaledRows.of(problem)
        rows = EncodedRows.of(self.source, encoder, scaled.scale)
        loss = scaled.loss if problem.has_counts else "logistic" if problem.n_classes == 2 else "multinomial"
        try:
            found = path(rows, penalty=fit.penalty, loss=loss, lambdas=[fit.penalty.lam])
        except RowsError as error:
            raise InputError(f"{str(error).removesuffix('.')}.") from error
        coef, intercept = found.coefs[0], found.intercepts[0]
        if loss == "logistic":
            coef, intercept = coef[None], np.atleast_1d(intercept)
        predictor = scaled.predictor(coef, intercept) if problem.has_counts else LinearPredictor(coef, intercept)
        response = getattr(fit.predictor, "response", predictor.response)
        note = "" if found[0].solved else f"on all rows {found[0].status.split(':')[0]}"
        return replace(fit, predictor=replace(predictor, response=response), note=note)

    def _known(self, number: int | None) -> StandardisedFactors:
        """The factors of all training rows of an outer fold, of which the other outer folds are the inner ones."""
        if number not in self.factors:
            held = [triangle for k, triangle in enumerate(self.sums) if k != number]
            self.factors = {number: StandardisedFactors.of(held, self.common)}
        return self.factors[number]

    def _fold_numbers(self) -> np.ndarray:
        """The fold of each row of the sample, as `shrinkwise.streaming.fold_numbers` gives it for all rows."""
        name = next((column.name for column in self.plan.columns if column.kind == "group"), None)
        seed, n_folds = self.options.seed, np.uint64(self.options.folds)
        if name is None:
            return (hashes(self.places, seed) % n_folds).astype(np.intp)
        return (group_hashes(as_text(self.frame[name]).to_numpy(), seed) % n_folds).astype(np.intp)
