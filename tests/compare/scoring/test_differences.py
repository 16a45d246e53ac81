"""Rows of one group, and runs of rows in time, count as one observation in the interval of a difference."""

from types import SimpleNamespace

import numpy as np
import pytest

from shrinkwise.compare.scoring.differences import difference

RNG = np.random.default_rng(0)
FOLDS = [(np.arange(48, 96), np.arange(48)), (np.arange(48), np.arange(48, 96))]


def found(y, predictions, **rows):
    given = {"weights": None, "groups": None, "time": None} | rows
    splits = SimpleNamespace(
        folds=FOLDS,
        y=y,
        plan=SimpleNamespace(task="regression"),
        rows=SimpleNamespace(**given),
        mean_sizes=(48.0, 48.0),
    )
    one, other = ([SimpleNamespace(output=p[test]) for _, test in FOLDS] for p in predictions)
    return difference(splits, one, other)


def test_rows_that_repeat_each_other_are_one_observation_where_they_are_a_group():
    y, a, b = (np.repeat(RNG.normal(size=24), 4) for _ in range(3))
    alone, grouped = found(y, (a, b)), found(y, (a, b), groups=np.repeat(np.arange(24), 4))
    assert grouped.mean == alone.mean
    assert grouped.freedom == 23
    assert grouped.error / alone.error == pytest.approx(2.0, rel=0.02)  # a quarter of the observations


def test_neighbours_in_time_are_one_observation_whatever_the_order_of_the_rows():
    y, a, b = (np.repeat(RNG.normal(size=8), 12) for _ in range(3))  # constant for longer than a run of √96 rows
    alone, in_time = found(y, (a, b)), found(y, (a, b), time=np.arange(96.0))
    assert in_time.freedom == 10  # 96 rows in runs of 9
    assert in_time.error > 2.0 * alone.error
    order = RNG.permutation(96)  # the same rows, shuffled in the file
    y, a, b = y[order], a[order], b[order]
    assert found(y, (a, b), time=order.astype(float)).error > 2.0 * found(y, (a, b)).error


def test_weights_count_within_their_fold():
    y, a, b = RNG.normal(size=(3, 96))
    weights = np.where(np.arange(96) % 2 == 0, 1.0, 0.0)
    rest = np.where(np.arange(96) % 2 == 0, a, 99.0)
    assert found(y, (rest, b), weights=weights).mean == pytest.approx(found(y, (a, b), weights=weights).mean, rel=1e-12)
