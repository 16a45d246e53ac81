"""The transformer: scikit-learn's contract, exactly k inputs, and the right ones where they are known."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import shrinkwise as sw
from shrinkwise.networks import Training

QUICK = Training(partial(torch.optim.Adam, lr=0.01), epochs=1, start_epochs=5, batch_size=64)


def product(n=200, d=8, seed=0):
    """The product of two inputs: no linear model sees it."""
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X, X[:, 1] * X[:, 4]


@pytest.mark.thorough
@parametrize_with_checks([sw.InputSelector(k=1, hidden=4, training=QUICK, random_state=0)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_a_product_of_inputs_is_found_as_number_and_as_class():
    X, y = product()
    for target in (np.array(["low", "high"])[(y > 0).astype(int)], np.stack([y, -y], 1)):
        selector = sw.InputSelector(k=2, random_state=0).fit(X, target)
        assert list(selector.get_support(indices=True)) == [1, 4]
        assert sorted(selector.ranking_) == list(range(1, 9))
        assert set(selector.ranking_[[1, 4]]) == {1, 2}
        assert selector.lambdas_[[1, 4]].min() > np.delete(selector.lambdas_, [1, 4]).max()


@pytest.mark.parametrize("k", [1, 3, 7])
def test_exactly_k_are_kept_though_several_leave_at_once(k):
    X, y = product()
    selector = sw.InputSelector(k=k, training=QUICK, random_state=1).fit(X, y)
    assert selector.get_support().sum() == k
    assert selector.transform(X).shape == (200, k)
    np.testing.assert_array_equal(selector.transform(X), X[:, selector.ranking_ <= k])


def test_several_networks_are_averaged_and_a_seed_repeats():
    X, y = product()
    selector = sw.InputSelector(k=2, n_networks=2, training=QUICK, random_state=3)
    first, second = selector.fit(X, y).lambdas_, clone(selector).fit(X, y).lambdas_
    np.testing.assert_array_equal(first, second)
    one = sw.InputSelector(k=2, training=QUICK, random_state=3).fit(X, y)
    assert not np.array_equal(one.lambdas_, first)


def test_the_scale_of_inputs_counts_only_where_it_is_to():
    X, y = product()
    scaled = X * np.array([1, 0.01, 1, 1, 100, 1, 1, 1])
    selector = sw.InputSelector(k=2, random_state=0)
    kept = selector.fit(X, y).lambdas_
    np.testing.assert_allclose(
        selector.fit(scaled, y).lambdas_, kept, rtol=0.4
    )  # a step of the grid or two, by rounding
    assert selector.set_params(standardise=False).fit(scaled, y).ranking_[1] > 2
    assert selector.fit(3.0 * X, y).get_support(indices=True).tolist() == [1, 4]  # one common scale is none


def test_names_and_a_pipeline():
    pandas = pytest.importorskip("pandas")
    X, y = product()
    frame = pandas.DataFrame(X, columns=list("abcdefgh"))
    pipeline = make_pipeline(sw.InputSelector(k=2, random_state=0), LogisticRegression()).fit(frame, y > 0)
    assert list(pipeline[0].get_feature_names_out()) == ["b", "e"]
    with pytest.warns(UserWarning, match="inputs are kept because"):
        assert sw.InputSelector(k=9, training=QUICK).fit(frame, y).get_support().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k to be an integer ≥ 1"),
        ({"hidden": 2.5}, "hidden to be an integer"),
        ({"n_networks": 0}, "n_networks"),
    ],
)
def test_bad_input_is_one_sentence(options, message):
    X, y = product()
    with pytest.raises(ValueError, match=message):
        sw.InputSelector(training=QUICK, **options).fit(X, y)
