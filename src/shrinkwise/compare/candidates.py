"""The candidates: what is compared, and the two nouns every one of them speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from shrinkwise.compare.options import Options
from shrinkwise.compare.predictors import Predictor


@dataclass(frozen=True)
class Problem:
    """Training rows, encoded: X (n, q) standardised, y (n,) numbers or class codes 0 … K−1."""

    X: np.ndarray
    y: np.ndarray
    task: str
    n_classes: int
    seed: int

    @property
    def has_classes(self) -> bool:
        """Whether the target is a class."""
        return self.task != "regression"


@dataclass(frozen=True)
class Fit:
    """One fitted model: its predictor (has `output(X)`), the settings that were chosen, and what is to be said of it."""

    predictor: Predictor
    settings: dict = field(default_factory=dict)
    note: str = ""


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
    """What tuning on a training fold gives: the fit at the best setting, and at the strongest within one SE of it."""

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


def candidates(options: Options) -> list[Candidate]:
    """Linear models, networks (when asked for) and the outside reference, each family led by its baseline."""
    from shrinkwise.compare import linear_candidates as linear
    from shrinkwise.compare.reference import tune_trees

    found = [
        Candidate("no penalty", "linear", "", "mean loss", linear.tune_unpenalised),
        Candidate("ridge", "linear", "L2", "mean loss + λ Σ w²", linear.tune_ridge),
        Candidate("lasso", "linear", "L1", "mean loss + λ Σ |w|", linear.tune_lasso),
        Candidate(
            "elastic net", "linear", "L1 + L2", "mean loss + λ (ρ Σ |w| + (1 − ρ)/2 Σ w²)", linear.tune_elastic_net
        ),
    ]
    if options.network is not None:
        from shrinkwise.compare import network_candidates as network

        found += [
            Candidate("network", "network", "", "mean loss", network.tune_plain),
            Candidate("network + L2", "network", "L2", "mean loss + λ Σ w²", network.tune_l2),
            Candidate(
                "network + dropout",
                "network",
                "dropout",
                "mean over dropout draws of the mean loss; a unit is kept with probability keep and divided by it",
                network.tune_dropout,
            ),
        ]
    return [*found, Candidate("boosted trees", "reference", "", "", tune_trees)]
