"""Columns that give the target away: wholly, for a large part of the rows, or by their order."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shrinkwise.tables import plan_table
from shrinkwise.tables.plan.leakage import knows_target

N = 300
RNG = np.random.default_rng(11)
CHURN = RNG.random(N) < 0.35
NOISE = RNG.normal(size=(N, 4))


def notes(column, y=None) -> list[str]:
    """The notes on a column x beside columns of noise."""
    y = np.where(CHURN, "yes", "no") if y is None else y
    frame = pl.DataFrame({f"n{j}": NOISE[:, j] for j in range(4)} | {"x": column, "y": y})
    plan = plan_table(frame, "y")
    assert plan.columns[4].is_input
    return [note for note in plan.notes if "may leak" in note]


def some(share: float, values, other=None) -> list:
    """`values` for a share of the churners, `other` for everybody else."""
    at = CHURN & (np.random.default_rng(1).random(N) < share)
    return [value if given else other for value, given in zip(values, at, strict=True)]


AMOUNTS = RNG.uniform(5, 90, N).round(2)
GIVE_AWAY = {
    "a refund": (some(0.8, AMOUNTS, 0.0), "rows with x above 0, all are 'yes'"),
    "a debt": (some(0.8, -AMOUNTS, 0.0), "rows with x below 0, all are 'yes'"),
    "an amount that is there": (some(0.8, AMOUNTS), "rows with x, all are 'yes'"),
    "a text that is there": (some(0.8, RNG.choice(["price", "moved", "other"], N)), "rows with x, all are 'yes'"),
}


@pytest.mark.parametrize(("column", "said"), GIVE_AWAY.values(), ids=GIVE_AWAY)
def test_a_part_of_the_rows_that_is_of_one_class_is_asked_about(column, said):
    (note,) = notes(column)
    assert note.startswith("Column 'x' may leak the target: of the ")
    assert note.endswith(f"{said}; check that its value is known at prediction time.")


def test_nearly_all_of_the_rows_is_said_with_the_number():
    column = some(0.95, AMOUNTS, 0.0)
    column[int(np.argmin(CHURN))] = 5.0
    n = int(np.count_nonzero(column))
    assert notes(column) == [
        f"Column 'x' may leak the target: {n - 1} of the {n} rows with x above 0 are 'yes'; "
        "check that its value is known at prediction time."
    ]


HARMLESS = {
    "few rows": some(0.15, AMOUNTS, 0.0),
    "a good input without an edge": CHURN * 3 + NOISE[:, 0],
    "zeros that say little": np.where(RNG.random(N) < 0.5, AMOUNTS, 0.0),
    "a level of one class": some(0.8, ["refunded"] * N, "no refund"),
}


@pytest.mark.parametrize("column", HARMLESS.values(), ids=HARMLESS)
def test_good_inputs_are_not_asked_about(column):
    assert notes(column) == []


def test_the_usual_class_and_many_such_columns_are_not_asked_about():
    rare = np.where(RNG.random(N) < 0.2, "yes", "no")
    assert notes([5.0 if y == "no" and i % 2 else 0.0 for i, y in enumerate(rare)], rare) == []
    columns = {f"x{j}": some(0.8, AMOUNTS + j, 0.0) for j in range(4)}
    frame = pl.DataFrame(columns | {"n": NOISE[:, 0], "y": CHURN})
    assert sum("may leak" in note for note in plan_table(frame.drop("x3"), "y").notes) == 3
    assert not any("may leak" in note for note in plan_table(frame, "y").notes)
    assert not any("may leak" in note for note in plan_table(frame.drop("x3"), "y", keep=["x0", "x1", "x2"]).notes)


@pytest.mark.parametrize(("sign", "said"), [(1, "the same"), (-1, "the opposite")])
def test_a_column_in_the_order_of_the_target_is_asked_about(sign, said):
    x = RNG.normal(size=N)
    y = x + 0.12 * RNG.normal(size=N)
    (note,) = notes(sign * x, y)
    assert f"it orders the rows in nearly {said} way (rank correlation" in note
    assert notes(x + 0.4 * RNG.normal(size=N), y) == []


def test_what_alone_tells_the_target_is_said_once():
    frame = pl.DataFrame({"n": NOISE[:, 0], "why": some(1.0, ["price"] * N), "y": np.where(CHURN, "yes", "no")})
    reason = plan_table(frame, "y").columns[1].reason
    assert reason == (
        f"possible leak: this column alone predicts the class of all {N} rows; "
        "use --keep-column if its value is known at prediction time"
    )
    twice = frame.with_columns(y=pl.col("n") * 2, m=NOISE[:, 1])
    assert (
        "this column alone predicts the target (R² of 1.0000 on held-out rows)"
        in plan_table(twice, "y").columns[0].reason
    )


def test_one_wild_value_does_not_make_a_leak():
    """What is guessed and what is counted are the same rows: one total in the last row is no knowledge of the others."""
    rng = np.random.default_rng(0)
    x = rng.uniform(20, 200, 120)
    y = 300 * x * np.exp(0.2 * rng.normal(size=120))
    assert knows_target(x, y, False) == ""
    with_total = (np.append(x, np.nan), np.append(y, 1e7))
    assert knows_target(*with_total, False) == ""
    assert knows_target(np.append(x, 5000.0), np.append(y, 1e7), False) == ""


def test_skewed_amounts_with_noise_are_no_leak():
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = np.exp(1.8 * rng.normal(size=300))
        found += bool(knows_target(x, x * np.exp(0.3 * rng.normal(size=300)), False))
    assert found <= 1
    x = np.exp(1.0 * np.random.default_rng(0).normal(size=300))
    assert knows_target(x, 3 * x, False) != ""  # the same again in another unit
