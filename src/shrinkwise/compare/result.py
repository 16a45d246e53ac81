"""The result of a comparison: scores of every candidate over the outer folds, the kept one and its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, mode

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, Curve, Fit
from shrinkwise.compare.scoring.conformal import KeptIntervals
from shrinkwise.compare.scoring.differences import difference, differences
from shrinkwise.compare.scoring.nested import HeldOut
from shrinkwise.compare.scoring.stability import StableInputs
from shrinkwise.compare.splits.splits import Splits
from shrinkwise.models.predictors import Usage, usage
from shrinkwise.models.table_model import TableModel
from shrinkwise.report import FreshScore
from shrinkwise.selection import Difference, independent_interval, mean_and_se, paired_interval
from shrinkwise.tables import TablePlan

from .options import Options
from .shapes import ShapeFits


@dataclass(frozen=True)
class Scored:
    """One candidate at one choice of its setting, over all outer folds."""

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
        """Mean fraction of held-out rows classified correctly; None for regression."""
        return None if self.folds[0].accuracy is None else float(np.mean([fold.accuracy for fold in self.folds]))

    @property
    def balanced(self) -> float | None:
        """Mean balanced accuracy; None for regression."""
        return None if self.folds[0].balanced is None else float(np.mean([fold.balanced for fold in self.folds]))

    @property
    def seed_sd(self) -> float | None:
        """The standard deviation of the score over random starts, mean over the folds; None if there is only one
        start."""
        spread = [fold.seed_sd for fold in self.folds if fold.seed_sd is not None]
        return float(np.mean(spread)) if spread else None

    @property
    def settings(self) -> dict:
        """The median over the folds of λ and keep, the most frequent value of other settings; of those in most folds."""
        chosen = [fold.settings for fold in self.folds]
        values = {name: [each[name] for each in chosen if name in each] for each in chosen for name in each}
        return {
            name: (median if name in ("λ", "keep") else mode)(found)
            for name, found in values.items()
            if 2 * len(found) > len(chosen)
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
    """One candidate's row of the comparison. one_se is None if nothing is tuned.

    differences holds, per choice, the score minus the score of no regularization in the same family; it is empty for a
    baseline and for the reference. cost is the score of the 1-SE choice minus that of the best.
    """

    candidate: Candidate
    best: Scored
    one_se: Scored | None
    differences: dict[str, Difference]
    cost: Difference | None
    seconds: float
    note: str

    @property
    def one_se_holds(self) -> bool:
        """Whether the held-out rows confirm the 1-SE choice, or there is none.

        It costs no more than one standard error of the paired difference to the best there too, and is not detectably worse
        than no regularization.
        """
        worse = "one_se" in self.differences and self.differences["one_se"].interval()[1] > 0
        return self.cost is None or not (worse or self.cost.mean > self.cost.error)

    def difference(self, choice: str) -> Difference:
        """The difference to no regularization at a choice; a candidate without tuning has one for both."""
        return self.differences[choice if choice in self.differences else "best"]

    def at(self, choice: str) -> Scored:
        """The scores of a choice; a candidate without tuning has one score for both."""
        return self.one_se if choice == "one_se" and self.one_se is not None else self.best


@dataclass(frozen=True, repr=False)
class Comparison:
    """The result of `compare_table`.

    rows: one per finished candidate. chosen: the row of the kept candidate, choice: its kept setting, "best" or
    "one_se". model: the kept candidate refitted on all rows, fit: its settings there. splits: the outer folds. path_of,
    curve: the name of a candidate and its coefficient path on all rows, for the report; the curve is None if there was
    no time for it. constant: the held-out scores of a constant prediction, per fold. file_rows: for each row used
    its number in the table, from 1. left_out: candidates without a row, with the reason. passed_over: candidates that
    would have been kept if there had been time to fit them on all rows. stable: how often each input is selected on
    half-samples. fresh: the score of the kept model on the test table, if one was given. intervals: those of the kept
    model and of its held-out rows. shape_fits: the kept model on half-samples, if it is additive and there was time.
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
    constant: Scored
    file_rows: np.ndarray
    left_out: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)
    stable: StableInputs | None = None
    fresh: FreshScore | None = None
    intervals: KeptIntervals | None = None
    shape_fits: ShapeFits | None = None

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.rows)} candidates on {self.plan.n_rows} rows; kept: {self.chosen.candidate.name}>"

    def row(self, name: str) -> Row:
        """The row of the candidate called `name`."""
        return next(row for row in self.rows if row.candidate.name == name)

    def baseline(self, family: str) -> Row | None:
        """The row without regularization in a family; None if the family was skipped."""
        found = (row for row in self.rows if row.candidate.family == family and not row.candidate.regularizer)
        return next(found, None)

    @property
    def kept(self) -> Scored:
        """The chosen candidate's held-out scores at the kept choice."""
        return self.chosen.at(self.choice)

    def held_out(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Truth, output of the kept candidate and row number in the table, for every row from the fold that held it
        out."""
        test = np.concatenate([held for _, held in self.splits.folds])
        outputs = np.concatenate([fold.output for fold in self.kept.folds])
        return *self.splits.in_units(outputs, test), self.file_rows[test]

    @property
    def kept_usage(self) -> Usage:
        """The inputs and weights used by the model refitted on all rows."""
        return usage(self.model.predictor, list(self.model.encoder.inputs))

    @property
    def only_input(self) -> str:
        """The only input that the kept model uses, if there are three or more; "" if it uses several."""
        encoder, inputs = self.model.encoder, self.plan.kept
        weights = np.atleast_2d(self.model.predictor.feature_weights())
        used = {encoder.inputs[j] for j in np.flatnonzero(weights.any(axis=0))}
        return inputs[used.pop()].name if len(used) == 1 and len(inputs) >= 3 else ""

    def difference(self, one: Scored, other: Scored) -> Difference:
        """The score of one candidate minus that of another, with its error from the held-out rows."""
        return difference(self.splits, one.folds, other.folds)

    def differences(self, several: Sequence[Scored], other: Scored) -> tuple[list[Difference], np.ndarray]:
        """The `difference` of several candidates to one, and p-values adjusted for their number."""
        return differences(self.splits, [one.folds for one in several], other.folds)

    def fold_interval(self, differences: np.ndarray) -> tuple[float, float, float]:
        """The corrected 95 % interval of fold differences, for what is known of whole folds alone."""
        return paired_interval(differences, *self.splits.mean_sizes)

    def fresh_interval(self) -> tuple[float, float, float]:
        """The interval of the score on fresh rows minus the held-out score of the kept model; see
        `independent_interval`."""
        if self.fresh is None:
            raise ValueError("Expected a comparison with a test table; pass one with test=")
        error = (self.fresh.high - self.fresh.low) / 3.92
        return independent_interval(
            self.kept.scores, *self.splits.mean_sizes, self.fresh.score, error, self.fresh.n_rows
        )
