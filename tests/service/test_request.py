"""A request is checked once, whichever door it comes through, and survives run.toml."""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
import tomllib
from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest
import tomli_w

import shrinkwise as sw
from shrinkwise.cli.fit import fit as fit_command
from shrinkwise.compare import CocktailOptions, NetworkOptions
from shrinkwise.service import FitRequest, Question
from shrinkwise.tables import InputError

SETTINGS = [each.name for each in fields(FitRequest)]


def frame(n: int = 40) -> pl.DataFrame:
    x = np.random.default_rng(0).normal(size=(n, 3))
    return pl.DataFrame({"x0": x[:, 0], "x1": x[:, 1], "y": 2 * x[:, 0] + x[:, 2]})


WRONG = {
    "keep": (0.5, TypeError, "Expected keep to be a list of column names, got 0.5."),
    "drop": (["x0", 1.5], TypeError, "Expected drop to be a list of column names, but it has 1.5."),
    "group": (3.5, TypeError, "Expected group to be the name of a column, got 3.5."),
    "network": (False, TypeError, "or None for no networks, got False."),
    "folds": ("5", TypeError, "Expected folds to be a whole number of at least 2, got the text '5'."),
    "inner_folds": (1, InputError, "Expected inner_folds to be a whole number of at least 2, got 1."),
    "seed": (True, TypeError, "Expected seed to be a whole number of at least 0 and at most 4294967295, got True."),
    "budget": (math.nan, InputError, "Expected budget to be a number of at least 1 second, got nan."),
    "within": ("1%", TypeError, "Expected within to be a number between 0 and 1, got the text '1%'."),
    "select": ("worst", InputError, "Expected select to be '1se', 'best' or 'within', got the text 'worst'."),
    "effort": ("hard", InputError, "Expected effort to be 'quick', 'normal' or 'thorough', got the text 'hard'."),
    "task": (1, TypeError, "Expected task to be 'regression', 'counts' or 'classes', got 1."),
    "bounds": ({"x0": 1.0}, TypeError, "Expected the bounds of 'x0' to be a pair of numbers (low, high)"),
    "factors": (
        {"x0": math.nan},
        InputError,
        "Expected the factor of 'x0' in factors to be a number of at least 0, got nan.",
    ),
    "l1_ratios": (0.5, TypeError, "Expected l1_ratios to be a list of numbers between 0 and 1, got 0.5."),
    "methods": (("lasso", "magic"), InputError, "Unknown method 'magic'"),
    "n_jobs": (0, InputError, "Expected n_jobs to be a whole number of at least 1, got 0."),
    "max_features": (2.5, TypeError, "Expected max_features to be a whole number of at least 1, got 2.5."),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_one_sentence(name):
    value, kind, sentence = WRONG[name]
    with pytest.raises((TypeError, ValueError), match=re.escape(sentence)) as caught:
        sw.fit(frame(), "y", **{name: value})
    assert caught.type is kind
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "near"), [("max_feature", "'max_features'"), ("nfolds", "'folds'"), ("zzz", "help(")])
def test_a_setting_that_does_not_exist_names_the_nearest(name, near):
    with pytest.raises(TypeError, match=re.escape(f"Unknown setting {name!r}")) as caught:
        sw.fit(frame(), "y", **{name: 1})
    assert near in str(caught.value)


@pytest.mark.parametrize("settings", [{"select": "within"}, {"select": "best", "within": 0.1}])
def test_within_and_its_share_go_together(settings):
    with pytest.raises(InputError, match="or neither"):
        FitRequest(frame(), "y", **settings)


def test_help_lists_every_setting_with_its_type_and_default():
    signature = inspect.signature(sw.fit)
    assert list(signature.parameters) == SETTINGS
    documented = {name for line in re.findall(r"^    ([\w, ]+) : ", sw.fit.__doc__, re.M) for name in line.split(", ")}
    assert documented == set(SETTINGS)
    for name in SETTINGS[2:]:
        parameter = signature.parameters[name]
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.annotation is not inspect.Parameter.empty
        assert parameter.default == getattr(FitRequest("t.csv", "y"), name)


EVERY = {
    "header": None,
    "no_header": True,
    "skip": 2,
    "sheet": "2020",
    "effort": "quick",
    "drop": ("a",),
    "keep": ("b",),
    "number": ("c",),
    "category": ("d", "e"),
    "text": ("f",),
    "group": "g",
    "time": None,
    "shuffle": True,
    "level_means": False,
    "weight": "w",
    "exposure": "e",
    "offset": None,
    "task": "classes",
    "log_target": False,
    "methods": ("lasso", "network"),
    "network": NetworkOptions(
        hidden=7, lambdas=(0.5, 0.25), cocktail=CocktailOptions(mixes=((0.9, 1.0, 0.5, 0.0),), steps=9)
    ),
    "folds": 3,
    "inner_folds": 4,
    "seed": 9,
    "select": "within",
    "within": 0.02,
    "max_features": 5,
    "n_lambdas": 11,
    "l1_ratios": (0.25, 0.75),
    "factors": {"b": 2.0},
    "bounds": {"b": (-math.inf, 1.5)},
    "stability_pairs": 6,
    "budget": 60.0,
    "engine": "dask",
    "scheduler": "tcp://localhost:8786",
}


@pytest.mark.parametrize("network", ["effort", None, EVERY["network"]])
def test_a_request_comes_back_from_run_toml(tmp_path, network):
    (tmp_path / "t.csv").write_text("a\n1\n")
    (tmp_path / "fresh.csv").write_text("a\n2\n")
    assert set(EVERY) | {"table", "target", "test", "n_jobs", "sql", "database"} == set(SETTINGS)
    request = FitRequest(
        str(tmp_path / "t.csv"), "y", test=str(tmp_path / "fresh.csv"), **(EVERY | {"network": network}), n_jobs=1
    )
    record = tomllib.loads(tomli_w.dumps(request.to_toml()))
    assert FitRequest.from_toml(record, n_jobs=1) == request
    assert FitRequest.from_toml(record).n_jobs is None  # free: it moves no number
    (tmp_path / "fresh.csv").write_text("a\n3\n")
    with pytest.raises(InputError, match=r"fresh.csv has changed since the run"):
        FitRequest.from_toml(record)


def test_a_tampered_record_is_one_sentence(tmp_path):
    (tmp_path / "t.csv").write_text("a\n1\n")
    record = FitRequest(str(tmp_path / "t.csv"), "y").to_toml()
    for settings in ({"folds": "5"}, {"budget": math.nan}, {"network": {"hidden_units": 3}}, {"network": "none"}):
        with pytest.raises(InputError, match="has an invalid setting"):
            FitRequest.from_toml({"fit": record["fit"] | settings})
    with pytest.raises(InputError, match="does not record its settings"):
        FitRequest.from_toml({"results": {}})
    assert FitRequest(frame(), "y").to_toml() == {}


def test_the_command_line_and_python_ask_the_same(tmp_path):
    (tmp_path / "factors.csv").write_text("input,factor\nb,2\n")
    (tmp_path / "bounds.csv").write_text("input,low,high\nb,,1.5\n")
    words = "t.csv --target y --effort quick --drop a --keep-column b --number c --category d --category e --group g"
    words += (
        " --weight w --exposure e --no-log-target --shuffle --no-level-means --task classes --methods lasso,network"
    )
    words += " --folds 3 --seed 9 --within 2% --max-features 5"
    words += f" --penalty-factor {tmp_path}/factors.csv --bounds {tmp_path}/bounds.csv --budget 60 --jobs 2"
    words += " --text f --no-header --skip 2 --sheet 2020 --engine dask --scheduler tcp://localhost:8786"
    with fit_command.make_context("fit", words.split()) as context:
        request = FitRequest.from_click(context.params)
        bare = FitRequest.from_click({**context.params, "no_networks": True})
    unsaid = ("network", "inner_folds", "n_lambdas", "l1_ratios", "stability_pairs")
    asked = {name: value for name, value in EVERY.items() if name not in unsaid}
    assert request == FitRequest(request.table, "y", **asked, n_jobs=2)
    assert bare.network is None


def test_a_header_line_excludes_the_other_settings_of_the_layout():
    for other in ({"no_header": True}, {"skip": 1}):
        with pytest.raises(InputError, match="header came with another"):
            FitRequest("t", "y", header=2, **other)
    assert FitRequest("t", "y", header=2).layout.headers == 1


def test_the_effort_gives_what_was_not_asked_for():
    assert FitRequest("t", "y", effort="thorough").options().folds == 10
    assert FitRequest("t", "y", effort="thorough", folds=3).options().folds == 3
    assert FitRequest("t", "y", effort="quick").options().network is None
    asked = NetworkOptions(hidden=3)
    pytest.importorskip("torch")
    assert FitRequest("t", "y", effort="quick", network=asked).options().network == asked
    assert FitRequest("t", "y", network=None).options().network is None


def test_normal_effort_does_less_on_many_rows():
    plan = Question.of(FitRequest(frame(), "y", effort="quick", folds=2)).plan
    n_inputs = len(plan.kept)
    for n_rows, inner_folds in ((300_000 // n_inputs, 3), (300_000 // n_inputs - 1, 5)):
        options = FitRequest("t", "y").options(replace(plan, n_rows=n_rows))
        assert (options.inner_folds, options.n_lambdas) == (inner_folds, 30 if inner_folds == 3 else 50)
        assert options.most_inner_folds == 5  # of the cocktail, whose prediction is a mean over them
    many = replace(plan, n_rows=10**6)
    assert FitRequest("t", "y", inner_folds=4, l1_ratios=(0.1, 0.9)).options(many).inner_folds == 4
    assert FitRequest("t", "y", effort="thorough").options(many).n_lambdas == 100
    wide = replace(many, n_rows=6_000, columns=plan.kept * 61)
    assert len(wide.kept) > 60
    assert FitRequest("t", "y").options(wide).inner_folds == 5


def test_quick_effort_does_less_with_many_classes():
    plan = Question.of(FitRequest(frame(), "y", effort="quick", folds=2)).plan
    for n_classes, work in ((10, (3, 15)), (9, (5, 30))):
        several = replace(plan, classes=[str(k) for k in range(n_classes)])
        options = FitRequest("t", "y", effort="quick").options(several)
        assert (options.inner_folds, options.n_lambdas) == work
        said = any("Left out" in sentence for sentence in options.described([]))
        assert options.wants("mcp") == options.wants("additive-lasso")
        fewer = any("At most 100 boosted trees" in sentence for sentence in options.described([]))
        assert (options.most_trees, fewer) == ((100, True) if n_classes == 10 else (400, False))
        assert (options.wants("mcp"), said) == ((False, True) if n_classes == 10 else (True, False))
        named = FitRequest("t", "y", effort="quick", methods=["mcp"]).options(several)
        assert named.wants("mcp")
        assert not any("Left out" in sentence for sentence in named.described([]))
        assert FitRequest("t", "y", effort="quick", n_lambdas=40).options(several).n_lambdas == 40
        options = FitRequest("t", "y", effort="quick").options(replace(several, n_rows=6000))
        once = any("nine tenths of the training rows" in sentence for sentence in options.described([]))
        assert (options.inner_folds, options.trees_fitted_once, once) == (
            (2, True, True) if n_classes == 10 else (5, False, False)
        )


def test_normal_effort_does_less_with_many_classes():
    plan = Question.of(FitRequest(frame(), "y", effort="quick", folds=2)).plan
    for n_classes in (9, 10):
        several = replace(plan, classes=[str(k) for k in range(n_classes)])
        options = FitRequest("t", "y").options(several)
        less = n_classes == 10
        assert (options.inner_folds, options.n_lambdas, options.l1_ratios) == (
            (3, 20, (0.5, 0.9)) if less else (5, 50, (0.1, 0.5, 0.9))
        )
        assert options.wants("additive-lasso") == options.wants("mcp") == (not less)
        assert options.most_trees == 400
        assert FitRequest("t", "y", effort="thorough").options(several).n_lambdas == 100


def test_a_question_lets_go_of_its_table():
    question = Question.of(FitRequest(frame(), "y", effort="quick", methods="lasso", folds=2, n_lambdas=3, n_jobs=1))
    assert question.plan.n_rows == 40
    result = question.answer()
    assert question.frame is None
    assert len(result.predict(frame())) == 40


def test_the_service_loads_nothing_heavy():
    heavy = ("numpy", "polars", "sklearn", "scipy", "torch", "rich", "joblib")
    script = (
        "import sys, shrinkwise.service as s; s.FitRequest('t.csv', 'y', folds=3);"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
