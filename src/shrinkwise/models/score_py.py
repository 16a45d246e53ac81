"""score.py: the kept model as one Python file without dependencies."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import numpy as np

from shrinkwise.tables import ColumnPlan
from shrinkwise.tables.columns.compounds import FORMS as COMPOUNDS
from shrinkwise.tables.columns.dates import FORMS, ISO, PLAIN, TYPED, written_like
from shrinkwise.tables.columns.features import READABLE, filled_as, unseen_as
from shrinkwise.tables.columns.several import COORDINATES, WORD
from shrinkwise.tables.columns.words import WORDS

from .hinges import Hinges
from .intervals.kept import LEVELS, LabelSets, NumberIntervals
from .predictors import Response
from .table_model import TableModel

_PLACE = "MODEL: dict = {}\n"
_LINES = "from shrinkwise.models.intervals.score_lines import decided, put_out, say, within\n"
_VALUES = re.compile(r"from \.score_values import \([^)]*\)\n\n")
_BELOW = "from datetime import datetime\n"  # the last import of score_values, which score_template has too


def score_py(model: TableModel) -> str:
    """The text of score.py: the module `score_template`, with the text of the modules it imports and the model's rules
    and numbers."""
    template, values, lines = (
        (files("shrinkwise.models") / name).read_text(encoding="utf-8")
        for name in ("score_template.py", "score_values.py", "intervals/score_lines.py")
    )
    source = _VALUES.sub("", template, count=1)
    source = source.replace(_PLACE, f"{_PLACE}\n{values.partition(_BELOW)[2].strip()}\n\n", 1)
    source = source.replace(f"\n{_LINES}", lines.partition("import sys\n")[2].rstrip() + "\n\n", 1)
    return source.replace(_PLACE, f"MODEL: dict = {_literal(as_numbers(model))}\n", 1)


def as_numbers(model: TableModel) -> dict[str, Any]:
    """A model as strings, numbers and lists: the rules of the inputs it uses, the standardisation, its linear
    layers."""
    encoder, plan = model.encoder, model.plan
    ends = np.cumsum([len(rule["features"]) for rule in encoder.rules])
    varies = np.split(encoder.varies, ends[:-1])
    used = [j for j, number in enumerate(encoder.inputs) if number in model.used]
    written = model.predictor.written()
    weights, hinges, limits = written.weights, written.hinges, written.limits
    if hinges is None or not used:  # of hinges without a weight one is left, whose input has no place in `used`
        hinges, weights = None, [weights[0][:, used], *weights[1:]]
    return {
        "target": plan.target,
        "classes": plan.classes,
        "words": list(WORDS),
        "dates": [(pattern, replacement.replace("$", "\\")) for pattern, replacement in PLAIN],
        "rules": [_rule(plan.kept[i], encoder.rules[i]) for i in sorted(model.used)],
        "varies": [int(v) for i in sorted(model.used) for v in varies[i]],
        "mean": encoder.mean[used].tolist(),
        "scale": encoder.scale[used].tolist(),
        "limits": None if limits is None else limits[:, used].T.tolist(),
        "hinges": None if hinges is None else _hinges(hinges, used),
        "layers": [
            ((np.concatenate(weight) if weight.ndim == 3 else weight).tolist(), bias.tolist())
            for weight, bias in zip(weights, written.biases, strict=True)
        ],
        "response": np.nan_to_num(Response.stored(model.predictor.arrays()).array()).tolist(),
        "exposure": list(plan.exposure or ()),
        "intervals": _intervals(model.intervals, used),
    }


def _intervals(kept: NumberIntervals | LabelSets | None, used: list[int]) -> dict[str, Any]:
    """The intervals for score.py, at the levels that the rows support; {} without any."""
    if kept is None:
        return {}
    arrays = kept.arrays()
    sides = {name: arrays[name] for name in ("low", "high", "most") if name in arrays}
    finite = np.isin(LEVELS, kept.supported)
    found: dict[str, Any] = {"levels": kept.supported.tolist(), "units": kept.units}
    found |= {name: side[..., finite].tolist() for name, side in sides.items()}
    if "limits" in arrays:  # the largest number is as good as infinity, which has no literal
        found["limits"] = np.nan_to_num(arrays["limits"]).tolist()
        found["whole"] = bool(arrays["whole"])
        found["edges"] = arrays["edges"].tolist()
    spread = {name.removeprefix("spread "): array for name, array in arrays.items() if name.startswith("spread ")}
    if spread:
        found["spread"] = {
            **{name: array.tolist() for name, array in spread.items()},
            "coef": spread["coef"][used].tolist(),
        }
    return found


def _hinges(hinges: Hinges, used: list[int]) -> list[tuple[int, float, float]]:
    """(place in `used`, knot, top) of each hinge."""
    places = np.searchsorted(used, hinges.sources).tolist()
    return list(zip(places, hinges.knots.tolist(), hinges.tops.tolist(), strict=True))


def _rule(column: ColumnPlan, rule: dict[str, Any]) -> dict[str, Any]:
    """The rule of one input for score.py."""
    kept = ("kind", "form", "levels", "words", "pooled", "fill", "gaps", "pool", "clock", "items", "range", "means")
    stated = {"column": column.name, **{name: rule[name] for name in kept if name in rule}}
    stated |= {"unseen": unseen_as(rule), "filled": filled_as(rule), "readable": READABLE.get(column.kind, "numeric")}
    if column.form in COMPOUNDS:
        stated["pattern"], stated["factors"] = COMPOUNDS[column.form]
    if column.kind in ("coordinates", "text"):
        stated["pattern"] = COORDINATES if column.kind == "coordinates" else WORD
    if column.kind == "date":
        known = [] if column.form == TYPED else [column.form]
        others = list(FORMS) if column.form == TYPED else []
        stated |= {"forms": [*known, *ISO], "others": others, "like": written_like(column.form)}
    return stated


def _literal(value: Any, depth: int = 0) -> str:
    """A Python literal in ASCII, numbers in full precision, one line per list of plain values."""
    inner = "    " * (depth + 1)
    if isinstance(value, dict):
        lines = "".join(f"{inner}{key!a}: {_literal(each, depth + 1)},\n" for key, each in value.items())
        return f"{{\n{lines}{inner[4:]}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(each, (list, tuple, dict)) for each in value):
        return "[\n" + "".join(f"{inner}{_literal(each, depth + 1)},\n" for each in value) + f"{inner[4:]}]"
    return ascii(value)
