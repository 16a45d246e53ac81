"""What a user may ask of a comparison acts: sparsity, factors, bounds, groups, time, weights, fresh rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise.compare import compare_table
from shrinkwise.compare.candidates.choice import choose_strength
from shrinkwise.compare.story.explanation import explanation
from shrinkwise.compare.story.verdict import verdict
from shrinkwise.models.coefficients import coefficients
from shrinkwise.service import FitRequest, Question
from shrinkwise.tables import InputError, plan_table


@pytest.fixture
def asked(small_table, linear):
    """compare(methods, wishes for the plan, options) on a regression table."""

    def compare(*methods, frame=None, test=None, plan=None, **options):
        frame = small_table("regression") if frame is None else frame
        wished = replace(linear, folds=2, methods=methods, **options)
        return compare_table(frame, plan_table(frame, "y", **(plan or {})), wished, test=test)

    return compare


def test_one_name_is_taken_where_several_may_be(small_table):
    frame = small_table("regression")
    question = Question.of(
        FitRequest(frame, "y", methods="lasso", drop="x0", number="x1", keep="x2", category="colour")
    )
    assert question.options.methods == ("lasso",)
    kinds = {column.name: column for column in question.plan.columns}
    assert kinds["x0"].reason == "dropped as requested"
    for name, said in (("x1", "as requested"), ("x2", "kept as requested"), ("colour", "a category as requested")):
        assert said in kinds[name].reason


def test_strengths_with_too_many_inputs_are_passed_over(linear):
    losses = [[6.0, 5.5], [1.0, 5.0], [0.5, 3.5], [1.5, 0.5]]  # less the best: 4.75 ± .25, 2 ± 2.5, 1 ± 2, 0
    used = [0, 1, 4, 9]
    assert choose_strength(losses, used, linear, squared=False) == (3, 1)
    assert choose_strength(losses, used, replace(linear, max_features=4), squared=False) == (2, 2)
    assert choose_strength(losses, used, replace(linear, max_features=1), squared=False) == (1, 1)
    within = replace(linear, select="within", within=1.0)
    assert choose_strength(losses, used, within, squared=False) == (3, 2)
    assert choose_strength(losses, used, within, squared=True) == (3, 1)  # 3 ≤ 1 · 2²


def test_rows_that_cannot_be_split_for_choosing_a_strength_are_refused_before_the_work(small):
    rng = np.random.default_rng(0)
    y = np.where(np.arange(90) >= 55, "late", np.where(rng.random(90) < 0.5, "a", "b"))
    frame = pl.DataFrame({"x": rng.normal(size=90), "t": np.arange(90.0) * 1.5, "y": y})
    options = replace(small, network=None, methods=("lasso",), folds=4)
    with pytest.raises(InputError, match="cannot be split"):
        compare_table(frame, plan_table(frame, "y", time="t"), options, lambda *_: pytest.fail("work was done"))


def test_a_model_of_one_input_is_asked_about(asked):
    dear = dict.fromkeys(("x1", "x2", "x3", "colour"), 1e6)
    comparison = asked("lasso", factors=dear, max_features=4)
    assert comparison.only_input == "x0"
    assert any("uses only 'x0': check that this value is known" in sentence for sentence in verdict(comparison))
    asked_for = asked("lasso", factors=dear, max_features=1)
    assert not any("uses only" in sentence for sentence in verdict(asked_for))
    assert "of the models of at most 1 input (it uses 1 of 5 inputs)" in verdict(asked_for)[0]


def test_inputs_that_are_never_left_out_are_not_more_than_asked_for(asked):
    with pytest.raises(InputError, match="At most 1 inputs were requested, but 2 have the penalty factor 0"):
        asked("lasso", max_features=1, factors={"x0": 0.0, "x1": 0.0})


def test_at_most_so_many_inputs(asked):
    comparison = asked("ridge", "lasso", "group-lasso", max_features=2)
    assert 1 <= comparison.kept_usage.inputs <= 2
    assert "at most 2 inputs" in " ".join(explanation(comparison))
    with pytest.raises(InputError, match="selects inputs"):
        asked("ridge", max_features=2)


def test_a_group_is_kept_or_dropped_whole(asked):
    comparison = asked("group-lasso", select="best")
    inputs = np.array(comparison.model.encoder.inputs)
    for coefs in comparison.curve.coefs:
        for index in np.unique(inputs):
            assert len(set((coefs[inputs == index] != 0).tolist())) == 1


def test_factors_and_bounds_act(asked):
    def size(name, **options):
        comparison = asked("lasso", "elastic-net", select="best", **options)
        return next(abs(row["coefficient"]) for row in coefficients(comparison.model) if row["feature"] == name)

    def along_the_path(**options):
        return np.abs(asked("lasso", **options).curve.coefs[:, 0]).max()  # x0 is the first input

    assert along_the_path() > 1.5
    assert along_the_path(factors={"x0": 1e6}) == 0
    assert size("x0") > 1.5
    assert size("x0", bounds={"x0": (-np.inf, 0.5)}) == pytest.approx(0.5)
    with pytest.raises(InputError, match="'z', which is not an input"):
        size("x0", factors={"z": 1.0})
    with pytest.raises(InputError, match="low ≤ 0 ≤ high"):
        size("x0", bounds={"x0": (1.0, 2.0)})


def test_groups_stay_together_and_time_goes_forward(asked, small_table):
    frame = small_table("regression").with_columns(who=pl.int_range(60) // 4, when=59 - pl.int_range(60))
    together = asked("lasso", frame=frame, plan={"group": "who"})
    for train, test in together.splits.folds:
        assert not set(train // 4) & set(test // 4)
    forward = asked("lasso", frame=frame.drop("who"), plan={"time": "when"})
    for train, test in forward.splits.folds:
        assert frame["when"].to_numpy()[train].max() < frame["when"].to_numpy()[test].min()
    assert "2 later periods was predicted by models fitted on the rows before it" in " ".join(explanation(forward))
    assert "whole groups" in " ".join(explanation(together))


def test_a_weight_of_two_is_the_row_twice_for_the_kept_model(asked, small_table):
    frame = small_table("regression")
    weighted = asked("ridge", frame=frame.with_columns(w=pl.lit(2.0)), plan={"weight": "w"})
    plain = asked("ridge", frame=frame)
    np.testing.assert_allclose(weighted.kept.scores, plain.kept.scores, rtol=1e-6)
    uneven = frame.with_columns(w=pl.when(pl.col("x0") > 0).then(5.0).otherwise(1.0))
    assert abs(asked("ridge", frame=uneven, plan={"weight": "w"}).kept.score - plain.kept.score) > 1e-6


def test_rows_that_were_learned_from_are_no_exam(asked, small_table, small):
    frame = small_table("regression")
    with pytest.raises(InputError, match="All 60 test rows also occur in the training table; supply unseen rows"):
        asked("ridge", test=frame)
    for wrong, sentence in (
        (frame.drop("x0"), "no column 'x0'"),
        (frame.drop("y"), "no column"),
        (frame.head(1), "at least 2"),
    ):
        with pytest.raises(InputError, match=sentence):
            compare_table(frame, plan_table(frame, "y"), small, lambda *_: pytest.fail("work was done"), test=wrong)
    fresh = pl.concat([small_table("regression", n=100, seed=9), frame.head(7)])
    comparison = asked("ridge", test=fresh)
    assert comparison.fresh.n_known == 7
    assert "of which 7 also occur in the training table" in verdict(comparison)[-1]


@pytest.mark.parametrize("unit", [1e-4, 1e5])
def test_scores_and_settings_do_not_depend_on_the_unit_of_the_target(asked, small_table, unit):
    frame = small_table("regression")
    other = frame.with_columns(y=pl.col("y") * unit)
    methods = ("none", "ridge", "lasso", "elastic-net", "group-lasso", "mcp")
    plain, scaled = asked(*methods, frame=frame), asked(*methods, frame=other)
    for row, same in zip(plain.rows, scaled.rows, strict=True):
        np.testing.assert_allclose(same.best.scores, unit * row.best.scores, rtol=1e-4)
        assert [fold.settings for fold in same.best.folds] == [
            pytest.approx(fold.settings, rel=1e-6) for fold in row.best.folds
        ]
    np.testing.assert_allclose(scaled.curve.cv_mean, unit * plain.curve.cv_mean, rtol=1e-4)
    np.testing.assert_allclose(scaled.stable.lam, plain.stable.lam, rtol=1e-6)
    assert np.array_equal(scaled.stable.selected, plain.stable.selected)


def test_the_curve_of_a_regression_is_in_the_unit_of_its_score(asked):
    comparison = asked("lasso")
    assert 0.5 < comparison.curve.cv_mean[comparison.curve.index_best] / comparison.row("lasso").best.score < 2


def test_half_samples_do_not_take_an_input_for_its_many_levels(small):
    rng = np.random.default_rng(0)
    n = 300
    frame = pl.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n), "shop": rng.integers(0, 30, n).astype(str)})
    frame = frame.with_columns(shop="s" + pl.col("shop"), y=pl.col("x") + pl.Series(rng.normal(size=n)))
    options = replace(small, network=None, methods=("none", "lasso"), stability_pairs=15)
    stable = compare_table(frame, plan_table(frame, "y"), options).stable
    assert stable.by_group
    x, _, shop = stable.frequencies
    assert x == 1.0
    assert shop < 0.5


def test_fresh_rows_are_an_exam(asked, small_table):
    comparison = asked("ridge", test=small_table("regression", n=400, seed=9))
    fresh = comparison.fresh
    assert fresh.n_rows == 400
    assert fresh.low < fresh.score < fresh.high
    assert "On the 400 rows of the test table" in " ".join(verdict(comparison))


def test_a_test_table_needs_no_groups_but_weights_and_says_how_many_rows_are_scored(small_table, linear):
    rng = np.random.default_rng(0)
    frame = small_table("regression", n=80).with_columns(shop=pl.Series(np.arange(80) % 10), w=rng.uniform(1, 2, 80))
    plan = plan_table(frame, "y", group="shop", weight="w")
    test = small_table("regression", n=40, seed=9).with_columns(w=pl.Series([0.0, *np.ones(39)]))
    comparison = compare_table(frame, plan, replace(linear, methods=("ridge",)), test=test)
    assert comparison.fresh.n_rows == 39
    assert "On 39 of the 40 rows of the test table" in " ".join(verdict(comparison))
    with pytest.raises(InputError, match="The table has no column 'w'"):
        compare_table(frame, plan, linear, test=test.drop("w"))


def test_a_wide_table_of_zeros_is_compared_sparse(linear):
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.06, size=(80, 220))
    y = np.where(counts[:, :40].sum(axis=1) + 0.3 * rng.normal(size=80) > 2.4, "many", "few")
    frame = pl.DataFrame({f"w{j}": counts[:, j] for j in range(220)} | {"y": y})
    options = replace(linear, folds=2, n_lambdas=4, methods=("ridge", "lasso", "trees"))
    comparison = compare_table(frame, plan_table(frame, "y"), options)
    assert comparison.model.encoder.sparse
    assert comparison.model.predict_proba(frame).shape == (80, 2)


def test_fit_takes_any_frame_and_says_what_it_found(small_table, tmp_path):
    frame = small_table("binary")
    result = sw.fit(frame.to_pandas(), target="y", effort="quick", methods=("lasso",), folds=2, n_jobs=1, n_lambdas=5)
    assert result.verdict in " ".join(str(result).split())
    assert len(result.predict(frame)) == frame.height
    result.save(tmp_path / "run")
    np.testing.assert_array_equal(sw.load(tmp_path / "run").predict_proba(frame), result.predict_proba(frame))
    with pytest.raises(TypeError, match="did you mean 'max_features'"):
        sw.fit(frame, "y", max_feature=3)
