"""The kept model as a formula to copy into a spreadsheet or another program."""

from __future__ import annotations

import numpy as np

from .coefficients import INTERCEPT, coefficients
from .predictors import LinearPredictor
from .table_model import TableModel

_MOST_TERMS = 40


def written_out(model: TableModel) -> str:
    """The model as a formula in the units of the data; "" for a network or for many terms."""
    plan = model.plan
    if not isinstance(model.predictor, LinearPredictor) or len(plan.classes or []) > 2:
        return ""
    rows = [row for row in coefficients(model) if row["coefficient"] or row["feature"] == INTERCEPT]
    if len(rows) > _MOST_TERMS + 1:
        return ""
    response, name = model.predictor.response, plan.target if plan.exposure is None else f"rate of {plan.target}"
    left = (f"log({name})" if response.log else name) if plan.classes is None else "score"
    lines = [f"{left} = {rows[0]['coefficient']:.8g}"]
    lines += [
        f"    {'-' if r['coefficient'] < 0 else '+'} {abs(r['coefficient']):.8g} * {r['feature']}" for r in rows[1:]
    ]
    if plan.classes is None and not response.log and np.isfinite([response.low, response.high]).any():
        lines.append(f"{name} = the nearest number from {response.low:g} to {response.high:g}")
    if plan.classes is not None:
        lines.append(f"probability that {plan.target} is {plan.classes[1]} = 1 / (1 + exp(-score))")
    return "\n".join(lines)


def written_notes(model: TableModel) -> list[str]:
    """Notes on using the formula: how indicators, levels and missing values become numbers."""
    kept, rules = model.plan.kept, model.encoder.rules
    notes = []
    if any(column.kind != "number" for column in kept):
        notes.append("“column=level” is 1 if the column has this level, else 0; likewise “column is missing”.")
    filled = [
        f"{column.name} {_first(rule):.6g}" for column, rule in zip(kept, rules, strict=True) if column.kind == "number"
    ]
    if filled:
        shown = ", ".join(filled[:12]) + (", …" if len(filled) > 12 else "")
        notes.append(f"A missing number is replaced by its median: {shown}.")
    return notes


def _first(rule: dict) -> float:
    fill = rule["fill"]
    return float(fill[0] if isinstance(fill, list) else fill)
