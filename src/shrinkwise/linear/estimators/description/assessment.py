"""How well a fitted linear model predicts given rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, mean_absolute_error, mean_squared_error, roc_auc_score

from shrinkwise.linear.problem.checks import checked_offset, checked_weights
from shrinkwise.linear.problem.problem import Problem


@dataclass(frozen=True)
class Assessment:
    """Measures of the predictions of given rows; means are weighted by the sample weights.

    Attributes
    ----------
    n : number of rows with weight above 0.
    loss : name of the loss.
    deviance : 2 Σ s (f(y, η) − min f(y, ·)) / Σ s. This is the mean squared error for the squared loss, twice the log loss for
        classes, and the mean unit deviance of a Poisson, gamma or Tweedie model.
    deviance_explained : 1 − deviance / deviance of an intercept (and the offset) fitted to these rows.
    mean_squared_error, mean_absolute_error : of the predicted mean, for measured y; else None.
    accuracy, confusion : for classes; confusion (K, K) holds the sums of weights, true classes in rows, predicted in columns.
    classes : (K,) labels in the order of `confusion`.
    auc : area under the ROC curve of two classes; None where only one occurs.
    threshold : the second of two classes is predicted where its probability, or the decision function of a loss without
        probabilities, is at least this.
    """

    n: int
    loss: str
    deviance: float
    deviance_explained: float
    mean_squared_error: float | None = None
    mean_absolute_error: float | None = None
    accuracy: float | None = None
    auc: float | None = None
    threshold: float | None = None
    classes: Any = None
    confusion: Any = None

    def __str__(self) -> str:
        names = ("deviance", "deviance_explained", "mean_squared_error", "mean_absolute_error", "accuracy", "auc")
        lines = [f"{self.n} rows, {self.loss} loss"]
        lines += [
            f"{name.replace('_', ' '):22}{getattr(self, name):.6g}" for name in names if getattr(self, name) is not None
        ]
        if self.confusion is None:
            return "\n".join(lines)
        rule = "" if self.threshold is None else f", {self.classes[1]!s} predicted at {self.threshold:g} or more"
        width = max(10, *(len(str(label)) + 2 for label in self.classes))
        lines.append(f"confusion (rows: true, columns: predicted{rule})")
        lines.append(" " * width + "".join(f"{label!s:>{width}}" for label in self.classes))
        lines += [
            f"{label!s:>{width}}" + "".join(f"{count:>{width}.6g}" for count in row)
            for label, row in zip(self.classes, self.confusion, strict=True)
        ]
        return "\n".join(lines)


def deviance_of(loss, y, eta, weights, offset) -> dict:
    """The measures that every loss has: `n`, `loss`, `deviance`, `deviance_explained`."""
    weights = np.ones(len(y)) if weights is None else checked_weights(weights, len(y))
    loss = loss.scaled_to(y, weights)
    null = Problem(np.zeros((len(y), 1)), y, loss, weights, True, checked_offset(offset, eta.shape))
    base = null.null_intercept + np.zeros(eta.shape) + (0.0 if offset is None else np.asarray(offset))

    def mean(values):
        values = values if np.ndim(values) == 1 else values.sum(-1)
        return float(np.average(values, weights=weights))

    lowest = loss.lowest(y) if np.ndim(y) == 1 else 0.0 * y
    found, null_deviance = (2.0 * (mean(loss.value(y, each)) - mean(lowest)) for each in (eta, base))
    explained = 1.0 - found / null_deviance if null_deviance > 0 else float(found <= 0)
    return {"n": int(np.count_nonzero(weights)), "loss": loss.name, "deviance": found, "deviance_explained": explained}


def assess_numbers(loss, y, eta, weights, offset) -> Assessment:
    """The Assessment of a regression."""
    mean = loss.inverse_link(eta)
    return Assessment(
        **deviance_of(loss, y, eta, weights, offset),
        mean_squared_error=float(mean_squared_error(y, mean, sample_weight=weights)),
        mean_absolute_error=float(mean_absolute_error(y, mean, sample_weight=weights)),
    )


def assess_classes(loss, classes, codes, eta, weights, offset, level, threshold) -> Assessment:
    """The Assessment of a classification; `level` (n,) is compared with the threshold for two classes, None for several."""
    measures = deviance_of(loss, codes, eta, weights, offset)
    true = codes.astype(int)
    predicted = eta.argmax(1) if level is None else (level >= threshold).astype(int)
    confusion = confusion_matrix(true, predicted, labels=np.arange(len(classes)), sample_weight=weights).astype(float)
    both = level is not None and len(np.unique(true if weights is None else true[np.asarray(weights) > 0])) == 2
    return Assessment(
        **measures,
        accuracy=float(np.trace(confusion) / confusion.sum()),
        auc=float(roc_auc_score(true, eta, sample_weight=weights)) if both else None,
        threshold=None if level is None else float(threshold),
        classes=classes,
        confusion=confusion,
    )
