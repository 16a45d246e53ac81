"""The types that all candidates share: the problem to fit, the result of tuning, and the candidate's description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shrinkwise.compare.metrics import COUNTS, REGRESSION
from shrinkwise.compare.options import Options
from shrinkwise.models.predictors import Predictor
from shrinkwise.selection import Rows, folds, one_standard_error
from shrinkwise.selection.splits import NUMERIC, Fold
from shrinkwise.tables import InputError

if TYPE_CHECKING:
    from shrinkwise.linear.paths.path import Path
    from shrinkwise.linear.problem.triangular_factor import FoldTriangles, Triangle
    from shrinkwise.models.hinges import Hinges
    from shrinkwise.penalties import Penalty
    from shrinkwise.tables import Encoder


@dataclass(frozen=True)
class Features:
    """Information on the columns of X: the table input that each encodes, ascending; factors of λ; bounds of
    coefficients.

    Each is (q,); factors, low and high are None if none were given. Bounds are those of standardised columns.
    """

    inputs: np.ndarray
    factors: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @classmethod
    def of(cls, encoder: Encoder, options: Options) -> Features:
        """The features of an encoder."""
        inputs = np.asarray(encoder.inputs)
        if not (options.factors or options.bounds):
            return cls(inputs)
        kept = encoder.plan.kept
        names = [kept[i].name for i in inputs]
        factors = np.array([options.factors.get(name, 1.0) for name in names]) if options.factors else None
        if not options.bounds:
            return cls(inputs, factors)
        bounds = np.array([options.bounds.get(name, (-np.inf, np.inf)) for name in names], dtype=float)
        return cls(inputs, factors, *(bounds * encoder.scale[:, None]).T)

    @property
    def has_groups(self) -> bool:
        """Whether any input has several columns."""
        return len(np.unique(self.inputs)) < len(self.inputs)

    def inputs_used(self, coefs: np.ndarray) -> np.ndarray:
        """The number of inputs with a non-zero coefficient (L,) on a path of them, (L, q) or (L, K, q)."""
        used = np.asarray(coefs) != 0
        used = used.any(axis=1) if used.ndim == 3 else used
        starts = np.flatnonzero(np.diff(self.inputs, prepend=-1))
        return np.logical_or.reduceat(used, starts, axis=1).sum(axis=1)


@dataclass(frozen=True)
class RowFactors:
    """What least squares needs of many rows: the triangular factors of their inner folds, and of parts drawn at random.

    The targets are those of `TrainingRows.fitted`.
    """

    folds: FoldTriangles
    parts: list[Triangle] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingRows:
    """Training rows, encoded: X (n, q) standardised, dense or sparse, y (n,) numbers or class codes 0 … K−1.

    factors, if there are any, replace X for candidates that `solve_factors`; X is then a view (compare.tall) or dense.

    limits: the lowest and the highest value of a numeric target; log_target: whether models are fitted to its logarithm
    (`compare.scoring.response`).
    rows holds their groups, time and weights; features the information on the columns. shuffled means that the rows are
    in random order, so that any consecutive rows are a random sample. of_all_rows: where these rows are a sample of those
    that models are to be fitted to, the factors of all of them, for candidates that need no more (`by_sums`).
    """

    X: Any
    y: np.ndarray
    task: str
    n_classes: int
    seed: int
    rows: Rows = field(default_factory=Rows)
    features: Features | None = None
    shuffled: bool = False
    limits: tuple[float, float] = (-np.inf, np.inf)
    log_target: bool = False
    factors: RowFactors | None = None
    of_all_rows: RowFactors | None = None

    @property
    def has_counts(self) -> bool:
        """Whether the target is a count: the loss is Poisson's, and scores are logarithms of predictions."""
        return self.task == COUNTS

    @property
    def fitted(self) -> TrainingRows:
        """The same rows with the logarithm of the target, if models are fitted to that."""
        return replace(self, y=np.log(self.y), log_target=False) if self.log_target else self

    @property
    def squared(self) -> bool:
        """Whether the loss is the squared error, whose score is the root of its mean."""
        return self.task == REGRESSION

    @property
    def has_classes(self) -> bool:
        """Whether the target is a class."""
        return self.task not in NUMERIC

    @property
    def columns(self) -> Features:
        """Information on the columns; by default each column is one input."""
        return Features(np.arange(self.X.shape[1])) if self.features is None else self.features

    def folds(self, n_splits: int) -> list[Fold]:
        """Splits of the rows for tuning, of the same kind as those for scoring."""
        try:
            return folds(self.y, n_splits, task=self.task, random_state=self.seed, rows=self.rows)
        except ValueError as error:
            raise InputError(f"The training rows cannot be split to select λ: {error}.") from error

    def take(self, rows) -> TrainingRows:
        """The same problem for some of the rows."""
        return replace(self, X=self.X[rows], y=self.y[rows], rows=self.rows.take(rows), factors=None)

    def with_rows(self) -> TrainingRows:
        """The same problem with the rows themselves, for candidates that need them."""
        return self if self.factors is None else replace(self, X=self.dense(), factors=None)

    def dense(self, X=None) -> np.ndarray:
        """X as an array."""
        X = self.X if X is None else X
        return X.toarray() if hasattr(X, "toarray") else X


@dataclass(frozen=True)
class Fit:
    """One fitted model: its predictor (has `output(X)`), the selected settings, and a note for the user.

    starts are the models from single random starts of which the predictor is the mean; empty if there is only one.
    refit fits the same settings on other rows; None if the candidate does not offer it. penalty: that of a linear model of the
    features, with its λ, for the target divided by its scale.
    """

    predictor: Predictor
    settings: dict = field(default_factory=dict)
    note: str = ""
    starts: tuple[Predictor, ...] = ()
    refit: Callable[[TrainingRows], Any] | None = None
    penalty: Penalty | None = None


@dataclass(frozen=True)
class Curve:
    """A path on all training rows with its cross-validation curve, cv_mean and cv_se (L,) in the unit of the target.

    The path was fitted to the target divided by `scale`; it keeps no reference to its data. With `hinges` its columns are
    those hinges of the features. label says what coefs are, where they are not coefficients of standardised features.
    """

    path: Path
    scale: float
    cv_mean: np.ndarray
    cv_se: np.ndarray
    index_best: int
    index_one_se: int
    label: str = ""
    hinges: Hinges | None = None

    @property
    def lambdas(self) -> np.ndarray:
        """(L,) decreasing; on the scale of the divided target."""
        return self.path.lambdas

    @property
    def coefs(self) -> np.ndarray:
        """The coefficients in the unit of the target, (L, q) or (L, K, q); with hinges the norm of those of each feature."""
        coefs = self.path.coefs * self.scale
        return coefs if self.hinges is None else np.sqrt(self.hinges.by_feature(coefs**2))

    def index(self, choice: str) -> int:
        """Where on the path a choice, "best" or "one_se", stands."""
        return self.index_one_se if choice == "one_se" else self.index_best

    @property
    def lambda_1se(self) -> float:
        """The strongest λ within one standard error of the curve's lowest mean (Breiman's rule), which favours few inputs."""
        return float(self.lambdas[one_standard_error(self.cv_mean, self.cv_se)[1]])


@dataclass(frozen=True)
class Tuned:
    """The result of tuning on a training fold: the fit at the best setting, and at its 1-SE setting.

    one_se is the strongest setting within one standard error of the paired difference to the best, or within the
    requested share of its score.
    """

    best: Fit
    one_se: Fit | None = None
    curve: Curve | None = None

    def each(self, change: Callable[[Fit], Fit]) -> Tuned:
        """The same with both fits changed."""
        return replace(self, best=change(self.best), one_se=None if self.one_se is None else change(self.one_se))

    def choices(self) -> dict[str, Fit]:
        """The fits by the name of the choice."""
        return {"best": self.best} if self.one_se is None else {"best": self.best, "one_se": self.one_se}


@dataclass(frozen=True)
class Candidate:
    """A method to fit a model including its tuning: `tune(problem, options)` uses training rows only.

    name : for display.
    family : "linear", "additive", "network" or "reference"; the first of each family is its baseline.
    regularizer : "" for a baseline.
    formula : the objective, with the loss as a mean over rows.
    slug : its name on the command line.
    worth : rank in the order of scoring with a budget; smaller first.
    makes_zeros, selects_inputs : whether weights or whole inputs become exactly zero.
    takes_bounds : whether it supports bounds on coefficients.
    needs_groups : whether it differs from other candidates only if an input has several columns.
    needs_numbers : whether it differs from other candidates only if an input is a number or a date.
    drops_units : whether it is trained with dropout.
    seconds : `seconds(problem, options, n_rows)`, the estimated processor time of tuning on n_rows rows, from some work on
        the few rows of `problem`; None where the time is linear in the numbers of rows and of λ.
    besides : what else distinguishes it from the baseline of its family, a clause about "it"; "" if only the regularizer does.
    besides_if : the setting with which `besides` is true; "" for any setting.
    log_link : whether its scores can be logarithms of predictions: for counts, and for targets fitted on a log scale.
    by_sums : whether its fit to a squared loss depends on the sums, squares and products of the rows alone.
    bears : the disturbance that its regularizer is said to be robust to, "noise" or "missing".
    """

    name: str
    family: str
    regularizer: str
    formula: str
    tune: Callable[[TrainingRows, Options], Tuned]
    slug: str = ""
    _: KW_ONLY
    worth: int = 100
    makes_zeros: bool = False
    selects_inputs: bool = False
    takes_bounds: bool = False
    needs_groups: bool = False
    needs_numbers: bool = False
    drops_units: bool = False
    besides: str = ""
    besides_if: str = ""
    by_sums: bool = False
    log_link: bool = False
    bears: str = ""
    seconds: Callable[[TrainingRows, Options, int], float] | None = None
