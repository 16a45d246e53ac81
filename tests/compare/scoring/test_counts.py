"""Counts with and without exposure, targets on a log scale, and predictions within the range of the target."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise.compare import compare_table
from shrinkwise.compare.candidates.base import TrainingRows
from shrinkwise.compare.candidates.linear import LASSO, NONE, RIDGE
from shrinkwise.compare.held_out import held_out_csv
from shrinkwise.compare.metrics import held_out_score, row_losses
from shrinkwise.compare.scale import log_is_better, with_scale
from shrinkwise.compare.scoring.nested import split_table, tune
from shrinkwise.models.explain_row import explain_row
from shrinkwise.models.predictions import predictions_csv
from shrinkwise.models.score_py import score_py
from shrinkwise.models.table_model import load
from shrinkwise.selection import Rows
from shrinkwise.tables import InputError, plan_table
from shrinkwise.tables.plan.parts import row_exposures


def counts(n: int = 150, seed: int = 0) -> pl.DataFrame:
    """Counts whose rate depends on x0, with an exposure and its logarithm."""
    rng = np.random.default_rng(seed)
    X, exposure = rng.normal(size=(n, 3)), rng.uniform(0.5, 5, n)
    y = rng.poisson(np.exp(0.7 * X[:, 0] + 0.5) * exposure)
    return pl.DataFrame(
        {**{f"x{j}": X[:, j] for j in range(3)}, "years": exposure, "log_years": np.log(exposure), "y": y}
    )


def skewed(n: int = 150, seed: int = 0) -> pl.DataFrame:
    """A positive target whose logarithm is linear in x0."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return pl.DataFrame(
        {**{f"x{j}": X[:, j] for j in range(3)}, "y": np.exp(X[:, 0] + 0.5 * rng.normal(size=n)) * 1000}
    )


@pytest.fixture(scope="module")
def with_exposure(linear):
    linear = replace(linear, methods=("lasso", "additive-lasso"))
    frame = counts()
    plan = plan_table(frame, "y", exposure="years", drop=("log_years",))
    return frame, compare_table(frame, plan, linear, test=counts(60, seed=1))


def test_the_deviance_is_that_of_its_formula():
    from sklearn.metrics import mean_poisson_deviance

    y, mu = np.array([0.0, 1.0, 7.0]), np.array([0.5, 2.0, 6.0])
    assert held_out_score("counts", y, mu) == pytest.approx(mean_poisson_deviance(y, mu))
    assert np.isfinite(row_losses("counts", y, np.zeros(3))).all()


def test_rates_weighted_by_exposure_are_counts_with_an_offset(linear):
    frame = counts()
    splits = split_table(frame, plan_table(frame, "y", exposure="years", drop=("log_years",)), linear)
    problem = splits[0].problem
    train = splits.folds[0][0]
    found = tune(NONE, problem, linear).best.predictor
    exposure = frame["years"].to_numpy()[train]
    expected = sw.PenalizedRegressor(sw.L2(0.0), loss="poisson", tol=1e-10).fit(
        problem.X, frame["y"].to_numpy()[train], offset=np.log(exposure)
    )
    np.testing.assert_allclose(found.coef, expected.coef_, atol=1e-5)
    assert float(found.intercept) == pytest.approx(float(expected.intercept_), abs=1e-5)


def test_an_offset_is_the_logarithm_of_an_exposure():
    frame = counts()
    one = plan_table(frame, "y", exposure="years", drop=("log_years",))
    other = plan_table(frame, "y", offset="log_years", drop=("years",))
    assert one.task == other.task == "counts"
    np.testing.assert_allclose(one.target_values(frame), other.target_values(frame))
    np.testing.assert_allclose(one.rows(frame).weights, other.rows(frame).weights)
    with pytest.raises(InputError, match="either an exposure or an offset"):
        plan_table(frame, "y", exposure="years", offset="log_years")
    with pytest.raises(InputError, match=r"exposure 'x0' is \S+ in row \d+, but a number > 0"):
        plan_table(frame, "y", exposure="x0").target_values(frame)


@pytest.mark.parametrize("candidate", [RIDGE, LASSO])
def test_the_strength_for_counts_does_not_depend_on_the_unit(candidate, linear):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(90, 3))
    y = rng.poisson(np.exp(X[:, 0] + 1)).astype(float)
    one, other = (tune(candidate, TrainingRows(X, v, "counts", 0, 1, Rows()), linear).best for v in (y, 1000 * y))
    assert other.settings["λ"] == pytest.approx(one.settings["λ"], rel=1e-6)
    np.testing.assert_allclose(other.predictor.coef, one.predictor.coef, atol=1e-6)
    np.testing.assert_allclose(other.predictor.output(X), 1000 * one.predictor.output(X), rtol=1e-5)


def test_networks_of_counts_learn_their_means():
    pytest.importorskip("torch")
    from shrinkwise.compare import NetworkOptions
    from shrinkwise.compare.candidates.setting import Setting
    from shrinkwise.compare.candidates.stacked_networks import MemberRows, train_networks

    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    mean = 50 * np.exp(0.8 * X[:, 0])
    problem = TrainingRows(X, rng.poisson(mean).astype(float), "counts", 0, 1)
    settings, network = [Setting(lam=0.001)], NetworkOptions(hidden=8, steps=200)
    predictor = train_networks(problem, settings, [MemberRows(np.arange(200))], network)[0][0]
    assert held_out_score("counts", mean, predictor.output(X)) < 0.1 * held_out_score(
        "counts", mean, np.full(200, mean.mean())
    )
    assert (predictor.output(X) > 0).all()


def test_every_way_gives_the_same_counts(with_exposure, tmp_path):
    comparison = with_exposure[1]
    model, new = comparison.model, counts(20, seed=2).drop("y")
    model.save(tmp_path / "model.json")
    new.write_csv(tmp_path / "new.csv")
    (tmp_path / "score.py").write_text(score_py(model), encoding="utf-8")
    found = model.predict(new, interval=0.8)
    again = load(tmp_path / "model.json").predict(new, interval=0.8)
    assert found.equals(again)
    command = [sys.executable, "-I", "-S", "score.py", "new.csv", "--interval", "0.8"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    for text in (done.stdout, predictions_csv(model, new, 0.8)):
        rows = list(csv.DictReader(io.StringIO(text)))
        for column in ("prediction", "low", "high"):
            np.testing.assert_allclose([float(row[column]) for row in rows], found[column], rtol=1e-9)
    twice = new.with_columns(years=2 * new["years"])
    np.testing.assert_allclose(model.predict(twice), 2 * model.predict(new))
    assert (found["low"] == found["low"].round()).all()
    assert (found["low"] >= 0).all()
    with pytest.raises(InputError, match="no column 'years'"):
        model.predict(new.drop("years"))


@pytest.mark.parametrize(
    ("rule", "text", "exposure"),
    [
        (["exposure", "years"], "2.5", 2.5),
        (["offset", "years"], "0", 1.0),
        (["exposure", "years"], "1_0", None),  # which float() reads as 10
        (["exposure", "years"], "0", None),
        (["exposure", "years"], "", None),
        (["offset", "years"], "1000", None),  # whose exponential overflows
        (["offset", "years"], "-1000", None),
    ],
)
def test_score_py_refuses_the_exposures_that_predict_refuses(rule, text, exposure):
    from shrinkwise.models.intervals.score_lines import decided

    model = {"classes": None, "response": [0, 0.0, 9.0], "exposure": rule}
    if exposure is None:
        expected = "a number > 0" if rule[0] == "exposure" else "a number that has an exponential"
        with pytest.raises(ValueError, match=f"{rule[0]} 'years' is '{text}', but {expected} was expected"):
            decided([3.0], model, {"years": text})
        series = pl.Series("years", [text])
        with pytest.raises(InputError, match=expected):
            row_exposures(series if text == "1_0" else series.cast(pl.Float64, strict=False), rule[0])
    else:
        assert decided([3.0], model, {"years": text}) == {"prediction": 3 * exposure}


def test_score_py_reads_an_exposure_with_a_decimal_comma(with_exposure, tmp_path):
    model = with_exposure[1].model
    new = counts(5, seed=2).with_columns(years=pl.Series([1.5, 0.25, 2.0, 1.125, 3.0]))
    lines = [";".join(new.columns), *(";".join(map(str, row)).replace(".", ",") for row in new.rows())]
    (tmp_path / "new.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "score.py").write_text(score_py(model), encoding="utf-8")
    command = [sys.executable, "-I", "-S", "score.py", "new.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    found = [float(row["prediction"]) for row in csv.DictReader(io.StringIO(done.stdout))]
    np.testing.assert_allclose(found, model.predict(new), rtol=1e-9)


def test_held_out_counts_are_counts_not_rates(with_exposure):
    frame, comparison = with_exposure
    assert explain_row(comparison.model, frame, 0).of == "log of the rate of y"
    rows = list(csv.DictReader(io.StringIO(held_out_csv(comparison))))
    assert [float(row["truth"]) for row in rows] == pytest.approx(frame["y"].to_list())
    inside = [float(row["low"]) <= float(row["truth"]) + 1e-9 <= float(row["high"]) + 2e-9 for row in rows]
    assert np.mean(inside) == pytest.approx(comparison.intervals.coverage[0].coverage, abs=0.01)
    assert comparison.fresh.coverage[0].rows == 60


def test_counts_are_recognised_and_overruled(linear):
    frame = counts().drop("years", "log_years")
    plan = plan_table(frame, "y")
    assert plan.task == "counts"
    assert "Counts of 'y', because its" in plan.notes[0]
    plain = plan_table(frame, "y", task="regression")
    assert plain.task == "regression"
    assert "no prediction is below 0" in plain.notes[0]


def test_a_skewed_target_is_fitted_on_a_log_scale_where_that_predicts_better(linear):
    frame = skewed()
    plan = plan_table(frame, "y")
    comparison = compare_table(frame, plan, replace(linear, methods=("ridge", "lasso")))
    assert plan.log_target
    assert "fitted to the logarithm of 'y', because it is skewed" in plan.notes[-1]
    assert (comparison.model.predict(frame) > 0).all()
    few = plan_table(frame.with_columns(g=pl.Series(np.arange(150) % 4).cast(pl.String)), "y", group="g")
    grouped = split_table(frame.with_columns(g=pl.Series(np.arange(150) % 4).cast(pl.String)), few, linear)
    with_scale(grouped, linear)  # four groups are too few for folds of groups within folds: no error
    assert not with_scale(grouped, replace(linear, log_target=False)).plan.log_target
    # Duan's factor makes the mean right, which the exponential of a mean logarithm is not (by a factor of about exp(1/8))
    assert comparison.model.predict(frame).mean() == pytest.approx(frame["y"].mean(), rel=0.05)
    truth, output, _ = comparison.held_out()
    scores = [held_out_score("regression", truth[part], output[part]) for part in np.array_split(np.arange(150), 3)]
    np.testing.assert_allclose(sorted(scores), sorted(comparison.kept.scores))


def test_a_target_that_is_linear_stays_on_its_scale(linear):
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(200, 2))
    y = 1 + 3 * X[:, 0] + 0.1 * rng.exponential(size=200)  # skewed, but by its input
    assert not log_is_better(TrainingRows(X, y, "regression", 0, 1))
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": y - 5})
    with pytest.raises(InputError, match="log scale needs a target above 0"):
        compare_table(frame, plan_table(frame, "y"), replace(linear, log_target=True))


def test_predictions_stay_within_the_range_of_the_target(linear):
    rng = np.random.default_rng(0)
    x = rng.normal(size=120)
    share = 1 / (1 + np.exp(-4 * x))
    frame = pl.DataFrame({"x": x, "y": share})
    comparison = compare_table(frame, plan_table(frame, "y"), replace(linear, methods=("lasso",)))
    far = pl.DataFrame({"x": [-50.0, 0.0, 50.0]})
    table = comparison.model.predict(far, interval=0.9)
    assert table["prediction"][[0, 2]].to_list() == [0.0, 1.0]
    assert (table["low"] >= 0).all()
    assert (table["high"] <= 1).all()
    output = comparison.held_out()[1]
    assert ((output >= 0) & (output <= 1)).all()
