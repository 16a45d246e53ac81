"""The kept model's weights for display: coefficients in the units of the data, or the first-layer norms of a
network."""

from __future__ import annotations

import csv
import io

import numpy as np

from shrinkwise.tables import Encoder

from .intervals.score_lines import harmless
from .predictors import LinearPredictor, Response
from .table_model import TableModel

INTERCEPT = "(intercept)"
_ROUNDING = 1e-9  # of a knot at 0 or 1 that was standardised


def coefficients(model: TableModel) -> list[dict]:
    """Rows {"feature", "coefficient", "unit_note"} in the units of the data, the intercept first; [] for a network.

    The features of an additive model are its hinges, such as "max(0, min(age, 90) - 35)". With several classes every row
    also has its "class": the coefficients are those of this class's score, and only differences between classes matter.
    """
    if not isinstance(model.predictor, LinearPredictor):
        return []
    coef, intercept, terms, units = _in_data_units(model.predictor, model.encoder)
    rows, classes = [], model.plan.classes or []
    for k, what in enumerate(_explained(model)):
        extra = {"class": classes[k]} if len(coef) > 1 else {}
        note = f"{what} if every {'input' if model.predictor.hinges is None else 'term'} is 0"
        rows.append({**extra, "feature": INTERCEPT, "coefficient": float(intercept[k]), "unit_note": note})
        for name, unit, value in zip(terms, units, coef[k], strict=True):
            rows.append(
                {**extra, "feature": name, "coefficient": float(value), "unit_note": f"{what} per unit of {unit}"}
            )
    return rows


def _in_data_units(predictor: LinearPredictor, encoder: Encoder) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """(coefficients (K, m), intercepts (K,), names of the m terms, features of the m terms) in the units of the data."""
    if (hinges := predictor.hinges) is None:
        coef, intercept = encoder.in_data_units(predictor.coef, predictor.intercept)
        return np.atleast_2d(coef), np.atleast_1d(intercept), encoder.feature_names, encoder.feature_names
    scale, mean = encoder.scale[hinges.sources], encoder.mean[hinges.sources]
    coef, intercept = np.atleast_2d(predictor.coef), np.atleast_1d(predictor.intercept)
    names = [
        _hinge(encoder.feature_names[j], knot, top)
        for j, knot, top in zip(hinges.sources, mean + scale * hinges.knots, mean + scale * hinges.tops, strict=True)
    ]
    units = [encoder.feature_names[j] for j in hinges.sources]
    return coef / scale, intercept - coef @ hinges.at_zero, names, units


def _hinge(name: str, knot: float, top: float) -> str:
    """A hinge as a formula of a spreadsheet; a 0/1 feature, whose only hinge is itself, by its name."""
    if abs(knot) < _ROUNDING and abs(top - 1) < _ROUNDING:
        return name
    return f"max(0, min({name}, {top:.12g}) {'+' if knot < 0 else '-'} {abs(knot):.12g})"


def coefficients_csv(model: TableModel) -> str:
    """The text of coefficients.csv. A network has no coefficients; its file lists the norms of its first-layer weights.

    The columns are class (several classes only), feature, coefficient, unit_note; for a network feature,
    first_layer_norm: the Euclidean norm of the weights that leave an input, per standard deviation of it.
    """
    rows = coefficients(model)
    if not rows:
        norms = np.linalg.norm(model.predictor.feature_weights(), axis=0)
        names = model.encoder.feature_names
        rows = [{"feature": f, "first_layer_norm": float(v)} for f, v in zip(names, norms, strict=True)]
    return csv_text(list(rows[0]), [list(row.values()) for row in rows])


def csv_text(header: list[str], rows: list[list]) -> str:
    """Comma-separated text with one header line; numbers in full precision.

    Text that a spreadsheet would run as a formula ("=cmd()", "@x") is prefixed with an apostrophe.
    """
    return csv_lines([header, *rows])


def csv_lines(rows: list[list]) -> str:
    """Comma-separated lines without a header."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return buffer.getvalue()


def number_explained(model: TableModel) -> str:
    """The quantity to which the inputs of a numeric model contribute: "price", "log of price", "log of the rate of claims"."""
    target = model.plan.target if model.plan.exposure is None else f"the rate of {model.plan.target}"
    return f"log of {target}" if Response.stored(model.predictor.arrays()).log else target


def _explained(model: TableModel) -> list[str]:
    """The quantity to which each row of coefficients contributes."""
    plan = model.plan
    if plan.classes is None:
        return [number_explained(model)]
    if len(plan.classes) == 2:
        return [f"log-odds of {plan.target} = {plan.classes[1]}"]
    return [f"score of {plan.target} = {name}" for name in plan.classes]
