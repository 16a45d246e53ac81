"""explain, compare and replay on runs that were made once."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from compare.handmade import CLASSES, drawn_model, every_kind
from shrinkwise import cli
from shrinkwise.cli.explain import _print_explanation
from shrinkwise.models.explain_row import explain_row
from shrinkwise.models.predictors import class_probabilities

QUICK = ["--target", "y", "--quiet", "--methods", "ridge,lasso,trees", "--jobs", "1", "--folds", "3"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """t.csv with runs "first" (all inputs) and "second" (without b) on the same folds, "third" on others."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    a, b, colour = rng.normal(size=48), rng.normal(size=48), rng.choice(["red", "green"], 48)
    y = 2 * a + b + (colour == "red") + 0.3 * rng.normal(size=48)
    pl.DataFrame({"a": a, "b": b, "=x": colour, "y": y}).write_csv(folder / "t.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, more in (("first", []), ("second", ["--drop", "b"]), ("third", ["--seed", "1"])):
            assert cli.run(["fit", "t.csv", "--out", name, *QUICK, *more]) == 0
    return folder


@pytest.fixture
def shrinkwise(runs, capfd, tmp_path, monkeypatch):
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()

    def run(*args):
        code = cli.run([str(arg) for arg in args])
        return code, *capfd.readouterr()

    return run


@pytest.mark.parametrize("task", CLASSES)
def test_contributions_to_a_linear_model_add_up_and_are_its_coefficients(task):
    frame = every_kind(task)
    model = drawn_model(task, "linear", frame)
    for row in (0, 4):
        found = explain_row(model, frame, row)
        assert found.exact
        assert abs(found.rest) < 1e-9
        x = model.encoder.transform(frame[row])
        output = model.output(frame[row])[0]
        if task == "regression":
            assert found.here == pytest.approx(output)
        elif task == "binary":
            assert found.here == pytest.approx(np.log(output[1] / output[0]))
        else:
            scores = x @ model.predictor.coef.T + model.predictor.intercept
            assert found.here == pytest.approx((scores - scores.mean()).max())
            np.testing.assert_allclose(class_probabilities(scores)[0], output)
        parts = {name: part for name, _, part in found.contributions}
        assert set(parts) == {column.name for column in model.plan.kept}
        if task == "regression":
            at = model.encoder.feature_names.index("flag=1")
            assert parts["flag"] == pytest.approx(float(x[0, at] * model.predictor.coef[at]))


@pytest.mark.parametrize("task", CLASSES)
def test_contributions_to_an_additive_model_add_up(task):
    frame = every_kind(task)
    model = drawn_model(task, "additive", frame)
    found = explain_row(model, frame, 4)
    scores = np.atleast_2d(model.predictor.scores(model.encoder.transform(frame[4])))[0]
    assert found.exact
    assert found.usual + sum(part for *_, part in found.contributions) == pytest.approx(found.here)
    assert found.here == pytest.approx((scores - scores.mean()).max() if task == "multiclass" else scores[0])


@pytest.mark.parametrize("task", CLASSES)
def test_a_network_is_explained_one_input_at_a_time(task):
    frame = every_kind(task)
    model = drawn_model(task, "network", frame)
    found, x = explain_row(model, frame, 7), model.encoder.transform(frame[7])
    assert not found.exact
    here = model.predictor.output(x)[0]
    k = 0 if task == "regression" else int(here.argmax())
    for name, _, part in found.contributions:
        index = [column.name for column in model.plan.kept].index(name)
        without = np.where(np.array(model.encoder.inputs) == index, 0.0, x)
        change = np.atleast_1d(here)[k] - np.atleast_1d(model.predictor.output(without)[0])[k]
        assert part == pytest.approx(change)
    assert found.usual + found.rest + sum(p for *_, p in found.contributions) == pytest.approx(found.here)


def test_explain_says_the_prediction_of_predict(shrinkwise):
    code, out, err = shrinkwise("explain", "first", "3", "--json")
    said = json.loads(out)
    assert (code, err) == (0, "")
    rows = pl.read_csv(shrinkwise("predict", "first", "t.csv")[1].encode())
    assert said["here"] == pytest.approx(rows["prediction"][2])
    assert said["usual"] + sum(c["contribution"] for c in said["contributions"]) == pytest.approx(said["here"])
    code, out, _ = shrinkwise("explain", "first", "3")
    assert code == 0
    assert "=x" in out
    assert "add up" in out


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["explain", "first", "49"], "no row 49"),
        (["explain", "first", "0"], "ROW"),
        (["explain", "nowhere", "1"], "not a run folder"),
        (["compare", "first", "nowhere"], "not a run folder"),
        (["replay", "nowhere"], "not a run folder"),
        (["replay", "t.csv"], "not a valid run.toml"),
    ],
)
def test_mistakes_are_one_sentence(args, sentence, shrinkwise):
    code, out, err = shrinkwise(*args)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


@pytest.mark.parametrize("command", [["explain", "first", "1"], ["onnx", "first"]])
def test_a_table_that_is_gone_is_looked_for_with_file(command, shrinkwise):
    Path("t.csv").rename("moved.csv")
    code, out, err = shrinkwise(*command)
    assert (code, out) == (2, "")
    assert err == f"The table of the run is no longer at {Path('t.csv').absolute()}; specify its path with --file.\n"


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_explain_says_how_probable_the_class_is(task):
    frame = every_kind(task)
    model = drawn_model(task, "linear", frame)
    found = explain_row(model, frame, 2)
    chances = model.output(frame)[2]
    assert found.probability == pytest.approx(chances.max())
    assert model.plan.classes[int(chances.argmax())] == found.prediction
    assert explain_row(drawn_model("regression", "linear", every_kind("regression")), frame, 2).probability is None


def test_explain_reads_the_table_as_the_run_did(shrinkwise):
    """The first lines are skipped, and there is no header; options replace what the run was given."""
    lines = Path("t.csv").read_text(encoding="utf-8").splitlines()[1:]
    Path("bare.csv").write_text("\n".join(lines), encoding="utf-8")
    asked = ["--no-header", "--skip", "3"]
    quick = ["--methods", "ridge", "--folds", "3", "--jobs", "1", "--quiet"]
    assert shrinkwise("fit", "bare.csv", "--target", "column 4", "--out", "bare", *quick, *asked)[0] == 0
    for more, line in (([], 3), (["--no-header", "--skip", "5"], 5), (["--file", "bare.csv", "--no-header"], 0)):
        said = json.loads(shrinkwise("explain", "bare", "1", "--json", *more)[1])
        values = {each["input"]: each["value"] for each in said["contributions"]}
        assert float(values["column 1"]) == pytest.approx(float(lines[line].split(",")[0]), rel=1e-5)


def test_explain_prints_the_probability(capsys):
    frame = every_kind("binary")
    found = explain_row(drawn_model("binary", "linear", frame), frame, 2)
    _print_explanation(found, 3, 15)
    assert f"prediction {found.prediction} (probability {found.probability:.3g})." in capsys.readouterr().out


def test_runs_on_the_same_folds_are_paired_and_others_are_not(shrinkwise):
    code, out, _ = shrinkwise("compare", "first", "second", "--json")
    said = json.loads(out)
    assert code == 0
    ridge = next(row for row in said["rows"] if row["candidate"] == "ridge")
    mean, low, high = ridge["difference"]
    assert mean == pytest.approx(ridge["second"] - ridge["first"])
    assert 0 < low < high  # without b every fold is worse
    said = json.loads(shrinkwise("compare", "first", "third", "--json")[1])
    assert all(row["difference"] is None for row in said["rows"])
    assert "different rows" in said["sentences"][0]
    code, out, _ = shrinkwise("compare", "first", "second")
    assert code == 0
    assert "ridge" in out


def test_runs_of_other_tables_stand_side_by_side_and_of_other_questions_are_refused(shrinkwise):
    record = Path("second/run.toml")
    text = record.read_text()
    record.write_text(text.replace(tomllib.loads(text)["data"]["sha256"], "0" * 64, 1))
    said = json.loads(shrinkwise("compare", "first", "second", "--json")[1])
    assert all(row["difference"] is None for row in said["rows"])
    assert "different tables" in said["sentences"][0]
    record.write_text(text.replace('target = "y"', 'target = "z"'))
    code, _, err = shrinkwise("compare", "first", "second")
    assert (code, err.count("\n")) == (2, 1)
    assert "'y'" in err


def test_a_replay_gives_the_same_numbers_and_says_when_it_does_not(shrinkwise):
    code, out, err = shrinkwise("replay", "second/run.toml", "--jobs", "1")
    assert (code, err) == (0, "")
    assert "All numbers are the same" in out
    old, new = (tomllib.loads(Path(name, "run.toml").read_text()) for name in ("second", "second-replay"))
    assert old["results"] == new["results"]
    assert old["fit"]["drop"] == new["fit"]["drop"] == ["b"]
    record = Path("second/run.toml")
    text = record.read_text()
    score = tomllib.loads(text)["results"]["candidates"]["lasso"]["fold_scores"][0]
    record.write_text(text.replace(str(score), str(score + 0.25)))
    code, out, _ = shrinkwise("replay", "second", "--jobs", "1", "--out", "again")
    assert code == 3
    assert "lasso" in out
    assert "0.25" in out


def test_a_run_finds_its_table_from_another_folder(shrinkwise, monkeypatch):
    here = Path.cwd()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    code, out, err = shrinkwise("replay", "../second", "--jobs", "1")
    assert (code, err) == (0, "")
    assert "All numbers are" in out
    assert shrinkwise("explain", "../first", "1")[0] == 0
    (here / "t.csv").rename(here / "gone.csv")
    code, _, err = shrinkwise("replay", here / "second")
    assert (code, err.count("\n")) == (2, 1)
    assert "t.csv, neither here nor beside the run folder; give the table with --file" in err
    assert shrinkwise("replay", here / "second", "--file", here / "gone.csv", "--jobs", "1", "--out", "third")[0] == 0


@pytest.mark.parametrize("options", [["--no-header"], "folder"])
def test_a_run_is_explained_on_the_rows_that_it_was_fitted_on(options, shrinkwise, monkeypatch):
    """Of a table that is not at the top of its file, and of one in several files, also from another folder."""
    header, *lines = Path("t.csv").read_text().splitlines()
    Path("parts").mkdir()
    if options == "folder":
        for name, part in (("1.csv", lines[:20]), ("2.csv", lines[20:])):
            Path("parts", name).write_text("\n".join([header, *part]) + "\n")
    else:
        above = [] if options == ["--no-header"] else ["1,2,3,4", "5,6,7,8", header]
        Path("odd.csv").write_text("\n".join([*above, *lines]) + "\n")
    table, given, target = ("parts", [], "y") if options == "folder" else ("odd.csv", options, "y")
    target = "column 4" if options == ["--no-header"] else target
    assert shrinkwise("fit", table, "--out", "odd", *given, *QUICK, "--target", target)[0] == 0
    first = json.loads(shrinkwise("explain", "first", "33", "--json")[1])
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    code, out, err = shrinkwise("explain", "../odd", "33", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["prediction"] == first["prediction"]
    if options != "folder":
        again = shrinkwise("explain", "../odd", "33", "--json", "--file", "../odd.csv", *given)
        assert again == (0, out, "")


def test_a_replay_refuses_a_changed_table_and_a_setting_it_does_not_know(shrinkwise):
    Path("moved.csv").write_bytes(Path("t.csv").read_bytes())
    Path("t.csv").write_text(Path("t.csv").read_text() + "1,2,red,3\n")
    code, out, err = shrinkwise("replay", "first")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "changed since the run" in err
    code, _, err = shrinkwise("explain", "first", "1")
    assert code == 2
    assert "--file" in err
    assert shrinkwise("explain", "first", "1", "--file", "moved.csv")[0] == 0
    record = Path("first/run.toml")
    record.write_text(record.read_text().replace("[fit]\n", "[fit]\nfuture = 3\n"))
    code, _, err = shrinkwise("replay", "first", "--file", "moved.csv")
    assert code == 2
    assert "'future'" in err
