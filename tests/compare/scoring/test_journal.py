"""A comparison that is stopped goes on where it stopped and ends as if nothing had happened; a budget is kept."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from shrinkwise.compare import compare_table
from shrinkwise.compare.comparison import Place
from shrinkwise.compare.scoring.clock import Clock, TimeUp, time_limit
from shrinkwise.compare.scoring.nested import score_fold
from shrinkwise.compare.splits.splits import Splits
from shrinkwise.compare.story.verdict import verdict
from shrinkwise.tables import InputError, plan_table


@pytest.fixture
def asked(small_table, linear):
    frame = small_table("binary", n=40)
    return frame, plan_table(frame, "y"), replace(linear, folds=2, n_lambdas=5, methods=("ridge", "lasso"))


def assert_same(one, other):
    assert [row.candidate.name for row in one.rows] == [row.candidate.name for row in other.rows]
    for a, b in zip(one.rows, other.rows, strict=True):
        np.testing.assert_array_equal(a.best.scores, b.best.scores)
        assert [(f.settings, f.note, f.usage, f.balanced) for f in a.best.folds] == [
            (f.settings, f.note, f.usage, f.balanced) for f in b.best.folds
        ]
    np.testing.assert_array_equal(one.model.predictor.coef, other.model.predictor.coef)


@pytest.mark.parametrize("after", [1, 4])
def test_a_run_that_is_stopped_goes_on_and_ends_the_same(asked, tmp_path, monkeypatch, after):
    frame, plan, options = asked
    whole = compare_table(frame, plan, options)
    done = []

    def stopped(*args):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(args)
        return score_fold(*args)

    place = tmp_path / "pieces"
    monkeypatch.setattr("shrinkwise.compare.scoring.nested.score_fold", stopped)
    with pytest.raises(KeyboardInterrupt):
        compare_table(frame, plan, options, place=Place(place))
    assert len(list(place.glob("*.npz"))) == after
    (place / "ridge-1.npz.abcd.new").write_bytes(b"half")  # killed while it wrote
    redone = []
    monkeypatch.setattr(
        "shrinkwise.compare.scoring.nested.score_fold", lambda *args: redone.append(args[0].name) or score_fold(*args)
    )
    again = compare_table(frame, plan, options, place=Place(place, resume=True))
    assert len(redone) == 6 - after
    assert_same(again, whole)


def test_pieces_of_another_table_are_refused_and_not_taken_up_unasked(asked, tmp_path):
    frame, plan, options = asked
    compare_table(frame, plan, options, place=Place(tmp_path / "pieces"))
    with pytest.raises(InputError, match="different table"):
        compare_table(frame, plan, replace(options, seed=1), place=Place(tmp_path / "pieces", resume=True))
    calls = []
    compare_table(frame, plan, options, lambda *call: calls.append(call), place=Place(tmp_path / "pieces"))
    assert len(calls) == 7  # every piece was done again


def test_a_damaged_piece_is_done_again(asked, tmp_path):
    frame, plan, options = asked
    whole = compare_table(frame, plan, options, place=Place(tmp_path / "pieces"))
    (tmp_path / "pieces" / "lasso-0.npz").write_bytes(b"PK\x03\x04 not a file of ours")
    assert_same(compare_table(frame, plan, options, place=Place(tmp_path / "pieces", resume=True)), whole)


def test_work_stops_when_its_time_is_up():
    start = time.monotonic()

    def busy(deadline):
        with time_limit(deadline):
            while time.monotonic() < start + 20:
                pass

    for deadline in (start + 0.05, start - 1):
        with pytest.raises(TimeUp):
            busy(deadline)
    assert time.monotonic() < start + 10
    with time_limit(None):
        pass


def test_what_is_not_done_within_the_budget_is_left_out_and_named(asked, monkeypatch):
    frame, plan, options = asked
    monkeypatch.setattr(
        "shrinkwise.compare.scoring.nested.score_fold",
        lambda c, s, o, d: score_fold(c, s, o, time.monotonic() - 1 if c.name == "lasso" else None),
    )
    comparison = compare_table(frame, plan, replace(options, budget=1000.0))
    assert comparison.left_out == {"lasso": "not finished within the budget"}
    assert [row.candidate.name for row in comparison.rows] == ["no penalty", "ridge"]
    monkeypatch.setattr("shrinkwise.compare.scoring.nested.score_fold", lambda c, s, o, d: score_fold(c, s, o, 0.0))
    with pytest.raises(InputError, match="budget ended"):
        compare_table(frame, plan, replace(options, budget=1000.0))


@pytest.mark.parametrize("folds_encoded", [0, 1])
def test_encoding_stands_inside_the_budget(asked, monkeypatch, folds_encoded):
    """No fold is encoded after the deadline, and encoding is interrupted by it."""
    frame, plan, options = asked
    encoded, encode = [], Splits._encoded

    def slow(self, number):
        encoded.append(number)
        if len(encoded) > folds_encoded:
            time.sleep(60)
        return encode(self, number)

    monkeypatch.setattr(Splits, "_encoded", slow)
    start = time.monotonic()
    with pytest.raises(InputError, match="budget ended before any model"):
        compare_table(frame, plan, replace(options, budget=5.0), clock=Clock(5.0))
    assert time.monotonic() - start < 30
    assert encoded == [0, 1][: folds_encoded + 1]


def test_a_kept_model_that_cannot_be_refitted_in_time_gives_way_to_the_next(asked, monkeypatch):
    from shrinkwise.compare import kept as module

    frame, plan, options = asked
    best = compare_table(frame, plan, options).chosen.candidate.name
    tune = module.tune

    def slow(candidate, problem, options):
        if candidate.name == best:
            raise TimeUp
        return tune(candidate, problem, options)

    monkeypatch.setattr(module, "tune", slow)
    comparison = compare_table(frame, plan, replace(options, budget=1000.0))
    assert comparison.chosen.candidate.name != best
    assert comparison.passed_over == [best]
    assert f"no time to fit {best} on all rows" in " ".join(verdict(comparison))


def test_with_no_time_for_any_the_quickest_is_fitted_and_nothing_false_is_said(asked, monkeypatch):
    from shrinkwise.compare import kept as module

    frame, plan, options = asked
    monkeypatch.setattr(module, "_refit_seconds", lambda *_: 1e9)
    comparison = compare_table(frame, plan, replace(options, budget=1000.0))
    assert comparison.chosen.seconds == min(row.seconds for row in comparison.rows)
    said = " ".join(verdict(comparison))
    assert "There was no time to fit" in said
    lowest = min(row.best.score for row in comparison.rows)
    assert ("lowest" in said) == (comparison.chosen.best.score == lowest)


def test_the_clock_of_a_budget_leaves_time_for_the_report():
    clock = Clock.of(100.0, time.monotonic() - 50)
    assert 47 < clock.left < 49
    assert Clock.of(None, 0.0).deadline(0.5) is None
    assert Clock.of(2.0, time.monotonic()).left < 1.5
