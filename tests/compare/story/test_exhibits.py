"""What the report shows beside the scores, against the definitions and against models whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from compare.handmade import drawn_model, every_kind
from report.documents import page_of
from shrinkwise.compare.splits.stress import NOISES, SHARES, Disturbance
from shrinkwise.compare.story.exhibits import _wilson
from shrinkwise.compare.story.page import comparison_page, formula
from shrinkwise.models.formula import written_out
from shrinkwise.models.predictors import LinearPredictor
from shrinkwise.report import render_page
from shrinkwise.tables import Encoder, plan_table

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def encoder():
    n = 400
    frame = pl.DataFrame(
        {
            "a": RNG.normal(5, 2, n),
            "b": RNG.normal(size=n),
            "c": RNG.choice(["x", "y", "z"], n),
            "y": RNG.normal(size=n),
        }
    )
    return Encoder(plan_table(frame, "y")).fit(frame), frame


def test_stress_of_a_linear_model_is_what_theory_says(encoder):
    """Noise s on inputs with weights w adds s²‖w‖² to the squared error; an input that is lost is its median."""
    encoder, frame = encoder
    X = encoder.transform(frame)
    w = np.array([1.5, -0.5, 2.0, 0.0, 0.0])
    curves = Disturbance.of(encoder).curves(LinearPredictor(w, 0.0), (X, X @ w, None), "regression", seed=3)
    np.testing.assert_allclose(curves["noise"], np.array(NOISES) * np.hypot(1.5, 0.5), rtol=0.05, atol=1e-12)
    assert curves["missing"][0] < 1e-12
    lost = np.square(X[:, :2] - Disturbance.of(encoder).blank[:2]) @ w[:2] ** 2
    alone = Disturbance.of(encoder).curves(
        LinearPredictor(w * [1, 1, 0, 0, 0], 0.0), (X, X[:, :2] @ w[:2], None), "regression", seed=3
    )
    np.testing.assert_allclose(alone["missing"][1:], np.sqrt(np.mean(lost) * np.array(SHARES[1:])), rtol=0.15)


def test_a_missing_row_is_what_the_encoder_makes_of_one(encoder):
    encoder, frame = encoder
    empty = frame.head(1).with_columns(
        a=pl.lit(None, pl.Float64), b=pl.lit(None, pl.Float64), c=pl.lit(None, pl.String)
    )
    stress = Disturbance.of(encoder)
    np.testing.assert_array_equal(stress.blank, encoder.transform(empty)[0])
    assert stress.measures.tolist() == [True, True, False, False, False]


def test_exhibits_of_a_comparison(compared):
    frame, comparison = compared
    page = comparison_page(comparison, command="", version="")
    choice = comparison.choice
    for curves in (page.stress.noise, page.stress.missing):
        for row, drawn in zip(comparison.rows, curves.candidates, strict=True):
            assert drawn.scores[0] == pytest.approx(row.at(choice).score)
    assert all("L1" in each.sentence or "Dropout" in each.sentence for each in page.stress.findings)
    frequencies = {each.name: each.frequency for each in page.halves.inputs}
    assert set(frequencies) == {column.name for column in comparison.plan.kept}
    assert frequencies["x0"] == max(frequencies.values())
    has_classes = comparison.plan.classes is not None
    assert (page.residuals is None, page.calibration is None) == (has_classes, not has_classes)
    assert sum(each.rows for each in (page.residuals or page.calibration).bins) == frame.height
    if page.residuals is not None:
        truth = dict(enumerate(frame["y"].to_list(), start=1))
        assert all(truth[each.row] == each.truth for each in page.residuals.worst)
    assert page_of(json.loads(json.dumps(page.to_json(), allow_nan=False))).to_json() == page.to_json()
    assert len(render_page(page).encode()) < 150_000


def test_wilsons_interval_is_the_published_one():
    """Brown, Cai and DasGupta, Interval estimation for a binomial proportion, 2001: 0 of 10 gives 0 to .2775."""
    np.testing.assert_allclose(_wilson(0, 10), (0.0, 0.2775), atol=1e-4)
    np.testing.assert_allclose(_wilson(5, 10), (0.2366, 0.7634), atol=1e-4)


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_the_formula_is_the_model(task):
    """The text, evaluated by Python with the features of a row, is the prediction."""
    frame = every_kind(task)
    model = drawn_model(task, "linear", frame)
    model.predictor.coef[..., :-3] = 0  # few terms, as one would write
    lines = written_out(model).split("\n")
    raw = dict(zip(model.encoder.feature_names, model.encoder.raw(frame)[7], strict=True))
    terms = [line.strip().split(" * ", 1) for line in lines[1:4]]
    value = float(lines[0].split(" = ")[1]) + sum(float(c.replace(" ", "")) * raw[name] for c, name in terms)
    output = model.output(frame)[7]
    assert (output if task == "regression" else output[1]) == pytest.approx(
        value if task == "regression" else 1 / (1 + np.exp(-value)), rel=1e-5
    )
    assert "probability that y is" in lines[-1] or task == "regression"
    assert written_out(drawn_model("multiclass", "linear", every_kind("multiclass"))) == ""


def test_the_objective_names_the_settings_and_the_scale_of_the_loss(compared):
    _, comparison = compared
    fit = replace(comparison.fit, settings={"keep": 0.8, "steps": 1234, "mean of": "2 settings"})
    text = formula(replace(comparison, fit=fit))
    assert "keep = 0.8, steps = 1234 (the largest share of a mean of 2 settings)" in text
    if comparison.plan.classes is None:
        assert text.endswith("s the standard deviation of y")
        on_log = replace(comparison, fit=fit, plan=replace(comparison.plan, log_target=True))
        assert formula(on_log).endswith("s the standard deviation of log y")
