"""The standard deviations by which `standardize` divides."""

import numpy as np
import pytest
from scipy.sparse import csc_array

from shrinkwise.linear.problem.scaling import column_scale


@pytest.mark.parametrize("form", [np.asarray, csc_array], ids=["dense", "sparse"])
def test_deviations_are_numpys_and_a_constant_column_is_left_as_it_is(form):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=60), np.full(60, 0.1), np.full(60, 1e5 + 0.1), 1e-9 * rng.normal(size=60)])
    weight = rng.random(60)
    mean = weight @ X / weight.sum()
    wanted = np.sqrt(weight @ (X - mean) ** 2 / weight.sum())
    wanted[1:3] = 1.0  # whose mean is inexact
    np.testing.assert_allclose(column_scale(form(X), weight), wanted, rtol=1e-9)
