"""Every sentence of the verdict and of the explanation: a comparison of which it is said, and one of which it is not."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from compare.rescored import with_scores
from shrinkwise.compare.story import explanation as explaining
from shrinkwise.compare.story.exhibits import CHECKS
from shrinkwise.compare.story.explanation import EXPLANATION
from shrinkwise.compare.story.known_scores import known_scores
from shrinkwise.compare.story.verdict import VERDICT
from shrinkwise.models.predictors import LinearPredictor
from shrinkwise.report import FreshScore
from shrinkwise.selection import Difference

SENTENCES = {each.name: each for each in (*VERDICT, *CHECKS)} | {
    f"explanation: {each.name}": each for each in EXPLANATION
}
PLAIN = {"no penalty": [5.0, 5.1, 5.2], "lasso": [2.0, 2.1, 2.2]}
CURVES = {"additive, no penalty": [4.0, 4.1, 4.2], "additive lasso": [3.0, 3.1, 3.2]}


def plain(comparison):
    """The lasso is kept; networks and trees are worse than it."""
    return with_scores(comparison, PLAIN, guess=8.0)


def exact(comparison):
    """Of counts or numbers: the lasso has nothing left to explain; classes are none."""
    found = with_scores(comparison, {"no penalty": [3e-9, 4e-9, 3e-9], "lasso": [1e-9, 2e-9, 1e-9]}, guess=8.0)
    return replace(found, plan=replace(found.plan, classes=None))


def scored(**scores):
    return lambda comparison: with_scores(
        comparison, PLAIN | {k.replace("_", " "): v for k, v in scores.items()}, guess=8.0
    )


def weights(*used: int):
    """The kept model with weights for these features alone."""

    def changed(comparison):
        found = plain(comparison)
        coef = np.zeros_like(np.atleast_2d(found.model.predictor.feature_weights()))
        coef[:, list(used)] = 1.0
        return replace(found, model=replace(found.model, predictor=LinearPredictor(coef, 0.0)))

    return changed


def leaking(comparison):
    columns = [replace(comparison.plan.columns[0], leaks=True), *comparison.plan.columns[1:]]
    return replace(plain(comparison), plan=replace(comparison.plan, columns=columns))


def changed(**fields):
    return lambda comparison: replace(plain(comparison), **fields)


def at_one_se(comparison):
    found = plain(comparison)
    chosen = replace(found.chosen, cost=Difference(0.1, 0.2, 59))
    return replace(found, chosen=chosen, choice="one_se")


def noted(note: str):
    def changed(comparison):
        found = plain(comparison)
        return replace(found, rows=[replace(found.rows[0], note=note), *found.rows[1:]])

    return changed


def without_networks(comparison):
    found = plain(comparison)
    return replace(found, rows=[row for row in found.rows if row.candidate.family != "network"])


def one_rival(comparison):
    found = plain(comparison)
    return replace(found, rows=[row for row in found.rows if row.candidate.name in ("no penalty", "lasso")])


ALWAYS = None  # there is no comparison of which it is not said
CASES = {
    "leak": (leaking, plain),
    "constant model": (weights(), weights(0)),
    "no better than a constant": (scored(lasso=[8.0, 8.1, 8.0], no_penalty=[8.1, 8.1, 8.1]), plain),
    "exact": (exact, plain),
    "finding": (plain, exact),
    "besides": (scored(network_cocktail=[1.0, 1.1, 1.2]), plain),
    "other family": (
        lambda c: with_scores(c, PLAIN | {"network": [4.0, 4.1, 4.2], "network + L2": [3.0, 3.1, 3.2]}, 8.0),
        plain,
    ),
    "baseline of the other family": (scored(network=[1.8, 2.1, 2.4]), plain),
    "one input": (
        weights(0),
        lambda c: replace(weights(0)(c), options=replace(c.options, max_features=1)),
    ),
    "no time": (changed(passed_over=["ridge"]), plain),
    "trees": (scored(boosted_trees=[1.0, 1.1, 1.2]), plain),
    "fresh rows": (changed(fresh=FreshScore(2.0, 1.8, 2.2, 40)), plain),
    "Does one column leak the target?": (leaking, ALWAYS),
    "Does the model rely on a single input?": (weights(0), weights(0, 1)),
    "Are values missing?": (plain, ALWAYS),
    "Is the kept model better than a constant prediction?": (plain, ALWAYS),
    "Do the folds agree?": (plain, ALWAYS),
    "Were there enough rows?": (plain, ALWAYS),
    "How does it score on the test table?": (changed(fresh=FreshScore(2.0, 1.8, 2.2, 40)), plain),
    "Which candidates were skipped?": (changed(left_out={"ridge": "not finished"}), plain),
    "explanation: what was compared": (plain, ALWAYS),
    "explanation: known scores": (plain, ALWAYS),
    "explanation: the other family": (
        lambda c: with_scores(c, PLAIN | {"network": [4.0, 4.1, 4.2], "network + L2": [4.3, 4.0, 3.9]}, 8.0),
        lambda c: with_scores(c, PLAIN | CURVES | {"network": [4.0, 4.1, 4.2], "network + L2": [3.0, 3.1, 3.2]}, 8.0),
    ),
    "explanation: the 1-SE setting": (at_one_se, plain),
    "explanation: trees": (plain, scored(boosted_trees=[1.0, 1.1, 1.2])),
    "explanation: intervals": (plain, ALWAYS),
    "explanation: intervals of predictions": (plain, changed(intervals=None)),
    "explanation: several differences": (plain, one_rival),
    "explanation: what was requested": (
        lambda c: replace(plain(c), options=replace(c.options, factors={"x0": 2.0})),
        plain,
    ),
    "explanation: half-samples": (plain, changed(stable=None)),
    "explanation: random starts": (plain, without_networks),
    "explanation: skipped candidates": (changed(left_out={"ridge": "not finished"}), plain),
    "explanation: no finite optimum": (noted("no finite optimum without a penalty"), noted("")),
    "explanation: no cause": (plain, ALWAYS),
}


def test_every_sentence_has_a_case():
    assert set(CASES) == set(SENTENCES) - {"explanation: no PyTorch"}


@pytest.mark.parametrize("name", CASES)
def test_a_sentence_is_said_where_its_condition_holds_and_only_there(compared, name):
    _, comparison = compared
    if comparison.options.network is None and ("family" in name or "starts" in name or name == "besides"):
        pytest.skip("networks need torch")
    said, silent = CASES[name]
    text = SENTENCES[name].says(said(comparison))
    assert text.endswith(".") or (text and name == "Which candidates were skipped?")  # a list of reasons
    if silent is not ALWAYS:
        assert SENTENCES[name].says(silent(comparison)) == ""


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("finding", {}),
        ("other family", {"network": [4.0, 4.1, 4.2], "network + L2": [3.0, 3.1, 3.2]}),
        ("explanation: the other family", {"network": [4.0, 4.1, 4.2], "network + L2": [4.3, 4.0, 3.9]}),
        ("baseline of the other family", {"network": [0.5e-9, 1.5e-9, 2.1e-9]}),
    ],
)
def test_nothing_is_compared_where_the_target_follows_from_the_inputs(compared, name, scores):
    _, comparison = compared
    if comparison.options.network is None:
        pytest.skip("networks need torch")
    kept = {"no penalty": [3e-9, 4e-9, 3e-9], "lasso": [1e-9, 2e-9, 1e-9]}
    found = with_scores(comparison, kept | scores, guess=8.0)
    numbers = replace(found, plan=replace(found.plan, classes=None))
    assert SENTENCES[name].says(numbers) == ""
    assert (
        SENTENCES[name].says(replace(numbers, constant=with_scores(comparison, kept | scores, guess=0.5).constant))
        != ""
    )


@pytest.mark.parametrize("installed", [True, False])
def test_missing_networks_are_explained_where_torch_is_not_installed(compared, monkeypatch, installed):
    monkeypatch.setattr(explaining, "find_spec", lambda name: installed or None)
    assert (SENTENCES["explanation: no PyTorch"].says(compared[1]) == "") == installed


def test_the_list_in_the_documentation_is_that_of_the_code():
    text = (Path(__file__).parents[3] / "docs" / "validation.md").read_text(encoding="utf-8")
    for each in SENTENCES.values():
        assert f"| {each.name} | {each.when} |" in text


def test_only_an_additive_lasso_with_other_knots_differs_in_more_than_its_penalty(compared):
    _, comparison = compared
    found = scored(additive_lasso=[1.0, 1.1, 1.2])(comparison)
    for settings, said in (({}, False), ({"knots": "spread over the values"}, True)):
        text = SENTENCES["besides"].says(replace(found, fit=replace(found.fit, settings=settings)))
        assert ("bend at other places" in text) == said


def test_a_family_whose_baseline_has_no_score_is_not_said_to_have_no_regularized_model(compared):
    """With a budget a baseline may not be finished, and the model kept all the same."""
    found = plain(compared[1])
    rows = [replace(row, differences={}) if row is found.chosen else row for row in found.rows]
    rows = [row for row in rows if row.candidate.name != "no penalty" and row.candidate.family != "network"]
    chosen = next(row for row in rows if row.candidate.name == found.chosen.candidate.name)
    text = SENTENCES["finding"].says(replace(found, rows=rows, chosen=chosen))
    assert "the effect of regularization is unknown" in text
    assert "L1 (lasso)" in text
    assert "is kept" in text


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("classes", [None, ["no", "yes"]])
def test_held_out_rows_of_one_target_have_no_r2_and_no_area(classes):
    """As the later periods of a split by time may be."""
    truth, output = (
        (np.full(3, 0.1), np.full(3, 0.3)) if classes is None else (np.ones(3, dtype=int), np.eye(2)[[1, 1, 0]])
    )
    plan = SimpleNamespace(classes=classes)
    text = known_scores(SimpleNamespace(plan=plan, held_out=lambda: (truth, output, np.arange(3))))
    assert ("R²" in text, "area" in text) == (False, False)
    assert "mean absolute error of 0.2." in text or "accuracy of 66.7% (100.0%" in text


def test_a_common_encoding_of_a_sample_is_said(compared):
    """As of rows that are read in blocks, whose medians and levels are found once."""
    found = plain(compared[1])
    said = [SENTENCES[name].says(found) for name in ("explanation: what was compared", "Are values missing?")]
    assert "60 rows" in said[0]
    assert "the encoding of the inputs" in said[0]
    assert "imputed from the training rows" in said[1]
    splits = copy(found.splits)
    splits.common_encoding = True
    sample = replace(found, splits=splits, plan=replace(found.plan, n_rows=1000))
    said = [SENTENCES[name].says(sample) for name in ("explanation: what was compared", "Are values missing?")]
    assert "60 of 1000 rows" in said[0]
    assert "the encoding of the inputs" not in said[0]
    assert "except for the medians and levels" in said[0]
    assert "imputed from all rows" in said[1]
