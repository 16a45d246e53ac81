"""Intervals of the kept model: their quantiles, the model of the size of residuals, groups, time, and every way to get them."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from shrinkwise.compare import compare_table
from shrinkwise.compare.held_out import held_out_csv
from shrinkwise.compare.scoring.conformal import LEVEL, kept_intervals
from shrinkwise.compare.scoring.nested import HeldOut
from shrinkwise.compare.splits.splits import split_table
from shrinkwise.models.intervals.kept import LEVELS
from shrinkwise.models.predictions import predictions_csv
from shrinkwise.models.score_py import score_py
from shrinkwise.models.table_model import load
from shrinkwise.selection import conformal_quantiles
from shrinkwise.tables import InputError, plan_table


def noisy(n: int, seed: int, sigma) -> tuple[pl.DataFrame, np.ndarray]:
    """A table whose target is 3 a + σ(a, b) times normal noise, and its inputs."""
    X = np.random.default_rng([seed, 0]).normal(size=(n, 2))
    y = 3 * X[:, 0] + sigma(X) * np.random.default_rng([seed, 1]).normal(size=n)
    return pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": y}), X


def of_truth(frame, X, options, **columns):
    """The intervals of a model that knows 3 a: residuals are the noise alone."""
    plan = plan_table(frame, "y", **columns)
    splits = split_table(frame, plan, options)
    held = [HeldOut(0.0, None, 3 * X[test, 0], {}, "", None) for _, test in splits.folds]
    return kept_intervals(splits, held, X, np.ones(2, dtype=bool)), splits


def test_equal_noise_keeps_one_width_by_the_finite_sample_quantile(linear):
    frame, X = noisy(300, 0, lambda X: 1.0)
    found, _ = of_truth(frame, X, linear)
    errors = frame["y"].to_numpy() - 3 * X[:, 0]
    assert found.model.spread is None
    np.testing.assert_allclose(found.model.high[0], conformal_quantiles(np.abs(errors), LEVELS))
    np.testing.assert_allclose(found.model.low, -found.model.high)
    assert found.model.supported[-1] == 0.99


@pytest.mark.parametrize("by", ["prediction", "other input"])
def test_uneven_noise_is_covered_in_every_part_and_narrower(linear, by):
    column = {"prediction": 0, "other input": 1}[by]
    frame, X = noisy(1500, 1, lambda X: np.exp(0.8 * X[:, column]))
    found, _ = of_truth(frame, X, linear)
    fresh, Z = noisy(3000, 2, lambda X: np.exp(0.8 * X[:, column]))
    low, high = found.model.at(Z, 3 * Z[:, 0], LEVEL)
    inside = (low <= fresh["y"].to_numpy()) & (fresh["y"].to_numpy() <= high)
    parts = np.array_split(np.argsort(Z[:, column]), 3)
    assert found.model.spread is not None
    assert 0.88 < inside.mean() < 0.92
    assert all(0.86 < inside[part].mean() < 0.94 for part in parts)
    plain = conformal_quantiles(np.abs(frame["y"].to_numpy() - 3 * X[:, 0]), [LEVEL])[0]
    assert (high - low).mean() < 0.95 * 2 * plain


def test_tails_that_differ_between_the_thirds_are_calibrated_in_each(linear):
    """Equal E|error|, but in one third of the predictions a few large errors among small ones."""

    def draw(n, seed):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, 2))
        size = np.where(rng.random(n) < 0.05, 10.5, 0.5)
        errors = np.where(X[:, 0] > 0.43, size, rng.uniform(0, 2, n)) * rng.choice([-1, 1], n)
        return pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": 3 * X[:, 0] + errors}), X

    found, _ = of_truth(*draw(1500, 0), linear)
    fresh, Z = draw(3000, 1)
    low, high = found.model.at(Z, 3 * Z[:, 0], LEVEL)
    inside = (low <= fresh["y"].to_numpy()) & (fresh["y"].to_numpy() <= high)
    assert found.model.low.shape == (3, len(LEVELS))
    assert "in each third" in found.how
    for part in np.array_split(np.argsort(Z[:, 0]), 3)[:2]:
        assert 0.87 < inside[part].mean() < 0.93


def test_a_spread_does_not_grow_beyond_what_was_seen(linear):
    frame, X = noisy(400, 3, lambda X: np.exp(X[:, 0]))
    spread = of_truth(frame, X, linear)[0].model.spread
    far = np.array([[1e6, 0.0], [-1e6, 0.0]])
    assert spread.at(far, 3 * far[:, 0]) == pytest.approx(np.exp(spread.scalars[[4, 3]]))


def test_held_out_intervals_are_from_the_other_folds(linear):
    frame, X = noisy(120, 4, lambda X: 1.0)
    found, splits = of_truth(frame, X, linear)
    errors = [frame["y"].to_numpy()[test] - 3 * X[test, 0] for _, test in splits.folds]
    start = 0
    for k, own in enumerate(errors):
        others = np.abs(np.concatenate([each for j, each in enumerate(errors) if j != k]))
        width = (found.held_out.high - found.held_out.low)[start : start + len(own)] / 2
        np.testing.assert_allclose(width, conformal_quantiles(others, [LEVEL])[0])
        start += len(own)
    assert found.coverage[0].rows == 120
    assert sum(part.rows for part in found.coverage[1:]) == 120


def test_in_a_split_by_time_the_quantiles_are_from_earlier_periods(linear):
    frame, X = noisy(120, 5, lambda X: 1.0)
    found, splits = of_truth(frame.with_columns(t=pl.arange(120)), X, linear, time="t")
    first = len(splits.folds[0][1])
    assert not found.held_out.found[:first].any()
    assert found.held_out.found[first:].all()


def test_few_groups_support_no_high_level(linear):
    frame, X = noisy(120, 6, lambda X: 1.0)
    found, _ = of_truth(frame.with_columns(g=pl.Series(np.arange(120) % 8).cast(pl.String)), X, linear, group="g")
    assert found.model.units == "8 groups"
    assert found.held_out is None
    assert found.model.supported[-1] <= 8 / 9
    with pytest.raises(InputError, match=r"level 0\.9 need more rows: the 8 groups of this model support at most 0\.8"):
        found.model.at(X, X[:, 0], 0.9)


@pytest.mark.parametrize(
    ("level", "error"), [(0.4, InputError), (0.995, InputError), (True, TypeError), ("x", TypeError)]
)
def test_a_level_outside_its_range_is_refused(compared, level, error):
    frame, comparison = compared
    with pytest.raises(error, match=r"between 0\.5 and 0\.99"):
        comparison.model.predict(frame, interval=level)


def test_every_way_gives_the_same_intervals(compared, tmp_path):
    frame, comparison = compared
    model = comparison.model
    model.save(tmp_path / "model.json")
    again = load(tmp_path / "model.json")
    levels = (0.5, 0.8, 0.8123, float(model.intervals.supported[-1]))
    frame.write_csv(tmp_path / "new.csv")
    (tmp_path / "score.py").write_text(score_py(model), encoding="utf-8")
    for level in levels:
        text = predictions_csv(model, frame, level)
        assert text == predictions_csv(again, frame, level)
        rows = list(csv.DictReader(io.StringIO(text)))
        found = model.predict(frame.to_pandas(), interval=level)
        command = [sys.executable, "-I", "-S", "score.py", "new.csv", "--interval", str(level)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=True)
        alone = list(csv.DictReader(io.StringIO(done.stdout)))
        if model.plan.classes is None:
            for side in ("low", "high"):
                np.testing.assert_allclose(found[side], [float(row[side]) for row in rows], rtol=1e-12)
                np.testing.assert_allclose(found[side], [float(row[side]) for row in alone], rtol=1e-9)
            assert ((found["low"] <= found["prediction"]) & (found["prediction"] <= found["high"])).all()
        else:
            assert found["set"].str.join("|").tolist() == [row["set"] for row in rows] == [row["set"] for row in alone]
            assert all(each in labels for each, labels in zip(found["prediction"], found["set"], strict=True))


def test_held_out_csv_has_the_intervals_of_the_held_out_rows(compared):
    _, comparison = compared
    rows = list(csv.DictReader(io.StringIO(held_out_csv(comparison))))
    if comparison.plan.classes is None:
        inside = [float(row["low"]) <= float(row["truth"]) <= float(row["high"]) for row in rows]
    else:
        inside = [row["truth"] in row["set"].split("|") for row in rows]
    assert np.mean(inside) == pytest.approx(comparison.intervals.coverage[0].coverage)


def test_a_model_of_an_older_version_says_that_it_has_none(compared, tmp_path):
    frame, comparison = compared
    older = replace(comparison.model, intervals=None)
    with pytest.raises(InputError, match="has no intervals; fit it again"):
        older.predict(frame, interval=0.9)
    older.save(tmp_path / "model.json")
    text = (tmp_path / "model.json").read_text().replace('"schema": 2', '"schema": 1')
    (tmp_path / "model.json").write_text(text)
    assert load(tmp_path / "model.json").intervals is None


def test_levels_rise_and_are_nested(compared):
    frame, comparison = compared
    model = comparison.model
    X, output = model.encoded(frame), model.output(frame)
    before = None
    for level in model.intervals.supported:
        found = model.within(X, output, float(level))
        if model.plan.classes is None:
            low, high = found
            assert before is None or ((low <= before[0]) & (high >= before[1])).all()
        else:
            assert before is None or (found >= before).all()
            assert found.any(axis=1).all()
        before = found


def test_test_rows_have_their_coverage(small_table, linear):
    frame, fresh = small_table("regression"), small_table("regression", n=90, seed=1)
    comparison = compare_table(frame, plan_table(frame, "y"), linear, test=fresh)
    low, high = (comparison.model.predict(fresh, interval=LEVEL)[side].to_numpy() for side in ("low", "high"))
    truth = fresh["y"].to_numpy()
    assert comparison.fresh.coverage[0].coverage == np.mean((low <= truth) & (truth <= high))
    assert [part.rows for part in comparison.fresh.coverage] == [90, 30, 30, 30]
