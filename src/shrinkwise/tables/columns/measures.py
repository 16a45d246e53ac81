"""Formatted numbers: with a unit, a currency, thousands separators, a multiplier, a long minus or in parentheses.

A minus (-, − or –) stands before the digits or before what is in front of them; parentheses around the number mean a
negative number, as in accounting. A value with a dash, plus or parenthesis anywhere else, or a hyphen after a word
("lot-17"), is not a number, because the character may be a sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from .compounds import CLOCKS, FORMS, compound_form, read_compound

WRITTEN, WRITTEN_COMMA = "written", "written,"  # how ColumnPlan.form calls such numbers, by their decimal sign

SCALED = "scaled"  # the unit of numbers whose suffix is a multiplier
SCALES = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "mn": 1e6, "B": 1e9, "b": 1e9, "bn": 1e9}
_FEW_OTHERS = 0.2  # of the rows may have a second unit

_MINUS = "\\-\u2212\u2013"
_MARKS = "+()\u00b1\u2010-\u2015\u2212\ufe63\uff0d\\-"  # every dash, and what else may be a sign
_BEFORE = rf"[^\d{_MARKS}.,]*"
_DIGITS = r"[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?"
_AFTER = rf"(?:[^\W\d_]-[^\W\d_]|[^\d{_MARKS}])*\+?"  # "10,000+"; a hyphen between letters is none of them: "5 N-m"
_SIGNED = rf"^([+{_MINUS}]?)\s?({_BEFORE})([+{_MINUS}]?)\s?({_DIGITS})({_AFTER})$"
_IN_PARENTHESES = rf"^({_BEFORE})\(\s?({_BEFORE})({_DIGITS})({_AFTER})\)({_AFTER})$"

_CREDIBLE_BEFORE = r"^([$€£¥₹]|USD|EUR|GBP|CHF|JPY)?$"  # "level 3" and "lot 17" are names with a number
_CREDIBLE_AFTER = r"^([^\d\s,;]{1,5})?$"
_POINT_DECIMAL = r"^((\d{1,3}(,\d{3})+|\d+)(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_COMMA_DECIMAL = r"^((\d{1,3}(\.\d{3})+|\d+)(,\d*)?|,\d+)([eE][+-]?\d+)?$"
_SURE_OF_POINT = r"^\d{1,3}(,\d{3}){2,}|,\d{3}\.\d"
_SURE_OF_COMMA = r"^\d{1,3}(\.\d{3}){2,}|\.\d{3},\d"


def written_numbers(text: pl.Series, *, sure: bool = True) -> tuple[str, str] | None:
    """(form, a description of the format) of unambiguous numbers; None for any other text.

    The values have one prefix and suffix ("$ ", " %", " kg") or none; a second unit in few values is missing. Suffixes
    k, M and B are multipliers where they differ. Commas and points have one meaning: commas separate thousands if some
    value has two of them or a decimal point after one, or if the values have a prefix or suffix and no value allows the
    other meaning; without `sure` the likelier meaning is used. Parentheses mean a minus if some value has none.
    """
    if form := compound_form(text):
        return (form, f"in {form}") if form not in CLOCKS else None
    counts = text.drop_nulls().value_counts(name="rows")
    parts = _parts(counts.to_series(0)).with_columns(counts["rows"])
    if not len(parts) or parts["digits"].null_count() or parts["enclosed"].all():
        return None
    if (unit := _unit(parts)) is None:
        return None
    enclosed, digits = parts["enclosed"].any(), parts["digits"]
    decimal = _sure_decimal(digits, bool(unit.around or enclosed))
    if not (decimal or sure) and not np.isnan(read_written(digits, form := written_form(digits))).any():
        decimal = "," if form == WRITTEN_COMMA else "."
    if not decimal and unit.around == "+" and digits.str.contains(_POINT_DECIMAL).all():
        decimal = "."  # "10,000+" counts something
    if not decimal:
        return None
    said = [unit.said] if unit.said else []
    said += ["with separators"] if digits.str.contains(r"[,]|\..*\.").any() else []
    said += ["negative in parentheses"] if enclosed else []
    said += ["with a Unicode minus sign"] if not said and parts["negative"].any() else []
    return ((WRITTEN_COMMA if decimal == "," else WRITTEN) + unit.form, ", ".join(said)) if said else None


@dataclass(frozen=True)
class _Unit:
    """The prefix and suffix of numbers: as an example, as part of the form, and in words."""

    around: str
    form: str = ""
    said: str = ""


def _unit(parts: pl.DataFrame) -> _Unit | None:
    """What is around the numbers; None if it differs or does not look like a unit."""
    before, after = (parts[side].str.strip_chars() for side in ("before", "after"))
    plus = after.str.ends_with("+").any()
    after = after.str.strip_suffix("+").str.strip_chars()
    if not (before.str.contains(_CREDIBLE_BEFORE).all() and after.str.contains(_CREDIBLE_AFTER).all()):
        return None
    said = ["'+' read as the number before it"] if plus else []
    shown = parts["before"] + "…" + parts["after"]
    units = pl.DataFrame({"before": before, "after": after, "shown": shown, "rows": parts["rows"]})
    found = units.group_by("before", "after").agg(pl.col("rows").sum(), pl.col("shown").min())
    found = found.sort("rows", "after", descending=[True, False])
    marked = found.filter((pl.col("before") != "") | (pl.col("after") != ""))
    if not len(marked):
        return _Unit("+" if plus else "", "", "; ".join(said))
    scaled = marked["after"].is_in(list(SCALES)).all() and marked["before"].n_unique() == 1
    if scaled and len(found) > 1 and (marked["after"].is_in(["k", "K", "M", "B"]).any()):
        letters = ", ".join(sorted(set(marked["after"].to_list())))
        return _Unit(marked["shown"][0], f"|{SCALED}", "; ".join([f"with the multipliers {letters}", *said]))
    bare, total = int(found["rows"].sum()) - int(marked["rows"].sum()), int(found["rows"].sum())
    around = marked["shown"][0] if plus is False else f"{marked['before'][0]}…{marked['after'][0]}"
    said = [f"written as {around!r}", *said]
    if bare and marked["after"][0] and marked["rows"][0] < total / 2:
        return None
    said += [f"{bare} of {total} without it"] if bare else []
    if len(marked) == 1:
        return _Unit(around, "", "; ".join(said))
    others = int(marked["rows"][1:].sum())
    if marked["before"].n_unique() > 1 or others > _FEW_OTHERS * total or marked["after"][0] == "":
        return None
    units_shown = ", ".join(map(repr, marked["after"][1:4].to_list()))
    said += [f"{others} with another unit ({units_shown}) treated as missing"]
    return _Unit(around, f"|{marked['after'][0]}", "; ".join(said))


def written_form(text: pl.Series) -> str:
    """WRITTEN, or WRITTEN_COMMA where more values can only be read with a decimal comma than only with a point."""
    digits = _parts(text.drop_nulls().unique())["digits"].drop_nulls()
    points, commas = digits.str.contains(_POINT_DECIMAL), digits.str.contains(_COMMA_DECIMAL)
    return WRITTEN_COMMA if (commas & ~points).sum() > (points & ~commas).sum() else WRITTEN


def read_written(text: pl.Series, form: str) -> np.ndarray:
    """The numbers in text (n,), without prefixes and suffixes; NaN where there is none.

    Each value is parsed by itself: `form` matters only for values that are valid with either decimal sign, such as
    "1,234".
    """
    if form in FORMS:
        return read_compound(text, form)
    form, _, unit = form.partition("|")
    parts = _parts(text)
    digits = parts["digits"]
    points, commas = digits.str.contains(_POINT_DECIMAL), digits.str.contains(_COMMA_DECIMAL)
    with_comma = commas & ~points if form == WRITTEN else commas
    plain = _plain(digits, ".", ",").zip_with(with_comma.fill_null(False), _plain(digits, ",", "."))
    plain = plain.set(~(points | commas).fill_null(False), None)
    numbers = plain.cast(pl.Float64, strict=False).to_numpy() * np.where(parts["negative"].to_numpy(), -1.0, 1.0)
    if not unit:
        return numbers
    after = parts["after"].str.strip_chars().str.strip_suffix("+").str.strip_chars()
    if unit == SCALED:
        return numbers * after.replace_strict(SCALES, default=1.0, return_dtype=pl.Float64).to_numpy()
    return np.where(after.is_in(["", unit]).to_numpy(), numbers, np.nan)


def _plain(digits: pl.Series, thousands: str, decimal: str) -> pl.Series:
    return digits.str.replace_all(thousands, "", literal=True).str.replace(decimal, ".", literal=True)


def _parts(values: pl.Series) -> pl.DataFrame:
    """The prefix, digits and suffix of every value, and whether it is negative and in parentheses.

    The digits are null if the value is not a number: it has no digits, or signs that are not recognized.
    """
    signed = values.str.extract_groups(_SIGNED).struct.unnest()
    signed.columns = ["first", "before", "second", "digits", "after"]
    accounts = values.str.extract_groups(_IN_PARENTHESES).struct.unnest()
    accounts.columns = ["outside", "inside", "digits", "unit", "behind"]
    enclosed = accounts["digits"].is_not_null()
    sign = signed["first"] + signed["second"]
    hyphen = (signed["second"] != "") & signed["before"].str.contains(r"[^\W\d_]$")
    currency = signed["before"].str.strip_chars().str.contains(_CREDIBLE_BEFORE)
    understood = ((sign.str.len_chars() < 2) & (~hyphen | currency)).fill_null(False)
    return pl.DataFrame(
        {
            "before": (accounts["outside"] + accounts["inside"]).zip_with(enclosed, signed["before"]).fill_null(""),
            "digits": accounts["digits"].zip_with(enclosed, signed["digits"].set(~understood, None)),
            "after": (accounts["unit"] + accounts["behind"]).zip_with(enclosed, signed["after"]).fill_null(""),
            "enclosed": enclosed,
            "negative": enclosed | sign.str.contains(f"[{_MINUS}]").fill_null(False),
        }
    )


def _sure_decimal(digits: pl.Series, marked: bool) -> str:
    """The decimal sign of the numbers, "." or ","; "" if they are not numbers or ambiguous.

    Numbers that are `marked` by a prefix or suffix need no further evidence if only one reading fits all of them.
    """
    points = digits.str.contains(_POINT_DECIMAL).all()
    commas = digits.str.contains(_COMMA_DECIMAL).all()
    has_comma = digits.str.contains(",", literal=True).any()
    if points and (not has_comma or digits.str.contains(_SURE_OF_POINT).any()):
        return "."
    if commas and digits.str.contains(_SURE_OF_COMMA).any():
        return ","
    if points == commas or not marked:
        return ""
    return "." if points else ","
