"""Words for a missing value among numbers and dates, and levels that differ by case alone."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest

from shrinkwise.tables import Encoder, InputError, plan_table
from shrinkwise.tables.reading.delimited import parse_delimited

N = 60
RNG = np.random.default_rng(4)
AMOUNTS = np.round(RNG.uniform(1, 5000, size=N), 2)


def table(values: list, **more) -> pl.DataFrame:
    return pl.DataFrame({"x": values, "other": RNG.normal(size=N), "y": RNG.normal(size=N), **more})


def with_word(values: list[str], *words: str) -> list[str]:
    """Every seventh value is one of the words."""
    return [words[i // 7 % len(words)] if i % 7 == 0 else value for i, value in enumerate(values)]


STYLES = {"plain": "{:.2f}", "with a currency": "€{:,.2f}", "with a unit": "{:.2f} kg"}


@pytest.mark.parametrize("word", ["-", "--", ".", "unknown", "Missing", "NONE", "nil", "n.a.", "#VALUE!", "#DIV/0!"])
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_numbers_with_a_word_for_missing_are_numbers(style, word):
    frame = table(with_word([style.format(v) for v in AMOUNTS], word))
    plan = plan_table(frame, "y")
    column = plan.columns[0]
    assert (column.kind, column.n_missing, column.words) == ("number", 9, [word])
    assert column.reason.endswith(f"; 9 of 60 missing; '{word}' read as missing: 9 rows")
    encoder = Encoder(plan).fit(frame)
    assert encoder.feature_names[:2] == ["x", "x is missing"]
    missing = np.arange(N) % 7 == 0
    np.testing.assert_array_equal(encoder.raw(frame)[:, 1], missing)
    np.testing.assert_array_equal(encoder.raw(frame)[~missing, 0], AMOUNTS[~missing])
    assert encoder.remarks(frame) == []


def test_several_words_are_counted_each():
    column = plan_table(table(with_word([f"{v:.2f}" for v in AMOUNTS], "-", "unknown")), "y").columns[0]
    assert column.reason.endswith("'-' (5), 'unknown' (4) read as missing: 9 rows")


TEXTS = {
    "text": (with_word(["red", "green", "blue"] * 20, "-"), "category"),
    "codes with leading zeros": (with_word([f"{i % 9:03}" for i in range(N)], "unknown"), "category"),
    "one number": (["5", "none"] * 30, "yes/no"),
    "another word too": (with_word([str(i % 9) for i in range(N)], "-", "many"), "category"),
    "words alone": (["none", "unknown", "-"] * 20, "category"),
}


@pytest.mark.parametrize(("values", "kind"), TEXTS.values(), ids=TEXTS)
def test_words_are_values_of_text(values, kind):
    frame = table(values)
    column = plan_table(frame, "y").columns[0]
    assert (column.kind, column.n_missing, column.words) == (kind, 0, None)
    assert set(column.levels) == set(values)
    assert plan_table(table(with_word(["1", "2", "3"] * 20, "-")), "y", category=["x"]).columns[0].n_missing == 0


def test_zero_and_one_with_a_word_are_yes_or_no():
    frame = table(with_word(["0", "1"] * 30, "unknown"))
    encoder = Encoder(plan_table(frame, "y")).fit(frame)
    assert (encoder.plan.columns[0].kind, encoder.feature_names[:2]) == ("yes/no", ["x=1", "x is missing"])
    assert encoder.remarks(frame) == []
    assert encoder.raw(frame)[::7, 1].tolist() == [1] * 9


def test_words_that_come_later_are_missing_in_numbers_and_dates():
    days = [f"{datetime.date(2024, 1, 1) + datetime.timedelta(days=i):%d/%m/%Y}" for i in range(N)]
    frame = table([str(v) for v in AMOUNTS], day=days, colour=["red", "green", "blue"] * 20)
    encoder = Encoder(plan_table(frame, "y")).fit(frame)
    new = frame.head(2).with_columns(x=pl.Series(["-", "5"]), day=pl.Series(["Unknown", days[3]]), colour=pl.lit("-"))
    assert [text.split(",")[0] for text in encoder.remarks(new)] == [
        "Column 'x': 1 row with a missing value",
        "Column 'day': 1 row with a missing value",
        "Column 'colour': 2 rows with a value not seen in training ('-')",
    ]
    raw = dict(zip(encoder.feature_names, encoder.raw(new).T, strict=True))
    assert raw["x"].tolist() == [np.median(AMOUNTS), 5]
    assert raw["day month=January"].tolist() == [0, 1]


def test_dates_with_a_word_are_dates():
    days = [f"{datetime.date(2024, 1, 1) + datetime.timedelta(days=i):%d/%m/%Y}" for i in range(N)]
    frame = table(with_word(days, "-"))
    column = plan_table(frame, "y").columns[0]
    assert (column.kind, column.n_missing) == ("date", 9)
    assert np.isfinite(Encoder(plan_table(frame, "y")).fit(frame).transform(frame)).all()


def test_decimal_commas_beside_a_word():
    lines = [f"{'-' if i % 7 == 0 else f'{v:.2f}'.replace('.', ',')};{i * i % 59}" for i, v in enumerate(AMOUNTS)]
    frame = parse_delimited("t", "\n".join(["x;y", *lines]).encode())[0]
    encoder = Encoder(plan_table(frame, "y")).fit(frame)
    assert encoder.raw(frame)[1, 0] == AMOUNTS[1]


def test_a_target_of_numbers_with_a_word():
    frame = table(AMOUNTS.tolist()).with_columns(y=pl.Series(with_word([str(i * i) for i in range(N)], "unknown")))
    plan = plan_table(frame, "y")
    assert (plan.task, plan.n_rows) == ("regression", N - 9)
    assert "The target 'y': 'unknown' read as missing: 9 rows." in plan.notes
    assert plan.target_values(plan.used_rows(frame)).tolist() == [float(i * i) for i in range(N) if i % 7]
    kept = plan_table(frame.with_columns(y=pl.Series(with_word(["1", "2"] * 30, "unknown"))), "y", task="classes")
    assert kept.classes == ["1", "2", "unknown"]


def test_levels_that_differ_by_case_are_one():
    frame = table(["Yes", "Yes", "yes", "No", "no", "NO", "no", "Yes", "No", "no"] * 6)
    plan = plan_table(frame, "y")
    assert (plan.columns[0].kind, plan.columns[0].levels) == ("yes/no", ["no", "Yes"])
    assert plan.columns[0].reason.endswith("; 'yes' read as 'Yes', 'NO', 'No' read as 'no'")
    colours = table(["Red", "red", "red ", "blue", "GREEN", "blue"] * 10)
    encoder = Encoder(plan_table(colours, "y")).fit(colours)
    assert encoder.feature_names[:3] == ["x=GREEN", "x=blue", "x=red"]
    new = colours.head(3).with_columns(x=pl.Series(["RED", "Green", " blue"]))
    assert encoder.raw(new)[:, :3].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert encoder.remarks(new) == []
    sizes = plan_table(table(["low", "Low", "med", "high", "HIGH", "high"] * 10), "y").columns[0]
    assert (sizes.kind, sizes.levels) == ("ordered", ["Low", "med", "high"])
    by_case = plan_table(table(["a", "A"] * 30), "y").columns[0]  # nothing else tells them apart
    assert by_case.levels == ["A", "a"]


def test_classes_that_differ_by_case_are_one():
    frame = table(AMOUNTS.tolist()).with_columns(y=pl.Series(["Yes", "yes", "no", "Yes", "NO", "no"] * 10))
    plan = plan_table(frame, "y")
    assert (plan.classes, plan.class_counts) == (["Yes", "no"], [30, 30])
    assert "('yes' read as 'Yes', 'NO' read as 'no')" in plan.notes[0]
    assert plan.target_values(pl.DataFrame({"y": ["YES", "no", "No"]})).tolist() == [0, 1, 1]


def test_identifiers_are_seen_where_rows_are_there_twice():
    numbers, codes = RNG.permutation(N) + 10_000, [f"C-{i * 37 % 1000:05}" for i in range(N)]
    frame = table(AMOUNTS.tolist(), account_no=numbers, customer=codes)
    twice = pl.concat([frame, frame.head(5)])
    columns = {column.name: column.reason for column in plan_table(twice, "y").columns}
    assert columns["account_no"].startswith("an identifier: a different whole number")
    assert columns["customer"].startswith("an identifier: 60 distinct texts in 65 rows, all of the form 'C-00000'")
    changed = twice.with_columns(other=pl.Series(RNG.normal(size=N + 5)))  # no copies: what has a number came twice
    assert plan_table(changed, "y").columns[2].kind == "number"


def test_what_cannot_be_kept_is_refused_in_a_sentence():
    prose = [f"it said so on page {i}" for i in range(N)]
    frame = table(AMOUNTS.tolist(), comment=prose, k=[1] * N, often=[*prose[:30], *["the same again"] * 30])
    assert plan_table(frame, "y", keep=["often"]).columns[4].kind == "category"
    for name, said in (("comment", "'comment' cannot be kept: free text"), ("k", "'k' cannot be kept: constant")):
        with pytest.raises(InputError, match=said):
            plan_table(frame, "y", keep=[name])
