"""Amounts written in several units (5'11", 2h 30m, 1:02:03) and times of day (18.00.00, 9:52 PM) as numbers.

Each form is a pattern whose groups are multiplied by its factors and added. The patterns are also written into score.py,
so they use only what Python and polars both understand.
"""

from __future__ import annotations

import numpy as np
import polars as pl

CLOCK, CLOCK_DOTS = "time of day", "time of day with points"
INCHES, MINUTES, SECONDS = "inches", "minutes", "seconds"

FORMS: dict[str, tuple[str, tuple[float, ...]]] = {
    INCHES: (
        r"^(\d+)\s?(?:'|\u2019|\u2032|ft\.?|feet)\s?(?:(\d{1,2}(?:\.\d+)?)\s?(?:\"|''|\u201d|\u2033|in\.?)?)?$",
        (12.0, 1.0),
    ),
    MINUTES: (
        r"^(?:(\d+)\s?d[a-z]*\.?,?\s?)?(?:(\d+)\s?h[a-z]*\.?,?\s?)?(?:(\d+)\s?m[a-z]*\.?,?\s?)?(?:(\d+)\s?s[a-z]*\.?)?$",
        (1440.0, 60.0, 1.0, 1 / 60),
    ),
    CLOCK: (r"^(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s?(?:([AaPp])\.?[Mm]\.?)?$", (1.0, 1 / 60, 1 / 3600)),
    CLOCK_DOTS: (r"^(\d{1,2})\.(\d{2})\.(\d{2})$", (1.0, 1 / 60, 1 / 3600)),
    SECONDS: (r"^(?:(\d+):)?(\d+):(\d{2}(?:\.\d+)?)$", (3600.0, 60.0, 1.0)),
}
CLOCKS = (CLOCK, CLOCK_DOTS)
_NEEDED = {MINUTES: r"\d\s?[a-z]+\.?,?\s?\d", CLOCK_DOTS: r"^\d+\.00\."}  # two units; no date has a month 00

FEATURES = ("hour", "hour (sine)", "hour (cosine)")  # of a time of day


def compound_form(text: pl.Series) -> str:
    """The form in which every value present is written; "" if there is none.

    Times of day are below 24:00; other values with colons are amounts of time. Points between hours, minutes and seconds
    are recognized only where no date could be meant.
    """
    values = text.drop_nulls().unique()
    for form, (pattern, _) in FORMS.items():
        if not len(values) or not values.str.contains(pattern).all():
            continue
        needed = _NEEDED.get(form)
        if (needed is None or values.str.contains(needed).any()) and not np.isnan(read_compound(values, form)).any():
            return form
    return ""


def read_compound(text: pl.Series, form: str) -> np.ndarray:
    """The amounts in text (n,) in the unit that the form names, or the hour of a time of day; NaN where there is none."""
    pattern, factors = FORMS[form]
    groups = text.str.extract_groups(pattern).struct.unnest()
    numbers = np.stack([groups[:, i].cast(pl.Float64, strict=False).to_numpy() for i in range(len(factors))])
    total = np.where(np.isnan(numbers).all(axis=0), np.nan, np.array(factors) @ np.nan_to_num(numbers))
    if form == CLOCK:
        half = groups[:, 3].str.to_lowercase()
        total = np.where(half.is_null(), total, total % 12 + 12 * (half == "p").fill_null(False).to_numpy())
    if form in CLOCKS:
        total[(total >= 24) | (np.nan_to_num(numbers[1:]) >= 60).any(axis=0)] = np.nan
    return total


def hour_values(hours: np.ndarray) -> np.ndarray:
    """The features of times of day, (n, 3): the hour, and its place on the circle of 24 hours."""
    angle = hours * (2 * np.pi / 24)
    return np.column_stack([hours, np.sin(angle), np.cos(angle)])
