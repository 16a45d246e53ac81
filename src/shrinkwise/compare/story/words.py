"""Wording of numbers, scores and candidates in a sentence."""

from __future__ import annotations

from shrinkwise.compare.candidates.base import Candidate
from shrinkwise.compare.metrics import score_name
from shrinkwise.compare.result import Comparison

Interval = tuple[float, float, float]

_BASELINES = {
    "linear": "no penalty",
    "additive": "the additive model without a penalty",
    "network": "the network without regularization",
}


def label(candidate: Candidate) -> str:
    """The name of a candidate in a sentence: "L1 (lasso)", "dropout in the network"."""
    if not candidate.regularizer:
        return _BASELINES[candidate.family]
    if candidate.name == candidate.regularizer:
        return candidate.name
    if candidate.family == "network":
        return f"{candidate.regularizer} in the network"
    return f"{candidate.regularizer} ({candidate.name})"


def said(value: float) -> str:
    """A number for a sentence: three significant digits, a true minus sign."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def in_interval(found: Interval) -> str:
    """A difference and its interval for a sentence."""
    mean, low, high = map(said, found)
    return f"difference {mean}, 95 % interval {low} to {high}"


def n_inputs_said(n: int) -> str:
    """A number of inputs: "1 input", "2 inputs"."""
    return f"{n} input{'s' * (n > 1)}"


def score_said(comparison: Comparison) -> str:
    """The name of the score of the candidates."""
    return score_name(comparison.plan.task)


def a_score(comparison: Comparison) -> str:
    """The score with its article: "an RMSE", "a log loss"."""
    name = score_said(comparison)
    return f"an {name}" if name == "RMSE" else f"a {name}"
