from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import KFold

from shrinkwise.selection import folds


@pytest.mark.parametrize("task", ["regression", "binary"])
@pytest.mark.parametrize("n_splits", [2, 3, 7])
def test_the_test_folds_partition_the_rows(task, n_splits):
    y = np.arange(31) % 2
    splits = folds(y, n_splits, task=task, random_state=0)
    assert len(splits) == n_splits
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(31))
    for train, test in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(31))


@pytest.mark.parametrize(("n", "n_splits", "seed"), [(10, 5, 0), (23, 4, 7), (1001, 10, 2**32 - 1), (3, 3, 1)])
def test_folds_of_numbers_are_those_of_scikit_learn(n, n_splits, seed):
    found = folds(np.zeros(n), n_splits, task="regression", random_state=seed)
    known = KFold(n_splits, shuffle=True, random_state=seed).split(np.zeros(n))
    for own, other in zip(found, known, strict=True):
        for part, expected in zip(own, other, strict=True):
            np.testing.assert_array_equal(part, expected)


def test_class_shares_are_kept_in_every_fold():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    for _, test in folds(y, 5, task="multiclass", random_state=3):
        assert np.bincount(y[test]).tolist() == [12, 6, 2]


def test_the_same_seed_gives_the_same_folds_and_another_seed_others():
    y = np.arange(40.0)
    first, same, other = (folds(y, 4, task="regression", random_state=s) for s in (1, 1, 2))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))


def test_a_class_rarer_than_the_folds_is_in_every_training_fold():
    y = np.repeat(["a", "b"], [20, 2])
    assert all("b" in y[train] for train, _ in folds(y, 5, task="binary", random_state=0))


@pytest.mark.parametrize(
    ("y", "n_splits", "task", "sentence"),
    [
        (np.zeros(3), 4, "regression", "between 2 and the number of rows"),
        (np.zeros(3), 1, "regression", "n_splits = 1"),
        (np.repeat([0, 1], [9, 1]), 3, "binary", "Class 1 has one member"),
        (np.repeat([0, 1], 3), 4, "binary", "Every class has fewer members than the 4 folds"),
    ],
)
def test_impossible_folds_are_refused_with_a_sentence(y, n_splits, task, sentence):
    with pytest.raises(ValueError, match=sentence):
        folds(y, n_splits, task=task, random_state=0)
