"""Every wrong call is one sentence that says what was expected."""

import numpy as np
import pytest

import shrinkwise as sw

W = np.ones((3, 4))
BAD = {
    "negative lam": (lambda: sw.L1(-1.0), ValueError, "finite and ≥ 0"),
    "NaN lam": (lambda: sw.L2(float("nan")), ValueError, "finite and ≥ 0"),
    "infinite lam": (lambda: sw.L2(float("inf")), ValueError, "finite and ≥ 0"),
    "lam as text": (lambda: sw.L1("0.1"), TypeError, "as a number"),
    "lam as bool": (lambda: sw.L1(True), TypeError, "as a number"),
    "ratio above 1": (lambda: sw.ElasticNet(0.1, 1.5), ValueError, r"in \[0, 1\]"),
    "ratio NaN": (lambda: sw.ElasticNet(0.1, float("nan")), ValueError, r"in \[0, 1\]"),
    "negative weights": (lambda: sw.L1(0.1, weights=[1.0, -1.0]), ValueError, "weights finite and ≥ 0"),
    "NaN weights": (lambda: sw.L1(0.1, weights=[1.0, np.nan]), ValueError, "weights finite and ≥ 0"),
    "labels of the wrong length": (lambda: sw.GroupLasso(0.1, [0, 1]).value(W), ValueError, "labels of shape"),
    "labels not integer": (lambda: sw.Groups([0.5, 1.0]), TypeError, "integer group labels"),
    "labels below -1": (lambda: sw.Groups([0, -2]), ValueError, "group labels ≥ 0"),
    "overlapping groups": (lambda: sw.Groups.from_indices([[0, 1], [1, 2]], 4), ValueError, "without overlap"),
    "columns of a vector": (lambda: sw.GroupLasso(0.1, sw.Groups.columns()).value(W[0]), ValueError, "columns"),
    "group weights of the wrong length": (
        lambda: sw.GroupLasso(0.1, sw.Groups.columns(), weights=[1.0]).value(W), ValueError, "one weight a group"),
    "integer array": (lambda: sw.L1(0.1).prox(np.array([1, 2]), 1.0), TypeError, "floating-point"),
    "negative step": (lambda: sw.L1(0.1).prox(W, -1.0), ValueError, "step ≥ 0"),
    "negative array step": (lambda: sw.L1(0.1).prox(W, -W), ValueError, "steps ≥ 0"),
    "sum with two group terms": (
        lambda: (sw.GroupLasso(0.1, sw.Groups.rows()) + sw.GroupLasso(0.1, sw.Groups.columns())).prox(W, 1.0),
        TypeError, "no closed-form prox"),
    "unknown parameter": (lambda: sw.L1(0.1).set_params(alpha=1), ValueError, "no parameter 'alpha'"),
    "bad value through set_params": (lambda: sw.L1(0.1).set_params(lam=-1), ValueError, "finite and ≥ 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_one_sentence(case):
    call, kind, words = BAD[case]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_sum_with_something_else_is_refused():
    with pytest.raises(TypeError):
        sw.L1(0.1) + 3


@pytest.mark.parametrize("penalty", [sw.L1(0.1), sw.L2(0.1), sw.ElasticNet(0.1), sw.L1(0.1) + sw.L2(0.1)], ids=repr)
def test_empty_arrays_give_the_empty_result(penalty):
    empty = np.zeros(0)
    assert penalty.value(empty) == 0
    assert penalty.prox(empty, 1.0).shape == (0,)
    assert penalty.lambda_max(empty) == 0
