"""Numbers as people write them: no sign is lost, and what could be read in two ways is not read without being asked for."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shrinkwise.tables import Encoder, InputError, plan_table
from shrinkwise.tables.columns.measures import WRITTEN, WRITTEN_COMMA, read_written, written_numbers

N = 60
RNG = np.random.default_rng(3)
AMOUNTS = np.round(RNG.normal(scale=300, size=N), 2)
MINUS, DASH = "\u2212", "\u2013"

VALUES = {  # as in a column with decimal points, as in one with decimal commas
    "(155.08)": (-155.08, -155.08),
    "($1,155.08)": (-1155.08, -1155.08),
    "$(12)": (-12, -12),
    "(12 %)": (-12, -12),
    MINUS + "76.5": (-76.5, -76.5),
    DASH + "7 kg": (-7, -7),
    "-€102.21": (-102.21, -102.21),
    "€ -5": (-5, -5),
    "€- 5": (-5, -5),
    "EUR-5": (-5, -5),
    "- 5": (-5, -5),
    "+5 %": (5, 5),
    "1e-3 mol": (0.001, 0.001),
    ".5": (0.5, 0.5),
    "5 N-m": (5, 5),
    "1,234": (1234, 1.234),
    "1.234": (1.234, 1234),
    "1.234,5": (1234.5, 1234.5),
    "12,5": (12.5, 12.5),
    "12.5": (12.5, 12.5),
}
NO_NUMBERS = [
    *("155-", "155 -", "-(5)", "(-5)", "+-3", "--5", "±5", "5 (approx)"),
    *("lot-17", "C-00123", "12.5.2", "1,23,4", "-"),
]


@pytest.mark.parametrize("text", VALUES)
def test_every_sign_counts(text):
    for form, expected in zip((WRITTEN, WRITTEN_COMMA), VALUES[text], strict=True):
        assert read_written(pl.Series([text]), form).tolist() == [expected]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_sign_that_is_not_understood_makes_no_number(text):
    assert np.isnan(read_written(pl.Series([text]), WRITTEN)).all()


def accounts(value: float) -> str:
    return f"({-value:,.2f})" if value < 0 else f"{value:,.2f}"


STYLES = {
    "a long minus": lambda v: f"{v:.2f}".replace("-", MINUS),
    "an en dash": lambda v: f"{v:.2f}".replace("-", DASH),
    "accounting": accounts,
    "accounting with a currency": lambda v: accounts(v).replace("(", "($") if v < 0 else f"${v:,.2f}",
    "the minus before the currency": lambda v: f"{'-' if v < 0 else ''}€{abs(v):.2f}",
    "the minus behind the currency": lambda v: f"€ {v:.2f}",
    "decimal commas": lambda v: f"{v:.2f} EUR".replace(".", ","),
}


@pytest.mark.parametrize("wishes", [{}, {"number": ["x"]}], ids=["as it is", "--number"])
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_columns_with_negative_numbers_are_read_by_themselves_and_when_asked_for(style, wishes):
    table = pl.DataFrame({"x": [style(v) for v in AMOUNTS], "other": RNG.normal(size=N), "y": RNG.normal(size=N)})
    encoder = Encoder(plan_table(table, "y", **wishes)).fit(table)
    assert encoder.plan.columns[0].kind == "number"
    np.testing.assert_array_equal(encoder.raw(table)[:, 0], AMOUNTS)
    for row in range(3):  # read by itself, a row says the same
        assert encoder.raw(table[row])[0, 0] == AMOUNTS[row]


@pytest.mark.parametrize(
    "values",
    ["(1) (2)", "1,5 2,5", "1,234 5,678", "€1,234 €5,678", "5kg 5lb", "007 012", "lot5"],
)
def test_what_has_two_meanings_is_not_read_unasked(values):
    assert written_numbers(pl.Series(values.split(" "))) is None


def test_values_that_are_no_number_are_counted_and_named():
    amounts = [f"€{v:.2f}" for v in abs(AMOUNTS)]
    table = pl.DataFrame({"refund": ["12.5.2", *amounts[1:]], "y": RNG.normal(size=N)})
    plan = plan_table(table, "y", number=["refund"])
    assert "1 value that cannot be parsed, such as '12.5.2' (row 1), treated as missing" in plan.columns[0].reason
    encoder = Encoder(plan).fit(table)
    new = pl.DataFrame({"refund": ["€5", "abc", "€1", "?", "free", "12.5.2", "unknown", "€2-"]})
    assert encoder.remarks(new) == [
        "Column 'refund': 4 values that are not numeric, such as 'abc' (row 2), treated as missing."
    ]
    assert encoder.raw(new)[:, 1].tolist() == [0, 1, 0, 1, 1, 1, 1, 1]


def test_targets_are_read_as_inputs_are():
    rents = np.abs(AMOUNTS) * 1000 + 5
    german = [f"€ {v:,.2f}".replace(",", "x").replace(".", ",").replace("x", ".") for v in rents]
    table = pl.DataFrame({"x": RNG.normal(size=N), "y": [*german[:-2], "", "-"]})
    plan = plan_table(table, "y")
    assert (plan.task, plan.n_rows) == ("regression", N - 2)
    np.testing.assert_allclose(plan.target_values(plan.used_rows(table)), rents[:-2])
    assert plan.notes[1] == "The target 'y': written as '€ …', with separators; '-' read as missing: 1 row."
    with pytest.raises(InputError, match="'y' is 'much' in row 2, but a number was expected"):
        plan.target_values(pl.DataFrame({"y": ["€ 5", "much"]}))
    ambiguous = table.with_columns(y=pl.Series([f"{i * i % 97 + 1},{i:03}" for i in range(N)]))
    with pytest.raises(InputError, match="or use --task regression"):
        plan_table(ambiguous, "y")
    asked = plan_table(ambiguous, "y", task="regression")
    assert asked.target_values(ambiguous)[1] == 2001
