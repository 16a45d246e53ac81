"""The finite-sample quantile, and what its masses are for."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest

from shrinkwise.selection import Rows, conformal_quantiles, row_masses


@pytest.mark.parametrize("n", [1, 9, 10, 19, 20, 99, 100, 999])
def test_equal_masses_give_the_rank_of_the_definition(n):
    scores, levels = np.random.default_rng(n).permutation(n).astype(float), np.arange(500, 991, 5) / 1000
    found = conformal_quantiles(scores, levels)
    ranks = [ceil(round((n + 1) * level, 9)) for level in levels]  # without the rounding of .9 · 10
    assert found.tolist() == [float(rank - 1) if rank <= n else np.inf for rank in ranks]


def test_a_weight_is_a_repetition():
    rng = np.random.default_rng(0)
    scores, weights = rng.normal(size=30), rng.integers(1, 4, 30)
    repeated = conformal_quantiles(np.repeat(scores, weights), [0.5, 0.8, 0.9], unseen=2.0)
    assert conformal_quantiles(scores, [0.5, 0.8, 0.9], weights, unseen=2.0).tolist() == repeated.tolist()


def test_groups_count_once_however_many_rows_they_have():
    groups = np.repeat(np.arange(9), [50, 1, 1, 1, 1, 1, 1, 1, 1])
    mass, unseen = row_masses(Rows(groups=groups), len(groups))
    np.testing.assert_allclose(np.bincount(groups, weights=mass), 1.0)
    scores = np.where(groups == 0, 0.0, groups.astype(float))
    assert conformal_quantiles(scores, [0.85, 0.9, 0.95], mass, unseen).tolist() == [8.0, 8.0, np.inf]


def test_weights_inside_groups_share_the_mass_of_the_group():
    mass, unseen = row_masses(Rows(groups=np.array([0, 0, 1]), weights=np.array([1.0, 3.0, 5.0])), 3)
    assert (mass.tolist(), unseen) == ([0.25, 0.75, 1.0], 1.0)
    mass, unseen = row_masses(Rows(weights=np.array([1.0, 3.0])), 2)
    assert (mass.tolist(), unseen) == ([1.0, 3.0], 2.0)


def test_random_rows_of_new_groups_are_covered_as_often_as_stated():
    """Errors shared within groups: rows as units would cover too rarely, groups as units cover at least at the level."""
    rng, hits, naive = np.random.default_rng(1), [], []
    for _ in range(1500):
        groups = np.repeat(np.arange(21), rng.integers(1, 30, 21))
        errors = np.abs(rng.normal(size=21)[groups] + 0.1 * rng.normal(size=len(groups)))
        seen, new = groups < 20, rng.choice(np.flatnonzero(groups == 20))
        mass, unseen = row_masses(Rows(groups=groups[seen]), int(seen.sum()))
        hits.append(errors[new] <= conformal_quantiles(errors[seen], [0.9], mass, unseen)[0])
        naive.append(errors[new] <= conformal_quantiles(errors[seen], [0.9])[0])
    assert np.mean(hits) > 0.9 - 3 * np.sqrt(0.09 / 1500)
    assert np.mean(naive) < np.mean(hits)
