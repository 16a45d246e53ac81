"""Dates and moments: how they are written, and the numbers a model can use of them.

A date column is one input with the features year, month, day, weekday and, if it holds times of day, hour and its
place on the circle of 24 hours. Month and weekday are 0/1 features, because June is not twice March. Ambiguous dates
are not parsed.
"""

from __future__ import annotations

from datetime import datetime
from itertools import product

import numpy as np
import polars as pl

from .compounds import FEATURES, hour_values

_DAYS_FIRST, _MONTHS_FIRST = "%d-%m-%Y", "%m-%d-%Y"
_DAYS = (
    *("%Y-%m-%d", _DAYS_FIRST, _MONTHS_FIRST, "%d-%m-%y", "%m-%d-%y"),
    *("%d %b %Y", "%d %B %Y", "%d %b %y", "%b %d %Y", "%B %d %Y"),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
ISO, FORMS = tuple(_DAYS[0] + clock for clock in _CLOCKS), tuple(map("".join, product(_DAYS, _CLOCKS)))
COMPACT = "%Y%m%d"
TYPED = "typed"  # the column's own type is a date or a moment

PLAIN = (  # what dates are brought to before they are read, pattern and replacement
    (r"[T ,]+(\d{1,2}:\d{2})", " $1"),
    (r"(:\d{2}([.,]\d+)?( ?[AaPp][Mm])?) ?(Z|UTC|[+-]\d{2}:?\d{2})$", "$1"),
    (r"(:\d{2})[.,]\d+", "$1"),
    (r"(\d) ?([AaPp][Mm])$", "$1 $2"),
    (r"^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})", "$1-$2-$3"),
    (r"^(\d{4})[-/](0[1-9]|1[0-2])$", "$1-$2-01"),
    (r"^(\d{1,2})[- ]([A-Za-z]{3,9})\.?,?[- ](\d{2,4})", "$1 $2 $3"),
    (r"^([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})", "$1 $2 $3"),
)

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def date_format(text: pl.Series) -> str:
    """The format that reads every value present as a date or moment; "" when none does or when two disagree.

    A value above 12 in one of the two places shows which is the day.
    """
    values = _plain(text.drop_nulls().unique())
    readable: dict[str, pl.Series] = {}
    for form in FORMS:
        moments = _read(values, form)
        if not moments.null_count() and int(str(moments.dt.year().min())) >= 100:  # "%Y" reads 24 as the year 24
            readable[form] = moments
    if not readable:
        return ""
    formats = list(readable)
    same = all(readable[other].equals(readable[formats[0]]) for other in formats[1:])
    return formats[0] if same else ""


def undated(values: pl.Series) -> np.ndarray | None:
    """Which texts are not written as most of them, (n,) of bool, if most are dates of one form; None if they are not."""
    plain = _plain(values)
    for form in FORMS:
        wrong = _read(plain, form).is_null()
        if wrong.mean() < 0.5:  # type: ignore[operator]
            return wrong.to_numpy()
    return None


def read_dates(series: pl.Series, text: pl.Series, form: str) -> pl.Series:
    """The moments of a column whose dates are written as `form` says (date_format, COMPACT or TYPED); null elsewhere.

    `text` is the column as trimmed text. An ISO date is read whatever the form; in a column of dates that had their own type,
    any form that `date_format` finds.
    """
    if form == TYPED and series.dtype in (pl.Date, pl.Datetime):
        moments = series.alias("")
        if series.dtype == pl.Datetime and getattr(series.dtype, "time_zone", None):
            moments = moments.dt.replace_time_zone(None)
        return moments.cast(pl.Datetime("us"))
    plain = _plain(text)
    moments = _read(plain, form if form != TYPED else _DAYS[0])
    for iso in ISO:  # has one meaning, however the others are written
        if (moments.is_null() & text.is_not_null()).any():
            moments = moments.zip_with(moments.is_not_null(), _read(plain, iso))
    if form == TYPED and (moments.is_null() & text.is_not_null()).any() and (other := date_format(text)):
        return _read(plain, other)  # the type was lost on the way through a CSV
    return moments


def written_like(form: str) -> str:
    """An evening in December 2023 in the format `form`, as an example for messages."""
    day = datetime(2023, 12, 31, 23, 30)
    if form in (TYPED, COMPACT):
        return f"{day:%Y-%m-%d}" if form == TYPED else f"{day:%Y%m%d}"
    return day.strftime(form if form.startswith(_DAYS[0]) else form.replace("-", "/"))


def date_features(name: str, has_clock: bool) -> list[str]:
    """The names of the features of one column of dates."""
    return [
        f"{name} year",
        *(f"{name} month={month}" for month in MONTHS),
        f"{name} day",
        *(f"{name} weekday={day}" for day in WEEKDAYS),
        *([f"{name} {part}" for part in FEATURES] if has_clock else []),
    ]


def date_values(moments: pl.Series, has_clock: bool) -> np.ndarray:
    """The features, shape (n, number of `date_features`); NaN in all of them where there is no date."""
    year, month, day, weekday = (
        part.cast(pl.Float64).to_numpy()
        for part in (moments.dt.year(), moments.dt.month(), moments.dt.day(), moments.dt.weekday())
    )
    columns = [year, *(np.where(np.isnan(month), np.nan, month == k) for k in range(1, 13)), day]
    columns += [np.where(np.isnan(weekday), np.nan, weekday == k) for k in range(1, 8)]
    if has_clock:
        columns += list(hour_values((moments.dt.hour() + moments.dt.minute() / 60).cast(pl.Float64).to_numpy()).T)
    return np.column_stack(columns)


def has_clock(form: str, moments: pl.Series) -> bool:
    """Whether times of day are present and not all equal."""
    return (":" in form or form == TYPED) and moments.dt.time().drop_nulls().n_unique() > 1


def _plain(text: pl.Series) -> pl.Series:
    """Dates with one separator, without time zone and parts of a second; a month alone is its first day."""
    for pattern, replacement in PLAIN:
        text = text.str.replace(pattern, replacement)
    return text


def _read(values: pl.Series, form: str) -> pl.Series:
    """The moments; null for what is not written so, and for the year 13, as which "%Y" reads two digits."""
    if ":" in form:
        moments = values.str.to_datetime(form, strict=False, time_unit="us")
    else:
        moments = values.str.to_date(form, strict=False).cast(pl.Datetime("us"))
    return moments.set(moments.dt.year() < 100, None)
