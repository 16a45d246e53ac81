"""Fitted models as plain arrays, used for scoring, saving and prediction alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from .hinges import Hinges


class Predictor(Protocol):
    """Anything that predicts from encoded inputs."""

    def output(self, X: np.ndarray) -> np.ndarray:
        """Predictions (n,) for regression, class probabilities (n, K) otherwise."""


@runtime_checkable
class WeightedPredictor(Predictor, Protocol):
    """A predictor made of weights, which can be saved and whose used inputs can be counted. `kind` is its name in the
    model file."""

    kind: ClassVar[str]

    def arrays(self) -> dict[str, np.ndarray]:
        """All its arrays by name; the class method `of` restores it from them."""

    def feature_weights(self) -> np.ndarray:
        """Weights with the features along the last axis."""

    def weight_arrays(self) -> list[np.ndarray]:
        """All weights (no intercepts or biases)."""


@dataclass(frozen=True)
class Response:
    """From the score of a numeric model to its prediction: the score, or its exponential, within [low, high]."""

    log: bool = False
    low: float = -np.inf
    high: float = np.inf

    def of(self, scores: np.ndarray) -> np.ndarray:
        """Predictions (n,) from scores (n,)."""
        predictions = np.exp(np.minimum(scores, 690.0)) if self.log else scores
        return np.clip(predictions, self.low, self.high)

    def array(self) -> np.ndarray:
        """As three numbers for the file of a model."""
        return np.array([self.log, self.low, self.high], dtype=float)

    @classmethod
    def stored(cls, arrays: dict[str, np.ndarray]) -> Response:
        """From the arrays of a predictor; the score itself in a file of schema 1."""
        log, low, high = arrays.get("response", cls().array())
        return cls(bool(log), float(low), float(high))


PLAIN = Response()


@runtime_checkable
class RespondingPredictor(WeightedPredictor, Protocol):
    """A predictor of numbers whose response can be exchanged."""

    response: Response

    def responding(self, response: Response, shift: float = 0.0) -> RespondingPredictor:
        """The same scores plus `shift`, with another response."""


def class_probabilities(scores: np.ndarray) -> np.ndarray:
    """Softmax over the last axis (n, K), shifted by the largest score to avoid overflow."""
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class LinearPredictor:
    """A linear model on encoded inputs or, as an additive model, on hinges of them.

    coef is (q,) for regression, (1, q) for two classes (log-odds of the second), (K, q) for several, with q the number of
    features, or of hinges where there are any; intercept is a number, (1,) or (K,).
    """

    kind: ClassVar[str] = "linear"
    coef: np.ndarray
    intercept: np.ndarray | float
    hinges: Hinges | None = None
    response: Response = PLAIN

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> LinearPredictor:
        """From its `arrays`."""
        hinges = Hinges.of(arrays) if "knots" in arrays else None
        return cls(arrays["coef"], arrays["intercept"], hinges, Response.stored(arrays))

    def arrays(self) -> dict[str, np.ndarray]:
        """Coefficients, intercept, response, and the hinges."""
        found = {"coef": self.coef, "intercept": np.asarray(self.intercept), "response": self.response.array()}
        return found if self.hinges is None else found | self.hinges.arrays()

    def responding(self, response: Response, shift: float = 0.0) -> LinearPredictor:
        """The same scores plus `shift`, with another response."""
        return replace(self, intercept=self.intercept + shift, response=response)

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Scores (n,) for regression, log-odds (n, 1) for two classes, scores (n, K) for several."""
        return (X if self.hinges is None else self.hinges.terms(X)) @ self.coef.T + self.intercept

    def written(self) -> tuple[Hinges | None, np.ndarray, np.ndarray]:
        """(hinges, weights (K, m), biases (K,)) of the same scores for other programs.

        The terms are max(0, min(x, top) − knot), not shifted to 0 at x = 0. Those without a weight are left out, except that
        there is always one.
        """
        coef, intercept = np.atleast_2d(self.coef), np.atleast_1d(self.intercept)
        if self.hinges is None:
            return None, coef, intercept
        some = np.flatnonzero(coef.any(axis=0)) if coef.any() else np.arange(min(1, coef.shape[1]))
        hinges, coef = self.hinges.take(some), coef[:, some]
        return hinges, coef, intercept - coef @ hinges.at_zero

    def output(self, X: np.ndarray) -> np.ndarray:
        """Predictions (n,) for regression, class probabilities (n, K) otherwise."""
        scores = self.scores(X)
        if self.coef.ndim == 1:
            return self.response.of(scores)
        return class_probabilities(np.hstack([np.zeros_like(scores), scores]) if len(self.coef) == 1 else scores)

    def feature_weights(self) -> np.ndarray:
        """Weights with the features along the last axis; of hinges, the Euclidean norm of those of each feature."""
        return self.coef if self.hinges is None else np.sqrt(self.hinges.by_feature(self.coef**2))

    def weight_arrays(self) -> list[np.ndarray]:
        """All weights (no intercepts)."""
        return [self.coef]


@dataclass(frozen=True)
class NetworkPredictor:
    """A network of linear layers with ReLU between them; weights[i] is (out, in). Dropout has no effect in
    prediction."""

    kind: ClassVar[str] = "network"
    weights: list[np.ndarray]
    biases: list[np.ndarray]
    has_classes: bool
    response: Response = PLAIN

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> NetworkPredictor:
        """From its `arrays`."""
        layers = range(sum(name.startswith("weight ") for name in arrays))
        weights, biases = ([arrays[f"{what} {i}"] for i in layers] for what in ("weight", "bias"))
        return cls(weights, biases, bool(arrays["has_classes"]), Response.stored(arrays))

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights and biases by layer."""
        found = {"has_classes": np.asarray(self.has_classes), "response": self.response.array()}
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            found |= {f"weight {i}": weight, f"bias {i}": bias}
        return found

    def responding(self, response: Response, shift: float = 0.0) -> NetworkPredictor:
        """The same scores plus `shift`, with another response."""
        return replace(self, biases=[*self.biases[:-1], self.biases[-1] + shift], response=response)

    def output(self, X: np.ndarray) -> np.ndarray:
        """Predictions (n,) for regression, class probabilities (n, K) otherwise."""
        hidden = X.toarray() if hasattr(X, "toarray") else X
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight.T + bias, 0.0)
        scores = hidden @ self.weights[-1].T + self.biases[-1]
        return class_probabilities(scores) if self.has_classes else self.response.of(scores[:, 0])

    def compact(self) -> NetworkPredictor:
        """The same network without hidden units that no output reads or whose weights are all zero.

        A unit without weights has the constant value max(b, 0), which moves into the biases of the next layer.
        """
        weights, biases = list(self.weights), list(self.biases)
        for i in range(len(weights) - 1):
            constant = ~weights[i].any(axis=1)
            biases[i + 1] = biases[i + 1] + weights[i + 1][:, constant] @ np.maximum(biases[i][constant], 0.0)
            following = np.where(constant, 0.0, weights[i + 1])
            kept = np.asarray(following.any(axis=0))
            kept[:1] |= not kept.any()  # a layer has at least one unit
            weights[i], biases[i], weights[i + 1] = weights[i][kept], biases[i][kept], following[:, kept]
        return replace(self, weights=weights, biases=biases)

    def feature_weights(self) -> np.ndarray:
        """First-layer weights (hidden, q)."""
        return self.weights[0]

    def weight_arrays(self) -> list[np.ndarray]:
        """All weights (no biases)."""
        return self.weights


# The predictors that a model's file can hold, by their kind.
PREDICTORS = {kind.kind: kind for kind in (LinearPredictor, NetworkPredictor)}


@dataclass(frozen=True)
class Usage:
    """Counts for a model: table inputs with a non-zero weight, weights that are exactly zero, all weights."""

    inputs: int
    zeros: int
    weights: int


def usage(predictor: WeightedPredictor, inputs: list[int]) -> Usage:
    """The counts of a predictor; `inputs` gives for each feature the table input that it encodes."""
    weights = predictor.feature_weights()
    used = np.atleast_2d(weights).any(axis=0)
    arrays = predictor.weight_arrays()
    return Usage(
        inputs=len({inputs[j] for j in np.flatnonzero(used)}),
        zeros=int(sum((a == 0).sum() for a in arrays)),
        weights=int(sum(a.size for a in arrays)),
    )
