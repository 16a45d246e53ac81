"""What the plan says of rows that depend on one another, of sums, copies and rare classes, and when it says nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shrinkwise.selection import folds
from shrinkwise.tables import Encoder, InputError, plan_table

N = 500
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=N)
WALK = np.cumsum(RNG.normal(size=N))
HOURS = pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2020, 1, 21), "1h", eager=True)[:480]
GROUPS = np.repeat(np.arange(50), 10)
OF_GROUPS = RNG.normal(size=50)[GROUPS] + 0.3 * NOISE


def notes(y, **columns) -> str:
    frame = pl.DataFrame({"x": RNG.normal(size=len(y)), **columns, "y": y})
    return " ".join(plan_table(frame, "y").notes)


def test_a_target_that_drifts_in_time_suggests_splits_by_time():
    order = RNG.permutation(480)
    said = notes(WALK[:480][order], when=HOURS.gather(order))
    assert "Successive rows by 'when' have similar targets (autocorrelation 0.9" in said
    assert "models are scored on rows later than those they were fitted on; use --shuffle" in said
    assert "leak" not in said
    for name in ("birthday", "Date of birth", "DOB"):
        assert "Successive" not in notes(WALK[:480][order], **{name: HOURS.gather(order)})
    calendar = {"year": 1990 + np.arange(N) // 12, "month": np.arange(N) % 12 + 1}
    assert "Successive rows by 'year' and 'month'" in notes(WALK, **calendar)
    quarters = {"quarter": np.arange(N) % 4 + 1, "year": 1900 + np.arange(N) // 4}
    assert "Successive rows by 'year' and 'quarter'" in notes(WALK, **quarters)
    short = {"yr": calendar["year"], "Date of month": np.arange(N) // 30 + 1, "mnth": calendar["month"]}
    assert "Successive rows by 'yr', 'mnth' and 'Date of month'" in notes(WALK, **short)
    assert "Successive" in notes(np.where(WALK > np.median(WALK), "up", "down"), **calendar)


def test_such_rows_are_split_by_time_and_their_dates_are_inputs():
    order = RNG.permutation(480)
    frame = pl.DataFrame({"x": NOISE[:480], "when": HOURS.gather(order), "y": WALK[:480][order]})
    plan = plan_table(frame, "y")
    assert (plan.splits_by, plan.ordered_by) == ("time", ["when"])
    assert [column.name for column in plan.kept] == ["x", "when"]
    for train, test in folds(plan.target_values(frame), 5, task=plan.task, rows=plan.rows(frame)):
        assert order[train].max() < order[test].min()


@pytest.mark.parametrize("why", ["shuffle", "gap", "classes that come late"])
def test_such_rows_are_advised_a_time_where_they_are_not_split_by_it(why):
    y, when = pl.Series(WALK[:480]), HOURS
    if why == "gap":
        when = when.set(pl.Series(np.arange(480) == 7), None)
    if why == "classes that come late":
        y = pl.Series(np.where(np.arange(480) < 440, "early", "late"))
    frame = pl.DataFrame({"x": NOISE[:480], "when": when, "y": y})
    plan = plan_table(frame, "y", shuffle=why == "shuffle")
    assert (plan.splits_by, plan.ordered_by) == ("", [])
    assert "use --time 'when' to score later rows" in " ".join(plan.notes)


def test_a_time_and_shuffle_exclude_each_other():
    frame = pl.DataFrame({"x": NOISE[:480], "when": HOURS, "y": WALK[:480]})
    with pytest.raises(InputError, match="by time or at random"):
        plan_table(frame, "y", time="when", shuffle=True)


@pytest.mark.parametrize("y", [NOISE[:480], RNG.choice(["a", "b"], 480)])
def test_a_target_without_memory_does_not(y):
    assert "Successive" not in notes(y, when=HOURS)


def test_nothing_is_suggested_beside_a_given_split():
    frame = pl.DataFrame({"x": NOISE[:480], "when": HOURS, "patient": GROUPS[:480], "y": WALK[:480] + OF_GROUPS[:480]})
    for wish in ({"time": "when"}, {"group": "patient"}):
        assert len(plan_table(frame, "y", **wish).notes) == 1


@pytest.mark.parametrize("name", ["patient", "shop_id", "customerId"])
def test_similar_targets_of_an_identifier_suggest_groups(name):
    assert f"use --group '{name}'" in notes(OF_GROUPS, **{name: GROUPS})
    assert "--group" not in notes(NOISE, **{name: GROUPS})  # the targets of a group are not similar
    assert "--group" not in notes(OF_GROUPS, dose=GROUPS)  # its name is not that of an identifier


def test_a_measure_with_the_name_of_an_identifier_suggests_no_groups():
    """Rows of neighbouring scores are as alike as those of one score; shops with neighbouring numbers are not."""
    score = RNG.integers(20, 95, N)
    y = score / 20 + RNG.normal(size=N)
    assert "--group" not in notes(y, user_score=score)
    assert "--group 'user_score'" in notes(RNG.normal(size=100)[score] * 2 + RNG.normal(size=N), user_score=score)


A, B, C = RNG.gamma(2, 5, (3, N)).round(2)


def test_a_sum_of_columns_is_reported():
    said = notes((A + B - C).round(2), fare=A, tip=B, tax=C)
    assert "'y' is exactly the sum or difference of 'fare', 'tip', 'tax'" in said
    assert "a weighted sum of 'fare', 'tip'" in notes(2 * A + 0.3 * B, fare=A, tip=B, tax=C)


def test_a_sum_with_a_few_other_rows_is_reported_with_their_number():
    """As a first row of changes, which is 0."""
    y = (A + B - C).round(2)
    few, many = y.copy(), y.copy()
    few[[0, 8, 9]] = 0
    many[::10] = 0
    assert f"'fare', 'tip', 'tax' in {N - 3} of {N} rows: these" in notes(few, fare=A, tip=B, tax=C)
    assert "exactly" not in notes(many, fare=A, tip=B, tax=C)


def test_what_is_nearly_a_sum_is_not():
    assert "sum" not in notes(A + B + 0.01 * NOISE, fare=A, tip=B, tax=C)
    assert "sum" not in notes(A * B, fare=A, tip=B, tax=C)


def test_copies_are_the_same_in_every_column():
    twice = {"a": np.tile(A[:250], 2), "b": np.tile(B[:250], 2)}
    y = np.tile(NOISE[:250], 2)
    same = pl.DataFrame({**twice, "y": y})
    assert "500 of 500 rows are exact copies" in " ".join(plan_table(same, "y").notes)
    numbered = same.with_columns(row=np.arange(N))
    assert "exact copies" in " ".join(plan_table(numbered, "y").notes)
    other = same.with_columns(id=pl.Series([f"C-{i:05}" for i in RNG.permutation(N)]))
    assert "copies" not in " ".join(plan_table(other, "y").notes)


@pytest.mark.parametrize("names", [("a", "b", "c", "d"), (1, 2, 3, 4)])
def test_classes_of_one_or_two_rows_are_set_aside(names):
    a, b, c, d = names
    y = pl.Series([a] * 300 + [b] * 197 + [c] + [d] * 2)
    frame = pl.DataFrame({"x": NOISE, "y": y})
    plan = plan_table(frame, "y")
    assert plan.classes == [str(a), str(b)]
    assert f"The classes '{c}' 1, '{d}' 2 have too few rows" in plan.notes[0]
    assert len(plan.notes) == 1
    used = plan.used_rows(frame)
    assert (plan.n_rows, used.height) == (497, 497)
    assert plan.target_values(used).tolist() == [0] * 300 + [1] * 197


def test_a_class_of_one_row_beside_one_other_is_refused():
    with pytest.raises(InputError, match="has a single row"):
        plan_table(pl.DataFrame({"x": NOISE, "y": ["a"] * 499 + ["b"]}), "y")


def test_values_far_outside_are_named():
    frame = pl.DataFrame({"x": A, "z": [f"$ {v}" for v in B], "y": NOISE})
    encoder = Encoder(plan_table(frame, "y")).fit(frame)
    assert encoder.remarks(frame) == []
    edge = A.max() + (A.max() - A.min())
    new = pl.DataFrame({"x": [1.0, edge - 0.01, edge + 0.01, -999.0], "z": ["$ 1", None, "$ 2", "$ 999,040"]})
    assert encoder.remarks(new) == [
        f"Column 'x': 2 values far outside the range from {A.min():g} to {A.max():g} seen in training, such as "
        f"{edge + 0.01:g} (row 3), where predictions are unreliable.",
        "Column 'z': 1 row with a missing value, not seen in training, imputed as the median "
        f"{np.median(B):g}; 1 value far outside the range from {B.min():g} to {B.max():g} seen in training, such as "
        "999040 (row 4), where predictions are unreliable.",
    ]


def test_rows_of_few_moments_cannot_be_split_by_time():
    from shrinkwise.tables.plan.order_in_time import can_split

    y = np.random.default_rng(0).normal(size=120)
    assert can_split(np.arange(120.0), y, "regression")
    for moments in (1, 2, 3):
        assert not can_split(np.repeat(np.arange(moments), 120 // moments).astype(float), y, "regression")
    assert not can_split(np.append(np.arange(119.0), np.nan), y, "regression")


def test_two_splits_by_time_are_too_few():
    """Most rows are of the last moment, so that only splits before it are left."""
    from shrinkwise.selection import Rows, folds
    from shrinkwise.tables.plan.order_in_time import can_split

    y = np.random.default_rng(0).normal(size=120)
    three, two = np.arange(120.0), np.arange(120.0)
    three[33:], two[22:] = 33.0, 22.0
    assert [len(folds(y, 10, task="regression", rows=Rows(time=time))) for time in (three, two)] == [3, 2]
    assert can_split(three, y, "regression")
    assert not can_split(two, y, "regression")
