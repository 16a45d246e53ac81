"""Each column gets the kind its values show, each target its task, and every decision is said."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np
import pandas as pd
import polars as pl
import pytest

from shrinkwise.tables import InputError, describe, plan_table
from shrinkwise.tables.plan.notes import known_rows

N = 60
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=N)


def letters(n_levels: int) -> list[str]:
    return [f"level {i % n_levels:03}" for i in range(N)]


def with_gaps(values: Sequence, every: int = 7) -> list:
    return [None if i % every == 0 else value for i, value in enumerate(values)]


def planned(values: Sequence, name: str = "x"):
    """The ColumnPlan of one column beside a harmless one."""
    noise = np.resize(NOISE, len(values))
    plan = plan_table(pl.DataFrame({name: pl.Series(values, strict=False), "other": noise, "y": noise**2}), "y")
    return plan.columns[0]


DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(N)]
SHUFFLED = RNG.permutation(N) + 1000

KINDS = {
    # numbers
    "floats": (NOISE, "number", "numbers from -"),
    "whole numbers, all different": (SHUFFLED, "number", "numbers from 1000 to 1059"),
    "whole numbers in order, not from 1": (np.arange(N) * 3 + 5, "number", "numbers from 5 to 182"),
    "years": (np.arange(N) + 1950, "number", "numbers from 1950 to 2009"),
    "few whole numbers": (np.arange(N) % 2 + 1, "number", "numbers from 1 to 2"),
    "numbers kept as text": ([f" {x} " for x in NOISE], "number", "numbers from"),
    "numbers with gaps": (with_gaps(NOISE), "number", "; 9 of 60 missing"),
    "one number or missing": (with_gaps([5] * N), "number", "always 5 or missing"),
    # yes/no
    "0 and 1": (np.arange(N) % 2, "yes/no", "only 0 and 1"),
    "booleans": (np.arange(N) % 2 == 0, "yes/no", "'False' = 0 and 'True' = 1"),
    "yes and no": (["yes", "no"] * (N // 2), "yes/no", "'no' = 0 and 'yes' = 1"),
    "Y and N with gaps": (with_gaps(["Y", "N"] * (N // 2)), "yes/no", "'N' = 0 and 'Y' = 1; 9 of 60 missing"),
    "no and something": (["none", "no"] * (N // 2), "yes/no", "'no' = 0 and 'none' = 1"),
    "two texts": (["red", "blue"] * (N // 2), "yes/no", "'blue' = 0 and 'red' = 1"),
    "one text or missing": (with_gaps(["Y"] * N), "yes/no", "only 'Y' or missing; 9 of 60"),
    # categories
    "text": (letters(5), "category", "text with 5 levels"),
    "text with as many levels as may be": (letters(30), "category", "text with 30 levels"),
    "text, missing marked": (["?" if i < 6 else letter for i, letter in enumerate(letters(5))], "category", "6 of 60"),
    "numbers with a word": (
        [str(i % 9) for i in range(N - 1)] + ["many"],
        "category",
        "except for 1 value such as 'many' (row 60)",
    ),
    "padded codes": ([f"{i % 9:03}" for i in range(N)], "category", "text with 9 levels"),
    # dropped
    "constant": ([3.0] * N, "dropped", "constant: always 3"),
    "constant text": (["a"] * N, "dropped", "constant: always 'a'"),
    "all missing": ([None] * N, "dropped", "all values are missing"),
    "all marked missing": (["?", "NA"] * (N // 2), "dropped", "all values are missing"),
    "all NaN": ([np.nan] * N, "dropped", "all values are missing"),
    "row numbers from 0": (np.arange(N), "dropped", "a row number"),
    "row numbers from 1": (np.arange(1.0, N + 1), "dropped", "a row number"),
    "text of its own in every row": (
        [f"customer {i}" for i in range(N)],
        "dropped",
        "an identifier: 60 distinct texts in 60 rows, all of the form 'customer 0'",
    ),
    "codes of their own": ([f"{i * 7919 % 2**16:04x}f1" for i in range(N)], "dropped", "an identifier: 60 distinct"),
    "names of their own": (
        [f"{a}. {b}ly" for a in "ABCDEF" for b in ("on", "ti", "gone", "a", "mus", "bri", "cal", "dai", "ear", "fri")],
        "dropped",
        "identifier or free text: 60 distinct",
    ),
    "free text": ([f"said {i // 2 * 2 if i < 40 else i}" for i in range(N)], "dropped", "free text: 40 distinct"),
    "prose": ([f"it said so on page {i}" for i in range(N)], "dropped", "use --text"),
    "too many levels": (
        [f"v{i // 2}" if i < 2 else f"v{i % 31}" for i in range(N)],
        "dropped",
        "distinct texts in 60",
    ),
    "padded codes of their own": ([f"{i:05}" for i in range(N)], "dropped", "codes with leading zeros: 60"),
    "thousands": ([f"{i + 1},{i:03}" for i in range(N)], "dropped", "separators or units such as '1,000'"),
    "thousands with two meanings": ([f"{i + 1},{i:03}" for i in range(N)], "dropped", "(or use --number)"),
    # numbers as people write them
    "money": ([f"$ {i}.50" for i in range(N)], "number", "numbers from 0.5 to 59.5, written as '$ …'"),
    "percent": ([f"{i} %" for i in range(N)], "number", "numbers from 0 to 59, written as '… %'"),
    "millions": ([f"{i + 1},{i:03},000" for i in range(N)], "number", "to 60059000, with separators"),
    "continental": ([f"1.{i:03},5 EUR" for i in range(N)], "number", "numbers from 1000.5 to 1059.5"),
    # orders and dates
    "levels of a scale": (["high", "low", "Med"] * (N // 3), "ordered", "in order: 'low', 'Med', 'high'"),
    "nearly constant": ([7] * 4 + [5] * 996, "dropped", "nearly constant: all but 4 rows"),
    "nearly constant text": ([None] * 2 + ["a"] * 998, "dropped", "nearly constant: all but 2 rows"),
    "numbers with few words": ([*map(str, NOISE[:-2]), "lots", "lots"], "dropped", "2 values such as 'lots' (row 59)"),
    "dates": (DAYS, "date", "dates from 20"),
    "moments": ([datetime.datetime(2024, 1, 1, i % 24, i) for i in range(N)], "date", "dates from 20"),
    "spans": ([datetime.timedelta(i) for i in range(N)], "number", "numbers from 0 to 5097600"),
    "dates as text": ([day.isoformat() for day in DAYS], "date", "dates from 20"),
    "dates as text with gaps": (with_gaps([f"{day:%d.%m.%Y}" for day in DAYS]), "date", "dates from 20"),
    "moments as text": ([f"{day:%m/%d/%y} 12:30:01.5 PM" for day in DAYS], "date", "dates from 20"),
    "ISO moments": ([f"{day}T12:30:00+01:00" for day in DAYS], "date", "dates from 20"),
    "spelled dates": ([f"{day:%b %d, %Y}" for day in DAYS], "date", "dates from 20"),
    "months": ([f"2024-{i % 12 + 1:02}" for i in range(N)], "date", "dates from 20"),
    "dates that could be read in two ways": (["03/04/2020", "05/06/2021"] * 30, "dropped", "ambiguous dates"),
    "times": ([f"{i % 24}:{i:02}" for i in range(N)], "time of day", "times from 00:00 to 23:47"),
    "dates as numbers": ([int(f"{day:%Y%m%d}") for day in DAYS], "date", "dates from 20"),
    "dates as numbers with gaps": (with_gaps([int(f"{day:%Y%m%d}") for day in DAYS]), "date", "9 of 60 missing"),
    "lists": ([[i] for i in range(N)], "dropped", "of type List(Int64), which is neither"),
    "bytes": ([b"x"] * N, "dropped", "of type Binary, which is neither"),
}


@pytest.mark.parametrize(("values", "kind", "said"), KINDS.values(), ids=KINDS)
def test_kinds(values, kind, said):
    column = planned(values)
    assert (column.kind, column.name) == (kind, "x")
    assert said in column.reason
    assert (column.levels is not None) == (kind in ("category", "yes/no", "ordered"))


@pytest.mark.parametrize("text", ["25-34", "1.5-2.5", "v1.2.3", "10.0.0.1", "May", "1:0 win"])
def test_what_is_no_date(text):
    assert planned([text, "other", "third"] * (N // 3)).kind == "category"


@pytest.mark.parametrize(
    "name", ["id", "ID", "customer_id", "PassengerId", "row.index", "Patient No", "unnamed column 1"]
)
def test_an_identifier_is_named_like_one(name):
    assert planned(SHUFFLED, name).reason.startswith("an identifier")
    assert planned(SHUFFLED // 2, name).kind == "number"  # not of its own in every row
    assert planned(SHUFFLED + 0.5, name).kind == "number"


@pytest.mark.parametrize("name", ["identity", "valid", "width", "keyboard", "notes", "indexed", "amount"])
def test_a_number_is_not_an_identifier_for_its_letters(name):
    assert planned(SHUFFLED, name).kind == "number"


def test_row_numbers_are_seen_where_rows_without_a_target_are_left_out():
    frame = pl.DataFrame({"n": np.arange(N), "m": np.arange(N) + 1, "x": NOISE, "y": with_gaps(NOISE)})
    assert ["row number" in column.reason for column in plan_table(frame, "y").columns] == [True, True, False]


def test_many_levels_have_a_column_each_while_half_of_the_rows_are_in_levels_one_can_learn():
    def kind(rows_per_level: int) -> str:
        text = [f"level {i // rows_per_level}" for i in range(400)] + ["none"] * 20
        n = len(text)
        return planned(text, "x").kind if n else ""

    assert (kind(5), kind(4)) == ("category", "level means")


WISHES = {
    "an identifier kept": (SHUFFLED, "customer_id", {"keep": ["customer_id"]}, "number"),
    "a number as a category": (np.arange(N) % 4 + 7, "code", {"category": ["code"]}, "category"),
    "text with words as numbers": ([*map(str, range(N - 20)), *["lots"] * 20], "x", {"number": ["x"]}, "number"),
    "thousands as numbers": ([f"{i + 1},{i:03}" for i in range(N)], "x", {"number": ["x"]}, "number"),
    "a column that knows the target": (NOISE**2 * 3 + 1, "x", {"keep": ["x"]}, "number"),
}


@pytest.mark.parametrize(("values", "name", "wishes", "kind"), WISHES.values(), ids=WISHES)
def test_what_the_values_show_can_be_overruled(values, name, wishes, kind):
    frame = pl.DataFrame({name: pl.Series(values, strict=False), "other": RNG.normal(size=N), "y": NOISE**2})
    plain, wished = plan_table(frame, "y").columns[0], plan_table(frame, "y", **wishes).columns[0]
    assert wished.kind == kind
    assert plain.kind != kind


def test_a_column_that_knows_the_target_is_dropped_and_marked_unless_it_is_the_only_one():
    leak = np.where(NOISE > 0, 5.0, 3.0) + RNG.uniform(size=N)
    frame = pl.DataFrame({"x": RNG.normal(size=N), "paid": NOISE * 2 - 1, "y": NOISE})
    x, paid = plan_table(frame, "y").columns
    assert (x.leaks, paid.leaks, paid.kind) == (False, True, "dropped")
    assert "possible leak" in paid.reason
    alone = plan_table(frame.drop("x"), "y")
    assert [c.name for c in alone.kept] == ["paid"]
    assert any("may leak the target" in note for note in alone.notes)
    wide = pl.DataFrame({"x": np.resize(NOISE, 600), "when": np.resize(leak, 600), "y": np.resize(NOISE > 0, 600)})
    noisy = wide.with_columns(x=RNG.normal(size=600))
    assert [c.leaks for c in plan_table(noisy, "y").columns] == [False, True]
    gone = noisy.with_columns(when=pl.when(pl.col("y")).then(pl.lit(None)).otherwise(pl.col("x")))
    assert [c.leaks for c in plan_table(gone, "y").columns] == [False, True]  # its gaps tell


def test_parts_that_are_no_inputs():
    frame = pl.DataFrame({"who": letters(9), "when": DAYS, "w": np.arange(N) % 3, "x": NOISE, "y": RNG.normal(size=N)})
    plan = plan_table(frame, "y", group="who", weight="w")
    frame = frame.with_columns(gappy=pl.Series(with_gaps([1.0] * N)))
    assert [c.name for c in plan.kept] == ["when", "x"]
    rows = plan.rows(plan.used_rows(frame))
    assert plan.n_rows == N * 2 // 3
    assert rows.weights.min() == 1
    assert len(np.unique(rows.groups)) == 6
    timed = plan_table(frame, "y", time="when")
    assert np.all(np.diff(timed.rows(frame).time) > 0)
    for wishes, said in (
        ({"group": "who", "time": "when"}, "not by both"),
        ({"weight": "y"}, "is an input and cannot also be the target"),
        ({"group": "who", "number": ["who"]}, "is an input and"),
        ({"time": "who"}, "but numbers or dates"),
        ({"weight": "x"}, "a number ≥ 0 was expected"),
        ({"weight": "gappy"}, "The weight 'gappy' is missing in row 1, but a number ≥ 0 was expected"),
        ({"number": ["who "]}, "did you mean 'who'"),
    ):
        with pytest.raises(InputError, match=said):
            plan_table(frame, "y", **wishes).rows(frame)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e101])
def test_infinite_values_are_refused(value):
    x = NOISE.copy()
    x[[4, 9]] = value, np.nan
    frame = pl.DataFrame({"x": x, "y": NOISE})
    with pytest.raises(InputError, match=r"Column 'x' holds 1 value that is infinite .* row 5"):
        plan_table(frame, "y")
    with pytest.raises(InputError, match=r"Column 'x' holds 1 value that is infinite .* row 5"):
        plan_table(
            frame.with_columns(y=pl.Series(x)).with_columns(x=pl.Series(NOISE)).rename({"x": "y", "y": "x"}), "x"
        )
    assert plan_table(frame.with_columns(z=NOISE), "y", drop=["x"]).columns[0].reason == "dropped as requested"


WINE = np.arange(N) % 6 + 3
TASKS = {
    "amounts": (NOISE, "regression", None, "numbers"),
    "whole amounts": (SHUFFLED, "regression", None, "60 different values from 1000"),
    "quality from 3 to 8": (WINE, "regression", None, "read as amounts (use the task classes"),
    "few amounts that are not whole": (np.arange(N) % 3 / 2, "regression", None, "numbers"),
    "many codes": (np.arange(N) % 12, "counts", None, "whole numbers (use the task regression"),
    "0 and 1": (np.arange(N) % 2, "binary", ["0", "1"], "only the values 0 and 1"),
    "1.0 and 2.0": (np.arange(N) % 2 + 1.0, "binary", ["1", "2"], "only the values 1 and 2"),
    "two other numbers": (np.where(NOISE > 0, 7.5, -2.0), "binary", ["-2", "7.5"], "only the values"),
    "codes from 0": (np.arange(N) % 3, "multiclass", ["0", "1", "2"], "read as class codes"),
    "codes from 1 to 10": (np.arange(N) % 10 + 1, "multiclass", [str(i) for i in range(1, 11)], "class codes"),
    "codes with a hole": ([1, 2, 4] * (N // 3), "multiclass", ["1", "2", "4"], "class codes"),
    "codes around 0": ([-1, 0, 1] * (N // 3), "multiclass", ["-1", "0", "1"], "class codes"),
    "text": (["b", "c", "a"] * (N // 3), "multiclass", ["a", "b", "c"], "it is text"),
    "booleans": (NOISE > 0, "binary", ["False", "True"], "yes or no"),
    "codes kept as text": (["2", "10", "1"] * (N // 3), "multiclass", ["1", "2", "10"], "class codes"),
}


@pytest.mark.parametrize(("values", "task", "classes", "said"), TASKS.values(), ids=TASKS)
def test_tasks(values, task, classes, said):
    frame = pl.DataFrame({"x": NOISE, "y": values})
    plan = plan_table(frame, "y")
    assert (plan.task, plan.classes) == (task, classes)
    assert said in plan.notes[0]
    target = plan.target_values(frame)
    if classes is None:
        assert (plan.smallest_class, plan.class_counts) == (None, [])
        np.testing.assert_array_equal(target, np.asarray(values, dtype=float))
    else:
        assert plan.class_counts == np.bincount(target).tolist()
        assert plan.smallest_class == min(plan.class_counts)
        named = [classes[code] for code in target]
        assert named == [str(v) if isinstance(v, str | np.bool_) else f"{float(v):g}" for v in values]


def test_the_task_can_be_chosen():
    frame = pl.DataFrame({"x": NOISE, "wine": WINE, "code": np.arange(N) % 3, "n": np.arange(N), "text": letters(3)})
    assert plan_table(frame, "wine", task="classes").classes == ["3", "4", "5", "6", "7", "8"]
    assert plan_table(frame, "code", task="regression").task == "regression"
    assert plan_table(frame, "n", task="regression").task == "regression"
    with pytest.raises(InputError, match="'text' holds text such as 'level 000'; a regression needs numbers"):
        plan_table(frame, "text", task="regression")
    assert plan_table(frame, "code", task="counts").task == "counts"
    with pytest.raises(InputError, match=r"holds -?\d\S* in row 1, but counts are whole numbers ≥ 0"):
        plan_table(frame, "x", task="counts")
    with pytest.raises(InputError, match="'regression', 'counts' or 'classes', not 'ranking'"):
        plan_table(frame, "wine", task="ranking")


def table(**columns) -> pl.DataFrame:
    return pl.DataFrame({"x": NOISE, **columns})


REFUSED = {
    "no such column": (
        table(strength=NOISE),
        {"target": "strenth"},
        "t.csv has no column 'strenth'; did you mean 'strength'?",
    ),
    "another case": (table(strength=NOISE), {"target": "Strength "}, "did you mean 'strength'?"),
    "nothing near": (table(y=NOISE), {"target": "price"}, "it has 2 columns: 'x', 'y'"),
    "no such column to drop": (table(y=NOISE), {"drop": ["z"]}, "has no column 'z'"),
    "the target dropped": (table(y=NOISE), {"drop": ["y"]}, "target 'y' cannot be dropped"),
    "constant": (table(y=[3] * N), {}, "'y' is '3' in all 60 rows"),
    "constant but for gaps": (table(y=with_gaps(["a"] * N)), {}, "'y' is 'a' in all 51 rows"),
    "no target at all": (table(y=[None] * N), {}, "0 rows to learn from (60 rows without a value in 'y')"),
    "one row": (table(y=NOISE).head(1), {}, "t.csv has 1 row to learn from; at least 20"),
    "too few rows": (table(y=NOISE).head(19), {}, "19 rows to learn from; at least 20"),
    "too few rows with a target": (table(y=[*NOISE[:19], *[None] * 41]), {}, "19 rows to learn from (41 rows without"),
    "row numbers": (table(y=np.arange(N)), {}, "'y' is a row number"),
    "identifier": (table(id=SHUFFLED), {"target": "id"}, "'id' is an identifier"),
    "text of its own": (table(y=[f"name {i}" for i in range(N)]), {}, "60 different values in 60 rows"),
    "numbers spoiled by a word": (table(y=[*map(str, NOISE[1:]), "?!"]), {}, "1 value such as '?!' (row 60)"),
    "thousands or decimals": (
        table(y=[f"{i + 1},{i:03}" for i in range(N)]),
        {},
        "such as '1,000'; write plain numbers (or use --task regression)",
    ),
    "numbers of several units": (
        table(y=[f"{i} {'kg' if i % 3 else 'lb'}" for i in range(N)]),
        {"task": "regression"},
        "'0 lb'; write plain numbers if the column is numeric; a regression needs numbers",
    ),
    "too many classes asked for": (table(y=NOISE), {"task": "classes"}, "too many for classes"),
    "too little to be squared": (table(y=NOISE * 1e-200), {}, "differ by less than 1e-100, too little to be squared"),
    "dates": (table(y=DAYS), {}, "'y' holds dates"),
    "dates as text": (table(y=[str(day) for day in DAYS]), {}, "'y' holds dates"),
    "dates as numbers": (table(y=[int(f"{day:%Y%m%d}") for day in DAYS]), {}, "'y' is dates"),
    "lists": (table(y=[[1]] * 30 + [[2]] * 30), {}, "'y' has the type List"),
    "a class of one": (
        table(y=["a"] * 59 + ["rare"]),
        {},
        "The class 'rare' of the target 'y' has a single row",
    ),
    "codes, one of them once": (table(y=[0] * 59 + [1]), {}, "or use the task regression"),
    "no input": (pl.DataFrame({"y": NOISE}), {}, "no usable input column besides 'y' (it is the only column)"),
    "no usable input": (pl.DataFrame({"y": NOISE, "k": [1] * N}), {}, "besides 'y' ('k': constant: always 1)"),
}


@pytest.mark.parametrize(("frame", "options", "said"), REFUSED.values(), ids=REFUSED)
def test_what_nothing_can_be_learned_from_is_one_sentence(frame, options, said):
    with pytest.raises(InputError) as error:
        plan_table(frame, **{"target": "y", "name": "t.csv", **options})
    text = str(error.value)
    assert said in text
    assert text[-1] in ".?"
    assert "\n" not in text


def test_rows_without_a_target_are_left_out_and_counted():
    frame = pl.DataFrame({"x": np.arange(N) * 2.5, "y": with_gaps(NOISE), "c": with_gaps(letters(3), 5)})
    for target in ("y", "c"):
        plan = plan_table(frame, target)
        used = plan.used_rows(frame)
        missing = frame[target].null_count()
        assert (plan.n_rows_read, plan.n_rows, used.height) == (N, N - missing, N - missing)
        assert f"{missing} of 60 rows have no value in '{target}' and are excluded." in plan.notes
        assert used["x"].to_list() == frame.filter(pl.col(target).is_not_null())["x"].to_list()
        assert len(plan.target_values(used)) == N - missing
        with pytest.raises(InputError, match="is missing in row 1, but"):
            plan.target_values(frame)
    nan = frame.with_columns(pl.col("y").fill_null(np.nan))
    assert plan_table(nan, "y").used_rows(nan).height == plan_table(frame, "y").n_rows


def test_columns_are_judged_on_the_rows_used():
    """A level, a gap or an infinite value that only rows without a target have does not count."""
    frame = pl.DataFrame(
        {
            "c": ["rare", *["a", "b"] * 30][:N],
            "x": [np.inf, *NOISE[1:]],
            "z": [None, *NOISE[1:]],
            "y": [None, *NOISE[:0:-1]],
        }
    )
    c, x, z = plan_table(frame, "y").columns
    assert (c.kind, c.levels, x.kind, z.n_missing) == ("yes/no", ["a", "b"], "number", 0)


def test_target_values_refuse_an_unknown_class():
    frame = pl.DataFrame({"x": NOISE, "y": letters(3)})
    with pytest.raises(InputError, match="'new' in row 1, but one of the classes"):
        plan_table(frame, "y").target_values(pl.DataFrame({"y": ["new", "level 000"]}))


def test_notes():
    frame = pl.DataFrame({"unnamed column 1": NOISE, "y": ["a"] * 55 + ["b"] * 5})
    notes = plan_table(frame, "y").notes
    assert notes[0] == "2 classes of 'y', because it is text; rows of each: 'a' 55, 'b' 5."
    assert "1 column without a name was named 'unnamed column 1'." in notes
    assert "The class 'b' has only 5 rows, so its scores are uncertain." in notes
    wide = pl.DataFrame({f"x{i}": RNG.normal(size=20) for i in range(21)} | {"y": NOISE[:20]})
    assert any("more inputs (21) than rows (20)" in note for note in plan_table(wide, "y").notes)


def test_names_survive_unchanged():
    names = [
        "<img src=x onerror=alert(1)>",
        "naïve 漢字 🦊",
        ' "quoted", ',
        "a\nb",
        "{x}",
        "^$",
        "^.*$",
        "*",
        "y" * 500,
    ]
    frame = pl.DataFrame({name: RNG.normal(size=N) for name in names} | {"'y' & z": NOISE})
    plan = plan_table(frame, "'y' & z")
    assert [name for name, _, _ in describe(plan)] == names
    assert plan.target == "'y' & z"
    with pytest.raises(InputError) as error:
        plan_table(frame, "a\nc")
    assert "\n" not in str(error.value)


def test_a_pandas_frame_is_planned_like_a_polars_one():
    frame = pl.DataFrame({"x": with_gaps(NOISE), "c": with_gaps(letters(4)), "b": NOISE > 0, "d": DAYS, "y": NOISE})
    assert plan_table(frame.to_pandas(), "y") == plan_table(frame, "y")
    categorical = pd.DataFrame({"c": pd.Categorical(np.arange(N) % 3), "y": NOISE})
    assert plan_table(categorical, "y").columns[0].levels == ["0", "1", "2"]


def test_one_column_is_enough_and_order_is_that_of_the_file():
    assert [c.name for c in plan_table(pl.DataFrame({"y": NOISE, "x": NOISE}), "y").kept] == ["x"]
    frame = pl.DataFrame({"b": NOISE, "k": [1] * N, "y": NOISE, "a": NOISE})
    plan = plan_table(frame, "y", name="houses")
    assert describe(plan)[1] == ("k", "dropped", "constant: always 1")
    assert ([c.name for c in plan.columns], [c.name for c in plan.kept]) == (["b", "k", "a"], ["b", "a"])
    assert plan.name == "houses"


def test_rows_are_known_by_the_columns_there_are():
    known = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert known_rows(pl.DataFrame({"a": [2, 2, 3], "b": ["y", "x", "y"]}), known, ["a", "b"]).tolist() == [1, 0, 0]
    assert known_rows(pl.DataFrame({"a": [2, 3]}), known, ["a", "b"]).tolist() == [True, False]


def test_errors_name_rows_as_the_table_counts_them_and_not_the_rows_in_use():
    n = 30
    frame = pl.DataFrame({"a": np.arange(n) * 1.5, "site": ["p", "q"] * 15, "days": [2.0] * n, "y": ["u", "v"] * 15})
    plan = plan_table(frame, "y", group="site")
    late = frame.with_columns(y=pl.Series([None, None, "u", "new", *frame["y"][4:]]))
    with pytest.raises(InputError, match="'new' in row 4, but one of the classes"):
        plan.numbered_rows(late)
    gap = frame.with_columns(y=pl.Series([None, *frame["y"][1:]]), site=pl.Series(["p", "q", None, *frame["site"][3:]]))
    used, numbers = plan.numbered_rows(gap)
    assert numbers.tolist() == list(range(2, n + 1))
    with pytest.raises(InputError, match="'site' is missing in row 3"):
        plan.rows(used, numbers)
    counts = frame.with_columns(y=pl.Series([None, *range(1, n)]))
    rates = plan_table(counts, "y", exposure="days")
    with pytest.raises(InputError, match=r"'days' is '0\.0' in row 5"):
        rates.numbered_rows(counts.with_columns(days=pl.Series([2.0] * 4 + [0.0] + [2.0] * (n - 5))))
