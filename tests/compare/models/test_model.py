from __future__ import annotations

import copy
import csv
import hashlib
import io
import json
import re
import tomllib

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from compare.handmade import CLASSES, drawn_model, every_kind
from shrinkwise.compare import comparison_page
from shrinkwise.compare.held_out import held_out_csv
from shrinkwise.compare.scoring.nested import tune
from shrinkwise.compare.splits.splits import training_problem
from shrinkwise.models.coefficients import INTERCEPT, coefficients, coefficients_csv, csv_text
from shrinkwise.models.predictions import predictions_csv
from shrinkwise.models.predictors import NetworkPredictor
from shrinkwise.models.table_model import TableModel
from shrinkwise.runs.record import run_record
from shrinkwise.tables import InputError


def kept_as(name, frame, comparison) -> TableModel:
    """The model as if the candidate `name` had been kept."""
    encoder, plan = comparison.model.encoder, comparison.plan
    problem = training_problem(encoder.transform(frame), plan.target_values(frame), plan, comparison.options, 3)
    return TableModel(plan, encoder, tune(comparison.row(name).candidate, problem, comparison.options).best.predictor)


@pytest.fixture(params=["lasso", "network + dropout"])
def kept(request, compared):
    if request.param not in [row.candidate.name for row in compared[1].rows]:
        pytest.skip("networks need torch")
    return compared[0], kept_as(request.param, *compared)


def test_a_saved_model_predicts_as_the_one_in_memory(kept, tmp_path):
    frame, model = kept
    model.save(tmp_path / "model.json")
    for place in (tmp_path, tmp_path / "model.json"):
        loaded = sw.load(place)
        np.testing.assert_array_equal(loaded.output(frame), model.output(frame))
        np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    assert loaded.plan == model.plan


def test_predictions_of_pandas_and_polars_frames_agree(kept):
    frame, model = kept
    np.testing.assert_array_equal(model.predict(frame.to_pandas()), model.predict(frame))


def test_unseen_levels_and_missing_values_are_predicted(kept):
    _, model = kept
    new = pl.DataFrame(
        {"colour": ["mauve", None], "x3": [None, 1.0], "x2": [0.0, None], "x1": [1, 2], "x0": [None, None]}
    )
    assert np.isfinite(model.output(new)).all()
    assert len(model.predict(new)) == 2


def test_probabilities_sum_to_one_or_are_refused(kept):
    frame, model = kept
    if model.plan.classes is None:
        with pytest.raises(InputError, match="use predict"):
            model.predict_proba(frame)
    else:
        p = model.predict_proba(frame)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        assert set(model.predict(frame)) <= set(model.plan.classes)


def changed(name):
    """A change of a saved model that makes it unusable, and what the sentence on it says."""

    def rewrite(folder, change):
        data = json.loads((folder / "model.json").read_text())
        change(data)
        (folder / "model.json").write_text(json.dumps(data))

    def arrays(folder):
        with np.load(folder / "model.npz") as stored:
            held = dict(stored)
        np.savez(folder / "model.npz", **{**held, "encoder.scale": held["encoder.scale"] * 2})

    def pickled(folder):
        np.savez(folder / "model.npz", held=np.array([{}], dtype=object))
        digest = hashlib.sha256((folder / "model.npz").read_bytes()).hexdigest()
        rewrite(folder, lambda data: data.update(arrays=digest))

    return {
        "cut": (lambda folder: (folder / "model.json").write_text('{"format"'), "damaged"),
        "a list": (lambda folder: (folder / "model.json").write_text("[1]"), "not a model"),
        "another schema": (lambda folder: rewrite(folder, lambda data: data.update(schema=99)), "schema 99"),
        "no encoder": (lambda folder: rewrite(folder, lambda data: data.pop("encoder")), "damaged"),
        "an unknown predictor": (
            lambda folder: rewrite(folder, lambda data: data.update(predictor="os.system")),
            "damaged",
        ),
        "a plan of fewer columns": (
            lambda folder: rewrite(folder, lambda data: data["plan"]["columns"].pop()),
            "sizes",
        ),
        "arrays of another model": (arrays, "SHA-256"),
        "no arrays": (lambda folder: (folder / "model.npz").unlink(), "does not exist"),
        "a pickle": (pickled, "damaged"),
    }[name]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "name",
    [
        *("cut", "a list", "another schema", "no encoder", "an unknown predictor", "a plan of fewer columns"),
        *("arrays of another model", "no arrays", "a pickle"),
    ],
)
def test_a_file_that_is_not_a_model_is_one_sentence(name, kept, tmp_path):
    kept[1].save(tmp_path / "model.json")
    change, sentence = changed(name)
    change(tmp_path)
    with pytest.raises(InputError, match=sentence):
        sw.load(tmp_path)


def places(data, above=()):
    """The way to every entry of plain data; of a list, to its first and its last."""
    inside = list(data.items()) if isinstance(data, dict) else [(0, data[0]), (len(data) - 1, data[-1])] if data else []
    for name, value in inside:
        yield (*above, name)
        if isinstance(value, dict | list):
            yield from places(value, (*above, name))


@pytest.mark.one_in(18)
@pytest.mark.parametrize(
    "value", [None, "x", -1, 1.5, 10**400, [], ["x"], {"x": 1}, [[]]], ids=lambda value: repr(value)[:9]
)
def test_a_model_with_a_changed_entry_predicts_or_is_one_sentence(value, kept, tmp_path):
    frame, model = kept[0], kept[1]
    model.save(tmp_path / "model.json")
    before = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    refused = 0
    for way in places(before):
        data = copy.deepcopy(before)
        place = data
        for name in way[:-1]:
            place = place[name]
        place[way[-1]] = value
        (tmp_path / "model.json").write_text(json.dumps(data), encoding="utf-8")
        try:
            sw.load(tmp_path).predict(frame.head(2))
        except InputError:
            refused += 1
    assert refused > 20


def test_a_model_of_an_older_version_is_one_sentence(tmp_path):
    (tmp_path / "model.skops").write_bytes(b"PK")
    for place in (tmp_path, tmp_path / "model.skops"):
        with pytest.raises(InputError, match="older version"):
            sw.load(place)


def test_coefficients_in_data_units_give_the_predictions(kept):
    frame, model = kept
    rows = coefficients(model)
    if isinstance(model.predictor, NetworkPredictor):
        assert rows == []
        lines = list(csv.DictReader(io.StringIO(coefficients_csv(model))))
        norms = np.linalg.norm(model.predictor.weights[0], axis=0)
        assert [line["feature"] for line in lines] == model.encoder.feature_names
        np.testing.assert_allclose([float(line["first_layer_norm"]) for line in lines], norms)
        return
    raw = np.column_stack([np.ones(frame.height), model.encoder.raw(frame)])
    weights = np.array([row["coefficient"] for row in rows]).reshape(-1, raw.shape[1])
    scores = raw @ weights.T
    output = model.output(frame)
    if model.plan.classes is None:
        np.testing.assert_allclose(scores[:, 0], output, rtol=1e-10)
    elif len(model.plan.classes) == 2:
        np.testing.assert_allclose(scores[:, 0], np.log(output[:, 1] / output[:, 0]), rtol=1e-8)
    else:
        np.testing.assert_allclose(scores - scores[:, :1], np.log(output / output[:, :1]), rtol=1e-8, atol=1e-12)
        assert [row["class"] for row in rows if row["feature"] == INTERCEPT] == model.plan.classes


def test_held_out_predictions_are_those_of_the_outer_folds(compared):
    frame, comparison = compared
    lines = list(csv.DictReader(io.StringIO(held_out_csv(comparison))))
    assert [int(line["row"]) for line in lines] == list(range(1, frame.height + 1))
    assert [line["truth"] for line in lines] == [str(v) for v in frame["y"].to_list()]
    split, fold = comparison.splits[1], comparison.kept.folds[1]
    said = [lines[i] for i in split.test]
    assert {line["fold"] for line in said} == {"2"}
    if comparison.plan.classes is None:
        np.testing.assert_array_equal([float(line["prediction"]) for line in said], fold.output)
    else:
        for k, name in enumerate(comparison.plan.classes):
            np.testing.assert_array_equal([float(line[f"probability of {name}"]) for line in said], fold.output[:, k])


def test_new_predictions_are_a_table(kept):
    frame, model = kept
    lines = list(csv.DictReader(io.StringIO(predictions_csv(model, frame))))
    assert [line["row"] for line in lines] == [str(i) for i in range(1, frame.height + 1)]
    assert [line["prediction"] for line in lines] == [str(v) for v in model.predict(frame).tolist()]


def test_the_page_agrees_with_the_comparison_and_the_record_reads_back(compared, tmp_path):
    frame, comparison = compared
    file = tmp_path / "small.csv"
    frame.write_csv(file)
    page = comparison_page(comparison, command="shrinkwise fit small.csv", version=sw.__version__)
    assert page.plain[: len(page.verdict)] == page.verdict
    kept = [row for row in page.candidates if row.kept]
    assert [row.name for row in kept] == [comparison.chosen.candidate.name]
    assert kept[0].kept.score == comparison.kept.score
    path = page.path
    assert len(path.lambdas) == len(path.coefs) == len(path.inputs_kept) == len(path.cv_mean)
    assert {len(row) for row in path.coefs} == {len(path.features)}
    assert path.inputs_kept[0] == []
    record = tomllib.loads(run_record(comparison, page, file))
    assert record["results"]["kept"] == comparison.chosen.candidate.name
    assert record["data"]["rows_used"] == frame.height
    assert len(record["data"]["sha256"]) == 64
    assert record["options"]["folds"] == 3


def test_the_network_picture_shows_one_draw(compared):
    _, comparison = compared
    network = comparison_page(comparison, command="", version="").network
    if comparison.options.network is None:
        assert network is None
        return
    names, hidden, outputs = network.layers
    assert [len(layer) for layer in network.silenced] == [len(names), hidden, len(outputs)]
    assert not any(network.silenced[-1])
    assert 0 < network.keep < 1


def test_a_spreadsheet_runs_no_cell():
    text = csv_text(["=1+1", "x"], [["@SUM(A1)", -2.5], ["-7", "+b"], ["-x", "\tA"], ["plain", "1=1"]])
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [["'=1+1", "x"], ["'@SUM(A1)", "-2.5"], ["-7", "'+b"], ["'-x", "'\tA"], ["plain", "1=1"]]


@pytest.mark.parametrize("task", CLASSES)
def test_the_terms_of_an_additive_model_are_formulas_that_give_its_scores(task):
    frame = every_kind(task)
    model = drawn_model(task, "additive", frame)
    raw = dict(zip(model.encoder.feature_names, model.encoder.raw(frame).T, strict=True))
    raw |= {
        name: np.clip(values * 3, -1e4, None) for name, values in raw.items() if name == "a number"
    }  # beyond its range
    rows = coefficients(model)
    scores: dict[str, np.ndarray] = {}
    for row in rows:
        value = np.ones(frame.height) if row["feature"] == INTERCEPT else _term(row["feature"], raw)
        name = row.get("class", "")
        scores[name] = scores.get(name, 0.0) + row["coefficient"] * value
    X = (np.column_stack(list(raw.values())) - model.encoder.mean) / model.encoder.scale
    expected = np.atleast_2d(model.predictor.scores(X).T)
    np.testing.assert_allclose(list(scores.values()), expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())


def _term(formula: str, raw: dict) -> np.ndarray:
    """The value of "max(0, min(feature, top) - knot)", or of a 0/1 feature."""
    if formula in raw:
        return raw[formula]
    name, top, sign, knot = re.fullmatch(r"max\(0, min\((.*), (\S+)\) ([+-]) (\S+)\)", formula).groups()
    return np.maximum(0.0, np.minimum(raw[name], float(top)) + float(sign + knot))
