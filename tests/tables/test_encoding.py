"""What the encoder learns comes from the rows of fit alone, and a prediction is the same in the units of the data."""

from __future__ import annotations

import datetime
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkwise.tables import Encoder, InputError, plan_table

N = 40
RNG = np.random.default_rng(1)


def example_table(n: int = N) -> pl.DataFrame:
    """Every kind of column, with and without missing values."""
    rng = np.random.default_rng(2)

    def gaps(values):
        return [None if i % 5 == 0 else value for i, value in enumerate(values)]

    return pl.DataFrame(
        {
            "age": rng.integers(20, 70, n),
            "income": gaps((rng.normal(size=n) * 1e4).tolist()),
            "colour": rng.choice(["red", "green", "blue"], n),
            "town": gaps(rng.choice(["Bonn", "Ulm", "Jena"], n).tolist()),
            "owner": rng.choice(["yes", "no"], n),
            "smoker": gaps(rng.choice([True, False], n).tolist()),
            "mark": gaps(["Y"] * n),
            "constant": ["k"] * n,
            "y": rng.normal(size=n),
        }
    )


TABLE = example_table()
PLAN = plan_table(TABLE, "y")


def fitted(frame: pl.DataFrame = TABLE) -> Encoder:
    return Encoder(PLAN).fit(frame)


def test_features_are_named_and_belong_to_their_input():
    encoder = fitted()
    assert encoder.feature_names == [
        *["age", "income", "income is missing", "colour=blue", "colour=green", "colour=red"],
        *["town=Bonn", "town=Jena", "town=Ulm", "town is missing", "owner=yes"],
        *["smoker=True", "smoker is missing", "mark=Y"],
    ]
    assert [PLAN.kept[i].name for i in encoder.inputs] == [
        name.split("=")[0].removesuffix(" is missing") for name in encoder.feature_names
    ]
    assert encoder.transform(TABLE).shape == (N, len(encoder.feature_names))
    assert encoder.transform(TABLE).dtype == np.float64


def test_raw_features_are_the_values():
    encoder, raw = fitted(), fitted().raw(TABLE)
    feature = dict(zip(encoder.feature_names, raw.T, strict=True))
    np.testing.assert_array_equal(feature["age"], TABLE["age"])
    np.testing.assert_array_equal(feature["income"], TABLE["income"].fill_null(TABLE["income"].median()))
    np.testing.assert_array_equal(feature["income is missing"], TABLE["income"].is_null())
    for level in ("red", "green", "blue"):
        np.testing.assert_array_equal(feature[f"colour={level}"], TABLE["colour"] == level)
    np.testing.assert_array_equal(feature["town=Ulm"], (TABLE["town"] == "Ulm").fill_null(False))
    np.testing.assert_array_equal(feature["town is missing"], TABLE["town"].is_null())
    np.testing.assert_array_equal(feature["owner=yes"], TABLE["owner"] == "yes")
    more_often = TABLE["smoker"].sum() >= TABLE["smoker"].count() / 2
    np.testing.assert_array_equal(feature["smoker=True"], TABLE["smoker"].fill_null(more_often))
    np.testing.assert_array_equal(feature["mark=Y"], TABLE["mark"].is_not_null())


VALUES = {
    "number": st.none() | st.floats(-1e9, 1e9) | st.integers(-5, 5).map(float),
    "text": st.none() | st.sampled_from(["a", "b", "c", "ü <b>", "1"]),
    "flag": st.none() | st.booleans(),
}


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
    n = draw(st.integers(20, 30))
    types = {"number": pl.Float64, "text": pl.String, "flag": pl.Boolean}
    columns = {
        f"{kind} {i}": pl.Series(draw(st.lists(VALUES[kind], min_size=n, max_size=n)), dtype=types[kind])
        for i, kind in enumerate(kinds)
    }
    return pl.DataFrame(columns).with_columns(y=np.linspace(0, 1, n) ** 2, always=np.sin(np.arange(n)))


@given(tables(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=75)
def test_random_tables(frame, seed):
    """Fit rows have mean 0 and variance 1; a linear model says the same in standardised and in data units."""
    rng = np.random.default_rng(seed)
    plan = plan_table(frame, "y")
    train = rng.permutation(frame.height)[:15]
    encoder = Encoder(plan).fit(frame[train])
    inside, everything = encoder.transform(frame[train]), encoder.transform(frame)
    assert np.isfinite(everything).all()
    assert len(encoder.feature_names) == len(encoder.inputs) == inside.shape[1]
    # rounding of a column whose spread is small beside its size is as large as size/spread
    rounding = 100 * np.finfo(float).eps * (1 + np.abs(encoder.mean) / encoder.scale)
    assert (np.abs(inside.mean(axis=0)) <= rounding).all()
    assert (np.abs(inside.std(axis=0) - 1) <= rounding).all()
    for shape in [(), (3,)]:
        coef, intercept = rng.normal(size=(*shape, inside.shape[1])), rng.normal(size=shape)
        data_coef, data_intercept = encoder.in_data_units(coef, intercept)
        assert (data_coef.shape, np.shape(data_intercept)) == (coef.shape, shape)
        here = everything @ coef.T + intercept
        there = encoder.raw(frame) @ data_coef.T + data_intercept
        scale = 1 + np.abs(encoder.raw(frame)) @ np.abs(data_coef.T) + np.abs(data_intercept)
        scale = scale + np.abs(data_coef) @ np.abs(encoder.mean)
        assert (np.abs(here - there) <= 100 * np.finfo(float).eps * scale).all()


def test_nothing_leaks_from_rows_outside_fit():
    train, test = np.arange(0, 25), np.arange(25, N)
    changed = TABLE.with_columns(
        age=pl.when(pl.int_range(N) >= 25).then(10_000).otherwise(pl.col("age")),
        income=pl.when(pl.int_range(N) >= 25).then(None).otherwise(pl.col("income")),
        colour=pl.when(pl.int_range(N) >= 25).then(pl.lit("violet")).otherwise(pl.col("colour")),
        owner=pl.when(pl.int_range(N) >= 25).then(None).otherwise(pl.col("owner")),
    )
    ours, theirs = Encoder(PLAN).fit(TABLE[train]), Encoder(plan_table(changed, "y")).fit(changed[train])
    assert ours.feature_names == theirs.feature_names
    for name in ("mean", "scale"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_array_equal(ours.transform(TABLE[train]), theirs.transform(changed[train]))
    assert not np.array_equal(fitted().mean, ours.mean)
    assert ours.transform(TABLE[test]).shape == (15, len(ours.feature_names))


def test_rows_are_encoded_one_by_one():
    encoder = fitted()
    together = encoder.transform(TABLE)
    alone = np.vstack([encoder.transform(TABLE[[i]]) for i in range(N)])
    np.testing.assert_array_equal(alone, together)
    assert encoder.transform(TABLE.clear()).shape == (0, together.shape[1])


def test_unseen_and_missing_values():
    encoder = fitted()
    new = TABLE.head(2).with_columns(
        colour=pl.Series(["violet", None]), town=pl.Series(["Rome", None]), age=pl.Series([None, 30]),
        owner=pl.Series(["maybe", None]), mark=pl.Series([None, "Y"]),
    )  # fmt: skip
    feature = dict(zip(encoder.feature_names, encoder.raw(new).T, strict=True))
    for level in ("red", "green", "blue"):
        assert feature[f"colour={level}"].tolist() == [0, 0]
    assert [feature[f"town={town}"].tolist() for town in ("Bonn", "Ulm", "Jena")] == [[0, 0]] * 3
    assert feature["town is missing"].tolist() == [0, 1]
    assert feature["age"].tolist() == [TABLE["age"].median(), 30]
    assert feature["mark=Y"].tolist() == [0, 1]
    mode = float((TABLE["owner"] == "yes").mean() >= 0.5)
    assert feature["owner=yes"].tolist() == [mode, mode]
    said = encoder.remarks(new)
    assert [text.split("'")[1] for text in said] == ["age", "colour", "town", "owner"]
    assert "the median" in said[0]
    assert "('violet'), treated as none of its levels; 1 row with a missing value" in said[1]
    assert "('Rome'), treated as none" in said[2]
    assert "('maybe'), treated as missing" in said[3]
    assert encoder.remarks(TABLE) == []


def test_columns_in_any_order_more_of_them_and_no_target():
    encoder = fitted()
    new = (
        TABLE.drop("y", "constant")
        .select(reversed(TABLE.drop("y", "constant").columns))
        .with_columns(extra=pl.lit("?"))
    )
    np.testing.assert_array_equal(encoder.transform(new), encoder.transform(TABLE))
    np.testing.assert_array_equal(encoder.transform(TABLE.to_pandas()), encoder.transform(TABLE))


def test_the_same_values_in_other_types():
    table = pl.DataFrame(
        {"code": ["1", "2", "x"] * 10, "n": np.arange(30) ** 2, "flag": [0, 1, 1] * 10, "y": np.arange(30) ** 0.5}
    )
    encoder = Encoder(plan_table(table, "y")).fit(table)
    expected = encoder.transform(pl.DataFrame({"code": ["1", "2"], "n": [3, None], "flag": [0, 1]}))
    for code in ([1, 2], [1.0, 2.0], [" 1", "2 "]):
        for n in ([3.0, None], ["3", "NA"], [3.0, np.nan]):
            for flag in ([False, True], [0.0, 1.0], ["0", "1"], ["false", "TRUE"]):
                new = pl.DataFrame({"code": code, "n": n, "flag": flag})
                np.testing.assert_array_equal(encoder.transform(new), expected)


@pytest.mark.parametrize(
    ("levels", "others"),
    [
        ([False, True], [["False", "True"], ["false", "true"], ["FALSE", "TRUE"], [0, 1], [0.0, 1.0]]),
        (["No", "Yes"], [["no", "yes"], ["NO", "YES"]]),
        ([0, 1], [[False, True], ["0", "1"]]),
    ],
)
def test_spellings_of_yes_and_no(levels, others):
    table = pl.DataFrame({"flag": levels * 15, "y": np.arange(30) ** 0.5})
    encoder = Encoder(plan_table(table, "y")).fit(table)
    for other in others:
        new = pl.DataFrame({"flag": other})
        assert encoder.raw(new).ravel().tolist() == [0, 1]
        assert encoder.remarks(new) == []
    by_case = pl.DataFrame({"flag": ["a", "A"] * 15, "y": np.arange(30) ** 0.5})
    assert Encoder(plan_table(by_case, "y")).fit(by_case).raw(by_case.head(2)).ravel().tolist() == [1, 0]


def test_what_cannot_be_encoded_is_one_sentence():
    encoder = fitted()
    cases = {
        "has no column 'income'": TABLE.drop("income"),
        "Column 'age' holds 'old' in row 2, but a number was expected (2 such rows)": TABLE.with_columns(
            age=pl.Series(["30", "old", "?", "young"] + ["1"] * (N - 4))
        ),
        "Column 'age' holds '2024-01-01' in row 1": TABLE.with_columns(age=pl.date(2024, 1, 1)),
        "Column 'income' holds 40 values that are infinite": TABLE.with_columns(income=pl.lit(np.inf)),
        "Column 'colour' has the type List": TABLE.with_columns(colour=pl.Series([["red"]] * N)),
    }
    for said, frame in cases.items():
        with pytest.raises(InputError) as error:
            encoder.transform(frame)
        assert said in str(error.value)
        assert str(error.value)[-1] in ".?"


def test_what_is_constant_in_fit_is_left_out():
    table = pl.DataFrame(
        {
            "x": np.sin(np.arange(N)),
            "late": [1.5] * 20 + list(range(20)),
            "gone": [None] * 20 + list(range(20)),
            "level": ["a"] * 20 + ["b", "c"] * 10,
            "rounding": [0.1 + 0.2, 0.3] * 10 + list(range(20)),
            "y": np.cos(np.arange(N)),
        }
    )
    encoder = Encoder(plan_table(table, "y")).fit(table.head(20))
    assert (encoder.feature_names, encoder.inputs) == (["x"], [0])
    assert encoder.transform(table).shape == (N, 1)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["^$", "^.*$", "*", "", "a=b", "<b>", "{}", "literal", "count"])
@pytest.mark.parametrize("column", ["income", "town", "smoker", "mark", "y"])
def test_a_name_changes_nothing_but_names(name, column):
    table = TABLE.rename({column: name})
    target = name if column == "y" else "y"
    if name == "":
        target = "unnamed column 9" if column == "y" else "y"
    plan = plan_table(table, target)
    encoder = Encoder(plan).fit(plan.used_rows(table))
    np.testing.assert_array_equal(encoder.transform(table), fitted().transform(TABLE))
    np.testing.assert_array_equal(plan.target_values(table), TABLE["y"])
    assert encoder.remarks(table) == []


@pytest.mark.parametrize("size", [1e-90, 1e90])
def test_extreme_sizes(size):
    table = pl.DataFrame({"x": np.arange(N) % 7 * size, "y": np.sin(np.arange(N))})
    features = Encoder(plan_table(table, "y")).fit(table).transform(table)
    np.testing.assert_allclose(features.std(axis=0), 1, rtol=1e-12)


def test_importing_the_folder_loads_no_polars():
    script = "import sys, shrinkwise.tables; sys.exit(bool({'polars', 'narwhals', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    with pytest.raises(AttributeError, match="'read_excel' is not a name"):
        __import__("shrinkwise.tables").tables.read_excel  # noqa: B018


def test_rare_levels_share_a_feature_and_new_ones_join_them():
    towns = ["Bonn"] * 20 + ["Ulm"] * 20 + ["Jena"] * 3 + ["Trier"] * 2
    table = pl.DataFrame({"town": towns, "y": RNG.normal(size=45)})
    encoder = Encoder(plan_table(table, "y")).fit(table)
    assert encoder.feature_names == ["town=Bonn", "town=Ulm", "town=(rare)"]
    new = pl.DataFrame({"town": ["Jena", "Trier", "Rome", "Ulm", None]})
    assert encoder.raw(new).tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 0], [0, 0, 0]]
    said = encoder.remarks(new)[0]
    assert "'Rome'), treated as one of the rare levels" in said
    assert "Trier" not in said
    all_rare = pl.DataFrame({"town": [f"town {i % 20}" for i in range(45)], "y": RNG.normal(size=45)})
    encoder = Encoder(plan_table(all_rare, "y")).fit(all_rare)
    assert encoder.feature_names == []  # constant: every town is rare
    assert "'Rome')" in encoder.remarks(pl.DataFrame({"town": ["Rome", "town 3"]}))[0]


def test_dates_are_year_month_day_and_weekday_of_one_input():
    days = [datetime.date(2023, 12, 25) + datetime.timedelta(days=3 * i) for i in range(40)]
    table = pl.DataFrame({"d": [*days[:-1], None], "x": np.arange(40) % 7, "y": RNG.normal(size=40)})
    expected = None
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%b %d, %Y", None):
        written = table if form is None else table.with_columns(d=pl.col("d").dt.strftime(form))
        encoder = Encoder(plan_table(written, "y")).fit(written)
        raw = dict(zip(encoder.feature_names, encoder.raw(written).T, strict=True))
        assert raw["d year"][:3].tolist() == [2023, 2023, 2023]
        assert raw["d day"][:3].tolist() == [25, 28, 31]
        assert [raw[f"d weekday={w}"][i] for i, w in enumerate(("Monday", "Thursday", "Sunday"))] == [1, 1, 1]
        assert raw["d month=January"].tolist()[:4] == [0, 0, 0, 1]
        assert raw["d is missing"][-1] == 1
        assert sum(values[-1] for name, values in raw.items() if "=" in name) == 0
        assert {
            encoder.plan.kept[i].name for i, n in zip(encoder.inputs, encoder.feature_names, strict=True) if "d " in n
        } == {"d"}
        expected = encoder.transform(written) if expected is None else expected
        np.testing.assert_array_equal(encoder.transform(written), expected)


def test_iso_dates_are_read_whatever_the_column_and_others_as_it_is_written():
    days = [datetime.date(2023, 12, 1) + datetime.timedelta(days=3 * i) for i in range(40)]
    table = pl.DataFrame({"d": days, "y": RNG.normal(size=40)})
    new = table.slice(5, 9)
    forms = ("%d/%m/%Y", "%m.%d.%y", "%d %b %Y", "%Y%m%d", "%Y-%m-%d")
    for form in forms:
        written = table.with_columns(d=pl.col("d").dt.strftime(form))
        written = written.with_columns(pl.col("d").cast(pl.Int64)) if form == "%Y%m%d" else written
        encoder = Encoder(plan_table(written, "y")).fit(written)
        expected = encoder.transform(written.slice(5, 9))
        for other in (new, new.with_columns(d=pl.col("d").dt.strftime("%Y-%m-%d")), new.cast({"d": pl.Datetime})):
            np.testing.assert_array_equal(encoder.transform(other), expected)
        like = {"%Y%m%d": "20231231", "%d %b %Y": "31 Dec 2023", "%d/%m/%Y": "31/12/2023"}.get(form, "")
        with pytest.raises(InputError, match=rf"'yesterday' in row 1, but a date written like {like}.* was expected"):
            encoder.transform(new.with_columns(d=pl.lit("yesterday")))
    typed = Encoder(plan_table(table, "y")).fit(table)
    for form in forms:
        if form != "%Y%m%d":
            written = new.with_columns(d=pl.col("d").dt.strftime(form))
            np.testing.assert_array_equal(typed.transform(written), typed.transform(new))


def test_an_ordered_category_is_its_steps():
    table = pl.DataFrame({"size": ["S", "M", "L", "XL"] * 10, "y": np.arange(40) % 9 + 0.5})
    encoder = Encoder(plan_table(table, "y")).fit(table)
    assert encoder.feature_names == ["size≥M", "size≥L", "size≥XL"]
    new = pl.DataFrame({"size": ["s", "L", "huge"]})
    assert encoder.raw(new).tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 0]]  # an unknown size is the median one
    assert "('huge'), treated as missing" in encoder.remarks(new)[0]


def test_a_wide_table_of_zeros_stays_sparse_and_says_the_same():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.05, size=(120, 250)) * rng.integers(1, 4, size=(120, 250))
    table = pl.DataFrame({f"w{j}": counts[:, j] for j in range(250)} | {"y": rng.normal(size=120)})
    encoder = Encoder(plan_table(table, "y")).fit(table)
    assert encoder.sparse
    sparse = encoder.transform(table)
    assert sparse.nnz < 0.1 * sparse.shape[0] * sparse.shape[1]
    encoder.sparse, dense_mean = False, encoder.raw(table).toarray().mean(axis=0)
    encoder.mean = dense_mean
    dense = encoder.transform(table)
    np.testing.assert_allclose(dense.std(axis=0), 1.0)
    np.testing.assert_allclose(sparse.toarray() - dense_mean / encoder.scale, dense, atol=1e-12)


def test_rows_of_a_column_whose_name_is_a_pattern_for_polars():
    frame = pl.DataFrame({name: np.random.default_rng(0).normal(size=60) for name in ("^.*$", "^b$", "y")})
    rows = np.arange(0, 60, 2)
    X = Encoder(plan_table(frame, "y")).fit(frame, rows).transform(frame, rows)
    np.testing.assert_allclose(X.std(axis=0), 1)


def test_a_column_that_is_used_is_not_suggested_for_an_absent_one():
    frame = pl.DataFrame(
        {"length (mm)": RNG.normal(size=30), "depth (mm)": RNG.normal(size=30), "y": RNG.normal(size=30)}
    )
    encoder = Encoder(plan_table(frame, "y")).fit(frame)
    with pytest.raises(InputError, match=r"no column 'length \(mm\)'; did you mean 'Length'\?"):
        encoder.transform(frame.rename({"length (mm)": "Length"}))
