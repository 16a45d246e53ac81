"""The shapes of the kept additive model, for the report."""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.result import Comparison
from shrinkwise.compare.shapes import Effect, effects
from shrinkwise.report.exhibits import Shape, ShapeLine, Shapes

_SHOWN = 12  # inputs
_LEVELS = 12  # levels of an input, those with the largest effects


def shapes_page(comparison: Comparison) -> Shapes | None:
    """The effects of the inputs of the kept model; None if it is not additive or there was no time."""
    if (fits := comparison.shape_fits) is None:
        return None
    found, plan = effects(comparison.model, fits), comparison.plan
    if not found:
        return None
    classes = plan.classes or []
    of = plan.target if not classes else f"log-odds of {plan.target} = {classes[1]}"
    return Shapes(
        of=of if len(classes) <= 2 else f"score of each {plan.target}",
        n_halves=len(fits.halves),
        inputs=[_shape(effect, classes if len(classes) > 2 else [""]) for effect in found[:_SHOWN]],
        n_inputs=len(found),
        dates=[
            column.name for i, column in enumerate(plan.kept) if column.kind == "date" and i in comparison.model.used
        ],
    )


def _shape(effect: Effect, lines: list[str]) -> Shape:
    some = np.arange(len(effect.values))
    if effect.labels:  # the largest, in the order of their effects
        size = np.abs(effect.values).max(axis=1)
        some = np.argsort(-size, kind="stable")[:_LEVELS]
        some = some[np.argsort(-effect.values[some].max(axis=1), kind="stable")] if len(lines) == 1 else np.sort(some)
    return Shape(
        name=effect.name,
        xs=effect.xs,
        labels=[effect.labels[i] for i in some] if effect.labels else [],
        lines=[_line(effect, name, k, some) for k, name in enumerate(lines)],
        used=float((effect.halves != effect.halves[:, :1]).any(axis=(1, 2)).mean()) if len(effect.halves) else None,
        missing=[float(value) for value in effect.missing] if effect.missing is not None else [],
        n_more=len(effect.labels) - len(some) if effect.labels else 0,
    )


def _line(effect: Effect, name: str, k: int, some: np.ndarray) -> ShapeLine:
    """The effect on one score, and twice its standard deviation over the half-samples.

    The standard deviation over halves of the rows is the standard error on all rows (delete-half jackknife): a half is
    twice as variable, but shares its rows with the whole.
    """
    errors = 2 * effect.halves[:, some, k].std(axis=0) if len(effect.halves) > 1 else []
    return ShapeLine(name, effect.values[some, k].tolist(), list(map(float, errors)))
