"""Formatted numbers: with a unit, a currency, thousands separators, a long minus or in parentheses.

A minus (-, − or –) stands before the digits or before what is in front of them; parentheses around the number mean a
negative number, as in accounting. A value with a dash, plus or parenthesis anywhere else, or a hyphen after a word
("lot-17"), is not a number, because the character may be a sign.
"""

from __future__ import annotations

import numpy as np
import polars as pl

WRITTEN, WRITTEN_COMMA = "written", "written,"  # how ColumnPlan.form calls such numbers, by their decimal sign

_MINUS = "\\-\u2212\u2013"
_MARKS = "+()\u00b1\u2010-\u2015\u2212\ufe63\uff0d\\-"  # every dash, and what else may be a sign
_BEFORE = rf"[^\d{_MARKS}.,]*"
_DIGITS = r"[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?"
_AFTER = rf"(?:[^\W\d_]-[^\W\d_]|[^\d{_MARKS}])*"  # a hyphen between letters is none of them: "5 N-m"
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

    All values have the same prefix and suffix ("$ ", " %", " kg"), and commas and points have one meaning: commas
    separate thousands if some value has two of them or a decimal point after one, or if the values have a prefix or
    suffix and no value allows the other meaning; without `sure` the likelier meaning is used. Parentheses mean a minus
    if some value has none.
    """
    parts = _parts(text.drop_nulls().unique())
    if not len(parts) or parts["digits"].null_count() or parts["enclosed"].all():
        return None
    before, after = (parts[side].str.strip_chars() for side in ("before", "after"))
    if before.n_unique() > 1 or after.n_unique() > 1:
        return None
    around = f"{parts['before'][0]}…{parts['after'][0]}" if before[0] or after[0] else ""
    enclosed, digits = parts["enclosed"].any(), parts["digits"]
    decimal = _sure_decimal(digits, bool(around or enclosed))
    if not (decimal or sure) and not np.isnan(read_written(digits, form := written_form(digits))).any():
        decimal = "," if form == WRITTEN_COMMA else "."
    credible = before.str.contains(_CREDIBLE_BEFORE).all() and after.str.contains(_CREDIBLE_AFTER).all()
    if not (credible and decimal):
        return None
    said = [f"written as {around!r}"] if around else []
    said += ["with separators"] if digits.str.contains(r"[,]|\..*\.").any() else []
    said += ["negative in parentheses"] if enclosed else []
    said += ["with a Unicode minus sign"] if not said and parts["negative"].any() else []
    return (WRITTEN_COMMA if decimal == "," else WRITTEN, ", ".join(said)) if said else None


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
    parts = _parts(text)
    digits = parts["digits"]
    points, commas = digits.str.contains(_POINT_DECIMAL), digits.str.contains(_COMMA_DECIMAL)
    with_comma = commas & ~points if form == WRITTEN else commas
    plain = _plain(digits, ".", ",").zip_with(with_comma.fill_null(False), _plain(digits, ",", "."))
    plain = plain.set(~(points | commas).fill_null(False), None)
    return plain.cast(pl.Float64, strict=False).to_numpy() * np.where(parts["negative"].to_numpy(), -1.0, 1.0)


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
