"""The candidates: what is compared, and the two nouns every one of them speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shrinkwise.compare.options import METHODS, Options
from shrinkwise.models.predictors import Predictor
from shrinkwise.selection import Rows, folds
from shrinkwise.selection.splits import Fold
from shrinkwise.tables import Encoder, InputError


@dataclass(frozen=True)
class Features:
    """What is known of the columns of X: the table input each encodes, ascending; factors of λ; bounds of coefficients.

    Each is (q,); factors, low and high are None where nothing was asked for. Bounds are those of standardised columns.
    """

    inputs: np.ndarray
    factors: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @classmethod
    def of(cls, encoder: Encoder, options: Options) -> Features:
        """Of an encoder's columns."""
        inputs = np.asarray(encoder.inputs)
        names = [encoder.plan.kept[i].name for i in inputs]
        factors = np.array([options.factors.get(name, 1.0) for name in names]) if options.factors else None
        if not options.bounds:
            return cls(inputs, factors)
        bounds = np.array([options.bounds.get(name, (-np.inf, np.inf)) for name in names], dtype=float)
        return cls(inputs, factors, *(bounds * encoder.scale[:, None]).T)

    @property
    def has_groups(self) -> bool:
        """Whether some input is several columns."""
        return len(np.unique(self.inputs)) < len(self.inputs)

    def inputs_used(self, coefs: np.ndarray) -> np.ndarray:
        """The number of inputs with a non-zero coefficient (L,) on a path of them, (L, q) or (L, K, q)."""
        used = np.asarray(coefs) != 0
        used = used.any(axis=1) if used.ndim == 3 else used
        starts = np.flatnonzero(np.diff(self.inputs, prepend=-1))
        return np.logical_or.reduceat(used, starts, axis=1).sum(axis=1)


@dataclass(frozen=True)
class Problem:
    """Training rows, encoded: X (n, q) standardised, dense or sparse, y (n,) numbers or class codes 0 … K−1.

    rows holds their groups, time and weights; features what is known of the columns. shuffled says that the rows come in
    random order, so that any run of them is a sample.
    """

    X: Any
    y: np.ndarray
    task: str
    n_classes: int
    seed: int
    rows: Rows = field(default_factory=Rows)
    features: Features | None = None
    shuffled: bool = False

    @property
    def has_classes(self) -> bool:
        """Whether the target is a class."""
        return self.task != "regression"

    @property
    def columns(self) -> Features:
        """What is known of the columns; by default each is an input."""
        return Features(np.arange(self.X.shape[1])) if self.features is None else self.features

    def folds(self, n_splits: int) -> list[Fold]:
        """Splits of the rows for tuning, of the same kind as those for scoring."""
        try:
            return folds(self.y, n_splits, task=self.task, random_state=self.seed, rows=self.rows)
        except ValueError as error:
            raise InputError(f"The rows that are learned from cannot be split for choosing λ: {error}.") from error

    def take(self, rows) -> Problem:
        """The same for some of the rows."""
        return replace(self, X=self.X[rows], y=self.y[rows], rows=self.rows.take(rows))

    def dense(self, X=None) -> np.ndarray:
        """X as an array."""
        X = self.X if X is None else X
        return X.toarray() if hasattr(X, "toarray") else X


@dataclass(frozen=True)
class Fit:
    """One fitted model: its predictor (has `output(X)`), the settings that were chosen, and what is to be said of it.

    others are the same from other random starts; a score is the mean over all.
    """

    predictor: Predictor
    settings: dict = field(default_factory=dict)
    note: str = ""
    others: tuple[Predictor, ...] = ()


@dataclass(frozen=True)
class Curve:
    """A coefficient path on all training rows with its cross-validation curve, λ decreasing."""

    lambdas: np.ndarray
    coefs: np.ndarray
    cv_mean: np.ndarray
    cv_se: np.ndarray
    index_best: int
    index_1se: int


@dataclass(frozen=True)
class Tuned:
    """What tuning on a training fold gives: the fit at the best setting, and the careful one.

    one_se is the strongest within one standard error of the best, or within the share that was asked for.
    """

    best: Fit
    one_se: Fit | None = None
    curve: Curve | None = None

    def choices(self) -> dict[str, Fit]:
        """The fits by name of the choice."""
        return {"best": self.best} if self.one_se is None else {"best": self.best, "one_se": self.one_se}


@dataclass(frozen=True)
class Candidate:
    """A way to fit, with its tuning inside: `tune(problem, options)` sees training rows only.

    regularizer is "" for a baseline. formula is the objective that is minimised, with the loss as a mean over rows.
    """

    name: str
    family: str
    regularizer: str
    formula: str
    tune: Callable[[Problem, Options], Tuned]


def candidates(options: Options, has_groups: bool = True) -> list[Candidate]:
    """Linear models, networks (when asked for) and the outside reference, each family led by its baseline.

    The group lasso is left out where every input is one column, because it is the lasso there; with bounds on coefficients
    every model that cannot keep them is.
    """
    found = [each for each in _linear() if has_groups or each.name != METHODS["group-lasso"]]
    if options.bounds:
        found = [each for each in found if each.name not in (METHODS["group-lasso"], METHODS["mcp"])]
    if not options.bounds and options.network is not None:
        found += _networks()
    found = [each for each in [*found, _trees()] if _wanted(each, options)]
    if not any(each.family in ("linear", "network") and each.regularizer for each in found):
        raise InputError(
            f"Nothing is left to compare: at least one regularized method is needed, of {', '.join(METHODS)}."
        )
    return found


def _wanted(candidate: Candidate, options: Options) -> bool:
    """Whether it is asked for, or is the baseline of one that is."""
    methods = [method for method, name in METHODS.items() if name == candidate.name]
    if any(map(options.wants, methods)):
        return True
    if candidate.regularizer or candidate.family == "reference":
        return False
    return any(method.startswith("network") == (candidate.family == "network") for method in _regularized(options))


def _regularized(options: Options) -> list[str]:
    return [method for method in options.methods or METHODS if method != "trees"]


def _linear() -> list[Candidate]:
    from . import linear as linear

    elastic_net = "mean loss + λ (ρ Σ |w| + (1 − ρ)/2 Σ w²)"
    concave = "mean loss + Σ p(|w|), p(x) = λx − x²/(2γ) up to γλ, constant beyond, γ = 3 (12 for classes)"
    return [
        Candidate("no penalty", "linear", "", "mean loss", linear.tune_unpenalised),
        Candidate("ridge", "linear", "L2", "mean loss + λ Σ w²", linear.tune_ridge),
        Candidate("lasso", "linear", "L1", "mean loss + λ Σ |w|", linear.tune_lasso),
        Candidate("elastic net", "linear", "L1 + L2", elastic_net, linear.tune_elastic_net),
        Candidate(
            "group lasso", "linear", "group L1", "mean loss + λ Σ √size ‖w of an input‖", linear.tune_group_lasso
        ),
        Candidate("MCP", "linear", "MCP", concave, linear.tune_mcp),
    ]


def _networks() -> list[Candidate]:
    from . import network as network

    noise = "mean over dropout draws of the mean loss; a unit is kept with probability keep and divided by it"
    return [
        Candidate("network", "network", "", "mean loss", network.tune_plain),
        Candidate("network + L2", "network", "L2", "mean loss + λ Σ w²", network.tune_l2),
        Candidate("network + dropout", "network", "dropout", noise, network.tune_dropout),
        Candidate("network + L1 + dropout", "network", "L1 + dropout", f"{noise}; + λ Σ |w|", network.tune_l1_dropout),
    ]


def _trees() -> Candidate:
    from .trees import tune_trees

    return Candidate("boosted trees", "reference", "", "", tune_trees)
