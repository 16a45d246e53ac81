"""The contribution of each input to one prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from shrinkwise.tables import as_frame

from .coefficients import number_explained
from .predictors import PLAIN, LinearPredictor, RespondingPredictor
from .table_model import TableModel


@dataclass(frozen=True)
class Explanation:
    """The contributions to one prediction, largest first: (input, its value as text, contribution).

    of: what is explained ("price", "log-odds of y = yes"). usual: its value for the reference row, whose features are
    all at `reference`. here: its value for this row. exact: whether usual and the contributions add up to here.
    probability: of the predicted class, None for a regression. becomes: how `here` becomes the prediction of a number, a
    sentence, "" where it is the prediction.
    """

    of: str
    usual: float
    here: float
    contributions: list[tuple[str, str, float]]
    exact: bool
    reference: str
    prediction: str
    probability: float | None = None
    becomes: str = ""

    @property
    def rest(self) -> float:
        """The difference not explained by the contributions: 0 for a linear model, interactions between inputs for a
        network."""
        parts = [value for *_, value in self.contributions]
        rest = self.here - self.usual - sum(parts)
        return 0.0 if abs(rest) <= _rounding(self.here, self.usual, *parts) else rest


def _rounding(*terms: float) -> float:
    """What a sum of these may differ by from rounding alone."""
    return 16 * float(np.finfo(float).eps) * len(terms) * max(map(abs, terms))


def explain_row(model: TableModel, frame, row: int) -> Explanation:
    """Explain the prediction of row number `row`, from 0, of a data frame.

    For a linear model the contribution of an input is Σ_j w_j (x_j − x̄_j) over its features j, with x̄ the mean of the
    training rows; for an additive model it is Σ_j (f_j(x_j) − f_j(x̄_j)). It is exact, in the units of the target (for two
    classes the log-odds of the second, for more the score of the predicted class minus the mean score). Networks are not
    additive: the contribution of an input is f(x) − f(x with the features of that input at x̄), and interactions between
    inputs remain; for classes f is the probability of the predicted class.
    """
    frame, plan = as_frame(frame), model.plan
    x = _dense(model.encoder.transform(frame, needed=model.used)[row : row + 1])[0]
    function, of = _explained(model, x)
    inputs, exact = np.array(model.encoder.inputs), isinstance(model.predictor, LinearPredictor)
    without = np.array([np.where(inputs == i, 0.0, x) for i in range(len(plan.kept))])
    here, usual = float(function(x[None])[0]), float(function(np.zeros((1, len(x))))[0])
    parts = here - function(without)
    weights = np.atleast_2d(model.predictor.feature_weights())
    used = {int(inputs[j]) for j in np.flatnonzero(weights.any(axis=0))}
    rounding = [i for i in range(len(parts)) if i not in used or abs(parts[i]) <= _rounding(here, usual)]
    parts[rounding] = 0.0
    order = np.argsort(-np.abs(parts), kind="stable")
    kept = plan.kept
    values = [_value(frame[column.name][row]) if column.name in frame.columns else "not given" for column in kept]
    reference = "0" if getattr(model.encoder, "sparse", False) else "its mean"
    shown = [(kept[i].name, values[i], float(parts[i])) for i in order.tolist()]
    output = model.output(frame[row : row + 1])
    said = model.decide(output)[0]
    if plan.classes is None:
        becomes = _becomes(model, here, frame)
        return Explanation(of, usual, here, shown, exact, reference, f"{said:.6g}", becomes=becomes)
    return Explanation(of, usual, here, shown, exact, reference, str(said), float(output[0].max()))


def _explained(model: TableModel, x: np.ndarray):
    """The function of standardised features (m, q) → (m,) that is explained, and its name."""
    plan, predictor = model.plan, model.predictor
    if plan.classes is None:
        responding = cast(RespondingPredictor, predictor)
        return responding.responding(PLAIN).output, number_explained(model)
    winner = int(predictor.output(x[None])[0].argmax())
    if not isinstance(predictor, LinearPredictor):
        return (lambda X: predictor.output(X)[:, winner]), f"probability of {plan.target} = {plan.classes[winner]}"
    if len(plan.classes) == 2:
        return (lambda X: predictor.scores(X)[:, 0]), f"log-odds of {plan.target} = {plan.classes[1]}"

    def beyond_mean(X):
        scores = predictor.scores(X)
        return scores[:, winner] - scores.mean(axis=1)

    return beyond_mean, f"score of {plan.target} = {plan.classes[winner]} minus the mean score"


def _becomes(model: TableModel, here: float, frame) -> str:
    """How a score becomes the prediction: by the exponential, the exposure and the range of predictions; "" by none."""
    response = cast(RespondingPredictor, model.predictor).response
    value = float(np.exp(here)) if response.log else here
    limit = np.clip(value, response.low, response.high)
    ways = ["its exponential"] if response.log else []
    if limit != value:
        ways.append(f"limited to the {'lowest' if value < limit else 'highest'} value that is predicted, {limit:.6g}")
    if model.plan.exposures(frame) is not None:
        ways.append("multiplied by the exposure of the row")
    return f"The prediction is {', '.join(ways if response.log else ['this', *ways])}." if ways else ""


def _value(value) -> str:
    return "missing" if value is None or value != value else f"{value:.6g}" if isinstance(value, float) else str(value)


def _dense(X):
    return X.toarray() if hasattr(X, "toarray") else X
