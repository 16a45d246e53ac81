"""What a comparison found: scores of every candidate over the outer folds, the one that is kept, its model."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median, mode

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, Curve, Fit
from shrinkwise.compare.scoring.fresh_rows import Exam
from shrinkwise.compare.scoring.nested import HeldOut, Splits
from shrinkwise.compare.scoring.stability import StableInputs
from shrinkwise.models.predictors import Usage, usage
from shrinkwise.models.table_model import TableModel
from shrinkwise.selection import independent_interval, mean_and_se, paired_interval, paired_p_value
from shrinkwise.tables import TablePlan

from .options import Options


@dataclass(frozen=True)
class Scored:
    """One candidate with one choice of its setting, over all outer folds."""

    folds: list[HeldOut]

    @property
    def scores(self) -> np.ndarray:
        """Held-out score per fold (K,)."""
        return np.array([fold.score for fold in self.folds])

    @property
    def score(self) -> float:
        """Mean held-out score over the folds."""
        return mean_and_se(self.scores)[0]

    @property
    def se(self) -> float:
        """Its standard error over the folds."""
        return mean_and_se(self.scores)[1]

    @property
    def accuracy(self) -> float | None:
        """Mean share of held-out rows classified right; None for regression."""
        return None if self.folds[0].accuracy is None else float(np.mean([fold.accuracy for fold in self.folds]))

    @property
    def balanced(self) -> float | None:
        """Mean balanced accuracy; None for regression."""
        return None if self.folds[0].balanced is None else float(np.mean([fold.balanced for fold in self.folds]))

    @property
    def seed_sd(self) -> float | None:
        """The standard deviation of the score over random starts, mean over the folds; None where there is one start."""
        spread = [fold.seed_sd for fold in self.folds if fold.seed_sd is not None]
        return float(np.mean(spread)) if spread else None

    @property
    def settings(self) -> dict:
        """Over the folds the median of λ and keep, the most frequent of everything else."""
        chosen = [fold.settings for fold in self.folds]
        return {
            name: (median if name in ("λ", "keep") else mode)(
                [settings[name] for settings in chosen if name in settings]
            )
            for name in chosen[0]
        }

    @property
    def usage(self) -> Usage | None:
        """Median over the folds of inputs used, exact zeros and weights."""
        used = [fold.usage for fold in self.folds]
        if used[0] is None:
            return None
        return Usage(*(round(median(getattr(u, name) for u in used)) for name in ("inputs", "zeros", "weights")))


@dataclass(frozen=True)
class Row:
    """One candidate's line of the comparison. one_se is None where nothing is tuned.

    differences holds, per choice, the interval (mean, low, high) of the score minus the score of no regularization in
    the same family, fold by fold; it is empty for a baseline and for the reference.
    """

    candidate: Candidate
    best: Scored
    one_se: Scored | None
    differences: dict[str, tuple[float, float, float]]
    seconds: float
    note: str

    @property
    def careful_holds(self) -> bool:
        """Whether the held-out rows bear the careful choice out, or there is none.

        It is within one standard error of the best there too, and not detectably worse than no regularization.
        """
        worse = "one_se" in self.differences and self.differences["one_se"][1] > 0
        return self.one_se is None or not (worse or self.one_se.score > self.best.score + self.best.se)

    def at(self, choice: str) -> Scored:
        """The scores of a choice; a candidate without tuning has one score for both."""
        return self.one_se if choice == "one_se" and self.one_se is not None else self.best


@dataclass(frozen=True, repr=False)
class Comparison:
    """The result of `compare_table`.

    rows: one per candidate that was finished. chosen: the row of the kept one, choice: its kept setting, "best" or "one_se".
    model: the kept one refitted on all rows, with fit its settings there. splits: the outer folds. path_of, curve: the
    name of a candidate and its coefficient path on all rows, which the report shows; the curve is None where there was no
    time for one. guess_scores: the held-out score, per fold, of looking at no input. file_rows: for each row used its
    number in the table, from 1. left_out: candidates that have no row, with the reason. passed_over: candidates that
    would have been kept, had there been time to fit them on all rows. stable: how often each input is
    selected on half-samples. exam: the kept model on a table of its own, when one was given.
    """

    plan: TablePlan
    options: Options
    rows: list[Row]
    chosen: Row
    choice: str
    model: TableModel
    fit: Fit
    splits: Splits
    path_of: str
    curve: Curve | None
    guess_scores: np.ndarray
    file_rows: np.ndarray
    left_out: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)
    stable: StableInputs | None = None
    exam: Exam | None = None

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.rows)} candidates on {self.plan.n_rows} rows; kept: {self.chosen.candidate.name}>"

    def row(self, name: str) -> Row:
        """The row of the candidate called `name`."""
        return next(row for row in self.rows if row.candidate.name == name)

    def baseline(self, family: str) -> Row | None:
        """The row without regularization in a family; None where the family was left out."""
        found = (row for row in self.rows if row.candidate.family == family and not row.candidate.regularizer)
        return next(found, None)

    @property
    def kept(self) -> Scored:
        """The chosen candidate's held-out scores at the kept choice."""
        return self.chosen.at(self.choice)

    def held_out(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Truth, output of the kept candidate and number in the table of every row, from the fold that held it out."""
        test = np.concatenate([held for _, held in self.splits.folds])
        outputs = np.concatenate([fold.output for fold in self.kept.folds])
        return self.splits.y[test], outputs, self.file_rows[test]

    @property
    def kept_usage(self) -> Usage:
        """What the model that was refitted on all rows uses."""
        return usage(self.model.predictor, list(self.model.encoder.inputs))

    @property
    def only_input(self) -> str:
        """The one input that the kept model uses, of three or more; "" where it uses others too."""
        encoder, inputs = self.model.encoder, self.plan.kept
        weights = np.atleast_2d(self.model.predictor.feature_weights())
        used = {encoder.inputs[j] for j in np.flatnonzero(weights.any(axis=0))}
        return inputs[used.pop()].name if len(used) == 1 and len(inputs) >= 3 else ""

    def interval(self, differences: np.ndarray) -> tuple[float, float, float]:
        """The corrected 95 % interval of fold differences of this comparison."""
        return paired_interval(differences, *self.splits.mean_sizes)

    def exam_interval(self) -> tuple[float, float, float]:
        """Of the score on fresh rows minus the held-out score of the kept model; see `independent_interval`."""
        if self.exam is None:
            raise ValueError("Expected a comparison with a table of fresh rows: give one with test=")
        error = (self.exam.high - self.exam.low) / 3.92
        return independent_interval(self.kept.scores, *self.splits.mean_sizes, self.exam.score, error, self.exam.n_rows)

    def p_value(self, differences: np.ndarray) -> float:
        """The two-sided p-value that belongs to `interval`."""
        return paired_p_value(differences, *self.splits.mean_sizes)
