"""Folds are a hash of the row's number or group, and sums over parts are a tree that depends on the parts alone."""

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise.streaming import fold_numbers, reduce_rows
from shrinkwise.streaming.tree import Tree


def test_folds_do_not_depend_on_the_blocks():
    whole = fold_numbers(0, 1000, 7, seed=3)
    parts = [fold_numbers(start, min(13, 1000 - start), 7, seed=3) for start in range(0, 1000, 13)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (fold_numbers(0, 1000, 7, seed=4) != whole).mean() > 0.7


def test_folds_are_of_equal_size_and_independent_of_order():
    """χ² of the counts, and of pairs of successive rows, below its 1 − 1e-6 quantile (47 and 122)."""
    folds = fold_numbers(0, 100_000, 10)
    for counts, limit in ((np.bincount(folds), 47), (np.bincount(folds[:-1] * 10 + folds[1:]), 180)):
        expected = counts.sum() / len(counts)
        assert np.sum((counts - expected) ** 2 / expected) < limit


def test_a_group_is_in_one_fold_however_it_is_stored():
    groups = np.random.default_rng(0).integers(0, 50, 500)
    folds = fold_numbers(10, 500, 5, groups=groups)
    np.testing.assert_array_equal(folds, fold_numbers(999, 500, 5, groups=groups.astype(float)))
    np.testing.assert_array_equal(folds, fold_numbers(0, 500, 5, groups=groups.astype(str)))
    assert all(len(np.unique(folds[groups == g])) == 1 for g in np.unique(groups))
    assert len(np.unique(folds)) == 5


def test_the_tree_merges_neighbours_in_order():
    tree = Tree(lambda a, b: f"({a}{b})")
    for letter in "abcdefg":
        tree.add(letter)
    assert tree.total() == "(((ab)(cd))((ef)g))"


def test_a_sum_over_rows_reports_its_progress():
    frames = [pl.DataFrame({"y": np.ones(n)}) for n in (10, 20, 30)]
    seen = []
    rows = sw.rows(frames, "y")
    total = reduce_rows(
        rows, lambda blocks: sum(b.numbers("y").sum() for b in blocks), float.__add__, None, seen.append
    )
    assert total == 60
    assert seen == [10, 20, 30]
    assert rows.n == 60


@pytest.mark.parametrize("group", [None, "g"])
def test_a_missing_group_is_placed(group):
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.0], "g": ["a", None, "b"]})
    block = next(iter(sw.rows(frame, "y", group=group).blocks()))
    with pytest.raises(ValueError, match="a value of 'g' in every row, got a missing one in the data frame, row 2"):
        block.values("g")
