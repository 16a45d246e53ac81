"""Scores rows with the model below. One file, Python's standard library alone.

    python score.py NEW.csv > scores.csv

or, from Python, `score(rows)` with rows as dicts from column names to values (texts, numbers, None). What is missing and
what was never seen is handled as in the run that made this file; what cannot be read is refused in one sentence.
"""

# ruff: noqa: B905 (zip's strict= is younger than some Pythons this file may meet)

from __future__ import annotations

import csv
import math
import re
import sys
from datetime import datetime

MODEL: dict = {}

MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null")
LARGEST = 1e100
DELIMITERS = ",;\t|"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})?")
AROUND = re.compile(r"^[^\d+\-.,]*([+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?)[^\d]*$")
POINT_DECIMAL = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?")
COMMA_DECIMAL = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d*)?")
SURE_OF_POINT = re.compile(r"^[+-]?\d{1,3}(,\d{3}){2,}|,\d{3}\.\d")
SURE_OF_COMMA = re.compile(r"^[+-]?\d{1,3}(\.\d{3}){2,}|\.\d{3},\d")
SAME_WORDS = (("false", "true"), ("0", "1"))
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
PLAIN_DATES = (
    (r"[T ,]+(\d{1,2}:\d{2})", r" \1"),
    (r"(:\d{2}([.,]\d+)?( ?[AaPp][Mm])?) ?(Z|UTC|[+-]\d{2}:?\d{2})$", r"\1"),
    (r"(:\d{2})[.,]\d+", r"\1"),
    (r"(\d) ?([AaPp][Mm])$", r"\1 \2"),
    (r"^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})", r"\1-\2-\3"),
    (r"^(\d{4})[-/](0[1-9]|1[0-2])$", r"\1-\2-01"),
    (r"^(\d{1,2})[- ]([A-Za-z]{3,9})\.?,?[- ](\d{2,4})", r"\1 \2 \3"),
    (r"^([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})", r"\1 \2 \3"),
)


def score(rows: list[dict]) -> list[dict]:
    """One dict per row: "prediction" (a number, or the most probable class) and, for classes, "probabilities" by class."""
    rows = list(rows)
    columns = [
        _features(rule, [_value(row, rule["column"], i) for i, row in enumerate(rows)]) for rule in MODEL["rules"]
    ]
    result: list[dict] = []
    for i in range(len(rows)):
        raw = [value for column in columns for value in column[i]]
        used = [value for value, varies in zip(raw, MODEL["varies"]) if varies]
        outputs = _outputs([(v - m) / s for v, m, s in zip(used, MODEL["mean"], MODEL["scale"])])
        if MODEL["classes"] is None:
            result.append({"prediction": outputs[0]})
            continue
        chances = _softmax([0.0, *outputs] if len(outputs) == 1 else outputs)
        winner = MODEL["classes"][chances.index(max(chances))]
        result.append({"prediction": winner, "probabilities": dict(zip(MODEL["classes"], chances))})
    return result


def read_rows(path: str) -> list[dict]:
    """The rows of a delimited text file in UTF-8 with a header; blank lines are skipped."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        mark = max(DELIMITERS, key=lambda delimiter: len(next(csv.reader([first], delimiter=delimiter), [])))
        file.seek(0)
        header, *lines = [line for line in csv.reader(file, delimiter=mark) if line] or [[]]
    names = [(name.strip() and name) or f"unnamed column {i + 1}" for i, name in enumerate(header)]
    for number, line in enumerate(lines, start=2):
        if len(line) != len(names):
            raise ValueError(f"{path}: record {number} has {len(line)} fields where the header has {len(names)}.")
    rows = [dict(zip(names, line)) for line in lines]
    if mark == ";":
        _read_decimal_commas(rows)
    return rows


def _read_decimal_commas(rows: list[dict]) -> None:
    """Commas become points where they are decimal: no number has a point, and not every comma could part thousands."""
    numbers = [rule["column"] for rule in MODEL["rules"] if rule["kind"] == "number" and not rule["form"]]
    texts = [row[name].strip() for row in rows for name in numbers if row.get(name)]
    commas = [text for text in texts if "," in text and DECIMAL_COMMA.fullmatch(text)]
    if any(NUMBER.fullmatch(t) and "." in t for t in texts) or all(THOUSANDS.fullmatch(text) for text in commas):
        return
    for row in rows:
        for name in numbers:
            if DECIMAL_COMMA.fullmatch((row.get(name) or "").strip()):
                row[name] = row[name].replace(",", ".")


def _value(row: dict, column: str, i: int):
    if column not in row:
        raise ValueError(f"Row {i + 1} has no column {column!r}; the model needs it (its value may be empty).")
    return row[column]


def _text(value) -> str | None:
    """A value as trimmed text, None where missing; whole numbers are written without a point."""
    if value is None:
        return None
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value == round(value) and abs(value) < 2**53 else repr(value)
    text = str(value).strip()
    return None if text in MISSING else text


def _features(rule: dict, values: list) -> list[list[float]]:
    """The features of one input, one list per row, in the order of the model."""
    if rule["kind"] == "category":
        found = [_one_hot(rule, _text(value)) for value in values]
    else:
        known = _measured(rule, values)
        found = [(rule["fill"] if each is None else each, each is None) for each in known]
    return [[*features, float(gap)] if rule["gaps"] else list(features) for features, gap in found]


def _one_hot(rule: dict, text: str | None) -> tuple[list[float], bool]:
    text = _known(text, rule["levels"])
    features = [float(text == level) for level in rule["levels"]]
    if rule["pool"]:
        features.append(float(text is not None and text not in rule["levels"]))
    return features, text is None


def _known(text: str | None, levels: list[str]) -> str | None:
    """A number written otherwise than its level ("1.0" for "1") as the level is written."""
    if text is None or text in levels or not NUMBER.fullmatch(text):
        return text
    same = _text(float(text))
    return same if same in levels else text


def _measured(rule: dict, values: list) -> list[list[float] | None]:
    """Numbers, dates, yes/no and ordered levels; None where missing."""
    if rule["kind"] == "number":
        numbers = _written(values) if rule["form"] == "written" else _numbers(rule["column"], values)
        for i, number in enumerate(numbers):
            if number is not None and abs(number) > LARGEST:
                raise ValueError(f"Column {rule['column']!r} is infinite or beyond 1e100 in row {i + 1}.")
        return [None if number is None else [number] for number in numbers]
    if rule["kind"] == "date":
        return [_date(rule, value, i) for i, value in enumerate(values)]
    texts = [_spelled(_known(_text(value), rule["levels"]), rule["levels"]) for value in values]
    levels = rule["levels"]
    if len(levels) == 1:
        return [[float(text == levels[0])] for text in texts]
    places = [levels.index(text) if text in levels else None for text in texts]
    return [None if at is None else [float(at >= k) for k in range(1, len(levels))] for at in places]


def _numbers(column: str, values: list) -> list[float | None]:
    numbers: list[float | None] = []
    for i, value in enumerate(values):
        text = str(float(value)) if isinstance(value, (bool, int)) else _text(value)
        if text is not None and not NUMBER.fullmatch(text):
            raise ValueError(f"Column {column!r} holds {text[:60]!r} in row {i + 1} where a number was expected.")
        numbers.append(None if text is None else float(text))
    return numbers


def _written(values: list) -> list[float | None]:
    """Numbers with units and separators; which sign is decimal is told from all of them together."""
    found = [AROUND.match(_text(value) or "") for value in values]
    digits = [match[1] for match in found if match]
    comma = _decimal_comma(digits)
    plain = [match and match[1].replace("." if comma else ",", "").replace(",", ".") for match in found]
    return [float(text) if text and NUMBER.fullmatch(text) else None for text in plain]


def _decimal_comma(digits: list[str]) -> bool:
    points = all(POINT_DECIMAL.fullmatch(text) for text in digits)
    commas = all(COMMA_DECIMAL.fullmatch(text) for text in digits)
    if points and commas:
        return not any(map(SURE_OF_POINT.search, digits)) and any(map(SURE_OF_COMMA.search, digits))
    return commas


def _spelled(text: str | None, levels: list[str]) -> str | None:
    """Another spelling of a level brought to its own: yes and YES, 0/1 and false/true."""
    own = {level.lower(): level for level in levels}
    if text is None or len(own) < len(levels):
        return text
    for pair, same in (SAME_WORDS, SAME_WORDS[::-1]):
        if set(own) == set(pair):
            own = {**own, **{word: own[level] for word, level in zip(same, pair)}}
            break
    return own.get(text.lower(), text)


def _date(rule: dict, value, i: int) -> list[float] | None:
    text = _text(value)
    if text is None:
        return None
    moment = _moment(text, rule["form"])
    if moment is None:
        raise ValueError(
            f"Column {rule['column']!r} holds {text[:60]!r} in row {i + 1} where a date written as before was expected."
        )
    months = [float(moment.month == k) for k in range(1, 13)]
    days = [float(moment.isoweekday() == k) for k in range(1, 8)]
    clock = [moment.hour + moment.minute / 60] if rule["clock"] else []
    return [float(moment.year), *months, float(moment.day), *days, *clock]


def _moment(text: str, form: str) -> datetime | None:
    forms = ["%Y-%m-%d" + clock for clock in CLOCKS] if form == "typed" else [form]
    if form != "%Y%m%d":
        for pattern, replacement in PLAIN_DATES:
            text = re.sub(pattern, replacement, text, count=1)
    for each in forms:
        try:
            return datetime.strptime(text, each)
        except ValueError:
            continue
    return None


def _outputs(features: list[float]) -> list[float]:
    """Linear layers with max(0, ·) between them; a linear model is one layer."""
    for position, (weights, biases) in enumerate(MODEL["layers"]):
        if position:
            features = [max(value, 0.0) for value in features]
        features = [math.fsum(w * x for w, x in zip(row, features)) + bias for row, bias in zip(weights, biases)]
    return features


def _softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    odds = [math.exp(value - top) for value in scores]
    return [value / math.fsum(odds) for value in odds]


def harmless(text: str) -> str:
    """A text that a spreadsheet would run as a formula, behind an apostrophe; numbers and other texts as they are."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not NUMBER.fullmatch(text) else text


def main(arguments: list[str]) -> int:
    """Read the file named, write row, prediction and probabilities as CSV to the standard output."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python score.py NEW.csv > scores.csv\n")
        return 2
    try:
        scored = score(read_rows(arguments[0]))
    except (OSError, ValueError, csv.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    out, classes = csv.writer(sys.stdout, lineterminator="\n"), MODEL["classes"] or []
    out.writerow(["row", "prediction", *(f"probability of {name}" for name in classes)])
    for i, row in enumerate(scored, start=1):
        said = row["prediction"] if MODEL["classes"] is None else harmless(row["prediction"])
        out.writerow([i, said, *row.get("probabilities", {}).values()])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
