"""Numbers that are written for people: with a unit, a currency, thousands separators."""

from __future__ import annotations

import numpy as np
import polars as pl

_AROUND = r"^([^\d+\-.,]*)([+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?)([^\d]*)$"
_BEFORE = r"^([$€£¥₹]|USD|EUR|GBP|CHF|JPY)? ?$"  # "level 3" and "lot 17" are names with a number
_AFTER = r"^ ?([^\d\s,;]{1,5})?$"
_POINT_DECIMAL = r"^[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?$"
_COMMA_DECIMAL = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d*)?$"
_SURE_OF_POINT = r"^[+-]?\d{1,3}(,\d{3}){2,}|,\d{3}\.\d"
_SURE_OF_COMMA = r"^[+-]?\d{1,3}(\.\d{3}){2,}|\.\d{3},\d"


def written_numbers(text: pl.Series) -> str:
    """How numbers are written that can be read in one way only, in words; "" when the text is not such numbers.

    Every value has the same sign around it ("$ ", " %", " kg"), and its commas and points have one meaning: thousands
    parted by commas are believed when some value has two of them or a decimal point behind one.
    """
    parts = _parts(text.drop_nulls().unique())
    if parts is None or parts["before"].n_unique() > 1 or parts["after"].n_unique() > 1:
        return ""
    digits = parts["digits"]
    credible = parts["before"].str.contains(_BEFORE).all() and parts["after"].str.contains(_AFTER).all()
    if not (credible and _meaning(digits, sure=True)):
        return ""
    around = f"{parts['before'][0]}…{parts['after'][0]}"
    separators = digits.str.contains(r"[,]|\..*\.").any()
    said = [f"written as {around!r}"] if around != "…" else []
    return ", ".join(said + (["with separators"] if separators else []))


def read_written(text: pl.Series) -> np.ndarray:
    """The numbers in text (n,), whatever stands around them; NaN where there is none. A lone "1,234" is 1234."""
    parts = text.str.extract_groups(_AROUND).struct.unnest()
    digits = parts.to_series(1)
    decimal = "," if _meaning(digits.drop_nulls(), sure=False) == "," else "."
    thousands = "." if decimal == "," else ","
    plain = digits.str.replace_all(thousands, "", literal=True).str.replace(decimal, ".", literal=True)
    return plain.cast(pl.Float64, strict=False).to_numpy()


def _parts(values: pl.Series) -> pl.DataFrame | None:
    """What stands before, in and after the digits of every value; None when some value has no number."""
    parts = values.str.extract_groups(_AROUND).struct.unnest()
    parts.columns = ["before", "digits", "after"]
    if not len(parts) or parts["digits"].null_count():
        return None
    return parts.with_columns(pl.col("before", "after").fill_null(""))


def _meaning(digits: pl.Series, *, sure: bool) -> str:
    """The decimal sign of the numbers, "." or ","; "" when they are not numbers, or (sure) when either could be meant."""
    points = digits.str.contains(_POINT_DECIMAL).all()
    commas = digits.str.contains(_COMMA_DECIMAL).all()
    if points and commas:
        if not digits.str.contains(r"[,.]").any():
            return "."
        has_comma = digits.str.contains(",", literal=True).any()
        if digits.str.contains(_SURE_OF_POINT).any():
            return "."
        if digits.str.contains(_SURE_OF_COMMA).any():
            return ","
        return "" if sure and has_comma else "."
    if points:
        with_comma = digits.str.contains(",", literal=True).any()
        return "" if sure and with_comma and not digits.str.contains(_SURE_OF_POINT).any() else "."
    if commas:
        return "" if sure and not digits.str.contains(_SURE_OF_COMMA).any() else ","
    return ""
