"""Score rows with the model below. A single file that needs only Python's standard library.

    python score.py NEW.csv [--interval 0.9] > scores.csv

or, from Python, `score(rows)` with rows as dicts from column names to values. Missing and unseen values are treated as in
the run that wrote this file and reported on stderr (`remarks(rows)`); invalid values raise an error.
"""

# ruff: noqa: B905 (zip's strict= is younger than some Pythons this file may meet)

from __future__ import annotations

import csv
import io
import math
import re
import signal
import sys
from datetime import datetime

from shrinkwise.models.intervals.score_lines import decided, put_out, say, within

from .score_values import (
    DECIMAL_COMMA,
    LARGEST,
    NUMBER,
    THOUSANDS,
    _compound,
    _numbers,
    _parts,
    _several,
    _spelled,
    _text,
    _written,
)

MODEL: dict = {}

DELIMITERS, SAME_WORDS = ",;\t|", (("false", "true"), ("0", "1"))
MOST_TITLES = 31
SEVERAL = ("time of day", "coordinates", "items", "text")
CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def score(rows: list[dict], interval: float | None = None) -> list[dict]:
    """One dict per row: "prediction" (a number, or the most probable class) and, for classes, "probabilities" by class.

    With `interval`, a level such as 0.9, also "low" and "high" of a number, or "set", the labels of a class.
    """
    rows = list(rows)
    columns = [_features(rule, _values(rule, rows)) for rule in MODEL["rules"]]
    result: list[dict] = []
    for i in range(len(rows)):
        raw = [value for column in columns for value in column[i]]
        used = [value for value, varies in zip(raw, MODEL["varies"]) if varies]
        scaled = [(v - m) / s for v, m, s in zip(used, MODEL["mean"], MODEL["scale"])]
        result.append(decided(_outputs(scaled), MODEL, rows[i]))
        if interval is not None:
            result[-1].update(within(MODEL["intervals"], interval, scaled, result[-1]))
    return result


def remarks(rows: list[dict]) -> list[str]:
    """Sentences on how `score` treats kinds of values that did not occur in training."""
    found = []
    for rule in MODEL["rules"]:
        values = _values(rule, list(rows))
        parts = [part for each in (_new_levels, _no_numbers, _new_gaps, _far_outside) if (part := each(rule, values))]
        if parts:
            found.append(f"Column {_quoted(rule['column'])}: {'; '.join(parts)}.")
    return found


def read_rows(path: str) -> list[dict]:
    """The rows of a delimited text file; blank lines, lines above the header and remarks below the table are skipped.

    The header is the first of the first 31 lines with the columns of the model; if none has them, the first line.
    """
    with open(path, "rb") as file:
        text = _decoded(path, file.read())
    first = io.StringIO(text, newline="").readline()
    marks = sorted(DELIMITERS, key=lambda delimiter: -len(next(csv.reader([first], delimiter=delimiter), [])))
    above, mark = min(((_lines_above(text, each), each) for each in marks), key=lambda pair: pair[0])
    above, mark = (above, mark) if above < MOST_TITLES else (0, marks[0])
    lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=mark) if line]
    header, *lines = lines[above:] or [[]]
    below = 0
    while len(header) > 1 and below < min(len(lines) - 1, MOST_TITLES) and _is_remark(lines[-1 - below]):
        below += 1
    lines = lines[: len(lines) - below]
    for count, where in ((above, "above the header"), (below, "below the table")):
        sys.stderr.write(f"{_counted(count, 'line')} {where} skipped.\n" if count else "")
    names = _suffixed([(name.strip() and name) or f"unnamed column {i + 1}" for i, name in enumerate(header)])
    for number, line in enumerate(lines, start=above + 2):
        if len(line) != len(names):
            raise ValueError(f"{path}: record {number} has {len(line)} fields, but the header has {len(names)}.")
    rows = [dict(zip(names, line)) for line in lines]
    if mark == ";":
        _read_decimal_commas(rows)
    return rows


def _lines_above(text: str, mark: str) -> int:
    """How many of the first lines come before one with all columns of the model; MOST_TITLES if there is none."""
    needed = {rule["column"] for rule in MODEL["rules"]} | set(MODEL["exposure"][1:])
    lines = (line for line in csv.reader(io.StringIO(text, newline=""), delimiter=mark) if line)
    return next((i for i, line in zip(range(MOST_TITLES), lines) if needed <= set(_suffixed(line))), MOST_TITLES)


def _is_remark(line: list[str]) -> bool:
    """Whether a line has a text in its first cell and nothing else."""
    remark = re.search(r"[^\W\d_]{2}", line[0]) and (" " in line[0].strip() or ":" in line[0])
    return bool(remark) and not any(cell.strip() for cell in line[1:])


def _suffixed(names: list[str]) -> list[str]:
    """The names, with " (2)", " (3)", … after those that occurred before."""
    taken, found = set(names), []
    for name in names:
        number, new = 2, name
        while name in found and (new := f"{name} ({number})") in taken:
            number += 1
        taken.add(new)
        found.append(new)
    return found


def _decoded(path: str, data: bytes) -> str:
    """UTF-8; UTF-16 with a byte-order mark; else Windows-1252 if every byte is one of its characters and no bytes look
    like UTF-8."""
    codecs = [("utf-8-sig", ""), ("cp1252", "Windows-1252, because it is not UTF-8")]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        codecs = [("utf-16", "UTF-16, because it starts with a byte-order mark")]
    elif CONTROLS.search(data) or not data.decode("utf-8", "ignore").isascii():
        codecs = codecs[:1]
    for codec, said in codecs:
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        sys.stderr.write(said and f"{path.split('/')[-1]} was read as {said}.\n")
        return text
    raise ValueError(f"{path} is not UTF-8 text; save it as UTF-8.")


def _read_decimal_commas(rows: list[dict]) -> None:
    """Replace decimal commas by points: no number has a point, and not every comma could separate thousands."""
    numbers = [rule["column"] for rule in MODEL["rules"] if rule["kind"] == "number" and not rule["form"]]
    numbers += MODEL["exposure"][1:]
    texts = [row[name].strip() for row in rows for name in numbers if row.get(name)]
    commas = [text for text in texts if "," in text and DECIMAL_COMMA.fullmatch(text)]
    if any(NUMBER.fullmatch(t) and "." in t for t in texts) or all(THOUSANDS.fullmatch(text) for text in commas):
        return
    for row in rows:
        for name in numbers:
            if DECIMAL_COMMA.fullmatch((row.get(name) or "").strip()):
                row[name] = row[name].replace(",", ".")


def _values(rule: dict, rows: list[dict]) -> list:
    """The values of one input, with None for words that mark a missing value."""
    column, everywhere = rule["column"], rule["kind"] in ("number", "date", "time of day", "coordinates")
    values = []
    for i, row in enumerate(rows):
        if column not in row:
            raise ValueError(f"Row {i + 1} has no column {column!r}; the model needs it (its value may be empty).")
        text = _text(row[column])
        gone = text is None or text in rule["words"] or (everywhere and text.lower() in MODEL["words"])
        values.append(None if gone else row[column])
    return values


def _features(rule: dict, values: list) -> list[list[float]]:
    """The features of one input, one list per row, in the order of the model."""
    if rule["kind"] == "category":
        found = [_one_hot(rule, _text(value)) for value in values]
    else:
        known = _measured(rule, values)
        found = [(rule["fill"] if each is None else each, each is None) for each in known]
    return [[*features, float(gap)] if rule["gaps"] else list(features) for features, gap in found]


def _one_hot(rule: dict, text: str | None) -> tuple[list[float], bool]:
    text = _level(rule, text)
    features = [float(text == level) for level in rule["levels"]]
    features += [float(text is not None and text not in rule["levels"])] if rule["pool"] else []
    return features, text is None


def _level(rule: dict, text: str | None) -> str | None:
    """A text as the model spells it."""
    levels = rule["levels"] + rule.get("pooled", [])
    text = _known(text, levels)
    return _spelled(text, levels, () if rule["kind"] in ("category", "level means") else SAME_WORDS)


def _known(text: str | None, levels: list[str]) -> str | None:
    """A number written differently from its level ("1.0" for "1"), spelled like the level."""
    if text is None or text in levels or not NUMBER.fullmatch(text):
        return text
    same = _text(float(text))
    return same if same in levels else text


def _measured(rule: dict, values: list) -> list[list[float] | None]:
    """Numbers, dates, yes/no and ordered levels; None where missing."""
    if rule["kind"] == "number":
        numbers = [_one(rule, v) for v in values] if rule["form"] else _numbers(rule["column"], values)
        for i, number in enumerate(numbers):
            if number is not None and abs(number) > LARGEST:
                raise ValueError(f"Column {rule['column']!r} is infinite or beyond 1e100 in row {i + 1}.")
        return [None if number is None else [number] for number in numbers]
    if rule["kind"] in SEVERAL:
        return [_several(rule, value) for value in values]
    if rule["kind"] == "date":
        moments = _moments(rule, [_text(value) for value in values])
        return [None if moment is None else _parts(moment, rule["clock"]) for moment in moments]
    texts, levels = [_level(rule, _text(value)) for value in values], rule["levels"]
    if rule["kind"] == "level means":
        means = {**dict(zip(levels, rule["means"])), None: None}
        return [means.get(text, rule["fill"]) for text in texts]
    if len(levels) == 1:
        return [[float(text == levels[0])] for text in texts]
    places = [levels.index(text) if text in levels else None for text in texts]
    return [None if at is None else [float(at >= k) for k in range(1, len(levels))] for at in places]


def _moments(rule: dict, texts: list[str | None]) -> list[datetime | None]:
    """Dates in the format of the training table or in ISO format; for a typed column in any unambiguous format."""
    moments = [_moment(text, rule["forms"]) for text in texts]
    wrong = [i for i, moment in enumerate(moments) if moment is None and texts[i] is not None]
    readings = [[_moment(text, [form]) for text in texts] for form in (rule["others"] if wrong else ())]
    whole = [each for each in readings if each.count(None) == texts.count(None)]
    if whole and all(each == whole[0] for each in whole):
        return whole[0]
    if wrong:
        raise ValueError(
            f"Column {rule['column']!r} holds {_quoted(texts[wrong[0]])} in row {wrong[0] + 1}, but a date "
            f"written like {rule['like']} was expected."
        )
    return moments


def _moment(text: str | None, forms: list[str]) -> datetime | None:
    plain = text or ""
    for pattern, replacement in MODEL["dates"]:
        plain = re.sub(pattern, replacement, plain, count=1)
    for each in forms:
        try:
            return datetime.strptime(plain, each)
        except ValueError:
            continue
    return None


def _one(rule: dict, value) -> float | None:
    return _compound(rule, value) if rule.get("pattern") else _written(rule["form"], value)


def _new_levels(rule: dict, values: list) -> str:
    known = rule["levels"] + rule.get("pooled", [])
    texts = [_level(rule, _text(value)) for value in values] if known else []
    others = [text for text in texts if text is not None and text not in known]
    shown = ", ".join(map(_quoted, sorted(set(others))[:5]))
    said = f"{_counted(len(others), 'row')} with a value not seen in training ({shown}), treated as {rule['unseen']}"
    return said if others else ""


def _no_numbers(rule: dict, values: list) -> str:
    several = rule["kind"] in SEVERAL[:2]
    if not several and not (rule["kind"] == "number" and rule["form"]):
        return ""
    texts = [_text(value) for value in values]
    read = _several if several else _one
    wrong = [i for i, text in enumerate(texts) if text is not None and read(rule, text) is None]
    if not wrong:
        return ""
    what = f"{_counted(len(wrong), 'value')} that {'is' if len(wrong) == 1 else 'are'} not {rule['readable']}"
    return f"{what}, such as {_quoted(texts[wrong[0]])} (row {wrong[0] + 1}), treated as missing"


def _new_gaps(rule: dict, values: list) -> str:
    n_missing = sum(_text(value) is None for value in values)
    said = f"{_counted(n_missing, 'row')} with a missing value, not seen in training, imputed as {rule['filled']}"
    return said if n_missing and rule["filled"] else ""


def _far_outside(rule: dict, values: list) -> str:
    low, high = rule.get("range") or (-math.inf, math.inf)
    known = [each[0] if each else low for each in (_measured(rule, values) if "range" in rule else ())]
    far = [i for i, value in enumerate(known) if value > high + (high - low) or value < low - (high - low)]
    if not far:
        return ""
    return (
        f"{_counted(len(far), 'value')} far outside the range from {_figure(low)} to {_figure(high)} seen in training, such "
        f"as {_figure(known[far[0]])} (row {far[0] + 1}), where predictions are unreliable"
    )


def _figure(number: float) -> str:
    number = number + 0.0
    return f"{number:.0f}" if number == round(number, 0) and abs(number) < 1e15 else f"{number:.6g}"


def _quoted(text: str | None) -> str:
    return repr(text if text is None or len(text) <= 60 else text[:59] + "…")


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _outputs(features: list[float]) -> list[float]:
    """Linear layers with max(0, ·) between them, on clipped features or hinges; a layer of short rows is one in blocks."""
    if MODEL["limits"] is not None:
        inside = [min(max(x, low), high) for x, (low, high) in zip(features, MODEL["limits"])]
        features = [at + (x - at) / (1 + abs(x - at)) for x, at in zip(features, inside)]
    if MODEL["hinges"] is not None:
        features = [max(0.0, min(features[place], top) - knot) for place, knot, top in MODEL["hinges"]]
    for position, (weights, biases) in enumerate(MODEL["layers"]):
        features = [max(value, 0.0) for value in features] if position else features
        blocks, size = len(features) // max(len(weights[0]), 1), len(weights[0])
        rows = [(row, features[i * blocks // len(weights) * size :], biases[i]) for i, row in enumerate(weights)]
        features = [math.fsum(w * x for w, x in zip(row, block)) + bias for row, block, bias in rows]
    return features


def main(arguments: list[str]) -> int:
    """Read the given file and write row, prediction, probabilities and intervals as CSV to standard output."""
    if len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--interval"):
        sys.stderr.write("usage: python score.py NEW.csv [--interval 0.9] > scores.csv\n")
        return 2
    try:
        rows = read_rows(arguments[0])
        scored, said = score(rows, *map(float, arguments[2:])), remarks(rows)
    except (OSError, ValueError, csv.Error) as error:
        say(f"{error}\n")
        return 2
    say("".join(f"{sentence}\n" for sentence in said))
    return put_out(scored, MODEL["classes"] or [])


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):  # a reader that goes away, as in `| head`, ends it as it ends other programs
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
