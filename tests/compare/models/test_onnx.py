"""model.onnx gives the model's numbers in onnxruntime, row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from compare.handmade import CLASSES, drawn_model, every_kind
from shrinkwise.models import onnx as onnx_model
from shrinkwise.models.predictors import Response
from shrinkwise.tables import InputError


def test_without_the_packages_it_says_what_to_install(monkeypatch):
    frame = every_kind("binary")
    monkeypatch.setattr(onnx_model, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"shrinkwise\[onnx\]"):
        onnx_model.checked_onnx(drawn_model("binary", "linear", frame), frame)


@pytest.mark.parametrize("kind", ["linear", "additive", "network", "cocktail"])
@pytest.mark.parametrize("task", CLASSES)
def test_the_same_numbers_with_gaps_and_what_was_never_seen(task, kind):
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    frame = every_kind(task)
    model = drawn_model(task, kind, frame)
    strange = {"colour": ["mauve", None], "=cmd()": ["YES", "maybe"], "size": ["HIGH", "huge"], "flag": ["true", "2"]}
    strange |= {"city": ["CITY 3", "Umeå"]}
    new = pl.concat([frame, frame.head(2).with_columns(**{k: pl.Series(v) for k, v in strange.items()})]).drop("y")
    data, difference = onnx_model.checked_onnx(model, new)
    assert difference < 1e-12
    found = runtime.InferenceSession(data).run(None, onnx_model.onnx_inputs(model, new))
    output = model.output(new)
    if task == "regression":
        np.testing.assert_allclose(found[0][:, 0], output, rtol=1e-9)
    else:
        np.testing.assert_allclose(found[1], output, rtol=1e-9, atol=1e-300)
        assert found[0][:, 0].tolist() == model.decide(output).tolist()


@pytest.mark.parametrize("kind", ["linear", "additive", "network", "cocktail"])
@pytest.mark.parametrize("limits", [(-np.inf, np.inf), (0.5, 2.0)], ids=["unlimited", "within limits"])
def test_counts_and_targets_on_a_log_scale_have_the_same_exponentials(kind, limits):
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    frame = every_kind("regression")
    model = drawn_model("regression", kind, frame)
    scores = model.output(frame)
    predictor = model.predictor.responding(Response(True, *limits), float(-np.median(scores)))
    model = replace(model, predictor=predictor)
    data, difference = onnx_model.checked_onnx(model, frame)
    assert difference < 1e-12
    found = runtime.InferenceSession(data).run(None, onnx_model.onnx_inputs(model, frame))[0][:, 0]
    output = model.output(frame)
    np.testing.assert_allclose(found, output, rtol=1e-9)
    assert (output > 0).all()
    assert np.isfinite(output).all()
    if np.isfinite(limits).all():
        assert {0.5, 2.0} < set(output.tolist())


def test_a_graph_that_differs_is_not_written(monkeypatch):
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    frame = every_kind("regression")
    model = drawn_model("regression", "linear", frame)
    wrong = drawn_model("regression", "linear", frame.with_columns(pl.col("y")))
    object.__setattr__(wrong.predictor, "intercept", 0.4)
    wrong_bytes = onnx_model.onnx_bytes(wrong)
    monkeypatch.setattr(onnx_model, "onnx_bytes", lambda _: wrong_bytes)
    with pytest.raises(ValueError, match="not written"):
        onnx_model.checked_onnx(model, frame)
