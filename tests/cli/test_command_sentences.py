"""Every sentence of compare, replay and explain: where it is said, where it is not, and its line in docs/validation.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tomli_w

import shrinkwise
from sentences import sentences
from shrinkwise import cli, service
from shrinkwise.cli.explain import _print_explanation
from shrinkwise.models.explain_row import explain_row
from shrinkwise.models.predictors import PLAIN, LinearPredictor, NetworkPredictor, Response
from shrinkwise.models.table_model import TableModel
from shrinkwise.runs.folder import FORMAT
from shrinkwise.tables import Encoder, plan_table

SOURCE = Path(shrinkwise.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "validation.md"
MODULES = (
    *("cli/compare.py", "cli/replay.py", "cli/explain.py", "cli/predict.py", "runs/two_runs.py", "runs/replay.py"),
    *("runs/fitted_table.py", "models/explain_row.py", "models/predictions.py"),
)
SCORES = {"best": 2.0, "one_se": 2.0, "fold_scores": [1.0, 3.0], "best_fold_scores": [1.0, 3.0]}
RECORD = {
    "format": FORMAT,
    "data": {"file": "t.csv", "sha256": "0", "target": "y", "rows_used": 4, "parts": {}},
    "versions": {"numpy": "2.0"},
    "results": {
        "score": "RMSE",
        "kept": "lasso",
        "choice": "best",
        "settings": {"λ": 0.1},
        "fold_sizes": [2.0, 2.0],
        "candidates": {"lasso": SCORES, "ridge": SCORES},
    },
}
FILES = {"predictions.csv": "row,fold\n1,1\n2,1\n3,2\n4,2\n", "coefficients.csv": "input\na\n"}


def changed(**entries) -> dict:
    """The record with other entries, by their path with "__" in place of dots."""
    record = deepcopy(RECORD)
    for path, value in entries.items():
        *tables, name = path.split("__")
        part = record
        for table in tables:
            part = part[table]
        part[name] = value
    return record


def written(folder: Path, record: dict, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in {**files, "run.toml": tomli_w.dumps(record)}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


Said = Callable[[Path, pytest.MonkeyPatch], None]


def compared(files: dict[str, str] | None = None, **entries) -> Said:
    """`compare` of the plain run and one with these differences."""

    def act(folder: Path, patch: pytest.MonkeyPatch) -> None:
        first = written(folder / "first", RECORD, FILES)
        second = written(folder / "second", changed(**entries), FILES | (files or {}))
        assert cli.run(["compare", str(first), str(second)]) == 0

    return act


def replayed(files: dict[str, str] | None = None, **entries) -> Said:
    """`replay` of the plain run, where repeating it gives a run with these differences."""

    def act(folder: Path, patch: pytest.MonkeyPatch) -> None:
        class Answer:
            verdict = ""

        def fit(request, out: Path, **_) -> Answer:
            written(out, changed(**entries), FILES | (files or {}))
            return Answer()

        patch.setattr(service, "fit_to_folder", fit)
        patch.setattr(service.FitRequest, "from_toml", lambda *_, **__: None)
        home = written(folder / "run", RECORD, FILES)
        assert cli.run(["replay", str(home), "--out", str(folder / "again")]) == (3 if files or entries else 0)

    return act


def model_of(predictor) -> tuple[TableModel, pl.DataFrame]:
    """A model of the inputs a and b, and its table."""
    frame = pl.DataFrame({"a": [1.0, 2.0, 4.0, 8.0] * 5, "b": [3.0, 1.0, 5.0, 2.5] * 5, "y": np.arange(20) / 3})
    plan = plan_table(frame, "y")
    return TableModel(plan, Encoder(plan).fit(frame), predictor), frame


def explained(*coef: float, response: Response = PLAIN, network: bool = False, top: int = 3) -> Said:
    """`explain` of row 1 by a linear model, or a network of one unit with these weights."""

    def act(folder: Path, patch: pytest.MonkeyPatch) -> None:
        predictor = LinearPredictor(np.array(coef), 0.5, response=response)
        if network:
            ones = np.ones((1, 1))
            predictor = NetworkPredictor([np.array([coef]), ones], [np.full(1, 0.5), np.zeros(1)], False)
        _print_explanation(explain_row(*model_of(predictor), 0), 1, top)

    return act


BOTH = (1.0, -2.0)
ONE_LASSO = {"lasso": SCORES}

# name: when it is said, a pattern of its text in the source and as it is said, where it is said, where it is not (None: always)
SENTENCES: dict[str, tuple[str, str, Said, Said | None]] = {
    "compare: the marks": ("always", "¹, ²: the model kept by the first and by the second run", compared(), None),
    "compare: same rows": (
        "the table is the same, its rows are in the same folds and weighed alike, and a candidate is in both runs",
        "Both runs held out the same rows of the same table",
        compared(),
        compared(data__sha256="1"),
    ),
    "compare: nothing in common": (
        "the rows are the same, and no candidate was scored in both runs",
        "No candidate was scored on the same folds of both runs",
        compared(results__candidates={"MCP": SCORES}, results__kept="MCP"),
        compared(results__candidates=ONE_LASSO),
    ),
    "compare: other tables": (
        "the tables have other bytes, or a run was fitted on a data frame",
        "The runs used different tables",
        compared(data__sha256="1"),
        compared(),
    ),
    "compare: other weights": (
        "the columns of weights, exposures or offsets differ",
        "The runs weigh the rows by different columns",
        compared(data__parts={"weight": "w"}),
        compared(data__parts={"group": "g"}),
    ),
    "compare: other rows": (
        "a row is in another fold, or in one run alone",
        "The runs held out different rows",
        compared({"predictions.csv": FILES["predictions.csv"].replace("4,2", "4,1")}),
        compared(),
    ),
    "compare: the setting": (
        "both runs kept the same choice of setting",
        "Scores are at the .* of each candidate; one without such a setting",
        compared(),
        compared(results__choice="one_se"),
    ),
    "compare: best settings": (
        "they kept different choices",
        "Scores are at the best setting of each candidate, because",
        compared(results__choice="one_se"),
        compared(),
    ),
    "replay: same": (
        "the scores and settings in both run.toml are equal, and so are the bytes of coefficients.csv and predictions.csv",
        "All numbers are the same",
        replayed(),
        replayed({"coefficients.csv": "input\nb\n"}),
    ),
    "replay: other": ("one of them differs", "The numbers differ", replayed(results__kept="ridge"), replayed()),
    "replay: a candidate": (
        "a candidate is in one of the runs alone",
        "was compared only",
        replayed(results__candidates=ONE_LASSO),
        replayed(results__kept="ridge"),
    ),
    "replay: folds": (
        "the number of folds differs",
        "had .* folds then and has .* now",
        replayed(results__candidates__lasso=SCORES | {"fold_scores": [1.0], "best_fold_scores": [1.0]}),
        replayed(results__candidates=ONE_LASSO),
    ),
    "replay: scores": (
        "the score of a fold differs",
        "the scores of its folds differ by up to",
        replayed(results__candidates__lasso=SCORES | {"best_fold_scores": [1.0, 3.5]}),
        replayed(results__candidates__lasso=SCORES | {"best": 2.5}),
    ),
    "replay: means": (
        "the mean score differs and those of the folds do not",
        "its mean scores differ, although those of its folds are the same",
        replayed(results__candidates__lasso=SCORES | {"best": 2.5}),
        replayed(results__candidates__lasso=SCORES | {"best_fold_scores": [1.0, 3.5]}),
    ),
    "replay: kept": (
        "another candidate is kept",
        "The kept candidate was .* and is now",
        replayed(results__kept="ridge"),
        replayed(results__settings={"λ": 0.2}),
    ),
    "replay: setting": (
        "the same candidate is kept with another setting",
        "The setting .* was .* and is now",
        replayed(results__settings={"λ": 0.2}),
        replayed(results__kept="ridge", results__settings={"λ": 0.2}),
    ),
    "replay: files": (
        "coefficients.csv or predictions.csv has other bytes",
        "differs in at least one digit",
        replayed({"coefficients.csv": "input\nb\n"}),
        replayed(results__kept="ridge"),
    ),
    "replay: versions": (
        "the numbers differ, and so does the version of Python or of a package",
        "Different versions: ",
        replayed(results__kept="ridge", versions={"numpy": "2.1"}),
        replayed(results__kept="ridge"),
    ),
    "replay: same versions": (
        "the numbers differ, and no version does",
        "The versions are the same",
        replayed(results__kept="ridge"),
        replayed(results__kept="ridge", versions={"numpy": "2.1"}),
    ),
    "explain: prediction": ("always", "^Row .*: prediction ", explained(*BOTH), None),
    "explain: reference": (
        "always",
        "With every input at .* the predicted .* is .*; here it is",
        explained(*BOTH),
        None,
    ),
    "explain: response": (
        "the prediction of a number is the exponential of its score, limited, or multiplied by an exposure",
        r"The prediction is (\{\}|this|its)",
        explained(*BOTH, response=Response(log=True)),
        explained(*BOTH, response=Response(low=-1e9, high=1e9)),
    ),
    "explain: the others": (
        "more inputs contribute than are printed",
        "All other inputs together: ",
        explained(*BOTH, top=1),
        explained(*BOTH),
    ),
    "explain: nothing": (
        "an input contributes 0, or no more than rounding",
        r"(input contributes|inputs contribute|\{\} \{\}) nothing",
        explained(1.0, 0.0),
        explained(*BOTH),
    ),
    "explain: none": (
        "no input contributes",
        "No input contributes: ",
        explained(0.0, 0.0),
        explained(1.0, 0.0),
    ),
    "explain: one at a time": (
        "the kept model is neither linear nor additive",
        "Each contribution is the change when only that input is set to",
        explained(*BOTH, network=True),
        explained(*BOTH),
    ),
    "explain: interactions": (
        "the kept model is neither linear nor additive, and the contributions differ from the difference by more than rounding",
        "They do not add up: interactions between inputs account for",
        explained(*BOTH, network=True),
        explained(*BOTH),
    ),
    "explain: sum": (
        "the contributions add up to the difference",
        "The contributions add up to the difference",
        explained(*BOTH),
        explained(*BOTH, network=True),
    ),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_is_said_where_its_condition_holds_and_only_there(name, tmp_path, monkeypatch, capsys):
    _, pattern, said, silent = SENTENCES[name]
    for act, expected in ((said, True), (silent, False)):
        if act is not None:
            (folder := tmp_path / str(expected)).mkdir()
            act(folder, monkeypatch)
            found = re.search(pattern, " ".join(capsys.readouterr().out.split()))
            assert bool(found) == expected


def test_every_sentence_in_the_source_is_in_the_list():
    found = [text for name in MODULES for text in sentences(ast.parse((SOURCE / name).read_text(encoding="utf-8")))]
    assert len(found) > 20
    unlisted = [text for text in found if not any(re.search(pattern, text) for _, pattern, *_ in SENTENCES.values())]
    assert unlisted == []


def test_the_list_in_the_documentation_is_that_of_the_tests():
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name, (when, *_) in SENTENCES.items() if f"| {name} | {when} |" not in text] == []


def test_a_log_score_a_limit_and_an_exposure_are_said_beside_the_prediction(tmp_path, monkeypatch, capsys):
    explained(*BOTH, response=Response(log=True))(tmp_path, monkeypatch)
    said = " ".join(capsys.readouterr().out.split())
    prediction, here = (float(found) for found in re.search(r"prediction (\S+)\. .* here it is (\S+)\.", said).groups())
    assert prediction == pytest.approx(np.exp(here), rel=1e-5)
    explained(*BOTH, response=Response(low=7.0))(tmp_path, monkeypatch)
    assert "this, limited to the lowest value that is predicted, 7." in " ".join(capsys.readouterr().out.split())
    frame = pl.DataFrame({"a": np.arange(20.0) ** 2, "years": [2.0] * 20, "y": np.arange(20) % 3})
    plan = plan_table(frame, "y", exposure="years", task="counts")
    model = TableModel(plan, Encoder(plan).fit(frame), LinearPredictor(np.ones(1), 0.0, response=Response(log=True)))
    found = explain_row(model, frame, 3)
    assert float(found.prediction) == pytest.approx(2 * np.exp(found.here), rel=1e-5)
    assert found.becomes == "The prediction is its exponential, multiplied by the exposure of the row."


def test_a_contribution_of_the_size_of_rounding_is_none():
    model, frame = model_of(LinearPredictor(np.array([1e9, 1e-6]), 0.0))
    parts = {name: part for name, _, part in explain_row(model, frame, 3).contributions}
    assert parts["b"] == 0
    assert parts["a"] > 0
