"""The verdict says what the numbers say, and no more."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from compare.rescored import with_scores
from shrinkwise.compare import compare_table
from shrinkwise.compare.story.explanation import explanation
from shrinkwise.compare.story.verdict import verdict
from shrinkwise.compare.story.words import said
from shrinkwise.models.predictors import LinearPredictor
from shrinkwise.selection import Difference
from shrinkwise.tables import plan_table


def test_a_difference_beyond_its_interval_is_claimed(compared):
    _, comparison = compared
    found = with_scores(comparison, {"no penalty": [5.0, 5.1, 5.2], "lasso": [2.0, 2.1, 2.2]}, guess=9.0)
    [sentence] = verdict(found)
    assert sentence.startswith("L1 (lasso) lowers the held-out ")
    assert "from 5.1 (no penalty) to 2.1 (difference −3, 95 % interval −3 to −3)" in sentence


def test_a_difference_within_its_interval_is_not_claimed(compared):
    _, comparison = compared
    found = with_scores(comparison, {"no penalty": [2.0, 2.5, 3.0], "ridge": [2.5, 2.4, 2.3]}, guess=9.0)
    [sentence] = verdict(found)
    assert sentence.startswith("For linear models, regularization makes no detectable difference: the held-out")
    assert "lowers" not in sentence


@pytest.mark.parametrize(
    ("ridge", "claim"), [([2.9, 1.4, 2.3], "no detectable difference"), ([3.0, 3.0, 3.1], "raises it")]
)
def test_no_penalty_may_win(compared, ridge, claim):
    _, comparison = compared
    found = with_scores(comparison, {"no penalty": [2.0, 2.1, 2.2], "ridge": ridge}, guess=9.0)
    [sentence] = verdict(found)
    assert sentence.startswith("No penalty has the lowest")
    assert claim in sentence


def test_trees_that_do_better_are_named(compared):
    _, comparison = compared
    scores = {"no penalty": [5.0, 5.1, 5.2], "lasso": [2.0, 2.1, 2.2], "boosted trees": [1.0, 1.1, 1.2]}
    sentences = verdict(with_scores(comparison, scores, guess=9.0))
    assert "score detectably lower: 1.1 versus 2.1 (difference 1, 95 % interval 1 to 1)" in sentences[1]
    scores["boosted trees"] = [0.5, 1.8, 3.2]
    found = verdict(with_scores(comparison, scores, guess=9.0))
    assert "score lower, but not detectably: 1.83 versus 2.1" in found[1]
    scores["boosted trees"] = [0.5, 3.8, 3.2]
    found = with_scores(comparison, scores, guess=9.0)
    assert len(verdict(found)) == 1
    assert any("not detectably different from the kept model" in sentence for sentence in explanation(found))


def test_the_other_family_is_named_when_regularization_shows_there(compared):
    _, comparison = compared
    if comparison.options.network is None:
        pytest.skip("networks need torch")
    scores = {"no penalty": [5.0, 5.1, 5.2], "ridge": [3.0, 3.1, 3.2], "network": [1.0, 2.0, 3.0]}
    scores["network + dropout"] = [2.4, 1.1, 1.3]
    first, second = verdict(with_scores(comparison, scores, guess=9.0))
    assert first.startswith("For networks, regularization makes no detectable difference: the held-out")
    assert first.endswith("; dropout in the network scores lowest of the candidates and is kept.")
    assert first.count(". ") == second.count(". ") == 0  # each is one sentence
    assert second.startswith("L2 (ridge) lowers")
    assert "kept" not in second


def test_the_best_setting_is_called_the_lowest_and_the_1se_setting_kept(compared):
    _, comparison = compared
    found = with_scores(comparison, {"no penalty": [5.0, 5.1, 5.2], "lasso": [1.0, 2.1, 3.2]}, guess=20.0)
    row = found.chosen

    def with_cost(cost: float, error: float):
        folds = [replace(fold, score=fold.score - cost) for fold in row.best.folds]
        chosen = replace(row, best=replace(row.best, folds=folds), cost=Difference(cost, error, 59))
        rows = [chosen if each is row else each for each in found.rows]
        return replace(found, chosen=chosen, rows=rows, choice="one_se" if chosen.one_se_holds else "best")

    said = " ".join(verdict(with_cost(0.5, 0.6)))
    assert "scores lowest of the candidates at its best setting (1.6) and is kept at its 1-SE" in said
    why = explanation(with_cost(0.5, 0.6))
    assert any("it scores 2.1 and the best setting 1.6. --select best keeps" in sentence for sentence in why)
    assert "cores lowest of the candidates and is kept" in " ".join(verdict(with_cost(0.7, 0.6)))
    why = explanation(with_cost(0.7, 0.6))
    assert any("2.1 on the held-out rows, more than one standard error above" in sentence for sentence in why)


def test_models_that_do_not_beat_a_guess_are_said_first(compared):
    _, comparison = compared
    found = with_scores(comparison, {"lasso": [2.0, 2.1, 2.2], "no penalty": [5.0, 5.1, 5.2]}, guess=9.0)
    assert "No model" not in " ".join(verdict(found))
    noisy = with_scores(comparison, {"lasso": [1.0, 2.1, 3.2]}, guess=2.3)
    assert verdict(noisy)[0].startswith("No model is detectably better than a constant prediction")


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_noise_gives_no_claim(task, small_table, small):
    frame = small_table(task)
    rng = np.random.default_rng(5)
    frame = frame.with_columns(y=pl.Series(rng.permutation(frame["y"].to_numpy())))
    comparison = compare_table(frame, plan_table(frame, "y"), replace(small, network=None))
    assert "No model is detectably better than a constant prediction" in " ".join(verdict(comparison)[:2])


def test_a_setting_that_is_worse_than_no_regularization_is_not_kept(compared):
    _, comparison = compared
    lasso = comparison.row("lasso")
    close = replace(lasso, cost=Difference(0.1, 0.2, 59), differences={"one_se": Difference(0.1, 0.1, 59)})
    assert close.one_se_holds
    assert not replace(close, differences={"one_se": Difference(0.1, 0.02, 59)}).one_se_holds
    assert not replace(close, cost=Difference(0.1, 0.09, 59)).one_se_holds


def test_a_model_without_inputs_is_said_to_have_found_nothing(compared):
    _, comparison = compared
    assert "Nothing was found" not in " ".join(verdict(comparison))
    nothing = LinearPredictor(np.zeros_like(comparison.model.predictor.feature_weights()), 0.0)
    empty = replace(comparison, model=replace(comparison.model, predictor=nothing))
    uses = f"uses none of the {len(comparison.plan.kept)} inputs and predicts the same for every row"
    assert verdict(empty)[0].startswith("The kept model, ")  # others are better than a constant prediction
    assert uses in verdict(empty)[0]
    none = verdict(with_scores(empty, {"lasso": [2.0, 2.0, 2.0]}, guess=2.0))
    assert none[0].startswith("Nothing was found that predicts 'y'")
    assert uses in none[0]
    assert "uses 0 of" not in " ".join(none)


def test_scores_that_people_know(compared):
    _, comparison = compared
    (sentence,) = (each for each in explanation(comparison) if each.startswith("On the held-out rows"))
    truth, output, _ = comparison.held_out()
    if comparison.plan.classes is None:
        assert f"R² = {said(r2_score(truth, output))} " in sentence
        assert f"absolute error of {said(mean_absolute_error(truth, output))}." in sentence
        return
    base = max(np.mean(truth == k) for k in range(len(comparison.plan.classes)))
    assert f"accuracy of {np.mean(output.argmax(axis=1) == truth):.1%} ({base:.1%} for always" in sentence
    assert ("ROC" in sentence) == (len(comparison.plan.classes) == 2)


def test_no_sentence_claims_a_cause(compared):
    _, comparison = compared
    text = " ".join([*verdict(comparison), *explanation(comparison)])
    assert not re.search(r"\b(causes?|because of|drives?|effect)\b", text)


@pytest.mark.parametrize(("value", "text"), [(-0.03125, "−0.0312"), (12345.6, "12,346"), (7.0, "7"), (0.0, "0")])
def test_numbers_in_sentences(value, text):
    assert said(value) == text
