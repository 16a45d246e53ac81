"""Categories of many levels as means of the target: what is learned of them, and that no row tells its own target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from compare.handmade import drawn_model, every_kind
from shrinkwise.compare.options import options_for
from shrinkwise.compare.splits.splits import split_table
from shrinkwise.tables import Encoder, plan_table
from shrinkwise.tables.columns.level_means import LEVEL_MEANS, Outcome, Parts, crossed_means, level_means

N, LEVELS = 600, 60
SCALES = ["", "log", "log-odds"]


def rows(scale: str, seed: int = 0, spread: float = 1.0, size: int = N):
    """Codes of levels (some missing) and an outcome with two columns whose means differ by level."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, LEVELS + 1, size)  # the last is missing
    effect = spread * rng.normal(size=(LEVELS + 1, 2))[codes]
    drawn = {
        "": effect + rng.normal(size=(size, 2)),
        "log": rng.poisson(np.exp(effect)).astype(float),
        "log-odds": (rng.random((size, 2)) < 1 / (1 + np.exp(-effect))).astype(float),
    }
    return codes, Outcome(drawn[scale], rng.integers(1, 4, size).astype(float), ["a", "b"], scale)


def frame_of(task: str, n: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    city, x = rng.integers(0, 100, n), rng.normal(size=n)
    score = rng.normal(size=100)[city] + x + rng.normal(size=n)
    y = {
        "regression": score,
        "binary": np.where(score > 0, "yes", "no"),
        "multiclass": np.digitize(score, [-1, 1]).astype(str),
        "counts": rng.poisson(np.exp(score / 3)),
    }[task]
    names = [None if i % 50 == 7 else f"{'City' if i % 9 else 'CITY'} {c}" for i, c in enumerate(city)]
    return pl.DataFrame({"city": names, "x": x, "y": y, "g": city % 37, "t": np.arange(n)})


def test_the_shrunk_mean_is_the_best_linear_prediction():
    """True means are predicted with a slope of 1, where plain means would need a slope of t²/(t² + s²/20) = 0.76."""
    codes = np.random.default_rng(0).integers(0, LEVELS, 20 * LEVELS)
    slopes = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        effect = 0.4 * rng.normal(size=LEVELS)
        y = effect[codes] + rng.normal(size=len(codes))
        found = level_means(codes, LEVELS, Outcome(y[:, None], np.ones(len(y)), ["y"]))[:, 0]
        slopes.append(np.cov(found, effect)[0, 1] / found.var(ddof=1))
    error = np.std(slopes) / np.sqrt(len(slopes))
    assert abs(np.mean(slopes) - 1) < 4 * error < 0.1


@pytest.mark.parametrize("scale", SCALES)
def test_weights_are_relative_and_rows_of_small_weight_count_little(scale):
    codes, outcome = rows(scale)
    found = level_means(codes, LEVELS, outcome)
    np.testing.assert_allclose(level_means(codes, LEVELS, replace(outcome, weights=7 * outcome.weights)), found)
    wrong = np.concatenate([outcome.values, 1 - outcome.values[:50]])
    weights = np.concatenate([outcome.weights, np.full(50, 1e-9)])
    small = level_means(np.append(codes, codes[:50]), LEVELS, replace(outcome, values=wrong, weights=weights))
    assert np.abs(small - found).max() < 0.1 * np.abs(found).max()


@pytest.mark.parametrize("scale", SCALES)
def test_levels_that_do_not_differ_are_average(scale):
    zero = [level_means(*_given(rows(scale, seed, spread=0.0))).std() for seed in range(10)]
    strong = [level_means(*_given(rows(scale, seed))).std() for seed in range(10)]
    assert np.median(zero) < 0.2 * np.median(strong)


def test_a_level_in_which_all_rows_are_alike_has_a_finite_mean():
    for scale in ("log", "log-odds"):
        values = np.repeat([[0.0], [1.0]], 20, axis=0)
        found = level_means(np.repeat([0, 1], 20), 3, Outcome(values, np.ones(40), ["y"], scale))
        assert np.isfinite(found).all()
        assert found[0] < 0 < found[1]
        assert found[2] == 0  # a level without rows


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("scale", SCALES)
def test_the_means_of_a_part_do_not_depend_on_its_targets(scale, in_order):
    codes, outcome = rows(scale)
    part = np.arange(N) % 4
    values = outcome.values.copy()
    values[part == 2] = values[part == 2][::-1]
    before, after = (
        crossed_means(codes, LEVELS, each, Parts(part, in_order)) for each in (outcome, replace(outcome, values=values))
    )
    unchanged = part <= 2 if in_order else part == 2
    np.testing.assert_array_equal(after[unchanged], before[unchanged])
    assert (after[~unchanged] != before[~unchanged]).any()
    assert not in_order or not before[part == 0].any()  # nothing came before


@pytest.mark.parametrize("split", ["", "group", "time"])
def test_no_row_that_a_fold_holds_out_tells_its_target(split):
    """Neither an outer fold, whose encoder is fitted without it, nor an inner one, whose rows are a part."""
    frame = frame_of("regression")
    wishes = {split: split[0], "drop": [{"group": "t", "time": "g"}[split]]} if split else {"drop": ["g", "t"]}
    plan, options = plan_table(frame, "y", **wishes), options_for("quick", folds=3, inner_folds=3)
    assert planned(frame, **wishes).kind == LEVEL_MEANS
    one = split_table(frame, plan, options)
    train, test = one.folds[2]
    held = train[one[2].problem.folds(3)[2][1]]
    for out, where in ((test, "outer"), (held, "inner")):
        y = frame["y"].to_numpy().copy()
        y[out] = y[out][::-1]
        other = split_table(frame.with_columns(y=y), plan, options)
        if where == "outer":
            np.testing.assert_array_equal(other[2].X_test, one[2].X_test)
            np.testing.assert_array_equal(other[2].problem.X, one[2].problem.X)
            continue
        raw = [_raw(each, train)[np.isin(train, out)] for each in (one, other)]
        np.testing.assert_array_equal(*raw)
        assert np.ptp(raw[0][:, 0]) > 0  # the column of level means


def _raw(splits, train: np.ndarray) -> np.ndarray:
    """Training rows in the units of the data, as `Splits` encodes them."""
    parts = splits._parts(train, 2)
    return Encoder(splits.plan).fit(splits.frame, train, parts).raw(splits.frame, train, parts=parts)


@pytest.mark.parametrize(("task", "width"), [("regression", 1), ("binary", 1), ("multiclass", 2), ("counts", 1)])
def test_one_number_a_row_or_one_for_each_class_but_the_first(task, width):
    frame = frame_of(task).drop("g", "t")
    plan = plan_table(frame, "y", task="counts" if task == "counts" else None)
    column = plan.columns[0]
    assert (column.kind, plan.has_groups, plan.has_numbers) == (LEVEL_MEANS, True, True)
    assert "--category" in column.reason
    assert any("'city' has many levels" in note for note in plan.notes)
    encoder = Encoder(plan).fit(frame)
    assert [name for name in encoder.feature_names if "above average" in name] == encoder.feature_names[:width]
    assert encoder.feature_names[width:] == ["city is missing", "x"]
    new = pl.DataFrame({"city": ["city 3", "CITY 3", "Umeå", None], "x": [0.0] * 4})
    found = encoder.raw(new)
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0, :width].any()
    assert not found[2:, :width].any()
    assert found[:, width].tolist() == [0, 0, 0, 1]
    assert "treated as an average level" in encoder.remarks(new)[0]


def test_it_can_be_overruled():
    frame = frame_of("regression", 2000)
    assert planned(frame, category=["city"]).kind == "category"
    assert not any("many levels" in note for note in plan_table(frame, "y", category=["city"]).notes)
    assert planned(frame.head(280)).kind == LEVEL_MEANS
    off = planned(frame.head(280), level_means=False)
    assert (off.kind, off.reason[:15]) == ("dropped", "too many levels")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([f"{i % 300:05}" for i in range(900)], LEVEL_MEANS),  # postal codes
        ([f"v{i % 200}" for i in range(1000)], "category"),  # 200 levels of five rows
        ([f"v{i % 201}" for i in range(1005)], LEVEL_MEANS),
        ([f"v{i % 201}" for i in range(401)], "dropped"),  # nearly a level for each row
        ([f"{i % 300}" for i in range(890)] + [f"about {i}" for i in range(10)], "dropped"),  # numbers but for ten
    ],
)
def test_which_columns(cells, kind):
    y = np.random.default_rng(0).normal(size=len(cells))
    frame = pl.DataFrame({"city": cells, "x": np.arange(len(cells)) % 7, "y": y})
    assert planned(frame).kind == kind


def planned(frame, **wishes):
    return plan_table(frame, "y", **wishes).columns[0]


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_blank_features_are_those_of_a_row_without_values(task):
    frame = every_kind(task)
    for category in (("code",), ("code", "flag")):
        encoder = drawn_model(task, "linear", frame, category).encoder
        empty = pl.DataFrame({c.name: pl.Series([None], dtype=pl.String) for c in encoder.plan.kept})
        np.testing.assert_allclose(encoder.blank(), encoder.transform(empty)[0], rtol=1e-12, atol=1e-12)


def _given(drawn):
    codes, outcome = drawn
    return codes, LEVELS, outcome
