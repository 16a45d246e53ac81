"""The parts of `schema.Page` besides the scores, as plain frozen data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkPicture:
    """One draw of dropout: names or number of the units of each layer, and which of them are dropped."""

    layers: Sequence[int | Sequence[str]]
    keep: float
    silenced: Sequence[Sequence[bool]]
    caption: str = ""


@dataclass(frozen=True)
class StressCurve:
    """The held-out score of a candidate at each step of a disturbance."""

    name: str
    regularizer: str
    kept: bool
    scores: Sequence[float]


@dataclass(frozen=True)
class StressCurves:
    """The curves of all candidates under one disturbance."""

    levels: Sequence[float]
    candidates: Sequence[StressCurve]


@dataclass(frozen=True)
class TestedClaim:
    """A tested claim, and the sentence on whether it holds."""

    claim: str
    sentence: str


@dataclass(frozen=True)
class Stress:
    """Scores with noisy and with missing inputs."""

    noise: StressCurves
    missing: StressCurves
    findings: Sequence[TestedClaim]


@dataclass(frozen=True)
class SelectedInput:
    """The share of half-samples on which an input is selected, and the inputs that replace it."""

    name: str
    frequency: float
    partners: Sequence[str]


@dataclass(frozen=True)
class Turn:
    """Two inputs that replace each other; one_of_both is the share of half-samples that select exactly one."""

    first: str
    second: str
    one_of_both: float


@dataclass(frozen=True)
class Halves:
    """Selection on random half-samples, most frequent input first."""

    lam: float
    n_halves: int
    threshold: float
    inputs: Sequence[SelectedInput]
    turns: Sequence[Turn]
    n_turns: int
    by: str = "lasso"


@dataclass(frozen=True)
class ShapeLine:
    """The effect of an input on one score at each of its values, and the half width of its band ([] without one).

    name is the class whose score it is, if there are more than two.
    """

    name: str
    values: Sequence[float]
    errors: Sequence[float]


@dataclass(frozen=True)
class Shape:
    """The effect of one input: lines over the values xs of a number, or over the labels of the levels of another input.

    used is the share of half-samples in which the input is used; missing the effect of a missing value on each score;
    n_more the number of levels that are not listed.
    """

    name: str
    xs: Sequence[float]
    labels: Sequence[str]
    lines: Sequence[ShapeLine]
    used: float | None = None
    missing: Sequence[float] = ()
    n_more: int = 0


@dataclass(frozen=True)
class Shapes:
    """The effects of the inputs of an additive model on `of`, each with mean 0 over the training rows; largest first."""

    of: str
    n_halves: int
    inputs: Sequence[Shape]
    n_inputs: int
    dates: Sequence[str] = ()


@dataclass(frozen=True)
class ResidualBin:
    """A tenth of the rows by prediction, from low to high: mean and standard deviation of its residuals."""

    low: float
    high: float
    rows: int
    mean: float
    spread: float


@dataclass(frozen=True)
class WorstRow:
    """A row with a large residual, by its number in the table."""

    row: int
    truth: float
    predicted: float


@dataclass(frozen=True)
class Residuals:
    """Truth minus prediction of held-out rows: (prediction, residual) points, means by tenths, the largest ones."""

    points: Sequence[Sequence[float]]
    n_rows: int
    bins: Sequence[ResidualBin]
    worst: Sequence[WorstRow]


@dataclass(frozen=True)
class CalibrationBin:
    """Rows with similar predicted probabilities: their mean, the observed frequency, and its 95 % interval."""

    predicted: float
    share: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Calibration:
    """Predicted probabilities of held-out rows versus observed frequencies; outside counts the intervals that miss
    them."""

    of: str
    bins: Sequence[CalibrationBin]
    outside: int
    n_rows: int


@dataclass(frozen=True)
class CoveragePart:
    """Rows whose prediction (for classes, largest probability) is from low to high: the share whose interval or set
    contains the truth, and the mean width of the intervals or number of labels."""

    low: float
    high: float
    rows: int
    coverage: float
    size: float


@dataclass(frozen=True)
class Coverage:
    """The intervals of the kept model at one level, of held-out and of fresh rows: all rows first, then their thirds.

    how: how the intervals are made; valid: what the level holds for.
    """

    level: float
    how: str
    valid: str
    held_out: Sequence[CoveragePart]
    fresh: Sequence[CoveragePart] = ()


@dataclass(frozen=True)
class Check:
    """A question to check for every result, with its answer for this run."""

    question: str
    answer: str


@dataclass(frozen=True)
class Written:
    """The kept model as a formula to copy ("" if there is none), and notes on how to apply it."""

    formula: str
    notes: Sequence[str]
