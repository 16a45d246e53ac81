"""The page: the data of the report, the terminal and `--json`. Plain frozen data; this file does not depend on models.

`SCHEMA` is the version that `to_json` publishes: it increases when a field is renamed, removed or changes its meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from .exhibits import (
    Calibration,
    Check,
    Coverage,
    CoveragePart,
    Halves,
    NetworkPicture,
    Residuals,
    Shapes,
    Stress,
    Written,
)

SCHEMA = 1

_FAMILIES = {
    "linear": "Linear models",
    "additive": "Additive models",
    "network": "Networks",
    "reference": "Outside reference",
}


@dataclass(frozen=True)
class Interval:
    """A difference with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Column:
    """A column of the table: its kind ("number", "category", …, "dropped") and why it has that kind."""

    name: str
    kind: str
    reason: str = ""


@dataclass(frozen=True)
class TablePage:
    """The page before the work starts: the table, its columns, the task."""

    title: str
    subtitle: str
    task: str
    target: str
    n_rows: int
    n_inputs: int
    columns: Sequence[Column]
    notes: Sequence[str]


@dataclass(frozen=True)
class Score:
    """The score of the candidates."""

    name: str
    lower_is_better: bool = True
    explain: str = ""


@dataclass(frozen=True)
class Choice:
    """A candidate at one choice of its setting, over the outer folds; kept: whether it becomes the model.

    score and se are the mean held-out score and its standard error; strength, inputs, zeros and weights medians over the
    folds; difference is the paired one to no regularization in the family, None for a baseline.
    """

    score: float
    se: float | None
    kept: bool = False
    strength: str = ""
    inputs: int | None = None
    zeros: int | None = None
    weights: int | None = None
    difference: Interval | None = None
    seed_sd: float | None = None
    accuracy: float | None = None
    balanced_accuracy: float | None = None


@dataclass(frozen=True)
class CandidateRow:
    """A candidate at its best setting and at the 1-SE one, which is None if nothing is tuned."""

    name: str
    family: str
    regularizer: str
    best: Choice
    one_se: Choice | None = None
    note: str = ""
    seconds: float | None = None

    @property
    def kept(self) -> Choice | None:
        """The choice that becomes the model; None for the other candidates."""
        return next((choice for choice in (self.one_se, self.best) if choice is not None and choice.kept), None)


@dataclass(frozen=True)
class Kept:
    """The kept model, refitted on all rows: its setting and the number of inputs it uses."""

    strength: str
    inputs: int
    n_inputs: int


@dataclass(frozen=True)
class PathPage:
    """A regularization path on all rows with its cross-validation curve; λ decreases.

    coefs is (L, weights), inputs_kept (L, names); the three indices are those of the best λ, the 1-SE λ, and the
    initial λ of the page. Values that are not numbers are None.
    """

    name: str
    lambdas: Sequence[float]
    features: Sequence[str]
    coefs: Sequence[Sequence[float | None]]
    inputs_kept: Sequence[Sequence[str]]
    n_inputs: int
    index_best: int
    index_one_se: int
    index_kept: int
    cv_mean: Sequence[float | None] | None = None
    cv_se: Sequence[float | None] | None = None
    cv_label: str = ""
    coef_label: str = "coefficient"


@dataclass(frozen=True)
class Coefficient:
    """A coefficient in the units of the data; of_class names the class whose score it belongs to, if there are several
    classes."""

    feature: str
    coefficient: float
    unit_note: str = ""
    of_class: str = ""


@dataclass(frozen=True)
class FreshScore:
    """The score of the kept model on a test table, with its 95 % interval from the spread of the losses over its rows.

    n_known counts the rows that are exact copies, inputs and target, of rows that the model learned from; coverage is that
    of the intervals of all of them and of their thirds. n_unused counts the rows that are not scored, because their target
    is missing or a class that is set aside, or because their weight is 0.
    """

    score: float
    low: float
    high: float
    n_rows: int
    balanced: float | None = None
    n_known: int = 0
    coverage: Sequence[CoveragePart] = ()
    n_unused: int = 0


@dataclass(frozen=True)
class LeftOut:
    """A candidate without a row, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Page(TablePage):
    """The whole page. Fields that are None have no section.

    plain has the sentences of the first page, starting with the verdict; one_se_label is the name of the choice besides
    the best one ("1-SE", or "within 1%" if requested); reproduce has the commands that repeat the run. All text may
    come from the user.
    """

    version: str
    seed: int
    command: str
    verdict: Sequence[str]
    plain: Sequence[str]
    score: Score
    candidates: Sequence[CandidateRow]
    one_se_label: str = "1-SE"
    kept: Kept | None = None
    path: PathPage | None = None
    network: NetworkPicture | None = None
    stress: Stress | None = None
    halves: Halves | None = None
    shapes: Shapes | None = None
    residuals: Residuals | None = None
    calibration: Calibration | None = None
    coverage: Coverage | None = None
    checks: Sequence[Check] = ()
    written: Written | None = None
    coefficients: Sequence[Coefficient] = ()
    formula: str = ""
    fresh: FreshScore | None = None
    left_out: Sequence[LeftOut] = ()
    reproduce: Sequence[str] = ()

    @property
    def kept_row(self) -> CandidateRow | None:
        """The candidate that becomes the model."""
        return next((row for row in self.candidates if row.kept is not None), None)

    @property
    def has_classes(self) -> bool:
        """Whether the candidates have accuracies."""
        return any(row.best.balanced_accuracy is not None for row in self.candidates)

    def families(self) -> dict[str, list[CandidateRow]]:
        """The candidates by the title of their family, in their order."""
        grouped: dict[str, list[CandidateRow]] = {}
        for row in self.candidates:
            grouped.setdefault(_FAMILIES.get(row.family, row.family), []).append(row)
        return grouped

    def to_json(self) -> dict[str, Any]:
        """The page as JSON-compatible data, with the version of this schema."""
        return {"schema": SCHEMA, **_plain(self)}


def _plain(value: Any) -> Any:
    """Dataclasses as dicts and sequences as lists, recursively."""
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
