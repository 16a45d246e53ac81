"""Which candidate and setting are kept, and its fit on all rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shrinkwise.compare.candidates.base import Fit, TrainingRows, Tuned
from shrinkwise.compare.scoring.clock import Clock, TimeUp, time_limit
from shrinkwise.compare.scoring.nested import tune
from shrinkwise.compare.splits.splits import Splits
from shrinkwise.tables import InputError

from .options import Options
from .result import Row

_FOR_REFITTING = 0.8  # the share of a budget after which the kept model is fitted on all rows

NO_TIME = "The time budget ended before any model that can be kept was scored on all folds; allow a larger budget."


def choose(rows: list[Row], options: Options, n_inputs: int) -> tuple[Row, str]:
    """The candidate (except the reference) with the lowest held-out score at its best setting, and its kept choice.

    Candidates are compared at their best settings, so one with a 1-SE setting is not at a disadvantage against one
    without tuning. If that setting costs more than one standard error on the held-out rows, the best is kept. Ties go to
    fewer inputs, then to the order of the candidates. With `max_features` only models that select at most so many inputs
    can be kept; with `within` the kept candidate and choice are those with the fewest inputs whose score is within that
    share of the lowest.
    """
    return _pick(admissible(rows, options, n_inputs), options)


def admissible(rows: list[Row], options: Options, n_inputs: int) -> list[Row]:
    """The rows that may be kept; if none has as few inputs as requested, those with the fewest."""
    able = [row for row in rows if row.candidate.family != "reference"]
    most = options.max_features
    if most is not None and most < n_inputs:
        able = [row for row in able if row.candidate.selects_inputs]
        fewest = min((_most_inputs(row) for row in able), default=0)
        able = [row for row in able if _most_inputs(row) <= max(most, fewest)]
    if not able:
        raise InputError(NO_TIME)
    return able


def _pick(able: list[Row], options: Options) -> tuple[Row, str]:
    lowest = min(able, key=lambda row: (row.best.score, _inputs(row, "best")))
    if options.within is None:
        return lowest, options.choice if lowest.one_se_holds else "best"
    limit = lowest.best.score * (1 + options.within)
    near = [(row, choice) for row in able for choice in ("one_se", "best") if row.at(choice).score <= limit]
    return min(near, key=lambda pair: (_inputs(*pair), pair[0].at(pair[1]).score))


def _most_inputs(row: Row) -> int:
    return max(_inputs(row, "best"), _inputs(row, "one_se"))


def _inputs(row: Row, choice: str) -> int:
    used = row.at(choice).usage
    return used.inputs if used else 0


@dataclass(frozen=True)
class KeptFit:
    """The kept row and choice, tuned on all rows; passed_over: better ones for which there was no time."""

    row: Row
    choice: str
    tuned: Tuned
    passed_over: list[str]

    @property
    def fit(self) -> Fit:
        """The fit at the kept choice."""
        return self.tuned.choices().get(self.choice, self.tuned.best)

    def with_fit(self, fit: Fit) -> KeptFit:
        """With another fit at the kept choice."""
        if self.choice == "one_se" and self.tuned.one_se is not None:
            return replace(self, tuned=replace(self.tuned, one_se=fit))
        return replace(self, tuned=replace(self.tuned, best=fit))


def refitted(rows: list[Row], problem: TrainingRows, splits: Splits, options: Options, clock: Clock) -> KeptFit:
    """With a budget, the first of the chosen candidates that finishes within its share of the time; if none does, the
    quickest, without a limit."""
    able = admissible(rows, options, len(splits.plan.kept))
    left = list(able)
    passed_over: list[str] = []
    while left:
        row, choice = _pick(left, options)
        if _refit_seconds(row, splits) <= clock.left_until(_FOR_REFITTING):
            try:
                with time_limit(clock.deadline(_FOR_REFITTING)):
                    return KeptFit(row, choice, tune(row.candidate, problem, options), passed_over)
            except TimeUp:
                pass
        left.remove(row)
        passed_over.append(row.candidate.name)
    row, choice = _pick([min(able, key=lambda row: row.seconds)], options)
    better = [name for name in passed_over if name != row.candidate.name]
    return KeptFit(row, choice, tune(row.candidate, problem, options), better)


def _refit_seconds(row: Row, splits: Splits) -> float:
    """The estimated seconds of fitting on all rows, from the time of a fold."""
    return 1.3 * row.seconds / len(splits)
