"""How score.py reads the values of a cell. Its text becomes a part of score.py, so it needs only the standard library."""

# ruff: noqa: B905 (zip's strict= is younger than some Pythons this file may meet)

from __future__ import annotations

import math
import re
from datetime import datetime

MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null")
LARGEST, DELIMITERS, MINUS, SAME_WORDS = 1e100, ",;\t|", "-\u2212\u2013", (("false", "true"), ("0", "1"))
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
DECIMAL_COMMA = re.compile("[+\u2212\u2013-]?" r"(\d+,?\d*|,\d+)([eE][+-]?\d+)?")
THOUSANDS = re.compile("[+\u2212\u2013-]?" r"[1-9]\d{0,2}(,\d{3})?")
MARKS = "+()\u00b1\u2010-\u2015\u2212\ufe63\uff0d\\-"  # every dash, and what else may be a sign
BEFORE, AFTER = rf"[^\d{MARKS}.,]*", rf"(?:[^\W\d_]-[^\W\d_]|[^\d{MARKS}])*\+?"
DIGITS, SIGN = r"[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?", f"[+\\{MINUS}]?"
SIGNED = re.compile(rf"({SIGN})\s?({BEFORE})({SIGN})\s?({DIGITS})({AFTER})")
IN_PARENTHESES = re.compile(rf"{BEFORE}\(\s?{BEFORE}({DIGITS})({AFTER})\)({AFTER})")
CURRENCY = re.compile(r"([$€£¥₹]|USD|EUR|GBP|CHF|JPY)?")
POINT_DECIMAL = re.compile(r"((\d{1,3}(,\d{3})+|\d+)(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
COMMA_DECIMAL = re.compile(r"((\d{1,3}(\.\d{3})+|\d+)(,\d*)?|,\d+)([eE][+-]?\d+)?")
CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
SCALES = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "mn": 1e6, "B": 1e9, "b": 1e9, "bn": 1e9}


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


def _numbers(column: str, values: list) -> list[float | None]:
    numbers: list[float | None] = []
    for i, value in enumerate(values):
        text = str(float(value)) if isinstance(value, (bool, int)) else _text(value)
        plain = "-" + text[1:] if text and text[0] in MINUS else text or ""
        if text is not None and not NUMBER.fullmatch(plain):
            raise ValueError(f"Column {column!r} holds {text[:60]!r} in row {i + 1}, but a number was expected.")
        numbers.append(None if text is None else float(plain))
    return numbers


def _written(form: str, value) -> float | None:
    """A number with units, separators, a long minus or in parentheses; None if it is not a number.

    A value that is valid with a decimal point and with a decimal comma is read according to the form.
    """
    text = _text(value) or ""
    form, _, unit = form.partition("|")
    if enclosed := IN_PARENTHESES.fullmatch(text):
        sign, (digits, *after) = "-", enclosed.groups()
    elif signed := SIGNED.fullmatch(text):
        first, before, second, digits, *after = signed.groups()
        hyphen = second and before[-1:].isalpha() and not CURRENCY.fullmatch(before.strip())
        sign = "?" if hyphen else first + second
    else:
        return None
    point, comma = POINT_DECIMAL.fullmatch(digits), COMMA_DECIMAL.fullmatch(digits)
    if sign not in ("", "+", *MINUS) or not (point or comma):
        return None
    as_comma = comma and (form == "written," or not point)
    plain = digits.replace(".", "").replace(",", ".") if as_comma else digits.replace(",", "")
    number = float(plain) if sign in ("", "+") else -float(plain)
    suffix = re.sub(r"\+$", "", "".join(after).strip()).strip()
    if unit == "scaled":
        return number * SCALES.get(suffix, 1.0)
    return None if unit and suffix not in ("", unit) else number


def _spelled(text: str | None, levels: list[str], same_words) -> str | None:
    """A spelling of a level replaced by the level: yes and YES, and with `same_words` also 0/1 and false/true."""
    if text is None or text in levels:
        return text
    own = {level.lower(): level for level in levels}
    if len(own) < len(levels):
        return text
    for pair, same in zip(same_words, same_words[::-1]):
        if set(own) == set(pair):
            own = {**own, **{word: own[level] for word, level in zip(same, pair)}}
            break
    return own.get(text.lower(), text)


def _parts(moment: datetime, clock: bool) -> list[float]:
    months = [float(moment.month == k) for k in range(1, 13)]
    days = [float(moment.isoweekday() == k) for k in range(1, 8)]
    whole = [float(moment.year), *months, float(moment.day), *days]
    return [*whole, *_on_circle(moment.hour + moment.minute / 60)] if clock else whole


def _on_circle(hour: float) -> list[float]:
    angle = hour * (2 * math.pi / 24)
    return [hour, math.sin(angle), math.cos(angle)]


def _compound(rule: dict, value) -> float | None:
    """An amount in several units, or the hour of a time of day; None if it is written in another way."""
    found = re.search(rule["pattern"], _text(value) or "")
    if not found or not any(found.groups()):
        return None
    numbers = [float(group or 0) for group in found.groups()[: len(rule["factors"])]]
    total = sum(factor * number for factor, number in zip(rule["factors"], numbers))
    if not rule["form"].startswith("time of day"):
        return total
    half = (found.groups()[3:] or ("",))[0]
    total = total % 12 + 12 * (half.lower() == "p") if half else total
    return None if total >= 24 or max(numbers[1:]) >= 60 else total


def _several(rule: dict, value) -> list[float] | None:
    """A time of day, coordinates, or a 0/1 number for every item or word; None if it is missing or not one of these."""
    text = _text(value)
    if text is None:
        return None
    if rule["kind"] == "time of day":
        hour = _compound(rule, text)
        return None if hour is None else _on_circle(hour)
    if rule["kind"] == "coordinates":
        found = re.search(rule["pattern"], text)
        pair = [float(group) for group in found.groups()] if found else [math.inf]
        return pair if max(map(abs, pair)) <= 180 else None
    items = text.split(rule["form"]) if rule["kind"] == "items" else re.findall(rule["pattern"], text.lower())
    there = {item.strip() for item in items}
    return [float(item in there) for item in rule["items"]]
