"""The comparison is nested, repeatable, and its numbers are those its parts give."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from shrinkwise.compare import compare_table
from shrinkwise.compare.candidates.base import Candidate, Fit, Tuned
from shrinkwise.compare.candidates.linear import tune_lasso
from shrinkwise.compare.comparison import _note, check_folds
from shrinkwise.compare.kept import choose
from shrinkwise.compare.metrics import held_out_score
from shrinkwise.compare.result import Scored
from shrinkwise.compare.scoring.nested import score_fold
from shrinkwise.compare.splits.splits import split_table
from shrinkwise.models.predictors import LinearPredictor, usage
from shrinkwise.selection import Difference
from shrinkwise.tables import Encoder, InputError, plan_table

RNG = np.random.default_rng(0)


def test_held_out_rows_influence_neither_encoding_nor_tuning_nor_fit(small_table, linear):
    """Every value of the rows an outer fold holds out is changed: its training problem and its lasso are the same."""
    frame = small_table("regression")
    plan = plan_table(frame, "y")
    split = split_table(frame, plan, linear)[0]
    held_out = pl.Series(np.isin(np.arange(frame.height), split.test))
    changed = frame.with_columns(
        *(pl.when(held_out).then(pl.col(c) * 1000 - 7).otherwise(pl.col(c)).alias(c) for c in ("x0", "x1", "y")),
        pl.when(held_out).then(pl.lit("blue")).otherwise(pl.col("colour")).alias("colour"),
    )
    after = split_table(changed, plan, linear)[0]
    np.testing.assert_array_equal(after.test, split.test)
    np.testing.assert_array_equal(after.problem.X, split.problem.X)
    np.testing.assert_array_equal(after.problem.y, split.problem.y)
    for choice in ("best", "one_se"):
        one, other = (getattr(tune_lasso(s.problem, linear), choice) for s in (split, after))
        np.testing.assert_array_equal(one.predictor.coef, other.predictor.coef)
    assert not np.array_equal(after.X_test, split.X_test)


def test_candidates_are_given_training_rows_only(small_table, linear):
    """A candidate that memorises everything it is shown is right on no held-out row."""
    frame = small_table("regression")
    seen = []

    def memorise(problem, options):
        seen.append(problem)
        return Tuned(Fit(LinearPredictor(np.zeros(problem.X.shape[1]), np.float64(0.0))))

    splits = split_table(frame, plan_table(frame, "y"), linear)
    for split in splits:
        score_fold(Candidate("memory", "linear", "", "", memorise), split, linear)
    for split, problem in zip(splits, seen, strict=True):
        assert not set(problem.y) & set(split.y_test)
        assert len(problem.y) + len(split.y_test) == frame.height


def test_the_same_seed_gives_the_same_numbers_in_one_process_and_in_two(small_table, small):
    frame = small_table("binary", n=40)
    plan = plan_table(frame, "y")
    some = ("lasso", "additive-lasso", "network-dropout", "trees")
    options = replace(small, folds=2, n_lambdas=5, methods=some)
    one, two = (compare_table(frame, plan, replace(options, n_jobs=n_jobs)) for n_jobs in (1, 2))
    for a, b in zip(one.rows, two.rows, strict=True):
        np.testing.assert_array_equal(a.best.scores, b.best.scores)
    np.testing.assert_array_equal(one.model.predict_proba(frame), two.model.predict_proba(frame))


def test_another_seed_gives_other_folds_and_numbers(small_table, linear):
    frame = small_table("regression", n=40)
    one, other = (compare_table(frame, plan_table(frame, "y"), replace(linear, folds=2, seed=seed)) for seed in (0, 1))
    assert not np.array_equal(one.splits[0].test, other.splits[0].test)
    assert not np.array_equal(one.row("lasso").best.scores, other.row("lasso").best.scores)


def test_scores_are_those_of_the_held_out_outputs(compared):
    _, comparison = compared
    for row in comparison.rows:
        for split, fold in zip(comparison.splits, row.best.folds, strict=True):
            score = held_out_score(comparison.plan.task, split.y_test, fold.output)
            assert fold.score == score
            starts = (
                row.candidate.family == "network" and row.candidate.slug != "network-cocktail"
            )  # whose members are folds
            assert (fold.seed_sd is not None) == starts
        assert row.best.score == pytest.approx(row.best.scores.mean())


def test_differences_are_paired_to_no_regularization_of_the_same_family(compared):
    _, comparison = compared
    for row in comparison.rows:
        if not row.candidate.regularizer:
            assert row.differences == {}
            continue
        base = comparison.baseline(row.candidate.family)
        assert base.candidate.name in ("no penalty", "additive, no penalty", "network")
        choice = "one_se" if row.one_se else "best"
        found, scored = row.differences[choice], row.at(choice)
        assert found.mean == pytest.approx(scored.score - base.best.score, rel=1e-12)
        mean, low, high = found.interval()
        assert low <= mean <= high
        pairs = zip(scored.folds, base.best.folds, strict=True)
        assert (found.error > 0) == any((a.output != b.output).any() for a, b in pairs)


def test_the_reference_has_no_difference_and_is_never_kept(compared):
    _, comparison = compared
    trees = comparison.row("boosted trees")
    assert trees.differences == {}
    assert trees.best.usage is None
    best_trees = replace(trees, best=replace(trees.best, folds=[replace(f, score=0.0) for f in trees.best.folds]))
    assert choose([*comparison.rows[:-1], best_trees], comparison.options, 5) is not best_trees


def rescored(row, score, inputs):
    """The best choice of a row with another score and number of inputs on every fold."""
    return replace(
        row.best, folds=[replace(f, score=score, usage=replace(f.usage, inputs=inputs)) for f in row.best.folds]
    )


def test_the_lowest_score_is_kept_and_ties_go_to_fewer_inputs(compared):
    _, comparison = compared
    row = comparison.row("lasso")

    scored = partial(rescored, row)

    def like(score, inputs, one_se=None):
        return replace(row, best=scored(score, inputs), one_se=one_se and scored(*one_se))

    low, few, many = like(0.1, 5), like(0.2, 1), like(0.2, 4)
    options = comparison.options
    assert choose([many, few, low], options, 5) == (low, "one_se")
    assert choose([many, few], replace(options, select="best"), 5) == (few, "best")
    assert choose([many, few, low], replace(options, max_features=4), 5)[0] in (many, few)


def test_a_candidate_is_not_held_back_by_its_1_se_choice(compared):
    _, comparison = compared
    row = comparison.row("lasso")

    scored = partial(rescored, row)

    def costs(error):
        return replace(
            row, best=scored(0.1, 4), one_se=scored(0.25, 2), cost=Difference(0.15, error, 9.0), differences={}
        )

    plain, lasso, sure = replace(row, best=scored(0.2, 5), one_se=None, cost=None), costs(0.17), costs(0.12)
    assert choose([plain, lasso], comparison.options, 5) == (lasso, "one_se")
    assert choose([plain, sure], comparison.options, 5) == (sure, "best")  # the held-out rows do not confirm it


def test_within_a_share_of_the_lowest_score_the_fewest_inputs_are_kept(compared):
    _, comparison = compared
    row, options = comparison.row("lasso"), replace(comparison.options, select="within", within=0.01)

    scored = partial(rescored, row)

    lowest = replace(row, best=scored(0.2, 5), one_se=scored(0.21, 1))  # its 1-SE choice is not within 1 %
    near = replace(row, best=scored(0.2005, 4), one_se=scored(0.2015, 3))
    sparse = replace(row, best=scored(0.2018, 2), one_se=scored(0.3, 1))
    assert choose([lowest, near, sparse], options, 5) == (sparse, "best")
    assert choose([lowest, near], options, 5) == (near, "one_se")


def test_the_kept_model_is_refitted_on_all_rows(compared):
    frame, comparison = compared
    encoder = Encoder(comparison.plan).fit(frame)
    np.testing.assert_array_equal(comparison.model.encoder.mean, encoder.mean)
    expected = comparison.model.predictor.output(encoder.transform(frame))
    np.testing.assert_allclose(comparison.model.output(frame), expected, rtol=1e-12, atol=1e-14)


def test_curve_and_its_choices(compared):
    _, comparison = compared
    curve = comparison.curve
    assert np.all(np.diff(curve.lambdas) < 0)
    assert curve.index_one_se <= curve.index_best == np.nanargmin(curve.cv_mean)
    assert curve.coefs.shape[0] == len(curve.lambdas) == len(curve.cv_mean) == len(curve.cv_se)
    used = usage(LinearPredictor(curve.coefs[0], np.float64(0)), list(comparison.model.encoder.inputs))
    assert used.inputs == 0  # the path starts at the λ that empties the model


@pytest.mark.parametrize(("task", "members", "folds"), [("binary", 3, 5), ("multiclass", 2, 3)])
def test_a_class_rarer_than_the_folds_is_refused_with_what_to_do(task, members, folds, small_table, small):
    frame = small_table(task)
    rare = frame.with_columns(
        y=pl.when(pl.int_range(pl.len()) < members).then(pl.lit("zebra")).otherwise(pl.lit("common"))
    )
    plan = plan_table(rare, "y")
    with pytest.raises(InputError, match="'zebra'"):
        check_folds(plan, replace(small, folds=folds))


@pytest.mark.parametrize("target", [RNG.normal(size=40), np.arange(40) % 2])
def test_a_fold_whose_training_rows_are_all_alike_is_refused(linear, target):
    """The one row that differs is held out once."""
    frame = pl.DataFrame({"x": [0.0] * 39 + [1.0], "y": target})
    with pytest.raises(InputError, match=r"Every input has the same value in all \d+ training rows of a fold"):
        compare_table(frame, plan_table(frame, "y"), linear)


def test_progress_counts_every_piece_of_work(small_table, linear):
    frame = small_table("regression", n=30)
    calls = []
    compare_table(frame, plan_table(frame, "y"), replace(linear, folds=2), lambda *call: calls.append(call))
    assert [done for done, _, _ in calls] == list(range(1, 20))
    assert {total for _, total, _ in calls} == {19}


def test_a_separable_table_says_that_its_baseline_has_no_optimum(small_table, linear):
    frame = small_table("binary").with_columns(y=pl.when(pl.col("x0") > 0).then(pl.lit("a")).otherwise(pl.lit("b")))
    comparison = compare_table(frame, plan_table(frame, "y"), linear)
    assert "no finite optimum without a penalty" in comparison.row("no penalty").note
    assert np.isfinite(comparison.row("no penalty").best.score)


def test_notes_say_in_how_many_folds_they_hold():
    assert _note(["", "", ""]) == ""
    assert _note(["x", "x"]) == "x"
    assert _note(["x", "y", "x", ""]) == "in 2 of 4 folds x; in 1 of 4 folds y"


def test_networks_are_left_out_without_torch(monkeypatch, small_table, small):
    for place in ("candidates.registry", "options"):
        monkeypatch.setattr(f"shrinkwise.compare.{place}.find_spec", lambda name: None)
    frame = small_table("regression", n=30)
    comparison = compare_table(frame, plan_table(frame, "y"), replace(small, folds=2))
    assert [row.candidate.family for row in comparison.rows] == ["linear"] * 6 + ["additive"] * 2 + ["reference"]
    assert 'pip install "shrinkwise[torch]"' in " ".join(comparison.options.described([]))


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_a_large_table_is_scored_like_a_small_one(small_table, linear, monkeypatch, task):
    frame = small_table(task, n=400)
    options = replace(linear, methods=("none", "ridge", "lasso", "trees"))
    few = compare_table(frame, plan_table(frame, "y"), options)
    monkeypatch.setattr("shrinkwise.compare.splits.splits._LARGE", 0)
    monkeypatch.setattr("shrinkwise.compare.candidates.trees._MANY_VALUES", 0)
    many = compare_table(frame, plan_table(frame, "y"), options)
    for row, same in zip(few.rows, many.rows, strict=True):
        rough = row.candidate.family == "reference" or row.one_se is not None  # stops, and inner folds, at other rows
        np.testing.assert_allclose(same.best.scores, row.best.scores, rtol=0.35 if rough else 1e-4)


def test_settings_are_those_of_most_folds():
    settings = [{"keep": 0.5, "steps": 10}, {"keep": 0.9, "steps": 20, "sharp": 0.5}, {"keep": 0.9, "steps": 20}]
    folds = [SimpleNamespace(settings=each) for each in settings]
    assert Scored(folds).settings == {"keep": 0.9, "steps": 20}
    assert Scored(folds[1:2]).settings == settings[1]
