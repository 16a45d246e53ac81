"""Numbers, times, places and lists in disguise are read as what they are; a few strangers among them are missing and named."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shrinkwise.tables import Encoder, InputError, plan_table
from shrinkwise.tables.columns.order import in_order

N = 240
RNG = np.random.default_rng(0)
AMOUNTS = RNG.uniform(10, 200, N).round(1)
HOURS, MINUTES = RNG.integers(1, 13, N), RNG.integers(0, 60, N)


def every(k: int, other: str, values: list[str]) -> list[str]:
    return [other if i % k == 3 else value for i, value in enumerate(values)]


NUMBERS = {  # values, what they are, words of the reason
    "a unit alone": (every(110, "bhp", [f"{v} bhp" for v in AMOUNTS]), AMOUNTS, "'bhp' read as missing: 3 rows"),
    "a second unit": (
        [f"{v} {'km/kg' if i % 10 == 3 else 'kmpl'}" for i, v in enumerate(AMOUNTS)],
        AMOUNTS,
        "24 with another unit ('km/kg') treated as missing",
    ),
    "a plus": ([f"{100 * v:,.0f}+" for v in AMOUNTS], (100 * AMOUNTS).round(), "'+' read as the number before it"),
    "a currency at times": (
        ["0" if i % 4 == 0 else f"${v}" for i, v in enumerate(AMOUNTS)],
        np.where(np.arange(N) % 4 == 0, 0, AMOUNTS),
        "written as '$…'; 60 of 240 without it",
    ),
    "multipliers": (
        [f"{v}M" if i % 2 else f"{v}k" for i, v in enumerate(AMOUNTS)],
        AMOUNTS * np.where(np.arange(N) % 2, 1e6, 1e3),
        "with the multipliers M, k",
    ),
    "a repeated text": (
        every(9, "Varies with device", [f"{v}M" for v in AMOUNTS]),
        AMOUNTS,
        "'Varies with device' read",
    ),
    "feet and inches": ([f"{5 + h % 2}'{h - 1}\"" for h in HOURS], 12 * (5 + HOURS % 2) + HOURS - 1, "in inches"),
    "hours and minutes": (
        [f"{h}h {m}m" if m else f"{h}h" for h, m in zip(HOURS, MINUTES, strict=True)],
        60 * HOURS + MINUTES,
        "in minutes",
    ),
    "races": (
        [f"{h + 20}:{m:02}:07" for h, m in zip(HOURS, MINUTES, strict=True)],
        3600 * (HOURS + 20) + 60 * MINUTES + 7,
        "in seconds",
    ),
    "plain numbers with strangers": (
        every(120, "see note", [str(v) for v in AMOUNTS]),
        AMOUNTS,
        "'see note' read as missing: 2 rows",
    ),
}


def raw(values: list, **wishes):
    frame = pl.DataFrame({"x": values, "y": RNG.normal(size=len(values))})
    plan = plan_table(frame, "y", **wishes)
    encoder = Encoder(plan).fit(frame)
    return plan.columns[0], dict(zip(encoder.feature_names, encoder.raw(frame).T, strict=True)), encoder


@pytest.mark.parametrize(("values", "numbers", "said"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_in_disguise(values, numbers, said):
    column, found, _ = raw(values)
    assert column.kind == "number"
    assert said in column.reason
    there = ~found.get("x is missing", np.zeros(N)).astype(bool)
    assert there.sum() > 0.8 * N
    np.testing.assert_allclose(found["x"][there], np.asarray(numbers, dtype=float)[there])


NO_NUMBERS = {
    "few levels and a word": (["1", "2", "3", "other"] * 60, "category"),
    "house numbers": ([f"{h}{'ABC'[m % 3]}" for h, m in zip(HOURS, MINUTES, strict=True)], "category"),
    "many words": ([f"{v}" if i % 3 else f"about {i % 8}" for i, v in enumerate(AMOUNTS)], "dropped"),
}


@pytest.mark.parametrize(("values", "kind"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_may_be_levels_is_not_read_as_numbers(values, kind):
    frame = pl.DataFrame({"x": values, "z": AMOUNTS, "y": RNG.normal(size=N)})
    assert plan_table(frame, "y").columns[0].kind == kind


def test_a_category_overrules_strangers():
    values = every(120, "see note", [str(v) for v in HOURS])
    assert raw(values, category=["x"])[0].kind == "category"
    assert raw(values)[0].words == ["see note"]


def test_a_shifted_row_leaves_dates_dates():
    column, _, _ = raw(
        every(200, "1.0.19", [f"2018-{h:02}-{1 + m % 28:02}" for h, m in zip(HOURS, MINUTES, strict=True)])
    )
    assert (column.kind, column.words, column.n_missing) == ("date", ["1.0.19"], 2)


@pytest.mark.parametrize("form", ["{h:02}.00.00", "{h}:{m:02}", "{h:02}:{m:02}:00"])
def test_times_of_day_have_an_hour_and_a_place_on_the_circle(form):
    column, found, encoder = raw([form.format(h=h, m=m) for h, m in zip(HOURS, MINUTES, strict=True)])
    hour = HOURS + (MINUTES / 60 if "m" in form else 0)
    assert column.kind == "time of day"
    np.testing.assert_allclose(found["x hour"], hour)
    np.testing.assert_allclose(found["x hour (sine)"] ** 2 + found["x hour (cosine)"] ** 2, 1)
    np.testing.assert_allclose(
        np.arctan2(found["x hour (sine)"], found["x hour (cosine)"]) % (2 * np.pi), hour * np.pi / 12
    )
    new = pl.DataFrame({"x": ["18.30.00" if "00.00" in form else "6:30 PM", "25:00", ""]})
    assert encoder.raw(new)[0, 0] == 18.5
    assert "1 value that is not readable as a time of day, such as '25:00' (row 2)" in encoder.remarks(new)[0]


def test_dates_and_typed_times_have_hours_too():
    stamps = [f"2024-01-02 {h:02}:{m:02}" for h, m in zip(HOURS, MINUTES, strict=True)]
    times = pl.Series([f"{h:02}:{m:02}" for h, m in zip(HOURS, MINUTES, strict=True)]).str.to_time("%H:%M")
    for values in (stamps, times):
        _, found, _ = raw(values)
        np.testing.assert_allclose(found["x hour"], HOURS + MINUTES / 60)
        np.testing.assert_allclose(found["x hour (sine)"], np.sin((HOURS + MINUTES / 60) * np.pi / 12))


def test_dates_with_points_are_not_times():
    days = [f"{1 + m % 28:02}.{h:02}.21" for h, m in zip(HOURS, MINUTES, strict=True)]
    assert raw(days)[0].kind == "date"


def test_lists_have_an_indicator_per_item():
    names = ["Drama", "Comedy", "Crime", "Sci-Fi"]
    lists = [[name for k, name in enumerate(names) if (i >> k) & 1] for i in range(N)]
    column, found, encoder = raw(["|".join(each) or None for each in lists])
    assert column.kind == "items"
    for name in names:
        np.testing.assert_array_equal(found[f"x: {name}"], [name in each for each in lists])
    np.testing.assert_array_equal(found["x is missing"], [not each for each in lists])
    np.testing.assert_array_equal(
        encoder.raw(pl.DataFrame({"x": ["Crime|Western", "Western"]}))[:, :3], [[0, 1, 0], [0, 0, 0]]
    )
    assert raw(["|".join(each) or None for each in lists], category=["x"])[0].kind == "category"


def test_names_with_commas_are_not_lists():
    frame = pl.DataFrame({"x": [f"Smith{i}, John{i}" for i in range(N)], "z": AMOUNTS, "y": RNG.normal(size=N)})
    assert plan_table(frame, "y").columns[0].kind == "dropped"


def test_coordinates_are_two_numbers():
    pairs = RNG.uniform([40, -5], [50, 9], (N, 2)).round(4)
    for form in ("{:.4f}, {:.4f}", "({:.4f},{:.4f})", "POINT ({:.4f} {:.4f})"):
        column, found, _ = raw([form.format(*pair) for pair in pairs])
        assert column.kind == "coordinates"
        np.testing.assert_allclose(np.column_stack([found["x (1)"], found["x (2)"]]), pairs)


def test_text_becomes_a_bag_of_words_on_request():
    prose = [f"Great {'value' if i % 2 else 'taste'} number{i} and I would buy it again" for i in range(N)]
    frame = pl.DataFrame({"x": prose, "z": AMOUNTS, "y": RNG.normal(size=N)})
    assert "--text" in plan_table(frame, "y").columns[0].reason
    _, found, _ = raw(prose, text=["x"])
    np.testing.assert_array_equal(found["x: value"], np.arange(N) % 2)
    assert "x: number3" not in found
    with pytest.raises(InputError, match="no word that occurs in at least 5 rows"):
        plan_table(frame.with_columns(x=pl.Series([f"w{i}" for i in range(N)])), "y", text=["x"])


@pytest.mark.parametrize(
    "levels",
    [
        ["Under 18", "18-24", "25\u201334", "35 to 44", "45+"],
        ["$0-$9,999", "$10,000-$19,999", "$20k-$30k", "over $30k"],
        ["0-4 years", "5-9 years", "10-14 years"],
    ],
)
def test_ranges_are_in_order(levels):
    assert in_order(sorted(levels)) == levels


@pytest.mark.parametrize("levels", [["0-5", "3-9", "9-12"], ["1-2", "a-b", "3-4"], ["3", "4", "5"], ["<5", ">5", "5"]])
def test_what_overlaps_or_is_no_range_has_no_order(levels):
    assert in_order(sorted(levels)) is None
