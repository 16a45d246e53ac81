"""score.py: the kept model as one Python file that needs nothing but Python."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, cast

import numpy as np

from shrinkwise.compare.model import TableModel
from shrinkwise.compare.predictors import LinearPredictor, NetworkPredictor

_PLACE = "MODEL: dict = {}\n"


def score_py(model: TableModel) -> str:
    """The text of score.py: the module `scorer` with the model's rules and numbers written into it."""
    source = (files("shrinkwise.compare") / "scorer.py").read_text(encoding="utf-8")
    return source.replace(_PLACE, f"MODEL: dict = {_literal(as_numbers(model))}\n", 1)


def as_numbers(model: TableModel) -> dict[str, Any]:
    """A model as texts, numbers and lists: the rules of its inputs, the standardisation, its linear layers."""
    encoder, plan = model.encoder, model.plan
    kept = ("kind", "form", "levels", "fill", "gaps", "pool", "clock")
    rules = [
        {"column": column.name, **{name: rule[name] for name in kept if name in rule}}
        for column, rule in zip(plan.kept, encoder.rules, strict=True)
    ]
    return {
        "target": plan.target,
        "classes": plan.classes,
        "rules": rules,
        "varies": [int(v) for v in encoder.varies],
        "mean": encoder.mean.tolist(),
        "scale": encoder.scale.tolist(),
        "layers": layers(model),
    }


def layers(model: TableModel) -> list[tuple[list[list[float]], list[float]]]:
    """(weights, biases) of each linear layer on the standardised features."""
    predictor = model.predictor
    if isinstance(predictor, LinearPredictor):
        return [(np.atleast_2d(predictor.coef).tolist(), np.atleast_1d(predictor.intercept).tolist())]
    network = cast(NetworkPredictor, predictor)
    return [(w.tolist(), b.tolist()) for w, b in zip(network.weights, network.biases, strict=True)]


def _literal(value: Any, depth: int = 0) -> str:
    """A Python literal in ASCII, numbers in full precision, one line per list of plain values."""
    inner = "    " * (depth + 1)
    if isinstance(value, dict):
        lines = "".join(f"{inner}{key!a}: {_literal(each, depth + 1)},\n" for key, each in value.items())
        return f"{{\n{lines}{inner[4:]}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(each, (list, tuple, dict)) for each in value):
        return "[\n" + "".join(f"{inner}{_literal(each, depth + 1)},\n" for each in value) + f"{inner[4:]}]"
    return ascii(value)
