"""What score.py makes of the outputs of the model: predictions, intervals, lines. It holds the text of this file."""

# ruff: noqa: B905 (zip's strict= is younger than some Pythons that score.py may meet)

from __future__ import annotations

import csv
import io
import math
import re
import sys

PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def decided(outputs: list[float], model: dict, row: dict) -> dict:
    """The prediction of one row: a number, or the most probable class and the probability of each."""
    classes = model["classes"]
    if classes is None:
        log, low, high = model["response"]
        prediction = math.exp(min(outputs[0], 690.0)) if log else outputs[0]
        return {"prediction": min(max(prediction, low), high) * _exposure(model["exposure"], row)}
    scores = [0.0, *outputs] if len(outputs) == 1 else outputs
    odds = [math.exp(value - max(scores)) for value in scores]
    chances = [value / math.fsum(odds) for value in odds]
    return {"prediction": classes[chances.index(max(chances))], "probabilities": dict(zip(classes, chances))}


def _exposure(rule: list[str], row: dict) -> float:
    """The exposure of a row, by which its rate is multiplied: a column, or the exponential of an offset."""
    if not rule:
        return 1.0
    kind, column = rule
    value = row.get(column, "")
    plain = not isinstance(value, str) or PLAIN_NUMBER.fullmatch(value.strip())  # float() would also read "1_0"
    try:
        number = float(value) if plain else math.nan  # type: ignore[arg-type]
        found = number if kind == "exposure" else math.exp(number)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not (math.isfinite(found) and found > 0):
        expected = "a number > 0" if kind == "exposure" else "a number that has an exponential"
        raise ValueError(f"The {kind} {column!r} is {value!r}, but {expected} was expected.")
    return found


def within(kept: dict, level: float, features: list[float], found: dict) -> dict:
    """The low and the high of a predicted number, or the set of labels of a predicted class, at a level such as 0.9."""
    place = _place(kept, level)
    if "most" in kept:
        most, best = kept["most"][place], found["prediction"]
        return {"set": [name for name, p in found["probabilities"].items() if 1 - p <= most or name == best]}
    sigma, output = 1.0, found["prediction"]
    if "spread" in kept:
        intercept, centre, scale, low, high = kept["spread"]["scalars"]
        z = (output - centre) / scale
        hinges = [z, *(max(0.0, z - knot) for knot in kept["spread"]["knots"])]
        terms = [a * b for a, b in zip(hinges, kept["spread"]["slopes"])]
        terms += [a * b for a, b in zip(features, kept["spread"]["coef"])]
        sigma = math.exp(min(max(intercept + math.fsum(terms), low), high))
    lowest, highest = kept["limits"]
    part = sum(output > edge for edge in kept["edges"])
    low, high = (min(max(output + kept[side][part][place] * sigma, lowest), highest) for side in ("low", "high"))
    return (
        {"low": math.ceil(low - 1e-9), "high": math.floor(high + 1e-9)} if kept["whole"] else {"low": low, "high": high}
    )


def _place(kept: dict, level: float) -> int:
    levels = kept.get("levels", [])
    if not levels:
        raise ValueError("This model has no intervals; fit it again with shrinkwise fit.")
    if not 0.5 <= level <= 0.99:
        raise ValueError(f"Expected the level of the intervals to be a number between 0.5 and 0.99, got {level:g}.")
    if level > levels[-1] + 1e-12:
        most = f"the {kept['units']} of this model support at most {levels[-1]:g}"
        raise ValueError(f"Intervals at the level {level:g} need more rows: {most}.")
    return next(i for i, each in enumerate(levels) if each >= level - 1e-12)


def written_set(labels: list[str]) -> str:
    """A set of labels in a cell: "a|b", with a bar inside a label written as backslash and bar."""
    return "|".join(label.replace("|", "\\|") for label in labels)


def harmless(text: str) -> str:
    """Prefix text that a spreadsheet would run as a formula with an apostrophe; leave other values unchanged."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not PLAIN_NUMBER.fullmatch(text) else text


def write_scores(file, scored: list[dict], classes: list[str]) -> None:
    """Write row, prediction, probabilities and, if there are any, intervals as CSV."""
    out = csv.writer(file, lineterminator="\n")
    sides = [name for name in ("low", "high", "set") if scored and name in scored[0]]
    out.writerow(["row", "prediction", *(f"probability of {name}" for name in classes), *sides])
    for i, row in enumerate(scored, start=1):
        shown = harmless(row["prediction"]) if classes else row["prediction"]
        edges = [harmless(written_set(row[side])) if side == "set" else row[side] for side in sides]
        out.writerow([i, shown, *row.get("probabilities", {}).values(), *edges])


def visible(text: str) -> str:
    """The text with "�" in place of characters that a terminal could execute."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def say(text: str) -> None:
    """Write sentences to standard error, if it is open."""
    if sys.stderr is not None:
        sys.stderr.write(visible(text))


def put_out(scored: list[dict], classes: list[str]) -> int:
    """Write the scores to standard output as UTF-8, on a terminal without control characters; return the exit code."""
    text = io.StringIO()
    write_scores(text, scored, classes)
    if sys.stdout is None:
        say("The scores could not be written, because standard output is closed.\n")
        return 1
    try:
        if sys.stdout.isatty():
            sys.stdout.write(visible(text.getvalue()))
        else:
            sys.stdout.buffer.write(text.getvalue().encode("utf-8", "replace"))
        sys.stdout.flush()
    except OSError as error:
        say(f"The scores could not be written: {error.strerror}.\n")
        try:
            sys.stdout.close()  # what is left would fail again at the end of Python
        except OSError:
            pass
        return 1
    return 0
